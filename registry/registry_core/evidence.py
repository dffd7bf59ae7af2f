"""The raw evidence of a card: what the tool wrote, how it was set, and its samples, by phase.

    footprint/tool-row-0-pretraining.json         the tool's output row, unchanged
    footprint/env-0-pretraining.json              tool, methods, configuration with layers, span
    footprint/samples-0-pretraining-HOST.csv      t_utc,device_id,power_w,energy_counter_j

These files come from strangers. Whatever they hold, reading them raises nothing: a file that cannot be
used is left out, and a fault says which one and why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from registry_core.card import Card
from registry_core.samples import MAX_NUMBER, Series, samples_by_device
from registry_core.strict import Items, Number, Strict, Text, fault_lines, faults_of

MAX_JSON_BYTES = 256 * 1024
MAX_SAMPLES_BYTES = 8 * 1024 * 1024  # a file; some 150 000 samples, or 100 days at one a minute
MAX_ALL_SAMPLES_BYTES = 16 * 1024 * 1024
MAX_EVIDENCE_BYTES = MAX_SAMPLES_BYTES  # of any one file

Layer = Literal["explicit", "file", "environment", "default"]
Read = Callable[[str], bytes | None]
"""The bytes of the file at a path of the repo, MAX_EVIDENCE_BYTES + 1 at most; None when there is none."""

_SAMPLES_NAME = re.compile(r"(?:.*/)?samples-(?:([0-9]{1,6})-[a-z]+-)?([^/]{1,200})\.csv")


class _Tolerant(Strict):
    """Strict about what is known, silent about what else a newer client may write."""

    model_config = ConfigDict(extra="ignore")


class Tool(_Tolerant):
    name: Text
    version: Text | None = None


class Setting(_Tolerant):
    """A value that the tool worked with, and where it came from."""

    layer: Layer
    value: Any = None  # also when it was taken out, since it told who or where


class CoveredSpan(_Tolerant):
    """When the phase ran, and for how long the tool saw it."""

    started_at: Text | None = None
    ended_at: Text | None = None
    wall_seconds: Number | None = None
    covered_seconds: Number | None = None
    uncovered_seconds: Number | None = None


class Environment(_Tolerant):
    """How the numbers of a phase were obtained. `reason` says why there are none."""

    tool: Tool | None = None
    methods: dict[str, str] = Field(default_factory=dict)
    configuration: dict[str, Setting] = Field(default_factory=dict)
    span: CoveredSpan | None = None
    notes: Items[str] = ()
    reason: str | None = None
    removed: Items[str] = ()


@dataclass(frozen=True)
class ToolRow:
    """The output row of a tool, by its own names and in its own units."""

    fields: Mapping[str, Any]

    @property
    def rows(self) -> tuple[ToolRow, ...]:
        """The rows of all processes of a run that was merged from fragments; else this one."""
        merged = self.fields.get("fragments")
        if not isinstance(merged, list):
            return (self,)
        return tuple(ToolRow(fields) for fields in merged if isinstance(fields, dict))

    def number(self, name: str) -> float | None:
        """A number that sums stay finite with; None when there is none, also where it was written as a text."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if -MAX_NUMBER <= value <= MAX_NUMBER else None

    def text(self, name: str) -> str | None:
        """A text that is not empty, else None."""
        value = self.fields.get(name)
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True)
class PhaseEvidence:
    """What is there for one phase of a card."""

    row: ToolRow | None = None
    environment: Environment | None = None
    series: tuple[Series, ...] = ()

    @property
    def rows(self) -> tuple[ToolRow, ...]:
        """One row for each process that measured."""
        return self.row.rows if self.row else ()


@dataclass(frozen=True)
class RawEvidence:
    """What is there for a card, phase by phase, and why the rest of it could not be used."""

    phases: tuple[PhaseEvidence, ...]
    faults: tuple[str, ...] = ()


def phase_name(card: Card, index: int) -> str:
    """What the evidence files of a phase are named by, for example `0-pretraining`."""
    return f"{index}-{card.phases[index].stage}"


def read_evidence(card: Card, read: Read) -> RawEvidence:
    """The evidence files of `card`, by their usual names and by those that the card gives."""
    reader = _Reader(read)
    series = _series_by_phase(card, reader)
    phases = []
    for index in range(len(card.phases)):
        name = phase_name(card, index)
        named_row = card.evidence.row if index == 0 else None
        row = reader.row(named_row or f"footprint/tool-row-{name}.json", is_named=named_row is not None)
        environment = reader.environment(f"footprint/env-{name}.json")
        phases.append(PhaseEvidence(row, environment, tuple(series.get(index, ()))))
    return RawEvidence(tuple(phases), tuple(fault_lines(reader.faults)))


def no_evidence(card: Card) -> RawEvidence:
    """What stands for a card whose files are not at hand."""
    return RawEvidence(tuple(PhaseEvidence() for _ in card.phases))


def _series_by_phase(card: Card, reader: _Reader) -> dict[int, list[Series]]:
    found: dict[int, list[Series]] = {}
    for path in card.evidence.samples or ():
        named = _SAMPLES_NAME.fullmatch(path)
        index = int(named[1]) if named and named[1] else 0 if len(card.phases) == 1 else -1
        if named is None or not 0 <= index < len(card.phases):
            reader.faults[path] = "its name tells no phase of the card; expected samples-PHASE-HOST.csv"
            continue
        found.setdefault(index, []).extend(reader.series(path, host=named[2]))
    return found


class _Reader:
    """Reads files within bounds, and keeps a fault for each that is of no use."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._samples_bytes = 0
        self.faults: dict[str, str] = {}

    def row(self, path: str, *, is_named: bool) -> ToolRow | None:
        document = self._object(path, is_named=is_named)
        return None if document is None else ToolRow(document)

    def environment(self, path: str) -> Environment | None:
        document = self._object(path, is_named=False)
        if document is None:
            return None
        try:
            return Environment.model_validate(document)
        except ValidationError as error:
            self.faults[path] = "; ".join(fault_lines(faults_of(error))[:5])
            return None

    def series(self, path: str, *, host: str) -> list[Series]:
        data = self._bytes(path, MAX_SAMPLES_BYTES, is_named=True)
        if data is None:
            return []
        self._samples_bytes += len(data)
        if self._samples_bytes > MAX_ALL_SAMPLES_BYTES:
            self.faults[path] = f"not read: the samples of a card may have {MAX_ALL_SAMPLES_BYTES} bytes together"
            return []
        try:
            samples = samples_by_device(data.decode())
        except (ValueError, OverflowError) as error:
            self.faults[path] = f"{error}"[:200]
            return []
        return [Series(path, host, device, found) for device, found in samples.items()]

    def _object(self, path: str, *, is_named: bool) -> dict[str, Any] | None:
        data = self._bytes(path, MAX_JSON_BYTES, is_named=is_named)
        if data is None:
            return None
        try:
            document = json.loads(data, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            self.faults[path] = f"cannot be read as JSON: {error}"[:200]
            return None
        if not isinstance(document, dict):
            self.faults[path] = "is not a JSON object"
            return None
        return document

    def _bytes(self, path: str, most: int, *, is_named: bool) -> bytes | None:
        data = self._read(path)
        if data is None:
            if is_named:
                self.faults[path] = "is named by the card, and is not there"
            return None
        if len(data) > most:
            self.faults[path] = f"is larger than {most} bytes; sample less often, counters once a minute are enough"
            return None
        return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
