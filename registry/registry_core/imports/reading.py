"""Reading foreign files without trusting them: bounded, strict about numbers, and every fault with its place."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from registry_core.imports.phases import Device, invalid

MAX_BYTES = 4 * 1024 * 1024
MAX_ROWS = 1000
MAX_COLUMNS = 300
MAX_DEPTH = 32

_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_COUNTED = re.compile(r"(\d{1,6}) ?[xX×] ?(.+)")


def text_of(data: bytes, form: str) -> str:
    """UTF-8 text of at most 4 MiB. Raises InvalidImport."""
    if len(data) > MAX_BYTES:
        raise invalid(form, [f"the file is larger than {MAX_BYTES} bytes"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid(form, [f"the file is not UTF-8 text: {error.reason} at byte {error.start}"]) from error


def csv_rows(data: bytes, form: str, *, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a table with a head line. Raises InvalidImport."""
    lines = text_of(data, form).splitlines()
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise invalid(form, [f"the file cannot be read as CSV: {error}"]) from error
    rows = [row for row in rows if any(row)]
    if len(rows) < 2:
        raise invalid(form, ["the file has no row under its head"])
    head, *body = rows
    faults = []
    if len(head) > MAX_COLUMNS or len(set(head)) < len(head):
        faults.append(f"the head has more than {MAX_COLUMNS} columns, or names one twice")
    if len(body) > MAX_ROWS:
        faults.append(f"the file has more than {MAX_ROWS} rows")
    faults += [f"row {number}: has {len(row)} fields, not {len(head)}" for number, row in _odd(body, len(head))]
    if faults:
        raise invalid(form, faults)
    return [dict(zip(head, row, strict=True)) for row in body]


def _odd(rows: list[list[str]], width: int) -> list[tuple[int, list[str]]]:
    return [(number, row) for number, row in enumerate(rows, 1) if len(row) != width][:20]


def json_of(data: bytes, form: str) -> Any:
    """A JSON document; unlike in a card, null is a way to say nothing. Raises InvalidImport."""
    try:
        document = json.loads(text_of(data, form), parse_constant=_not_finite)
    except RecursionError as error:
        raise invalid(form, [f"the file is nested deeper than {MAX_DEPTH} levels"]) from error
    except ValueError as error:
        raise invalid(form, [f"the file cannot be read as JSON: {error}"]) from error
    return document


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def number(value: Any) -> float | None:
    """A finite number of at most 1e30, from a number or its text; None for nothing. Raises ValueError."""
    if value is None or (isinstance(value, str) and value.strip() in ("", "None", "nan", "NaN", "null", "N/A")):
        return None
    if isinstance(value, str):
        if not _PLAIN.fullmatch(value.strip()):
            raise ValueError(f"expected a number, got {value[:40]!r}")
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, got {str(value)[:40]!r}")
    if not abs(value) <= 1e30 or not math.isfinite(value):  # the comparison also takes whole numbers no float holds
        raise ValueError("expected a finite number")
    return float(value)


def checked_year(time: datetime) -> datetime:
    """A moment that a run can have, far from the ends of what a computer can count. Raises ValueError."""
    if not 1990 <= time.year <= 2200:
        raise ValueError(f"expected a year from 1990 to 2200, got {time.year}")
    return time


class Fields:
    """The fields of one object of a file; what is wrong with them is collected in `faults`."""

    def __init__(self, values: Mapping[str, Any], faults: list[str], where: str = "") -> None:
        self._values = values
        self._where = where
        self.faults = faults

    def number(self, name: str, *, required: bool = False) -> float | None:
        """A number that is not negative; None when the file does not say it."""
        try:
            found = number(self._values.get(name))
        except ValueError as error:
            self.fault(name, str(error))
            return None
        if found is not None and found < 0:
            self.fault(name, f"is {found:g}, below zero")
            return None
        if found is None and required:
            self.fault(name, "is missing")
        return found

    def text(self, name: str) -> str | None:
        """A text of at most 200 characters; None when the file does not say it."""
        value = self._values.get(name)
        text = value.strip() if isinstance(value, str) else ""
        return text[:200] if text and text not in ("None", "nan", "null") else None

    def moment(self, name: str) -> datetime | None:
        """A moment; without a zone it is taken for UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
            return checked_year(found)
        except (ValueError, OverflowError):
            self.fault(name, f"expected a moment like 2026-11-21T08:00:00, got {text[:40]!r}")
            return None

    def fault(self, name: str, what: str) -> None:
        self.faults.append(f"{self._where}{name}: {what}")


def counted(text: str, kind: str, count: int | None = None) -> Device:
    """`2 x NVIDIA A100` as two devices; `count` is what another field says."""
    found = _COUNTED.fullmatch(text)
    model, said = (found[2].strip(), int(found[1])) if found else (text, None)
    return Device(kind, model, max(1, count or said or 1))
