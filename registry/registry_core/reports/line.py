"""What a report is made of, and the few ways to fill a line of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from registry_core.grades import Level
from registry_core.quantity import Amount
from registry_core.reports.subject import Subject

Status = Literal["met", "partly", "not met", "not applicable", "outside the registry"]
Value = str | float | None

AUTHOR = "the author of the card"


@dataclass(frozen=True)
class Line:
    """One requirement, and what the registry knows about it."""

    id: str  # also the name under `narrative` that fills it, where people may
    requirement: str  # in our words
    path: str | None  # of the card, where the value comes from
    value: Value
    unit: str | None
    source: str | None  # measured, estimated, declared
    level: Level | None  # of the evidence behind it
    status: Status
    supplier: str | None  # who has to supply what is missing; None when nothing is
    recipients: tuple[str, ...] = ()  # empty: everybody


@dataclass(frozen=True)
class Table:
    """Rows that belong together; every row is as long as `columns`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Head:
    """What the report is about, what it rests on, and what it is not."""

    standard: str
    title: str
    notice: str
    recipient: str | None
    repo_id: str | None
    commit_id: str | None
    card_digest: str
    policy_digest: str | None
    schema: str
    made_at: str


@dataclass(frozen=True)
class Report:
    head: Head
    lines: tuple[Line, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Body:
    """What a standard's module gives."""

    title: str
    lines: tuple[Line, ...]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()  # sentences that belong to the notice


def known(
    line_id: str,
    requirement: str,
    path: str,
    value: Value,
    *,
    unit: str | None = None,
    source: str | None = "declared",
    partly: bool = False,
    supplier: str = AUTHOR,
    to: Sequence[str] = (),
) -> Line:
    """A line that the card, or the repository, fills by itself; not met when it does not.

    `partly` says that the value is there and not the whole of what is asked for.
    """
    if value is None or value == "":
        return Line(line_id, requirement, path, None, None, None, None, "not met", supplier, tuple(to))
    status: Status = "partly" if partly else "met"
    return Line(line_id, requirement, path, value, unit, source, None, status, supplier if partly else None, tuple(to))


def amount(
    line_id: str,
    requirement: str,
    path: str,
    found: Amount | None,
    unit: str,
    subject: Subject,
    *,
    partly: bool = False,
    to: Sequence[str] = (),
) -> Line:
    """A line that is a number with an interval: two significant digits or more, the interval in the text."""
    if found is None:
        return known(line_id, requirement, path, None, to=to)
    level = subject.grade.level if subject.grade else None
    line = known(line_id, requirement, path, with_interval(found), unit=unit, source=found.source, partly=partly, to=to)
    return Line(**{**vars(line), "level": level})


def text(
    subject: Subject, line_id: str, requirement: str, *, drafted: str | None = None, to: Sequence[str] = ()
) -> Line:
    """A line that people write under `narrative`; `drafted` stands there, as partly met, until they do."""
    written = (subject.card.narrative or {}).get(line_id)
    if written:
        return known(line_id, requirement, f"narrative.{line_id}", written, to=to)
    supplier = f"{AUTHOR}, as narrative.{line_id}"
    return known(line_id, requirement, f"narrative.{line_id}", drafted, partly=True, supplier=supplier, to=to)


def outside(line_id: str, requirement: str, supplier: str, *, to: Sequence[str] = ()) -> Line:
    """A line that no registry can fill."""
    return Line(line_id, requirement, None, None, None, None, None, "outside the registry", supplier, tuple(to))


def not_applicable(line_id: str, requirement: str, why: str, *, to: Sequence[str] = ()) -> Line:
    """A line that does not concern this model; its value says why."""
    return Line(line_id, requirement, None, why, None, None, None, "not applicable", None, tuple(to))


def with_interval(found: Amount) -> str:
    """`12.4 (11.2 to 13.6)`, three significant digits and never an exponent."""
    if found.low < found.high:
        return f"{plain(found.value)} ({plain(found.low)} to {plain(found.high)})"
    return plain(found.value)


def plain(number: float) -> str:
    """Three significant digits in plain decimals: 0.00123, 12.4, 1290000."""
    return format(Decimal(f"{number:.3g}"), "f")
