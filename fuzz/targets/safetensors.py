"""Headers of safetensors files: what we accept must add up."""

from __future__ import annotations

import json
import random
import struct

from fuzz.documents import change_json
from tests.client.models import safetensors_bytes

from registry_core.safetensors import read_header


def _file(header: bytes, size_bytes: int = 0) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(size_bytes)


TENSORS = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b": {"dtype": "F4", "shape": [4], "data_offsets": [12, 14]},
    "c": {"dtype": "I64", "shape": [], "data_offsets": [14, 22]},
}
SEEDS = [
    safetensors_bytes([1.0, 2.0]),
    _file(json.dumps(TENSORS).encode() + b"   ", 22),
    _file(b"{}"),
    _file(b'{"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}}'),
]


def change(data: bytes, source: random.Random) -> bytes:
    """Another header before the same data, of the length that it says."""
    end = 8 + int.from_bytes(data[:8], "little")
    return _file(change_json(data[8:end], source)) + data[end:]


def read(data: bytes) -> None:
    header = read_header(lambda offset, length: data[offset : offset + length], len(data))
    assert sum(header.parameters_by_dtype.values()) == header.parameters
    assert header.weights_bytes < len(data)
    for tensor in header.tensors:
        tensor.name.encode()
