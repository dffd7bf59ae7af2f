"""Strict models and strict JSON: what people write is checked at the door, and all faults are named at once.

A fault is a place and what is wrong there; `Faults` maps one to the other, so that no place is named twice.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

Faults = dict[str, str]
MAX_DEPTH = 32
MAX_VALUES = 50_000
MAX_FAULTS = 1000  # that are written out; who made more has one mistake in a loop
MAX_EXACT_INTEGER = 2**53 - 1  # the largest that every JSON reader keeps exactly (RFC 8785, RFC 7493)

T = TypeVar("T")
Items = Annotated[tuple[T, ...], Field(strict=False)]
"""A JSON list, kept as a tuple; its items stay strict."""
Text = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(ge=0, le=1e30)]
"""Not negative, and small enough that products of a few stay finite; no number of a card comes near."""
Count = Annotated[int, Field(ge=0, le=MAX_EXACT_INTEGER)]


class Strict(BaseModel):
    """Frozen; no conversions, no unknown fields, no NaN and no infinity."""

    # Built at the first use: a server starts a tenth of a second sooner, and a command that reads no card never pays.
    model_config = ConfigDict(defer_build=True, strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _with_unknown_fields(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Fields that a reader was told to keep (`extra="allow"` at validation) are written back, too.
        return {**write(self), **(self.model_extra or {})}


def faults_of(error: ValidationError) -> Faults:
    """The faults of a failed validation: `phases[0].pue.unit` -> `expected '1', got 'kWh'`."""
    found = [fault for fault in error.errors(include_url=False) if not _echo(fault)]
    faults = {place(fault["loc"]): _text(fault) for fault in islice(found, MAX_FAULTS)}
    return faults | ({"…": f"and {len(found) - MAX_FAULTS} more"} if len(found) > MAX_FAULTS else {})


def fault_lines(faults: Faults) -> list[str]:
    """One line a fault, safe to print and to send: control characters and stray surrogates are escaped."""
    lines = [f"{where}: {text}" if where else text for where, text in islice(faults.items(), MAX_FAULTS + 1)]
    return ["".join(map(_printable, line)) for line in lines]


def _printable(letter: str) -> str:
    return letter if letter.isprintable() else ascii(letter)[1:-1]


def place(steps: Iterable[int | str]) -> str:
    """`("phases", 0, "pue")` as `phases[0].pue`."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step[:80]}" for step in steps]
    return "".join(parts).removeprefix(".")


def _echo(fault: Any) -> bool:
    # A list whose items are all faulty counts as empty; the items' own faults have said enough.
    return bool(fault["type"] == "too_short" and fault["input"])


_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text",
    "model_type": "an object",
    "dict_type": "an object",
    "tuple_type": "a list",
    "finite_number": "a finite number",
}


def _text(fault: Any) -> str:
    kind, got = fault["type"], _shown(fault["input"])
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "unknown field"
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    if kind == "literal_error":
        return f"expected {fault['ctx']['expected']}, got {got}"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {got}"
    said = fault["msg"].removeprefix("Input ")
    return f"{said[0].lower()}{said[1:]}, got {got}"


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_json(data: bytes | str | Mapping[str, Any], *, max_bytes: int) -> tuple[Any, Faults]:
    """The document and its faults as JSON: duplicate keys, nulls, NaN, infinity, surrogates, deep nesting.

    The document is None when it cannot be read at all. A mapping is held to the same rules as the text it
    would be written as. Null is a fault because a missing number is absent: one document has one spelling.
    Integers beyond 2**53 - 1 become floats, as in every reader of JSON that is not Python.
    """
    faults: Faults = {}

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = Counter(name for name, _ in pairs)
            twice = [name for name, times in names.items() if times > 1]
            faults.update({repr(name[:80]): "appears twice in one object" for name in twice})
        return found

    try:
        document = json.loads(_text_of(data, max_bytes), object_pairs_hook=unique, parse_int=_integer)
    except RecursionError:
        return None, {"": f"is nested deeper than {MAX_DEPTH} levels"}
    except (TypeError, ValueError) as error:
        return None, {"": f"cannot be read as JSON: {error}"}
    for number, (steps, value) in enumerate(_values(document, ())):
        if number >= MAX_VALUES:
            return None, {"": f"has more than {MAX_VALUES} values"}
        fault = _json_fault(value, steps)
        if fault:
            faults[place(steps)] = fault
    return document, faults


def _text_of(data: bytes | str | Mapping[str, Any], max_bytes: int) -> str:
    if isinstance(data, Mapping):
        data = json.dumps(dict(data))
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes} bytes")
    return data if isinstance(data, str) else raw.decode()


def _integer(text: str) -> int | float:
    number = float(text)
    return int(text) if abs(number) <= MAX_EXACT_INTEGER else number


def _values(value: object, steps: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], object]]:
    """Every value of the document with its place, down to the first level that is too deep."""
    yield steps, value
    if len(steps) > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _values(child, (*steps, name))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _values(child, (*steps, number))


def _json_fault(value: object, steps: tuple[int | str, ...]) -> str:
    if len(steps) > MAX_DEPTH:
        return f"is nested deeper than {MAX_DEPTH} levels"
    if value is None:
        return "is null; leave a missing field out"
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, got {value}"
    texts = [text for text in (value, *steps[-1:]) if isinstance(text, str)]
    return "" if all(map(_is_unicode, texts)) else "is not valid Unicode"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
