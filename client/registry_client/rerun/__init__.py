"""Running a pulled model here: the only home of torch.

`load` gives a network ready to use, `rerun` compares a model with what its card claims. torch is imported
when one of them is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from registry_core.errors import Invalid

if TYPE_CHECKING:
    from registry_client.rerun.loading import load
    from registry_client.rerun.rerunning import RerunResult, rerun

__all__ = ["MODEL_TYPES", "RerunResult", "load", "rerun"]

MODEL_TYPES = ("mlp",)
"""The families that can be built here, by the `model_type` of their config.json; it takes no torch to know them."""

_HOMES = {"load": "loading", "rerun": "rerunning", "RerunResult": "rerunning"}
_EXTRA = frozenset({"numpy", "safetensors", "sklearn", "torch"})


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise Invalid(
            f"Running a model needs {error.name}, which is not installed.",
            hint="Run pip install 'model-commons[rerun]'.",
        ) from error
