"""Weights from a safetensors file into a network: every tensor by its name, with its shape and dtype, or
not at all.

Pickle formats run code when they are read, so they are not read here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from registry_client.folder import local_header
from registry_client.rerun.families import build
from registry_core.errors import Invalid, InvalidWeights, NotFound
from registry_core.safetensors import Header

FILE_NAME = "model.safetensors"

_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def load_network(config: dict[str, Any], folder: Path, device: torch.device) -> nn.Module:
    """The network of `config` with the weights of `folder`, on `device`, in evaluation mode.

    Raises InvalidWeights, naming every tensor that is missing, unexpected, or of another shape or dtype;
    NotFound when the folder holds no `model.safetensors`, and Invalid when its weights are spread over several
    files.
    """
    path = _weights_of(folder)
    # On the meta device a network takes no memory, so a config cannot ask for more than the file holds.
    with torch.device("meta"):
        network = build(config)
    faults = differences(network.state_dict(), local_header(path))
    if faults:
        raise InvalidWeights(f"{FILE_NAME} does not fit the network that config.json describes.", faults=faults)
    network.load_state_dict(_tensors(path, device), strict=True, assign=True)
    return network.eval()


def _weights_of(folder: Path) -> Path:
    path = folder / FILE_NAME
    if path.is_file():
        return path
    if (folder / f"{FILE_NAME}.index.json").is_file() or any(folder.glob("model-*-of-*.safetensors")):
        raise Invalid(
            "The weights of this model are spread over several files, which cannot be loaded here yet.",
            hint=f"Save them as one {FILE_NAME} and push again.",
        )
    raise NotFound(f"The model has no {FILE_NAME}.", hint="Save its weights with safetensors and push again.")


def differences(expected: dict[str, Tensor], header: Header) -> list[str]:
    """What keeps the file of `header` from being these tensors, one line each."""
    found = {tensor.name: tensor for tensor in header.tensors}
    missing = [f"{name} is missing" for name in expected if name not in found]
    unexpected = [f"{name} is not part of the network" for name in found if name not in expected]
    shared = [(name, tensor, found[name]) for name, tensor in expected.items() if name in found]
    shapes = [
        f"{name} has shape {list(stored.shape)}, the network {list(tensor.shape)}"
        for name, tensor, stored in shared
        if stored.shape != tuple(tensor.shape)
    ]
    dtypes = [
        f"{name} has dtype {stored.dtype}, the network {_DTYPES.get(tensor.dtype, tensor.dtype)}"
        for name, tensor, stored in shared
        if stored.dtype != _DTYPES.get(tensor.dtype)
    ]
    return missing + unexpected + shapes + dtypes


def _tensors(path: Path, device: torch.device) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path, device=str(device))
    except SafetensorError as error:
        raise InvalidWeights(f"{path.name} cannot be read: {error}.") from error
    return tensors
