"""The folder in which the processes of a distributed run leave what they saw, and the card that is made of it.

    DIR/run.json                the id of the run and the salt of its pseudonyms, made by whoever comes first
    DIR/fragment-NAME.json      what one process saw; written when it starts, and again when it ends
    DIR/samples-NAME.csv        its raw samples, as they come

A process that is killed leaves a fragment that says `running`, and samples: what it had used is taken from these.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import secrets
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry_client.privacy import Pseudonyms
from registry_client.tracking.document import Recorded, facts_of, uncovered_remark
from registry_client.tracking.evidence import PhaseEvidence, evidence_of
from registry_client.tracking.run import Run
from registry_client.tracking.sampler import COLUMNS
from registry_client.tracking.saving import card_before, save_card
from registry_client.writing import rewrite
from registry_core.card_rules import moment
from registry_core.errors import Invalid
from registry_core.fragments import Fragment, Merged, merge, parse_fragment

RUN_NAME = "run.json"
JOULES_PER_KWH = 3.6e6
_WORK = ("tokens", "compute_flop", "compute_flop_kind")


@dataclass(frozen=True)
class MergeSummary:
    """What the fragments of a run add up to. `energy_kwh` is None when no host measured any."""

    path: str
    stage: str
    fragments: int
    runs: int
    failed_runs: bool
    hosts_measured: int
    hosts_total: int
    duration_seconds: float
    energy_kwh: float | None
    notes: tuple[str, ...]


class FragmentFolder:
    """The folder as one process of the run sees it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        run = _shared(folder / RUN_NAME)
        self.family = run["family"]
        self.pseudonyms = Pseudonyms(run["salt"])

    def begin(self) -> FragmentFiles:
        """Names for the files of one span of work."""
        name = f"{self.pseudonyms.host[:8]}-{os.getpid()}-{secrets.token_hex(4)}"
        return FragmentFiles(self._folder / f"fragment-{name}.json", self._folder / f"samples-{name}.csv", self.family)


@dataclass(frozen=True)
class FragmentFiles:
    """Where one process writes what it saw."""

    path: Path
    samples: Path
    family: str

    def write(self, run: Run, outcome: str) -> None:
        """Put what `run` saw into its file, with all that the card needs."""
        assert run.span is not None
        recorded = run.recorded()
        evidence = evidence_of(run.span)
        document = {
            "fragment": run.fragment(self.family, outcome),
            "facts": facts_of(run.declared),
            "quality": list(recorded.quality),
            "work": {name: recorded.phase[name] for name in _WORK if name in recorded.phase},
            "remarks": list(run.span.reading.notes) if run.span.reading else [],
            "row": evidence.row,
            "env": evidence.env,
        }
        rewrite(self.path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        run.wrote(self.path, lambda: self.write(run, outcome))


def merge_fragments(folder: str | Path, output: str | Path, *, append: bool = False) -> MergeSummary:
    """Write the card of the run whose processes left their fragments in `folder`.

    With `append` a card that is there gets one phase more, else it is replaced. Raises Invalid when there are no
    fragments, or some of another run.
    """
    left = [_Left.read(path) for path in sorted(Path(folder).glob("fragment-*.json"))]
    if not left:
        raise Invalid(f"{folder} holds no fragments.", hint="Run `registry track --fragments DIR -- COMMAND` first.")
    merged = merge([one.fragment for one in left])
    recorded = _recorded(left, merged)
    path = Path(output)
    save_card(path, recorded, card_before(path) if append else None)
    phase = merged.phase
    return MergeSummary(
        path=str(path),
        stage=phase["stage"],
        fragments=len(left),
        runs=phase["included_runs"],
        failed_runs=phase["failed_runs_included"],
        hosts_measured=phase["coverage"]["hosts_measured"],
        hosts_total=phase["coverage"]["hosts_total"],
        duration_seconds=phase["wall_time"]["value"],
        energy_kwh=phase["energy_it"]["value"] if "energy_it" in phase else None,
        notes=merged.notes,
    )


@dataclass(frozen=True)
class _Left:
    """What one process left."""

    document: Mapping[str, Any]
    fragment: Fragment
    samples: Sequence[Mapping[str, str]]

    @classmethod
    def read(cls, path: Path) -> _Left:
        document = json.loads(path.read_bytes())
        fragment = parse_fragment(document["fragment"])
        samples = _samples_beside(path)
        if fragment.outcome == "running" and samples:
            fragment = _seen_in(samples, document["fragment"])
        return cls(document, fragment, samples)


def _samples_beside(path: Path) -> list[dict[str, str]]:
    file = path.with_name(path.name.replace("fragment-", "samples-", 1)).with_suffix(".csv")
    if not file.exists():
        return []
    whole, end, _ = file.read_text().rpartition("\n")  # the last line of a process that was killed may be cut
    return list(csv.DictReader(io.StringIO(whole + end)))


def _seen_in(samples: Sequence[Mapping[str, str]], document: Mapping[str, Any]) -> Fragment:
    """The fragment of a process that ended without a word, up to its last sample."""
    ended = max(sample["t_utc"] for sample in samples)
    wall = (moment(ended) - moment(document["started_at"])).total_seconds()
    by_device = sorted(_by_device(samples).items())
    gpus = [_measured([rows]) for device, rows in by_device if device.startswith("gpu-")]
    host = [_measured([rows for device, rows in by_device if device.startswith(part)]) for part in ("cpu-", "ram-")]
    of_host = {"scope": document["phase"]["scope"], "device": f"process started at {document['started_at']}"}
    measurements = [*filter(None, gpus), *({**found, **of_host} for found in host if found)]
    changed = {"ended_at": ended, "wall_seconds": max(0.0, wall), "measurements": measurements, "reason": None}
    return parse_fragment({name: value for name, value in {**document, **changed}.items() if value is not None})


def _measured(devices: Sequence[Sequence[Mapping[str, str]]]) -> dict[str, Any] | None:
    """Energy of these devices between their first and last sample; by which method, samples do not tell."""
    joules = sum(map(_joules, devices))
    if joules <= 0:
        return None
    rows = devices[0]
    return {
        "part": rows[0]["device_id"].partition("-")[0],
        "device": rows[0]["device_id"],
        "scope": "device",
        "started_at": rows[0]["t_utc"],
        "ended_at": rows[-1]["t_utc"],
        "energy_kwh": joules / JOULES_PER_KWH,
        "method": "unknown",
        "source": "estimated",
    }


def _joules(rows: Sequence[Mapping[str, str]]) -> float:
    """By the counter where there is one, else power held from one sample to the next."""
    counters = [float(row["energy_counter_j"]) for row in rows if row["energy_counter_j"]]
    return counters[-1] - counters[0] if len(counters) > 1 else _integral(rows)


def _integral(rows: Sequence[Mapping[str, str]]) -> float:
    pairs = [(moment(row["t_utc"]).timestamp(), float(row["power_w"])) for row in rows if row["power_w"]]
    return sum(watts * (end - start) for (start, _), (end, watts) in itertools.pairwise(pairs))


def _by_device(samples: Iterable[Mapping[str, str]]) -> dict[str, list[Mapping[str, str]]]:
    found: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for sample in samples:
        found[sample["device_id"]].append(sample)
    return found


def _recorded(left: Sequence[_Left], merged: Merged) -> Recorded:
    # Rank 0 knows best how good the model is, and how much was computed.
    by_rank = sorted(left, key=lambda one: (one.fragment.outcome != "done", one.fragment.rank or 0))
    first = by_rank[0].document
    quality: list[Any] = next((one.document["quality"] for one in by_rank if one.document["quality"]), [])
    work: dict[str, Any] = next((one.document["work"] for one in by_rank if one.document["work"]), {})
    span = _span(left, merged.phase)
    remarks = dict.fromkeys(remark for one in by_rank for remark in one.document["remarks"])
    return Recorded(
        facts=first["facts"],
        phase={**merged.phase, **work},
        quality=quality,
        remarks=[*merged.notes, *remarks, *uncovered_remark(span["uncovered_seconds"], span["wall_seconds"])],
        evidence=_evidence(by_rank, merged, span),
    )


def _evidence(left: Sequence[_Left], merged: Merged, span: Mapping[str, Any]) -> PhaseEvidence:
    """The rows of all processes, the configuration of the first, and each device's samples once."""
    measured = [one for one in left if one.document["row"] is not None]
    env = (measured or left)[0].document["env"]
    hosts = sorted({one.fragment.host for one in left})
    samples = {host: _samples_of_host([one.samples for one in left if one.fragment.host == host]) for host in hosts}
    return PhaseEvidence(
        row={"fragments": [one.document["row"] for one in measured]} if measured else None,
        env={
            **env,
            "span": span,
            "spans": [one.document["env"]["span"] for one in left],
            "notes": list(merged.notes),
            "removed": sorted({place for one in left for place in one.document["env"]["removed"]}),
        },
        samples={host: text for host, text in samples.items() if text},
    )


def _span(left: Sequence[_Left], phase: Mapping[str, Any]) -> dict[str, Any]:
    """The whole run; uncovered is what passed until the first process had its first sample."""
    wall = phase["wall_time"]["value"]
    begun = [moment(found.started_at) for one in left for found in one.fragment.measurements]
    uncovered = (min(begun) - moment(phase["started_at"])).total_seconds() if begun else wall
    return {
        "started_at": phase["started_at"],
        "ended_at": phase["ended_at"],
        "wall_seconds": wall,
        "covered_seconds": wall - uncovered,
        "uncovered_seconds": uncovered,
    }


def _samples_of_host(files: Iterable[Sequence[Mapping[str, str]]]) -> str:
    """Samples of several processes as those of one: where they overlap in time, whoever looked longest is kept."""
    kept: dict[str, list[Sequence[Mapping[str, str]]]] = defaultdict(list)
    series = [rows for file in files for rows in _by_device(file).values()]
    for rows in sorted(series, key=lambda rows: -_seconds(rows)):
        others = kept[rows[0]["device_id"]]
        if not any(_overlap(rows, other) for other in others):
            others.append(rows)
    found = [row for several in kept.values() for rows in several for row in rows]
    if not found:
        return ""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(found, key=lambda row: (row["t_utc"], row["device_id"])))
    return lines.getvalue()


def _overlap(one: Sequence[Mapping[str, str]], other: Sequence[Mapping[str, str]]) -> bool:
    return one[0]["t_utc"] <= other[-1]["t_utc"] and other[0]["t_utc"] <= one[-1]["t_utc"]


def _seconds(rows: Sequence[Mapping[str, str]]) -> float:
    return (moment(rows[-1]["t_utc"]) - moment(rows[0]["t_utc"])).total_seconds()


def _shared(path: Path) -> dict[str, Any]:
    """The content of run.json; whoever is first makes it, and it appears whole."""
    made = {"family": secrets.token_hex(8), "salt": secrets.token_hex(16)}
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".#")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(made, stream)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    return dict(json.loads(path.read_text()))
