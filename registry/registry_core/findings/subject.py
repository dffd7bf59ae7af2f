"""What a rule looks at: one phase of a card, and its evidence."""

from __future__ import annotations

from dataclasses import dataclass

from registry_core.card import Card
from registry_core.evidence import PhaseEvidence
from registry_core.footprint import Footprint, phase_footprint
from registry_core.grades import Finding, Severity
from registry_core.phase import Phase


@dataclass(frozen=True)
class Subject:
    card: Card
    evidence: PhaseEvidence
    index: int

    @property
    def phase(self) -> Phase:
        return self.card.phases[self.index]

    @property
    def footprint(self) -> Footprint:
        return phase_footprint(self.phase)

    def finding(self, code: str, severity: Severity, field: str, message: str) -> Finding:
        """A finding at a field of this phase; about the phase as a whole when `field` is empty."""
        place = f"phases[{self.index}]"
        return Finding(code, severity, f"{place}.{field}" if field else place, message)
