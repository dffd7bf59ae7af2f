"""F8, F10, F11, F13, F15: what was measured, what was not, and what was measured twice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from registry_core.card_rules import moment
from registry_core.estimates import is_accelerator
from registry_core.findings.subject import Subject
from registry_core.grades import Finding
from registry_core.samples import has_repeated
from registry_core.sampling import counter_falls

_SHARED = re.compile(r"\b(MIG|vGPU)\b|\bshared (gpu|device)\b", re.IGNORECASE)
_OTHER_MEASUREMENT = "another measurement of this computer"


def phases_overlap(subjects: Sequence[Subject]) -> Iterator[Finding]:
    """F8: two phases measured the whole of one machine at the same time."""
    machines = [(_span(subject), subject) for subject in subjects if subject.phase.scope == "machine"]
    for (span, one), (other_span, other) in combinations(machines, 2):
        if span[0] < other_span[1] and other_span[0] < span[1] and _same_machine(one, other):
            yield other.finding(
                "F8",
                "error",
                "",
                f"It overlaps in time with phases[{one.index}], and both have the whole machine. Merge them, or "
                "measure by process.",
            )
            return  # one is enough for E0, and there may be many pairs


def written_twice(subject: Subject) -> Iterator[Finding]:
    """F8: one device's energy is in two sample files, or another measurement ran beside this one."""
    environment = subject.evidence.environment
    notes = environment.notes if environment else []
    if any(_OTHER_MEASUREMENT in note for note in notes) and subject.phase.scope == "machine":
        yield subject.finding(
            "F8",
            "error",
            "",
            "Another measurement of this machine ran at the same time, and the energy of both is in here. Merge them, "
            "or measure by process.",
        )
    elif has_repeated(subject.evidence.series):
        yield subject.finding(
            "F8",
            "error",
            "",
            "Two sample files have one device at the same time. Merge the fragments of that host before the push.",
        )


def hosts_missing(subject: Subject) -> Iterator[Finding]:
    """F10: a component was not covered, and nothing was put in its place."""
    phase, seen = subject.phase, subject.phase.coverage
    if not phase.energy_parts and phase.energy_it is None:
        return
    if phase.energy_it is not None and phase.scope in ("node_psu", "rack_pdu", "facility"):
        return  # the meter saw everything behind it
    if phase.energy_other is not None and phase.energy_other.value > 0:
        return
    needed = {"cpu": seen.cpu, "ram": seen.ram, "gpu": seen.gpu or not _has_accelerators(subject)}
    missing = [name for name, covered in needed.items() if not covered]
    if missing:
        yield subject.finding(
            "F10",
            "warn",
            "coverage",
            f"Energy of {', '.join(missing)} was not covered and counts as nothing. Cover it, or estimate it in "
            "energy_other with method host_share.",
        )


def process_with_gpu(subject: Subject) -> Iterator[Finding]:
    """F11: process scope scales processor and memory, and takes the GPU whole."""
    phase = subject.phase
    if phase.scope == "process" and (phase.energy_gpu is not None or _has_accelerators(subject)):
        yield subject.finding(
            "F11",
            "warn",
            "scope",
            "In process scope a GPU still counts as a whole. Measure by machine, on a machine that does nothing else.",
        )


def counter_fell(subject: Subject) -> Iterator[Finding]:
    """F13: an energy counter went backwards."""
    falls = sum(counter_falls(series) for series in subject.evidence.series)
    if falls:
        yield subject.finding(
            "F13",
            "warn",
            "",
            f"An energy counter went backwards {falls} time{'s' if falls > 1 else ''}: the driver was reset, or the "
            "samples were changed. Measure again without a reset.",
        )


def shared_device(subject: Subject) -> Iterator[Finding]:
    """F15: a device was shared, and a counter only knows the whole of it."""
    environment = subject.evidence.environment
    texts = [group.device_model for group in subject.phase.groups]
    texts += [row.text("gpu_model") or "" for row in subject.evidence.rows]
    texts += environment.notes if environment else []
    if any(_SHARED.search(text[:1000]) for text in texts):
        yield subject.finding(
            "F15",
            "warn",
            "groups",
            "The device was shared (MIG, vGPU), and its counter knows the whole alone. Call the energy estimated, and "
            "say how it was divided.",
        )


def _has_accelerators(subject: Subject) -> bool:
    return any(is_accelerator(group) for group in subject.phase.groups)


def _span(subject: Subject) -> tuple[float, float]:
    phase = subject.phase
    return moment(phase.started_at).timestamp(), moment(phase.ended_at).timestamp()


def _same_machine(one: Subject, other: Subject) -> bool:
    """By the hashes of hosts where samples have them; else when site and devices are the same."""
    hosts, others = ({series.host for series in subject.evidence.series} for subject in (one, other))
    if hosts and others:
        return bool(hosts & others)
    models, more = ({group.device_model for group in subject.phase.groups} for subject in (one, other))
    return one.phase.site == other.phase.site and models == more
