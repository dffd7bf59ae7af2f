"""What speaks against the numbers of a card: the findings F1 to F18, each a small rule over card and evidence.

    tool.py         F1 F2 F3 F12         what the tool said, and how it was set
    numbers.py      F4 F5 F6 F7 F9 F14 F17   numbers that cannot be, or cannot be together
    measuring.py    F8 F10 F11 F13 F15   what was measured, and what was not
    whole.py        F16 F18              the card as a whole, and the README beside it

An error lowers the evidence level to E0, a warning by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry_core.card import Card
from registry_core.evidence import RawEvidence, no_evidence
from registry_core.findings import measuring, numbers, tool, whole
from registry_core.findings.subject import Subject
from registry_core.grades import Finding

_OF_A_PHASE = (
    tool.place_unknown,
    tool.intensity_differs,
    tool.configured_from_outside,
    numbers.power_implausible,
    numbers.intensity_implausible,
    numbers.parts_do_not_sum,
    numbers.pue_implausible,
    measuring.written_twice,
    numbers.energy_missing,
    measuring.hosts_missing,
    measuring.process_with_gpu,
    tool.known_defect,
    measuring.counter_fell,
    numbers.wall_time_differs,
    measuring.shared_device,
    numbers.too_many_device_hours,
)
_OF_THE_CARD = (measuring.phases_overlap, whole.gases_mixed)


def findings(
    card: Card, evidence: RawEvidence | None = None, head: Mapping[str, Any] | None = None
) -> tuple[Finding, ...]:
    """Everything found, by number. `head` is the front matter of the README, where there is one."""
    raw = no_evidence(card) if evidence is None else evidence
    subjects = [Subject(card, raw.phases[index], index) for index in range(len(card.phases))]
    found = [finding for subject in subjects for rule in _OF_A_PHASE for finding in rule(subject)]
    found += [finding for rule in _OF_THE_CARD for finding in rule(subjects)]
    found += whole.readme_disagrees(card, head or {})
    return tuple(sorted(found, key=lambda finding: (int(finding.code[1:]), finding.place)))
