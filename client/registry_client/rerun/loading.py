"""From a model's name to a network that is ready to use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from registry_client.pull import PullResult, pull
from registry_client.rerun import devices
from registry_client.rerun.families import parse_config
from registry_client.rerun.weights import load_network
from registry_core.errors import NotFound


@dataclass(frozen=True)
class Pulled:
    """A verified snapshot and the configuration in it."""

    result: PullResult
    folder: Path
    config: dict[str, Any]


def load(spec: str, *, device: str = "auto", endpoint: str | None = None, token: str | None = None) -> nn.Module:
    """The network `OWNER/NAME[@REVISION]` with its weights, in evaluation mode, on `device`.

    It is pulled and verified first. Raises Invalid for a device that is not there and for a family that
    cannot be built, InvalidWeights for weights that do not fit, and the errors of a pull.
    """
    chosen = devices.choose(device)
    pulled = pulled_model(spec, endpoint=endpoint, token=token)
    return load_network(pulled.config, pulled.folder, chosen)


def pulled_model(spec: str, *, endpoint: str | None, token: str | None) -> Pulled:
    """The verified snapshot of a model. Raises NotFound when it does not say which network it is."""
    result = pull(spec, endpoint=endpoint, token=token)
    folder = Path(result.path)
    config = required(folder, "config.json", "Add one that names its model_type, and push again.")
    return Pulled(result, folder, parse_config(config))


def required(folder: Path, name: str, hint: str) -> bytes:
    """The content of one file of the snapshot. Raises NotFound with `hint` when it is not there."""
    path = folder / name
    if not path.is_file():
        raise NotFound(f"The model has no {name}.", hint=hint)
    return path.read_bytes()
