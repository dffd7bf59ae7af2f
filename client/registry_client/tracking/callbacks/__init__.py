"""Footprints of trainings that a library runs: one module a library, each with its `FootprintCallback`.

from registry_client.tracking.callbacks.transformers import FootprintCallback
from registry_client.tracking.callbacks.lightning import FootprintCallback
"""
