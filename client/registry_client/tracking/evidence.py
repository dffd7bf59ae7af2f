"""What the numbers of a phase rest on, kept beside the card so that others can check them.

    footprint/tool-row-PHASE.json      the measuring tool's own output
    footprint/env-PHASE.json           the tool, its configuration with the layer of each value, the span, remarks
    footprint/samples-PHASE-HOST.csv   raw samples of every device of one host

PHASE is the index of the phase and its stage, such as 0-pretraining; HOST is a salted hash. Places and names are
taken out before anything is written, and named in `removed` of the env file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import rfc8785

from registry_client.privacy import Private
from registry_client.tracking.measurement import Span
from registry_client.tracking.meter import Reading
from registry_client.tracking.sampler import thinned
from registry_client.writing import rewrite
from registry_core.evidence import MAX_ALL_SAMPLES_BYTES, MAX_SAMPLES_BYTES

FOLDER = "footprint"
_PATTERNS = ("tool-row-*.json", "env-*.json", "samples-*.csv")
_LAST_LINES_BYTES = 16 * 1024  # room for the last sample of every device, which thinning keeps


@dataclass(frozen=True)
class PhaseEvidence:
    """The evidence of one phase; `row` is None when no tool gave one."""

    row: Mapping[str, Any] | None
    env: Mapping[str, Any]
    samples: Mapping[str, str] = field(default_factory=dict)  # host -> CSV

    def files(self, phase: str) -> dict[str, str]:
        """Path in the model's folder -> content."""
        found = {f"{FOLDER}/env-{phase}.json": _json(self.env)}
        if self.row is not None:
            found[_row_path(phase)] = _json(self.row)
        most = min(MAX_SAMPLES_BYTES, MAX_ALL_SAMPLES_BYTES // max(1, len(self.samples))) - _LAST_LINES_BYTES
        return found | {_samples_path(phase, host): thinned(text, most) for host, text in self.samples.items()}

    def in_card(self, phase: str) -> dict[str, Any]:
        """The card's `evidence`, as far as it is about this phase."""
        if "tool" not in self.env:
            return {"tool": "none"}
        found: dict[str, Any] = {
            "tool": self.env["tool"]["name"],
            "tool_version": self.env["tool"]["version"],
            "tool_config_digest": _configuration_digest(self.env["configuration"]),
        }
        if self.row is not None:
            found["row"] = _row_path(phase)
        if self.samples:
            found["samples"] = sorted(_samples_path(phase, host) for host in self.samples)
        return found


def evidence_of(span: Span, samples: Mapping[str, str] | None = None) -> PhaseEvidence:
    """The evidence of one span of work; what tells who and where is taken out."""
    private = Private()
    row, from_row = (None, []) if span.reading is None else private.removed_from({"row": _plain(span.reading.row)})
    env, from_env = private.removed_from(_env(span))
    kept = {host: text for host, text in (samples or {}).items() if text and span.reading is not None}
    return PhaseEvidence(row and row["row"], {**env, "removed": [*from_row, *from_env]}, kept)


def write_evidence(folder: Path, files: Mapping[str, str], *, replacing: bool) -> None:
    """Write the files; with `replacing` those of an earlier card give way, since nothing names them any more."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        rewrite(folder / path, text)
    if replacing:
        found = [path for pattern in _PATTERNS for path in (folder / FOLDER).glob(pattern)]
        for old in {path.relative_to(folder).as_posix() for path in found} - files.keys():
            (folder / old).unlink()


def moment(time: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _env(span: Span) -> dict[str, Any]:
    times = {
        "started_at": moment(span.started_at),
        "ended_at": moment(span.ended_at),
        "wall_seconds": span.wall_seconds,
        "covered_seconds": span.wall_seconds - span.uncovered_seconds,
        "uncovered_seconds": span.uncovered_seconds,
    }
    said = _said(span.reading) if span.reading else {"methods": {}, "configuration": {}, "notes": []}
    return {**said, "span": times, "reason": span.reason}


def _said(reading: Reading) -> dict[str, Any]:
    return {
        "tool": {"name": reading.tool, "version": reading.tool_version},
        "methods": reading.methods,
        "configuration": {
            name: {"value": setting.value, "layer": setting.layer} for name, setting in reading.configuration.items()
        },
        "notes": list(reading.notes),
    }


def _configuration_digest(configuration: Mapping[str, Any]) -> str:
    """SHA-256 of the tool's configuration in canonical form, as it stands in the env file."""
    values = {name: setting.get("value") for name, setting in configuration.items()}
    return hashlib.sha256(rfc8785.dumps(values)).hexdigest()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(row)))


def _row_path(phase: str) -> str:
    return f"{FOLDER}/tool-row-{phase}.json"


def _samples_path(phase: str, host: str) -> str:
    return f"{FOLDER}/samples-{phase}-{host}.csv"


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
