"""Which files of a repo are weights, by their names."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
WEIGHT_SUFFIXES = PICKLE_SUFFIXES | {".gguf", ".h5", ".msgpack", ".onnx", ".safetensors"}

# What trainers leave beside the weights: pickles too, and nobody's model.
_STATE = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state(_\d+)?)\.(bin|pt|pth|pkl)")


def is_weights(path: str) -> bool:
    """Whether the file holds weights of the model."""
    place = PurePosixPath(path)
    return place.suffix.lower() in WEIGHT_SUFFIXES and not _STATE.fullmatch(place.name)


def is_pickle(path: str) -> bool:
    """Whether the file is of a kind that can run code when it is loaded."""
    return PurePosixPath(path).suffix.lower() in PICKLE_SUFFIXES
