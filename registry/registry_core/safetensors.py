"""The header of a safetensors file: which tensors it holds, said without loading one of them.

    ┌─────────────┬──────────────────────────────┬──────────────────────────────────────────┐
    │ 8 bytes: n  │ n bytes of JSON: the header  │ the data: tensors without gap or overlap │
    └─────────────┴──────────────────────────────┴──────────────────────────────────────────┘

Whatever is accepted here, the safetensors library accepts too. We refuse more than it does: a key given
twice, a field nobody knows, a header that starts with white space, and one longer than MAX_HEADER_BYTES.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry_core.errors import InvalidWeights

MAX_HEADER_BYTES = 10_000_000
"""Room for a hundred thousand tensors. The library stops at 100 MB, which as objects fill gigabytes."""

BITS: dict[str, int] = {
    "F4": 4,
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8"), 8),
    **dict.fromkeys(("F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
"""Bits of one element, by dtype."""

_LIMIT = 2**64
_FIELDS = {"dtype", "shape", "data_offsets"}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor; `begin` and `end` are its place in the data, in bytes after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        return _product(self.shape)


@dataclass(frozen=True)
class Header:
    """What a safetensors file says of itself; `tensors` stand in the order of their bytes."""

    tensors: tuple[TensorInfo, ...]
    metadata: dict[str, str]

    @property
    def parameters(self) -> int:
        """Elements of all tensors together."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def parameters_by_dtype(self) -> dict[str, int]:
        """Elements by dtype, the most frequent first."""
        counted: Counter[str] = Counter()
        for tensor in self.tensors:
            counted[tensor.dtype] += tensor.elements
        return dict(counted.most_common())

    @property
    def weights_bytes(self) -> int:
        """Size of the data that follows the header."""
        return self.tensors[-1].end if self.tensors else 0


def read_header(read: Callable[[int, int], bytes], size_bytes: int) -> Header:
    """The header of a file of `size_bytes`, of which `read(offset, length)` gives bytes, twice at most.

    Raises InvalidWeights when the header, or the size of the file, is not what the format demands.
    """
    if size_bytes < 8:
        raise _cut(f"it has {size_bytes} bytes, and the format needs 8 for the length of its header")
    length = int.from_bytes(_exactly(read, 0, 8), "little")
    if length > MAX_HEADER_BYTES:
        raise InvalidWeights(f"The header says it is {length} bytes long; at most {MAX_HEADER_BYTES} are read.")
    if length > size_bytes - 8:
        raise _cut(f"its header should have {length} bytes, and the file ends after {size_bytes - 8} of them")
    header = _header(_decoded(_exactly(read, 8, length)))
    if header.weights_bytes != size_bytes - 8 - length:
        raise _cut(f"its tensors cover {header.weights_bytes} bytes of data, and it has {size_bytes - 8 - length}")
    return header


def _exactly(read: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
    data = read(offset, length)
    if len(data) != length:
        raise _cut(f"{length} bytes were expected at byte {offset}, and {len(data)} came")
    return data


def _cut(what: str) -> InvalidWeights:
    return InvalidWeights(
        f"The file is not a whole safetensors file: {what}.",
        hint="Save the model again, or download it again.",
    )


def _decoded(data: bytes) -> dict[str, Any]:
    if not data.startswith(b"{"):
        raise InvalidWeights("The header does not start with '{': this is not a safetensors file.")
    try:
        decoded: dict[str, Any] = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_int=_integer, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise InvalidWeights(f"The header is not JSON: {error or 'nested too deeply'}.") from error
    return decoded


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # The reader that takes the first and the reader that takes the last would see different models.
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InvalidWeights(f"The header names {_shown(name)} twice.")
    return found


def _integer(text: str) -> int | float:
    # As the library has it: -0 is a float, and so no size.
    return -0.0 if text == "-0" else int(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _header(decoded: dict[str, Any]) -> Header:
    metadata = _metadata(decoded.pop("__metadata__", None))
    tensors = sorted(
        (_tensor(name, fields) for name, fields in decoded.items()),
        key=lambda tensor: (tensor.begin, tensor.end),
    )
    expected = 0
    for tensor in tensors:
        if tensor.begin != expected:
            what = "overlaps the one before" if tensor.begin < expected else "leaves a hole before it"
            raise _faulty(tensor.name, f"{what}: it begins at byte {tensor.begin}, not at byte {expected}")
        expected = tensor.end
    return Header(tuple(tensors), metadata)


def _metadata(fields: Any) -> dict[str, str]:
    if fields is None:
        return {}
    if not isinstance(fields, dict) or not all(map(_is_text, [*fields, *fields.values()])):
        raise InvalidWeights("The header's __metadata__ must map texts to texts.")
    return fields


def _tensor(name: str, fields: Any) -> TensorInfo:
    if not _is_text(name):
        raise _faulty(name, "its name is not Unicode")
    if not isinstance(fields, dict) or fields.keys() != _FIELDS:
        raise _faulty(name, f"it must have exactly the fields {', '.join(sorted(_FIELDS))}")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _faulty(name, f"its dtype {_shown(dtype)} is unknown")
    if not _are_sizes(shape):
        raise _faulty(name, f"its shape {_shown(shape)} is not a list of whole numbers from 0 to 2^64 - 1")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _faulty(name, f"its data_offsets {_shown(offsets)} are not a begin and an end")
    tensor = TensorInfo(name, dtype, tuple(shape), offsets[0], offsets[1])
    _check_size(tensor)
    return tensor


def _check_size(tensor: TensorInfo) -> None:
    bits = tensor.elements * BITS[tensor.dtype]
    if bits >= _LIMIT:
        raise _faulty(tensor.name, f"its shape {_shown(tensor.shape)} is too large")
    if bits % 8:
        raise _faulty(tensor.name, f"its {tensor.elements} elements of {tensor.dtype} do not fill whole bytes")
    if tensor.end - tensor.begin != bits // 8:
        raise _faulty(
            tensor.name,
            f"{tensor.dtype} of shape {_shown(tensor.shape)} takes {bits // 8} bytes, and its data_offsets"
            f" span {tensor.end - tensor.begin}",
        )


def _product(shape: tuple[int, ...]) -> int:
    """Elements of a shape, or 2**64 once that many are reached: readers multiply from the left in 64 bits."""
    elements = 1
    for size in shape:
        elements *= size
        if elements >= _LIMIT:
            return _LIMIT
    return elements


def _are_sizes(value: Any) -> bool:
    # `type` and not isinstance, since True is an int.
    return isinstance(value, list) and all(type(size) is int and 0 <= size < _LIMIT for size in value)


def _is_text(value: Any) -> bool:
    """A string that UTF-8 can hold: JSON's \\ud800 alone cannot be stored or shown."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _faulty(name: str, what: str) -> InvalidWeights:
    return InvalidWeights(f"Tensor {_shown(name)} cannot be trusted: {what}.")


def _shown(value: Any) -> str:
    """At most 80 characters of a foreign value, in ASCII: it ends up in answers and logs."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
