"""The evidence level of a card, E0 to E4: how far its numbers can be trusted.

    E0 declared     a number and a person
    E1 estimated    the server can compute it again, and gets the same within 1 %
    E2 measured     by a known tool, its row and configuration attached; 80 % of the energy seen by an instrument
    E3 evidenced    raw samples of all hosts add up to it, and a signature binds card, samples and weights
    E4 reproduced   somebody else ran it again; or a calibrated meter at node or rack

A card climbs as far as all its phases do; a phase with less than 2 % of the energy does not hold it back.
Then findings take it down: an error to E0, each kind of warning by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.backing import backed_parts, given_parts, measured_kwh
from registry_core.card import Card
from registry_core.evidence import RawEvidence, no_evidence
from registry_core.findings import findings
from registry_core.findings.subject import Subject
from registry_core.grades import LEVELS, Finding, Grade, Reproduction, SignatureCheck
from registry_core.quantity import NEGLIGIBLE_SHARE, SHORT_WINDOW_SECONDS
from registry_core.sampling import MAX_POWER_INTERVAL_SECONDS, MIN_POWER_SAMPLES, samplings

KNOWN_TOOLS = frozenset({"codecarbon", "zeus", "ptdaemon"})
"""Whose rows we know how to read; PTDaemon is the logger of the power rules of MLPerf."""
MEASURED_SHARE = 0.80
TOLERANCE = 0.01  # of the server's result against the card's
REPRODUCTION_TOLERANCE = 0.15
_METERS = frozenset({"wattmeter", "pdu", "psu"})
_WITHOUT_METHOD = frozenset({None, "unknown"})


@dataclass(frozen=True)
class _Context:
    signature: SignatureCheck | None
    reproductions: Sequence[Reproduction]


def grade(
    card: Card,
    evidence: RawEvidence | None = None,
    *,
    signature: SignatureCheck | None = None,
    reproductions: Sequence[Reproduction] = (),
    head: Mapping[str, Any] | None = None,
) -> Grade:
    """The level of `card`, the findings that lowered it, and what the next one needs.

    `evidence` are its raw files and `head` the front matter of its README, as far as they are at hand.
    """
    raw = no_evidence(card) if evidence is None else evidence
    found = findings(card, raw, head)
    reached, missing = _climbed(card, raw, _Context(signature, reproductions))
    level = _lowered(reached, found)
    resolved = [f"Resolve {finding.code}: {finding.message}" for finding in found]
    return Grade(LEVELS[level], found, tuple(resolved if level < reached else resolved + missing))


def _climbed(card: Card, raw: RawEvidence, context: _Context) -> tuple[int, list[str]]:
    """How many rungs all weighty phases climb, and what keeps them from the next."""
    subjects = _weighty([Subject(card, raw.phases[index], index) for index in range(len(card.phases))])
    for reached, rung in enumerate((_estimated, _measured, _evidenced, _reproduced)):
        missing = [
            f"phases[{subject.index}]: {text}" if len(card.phases) > 1 else text
            for subject in subjects
            for text in rung(subject, context)
        ]
        if missing:
            faults = [f"{fault} (the file was left out)" for fault in raw.faults]
            return reached, [*dict.fromkeys(missing), *faults]
    return len(LEVELS) - 1, []


def _lowered(reached: int, found: Sequence[Finding]) -> int:
    if any(finding.severity == "error" for finding in found):
        return 0
    return max(0, reached - len({finding.code for finding in found}))


def _weighty(subjects: Sequence[Subject]) -> list[Subject]:
    """Without the phases that hardly matter; one whose energy is not known always does."""
    energies = [subject.footprint.energy_it_kwh for subject in subjects]
    all_kwh = math.fsum(energy.value for energy in energies if energy is not None)
    return [
        subject
        for subject, energy in zip(subjects, energies, strict=True)
        if energy is None or energy.value >= NEGLIGIBLE_SHARE * all_kwh
    ]


def _estimated(subject: Subject, _: _Context) -> Iterator[str]:
    phase = subject.phase
    given = given_parts(phase)
    if not given:
        yield "Give the energy, measured, or estimated from device hours."
    backed = backed_parts(subject)
    for field in sorted(given.keys() - backed):
        yield (
            f"Attach what {field} can be computed from again: the tool's row, samples, or groups with tdp_w and "
            "method device_hours_tdp."
        )
    if phase.intensity is None or phase.intensity_meta is None:
        yield "Give the intensity with its dataset and year."


def _measured(subject: Subject, _: _Context) -> Iterator[str]:
    phase, environment = subject.phase, subject.evidence.environment
    tool = environment.tool if environment else None
    name = (tool.name if tool else subject.card.evidence.tool).strip().lower()
    if name not in KNOWN_TOOLS or not (tool.version if tool else subject.card.evidence.tool_version):
        yield f"Measure with a tool that is known here ({', '.join(sorted(KNOWN_TOOLS))}), and name its version."
    if subject.evidence.row is None:
        yield "Attach the tool's output row, unchanged."
    if environment is None or not environment.configuration:
        yield "Attach the effective configuration of the tool, with the layer that each value came from."
    if any(part.method in _WITHOUT_METHOD for part in given_parts(phase).values()):
        yield "Name the method of every component."
    if not _is_site_explicit(subject):
        yield "Tell the tool the country explicitly."
    if _window_seconds(subject) < SHORT_WINDOW_SECONDS:
        yield f"Measure for {SHORT_WINDOW_SECONDS:g} seconds or longer."
    energy = subject.footprint.energy_it_kwh
    share = measured_kwh(phase) / energy.value if energy is not None and energy.value > 0 else 0.0
    if share < MEASURED_SHARE:
        yield f"Measure {MEASURED_SHARE:.0%} of the energy with an instrument or a counter; {share:.0%} is."


def _evidenced(subject: Subject, context: _Context) -> Iterator[str]:
    found = samplings(subject.evidence.series)
    if not found:
        yield "Attach the raw samples."
    elif not all(sampling.is_dense for sampling in found):
        yield f"Sample counters every 60 s, or power once a second and {MIN_POWER_SAMPLES} times, at least."
    elif any(sampling.has_gap for sampling in found):
        yield "Sample without gaps longer than five intervals."
    integral, claimed = math.fsum(sampling.energy_kwh for sampling in found), measured_kwh(subject.phase)
    if found and abs(integral - claimed) > TOLERANCE * claimed:
        yield f"The samples add up to {integral:.4g} kWh and the measured energy is {claimed:.4g}; 1 % may differ."
    seen, hosts = subject.phase.coverage, {sampling.series.host for sampling in found}
    if seen.hosts_measured < seen.hosts_total or (found and len(hosts) < seen.hosts_total):
        yield f"Sample all {seen.hosts_total} hosts."
    if context.signature is None:
        yield "Sign the card, its samples and the weights."
    elif not context.signature.valid:
        yield f"Sign again: {context.signature.reason or 'the signature is not valid'}."


def _reproduced(subject: Subject, context: _Context) -> Iterator[str]:
    if not _is_metered(subject) and not any(map(_confirms, context.reproductions)):
        yield (
            "Let somebody else repeat it on the same class of hardware, with the energy within 15 % and the score "
            "within its tolerance; or measure with a calibrated meter at node or rack."
        )


def _confirms(found: Reproduction) -> bool:
    is_near = found.energy_ratio is not None and abs(found.energy_ratio - 1) <= REPRODUCTION_TOLERANCE
    return found.same_hardware_class and found.score_within_tolerance and is_near


def _is_metered(subject: Subject) -> bool:
    """A meter at node or rack that was read once a second, sixty times or more."""
    phase = subject.phase
    found = samplings(subject.evidence.series)
    return (
        phase.scope in ("node_psu", "rack_pdu")
        and phase.energy_it is not None
        and phase.energy_it.method in _METERS
        and phase.energy_it.source == "measured"
        and all(
            sampling.interval_seconds <= MAX_POWER_INTERVAL_SECONDS
            and len(sampling.series.samples) >= MIN_POWER_SAMPLES
            for sampling in found
        )
    )


def _is_site_explicit(subject: Subject) -> bool:
    """The card's site was said by somebody; a tool that also wants to know must have been told, too."""
    environment = subject.evidence.environment
    country = environment.configuration.get("country_iso_code") if environment else None
    return country is None or country.layer == "explicit"


def _window_seconds(subject: Subject) -> float:
    environment = subject.evidence.environment
    covered = environment.span.covered_seconds if environment and environment.span else None
    wall_seconds = subject.phase.wall_time.value
    return wall_seconds if covered is None else min(covered, wall_seconds)
