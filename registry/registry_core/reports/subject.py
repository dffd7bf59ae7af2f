"""What a report is about: one revision with its card and what the registry found out about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from registry_core.card import Card, card_digest
from registry_core.footprint import Totals, totals
from registry_core.grades import Grade, SignatureCheck


@dataclass(frozen=True)
class Decided:
    """The part of a policy decision that reports speak of."""

    policy: str  # name/version
    policy_digest: str
    allowed: bool


@dataclass(frozen=True)
class Alternative:
    """Another model of the comparison group, as far as a report needs it."""

    repo_id: str
    metric: str
    score: float
    energy_kwh: float | None  # of the facility


@dataclass(frozen=True)
class Avoided:
    """One reuse event and what it avoided by the convention."""

    event: str
    organisation: str
    at: str
    low_kwh: float
    high_kwh: float


@dataclass(frozen=True)
class Subject:
    """Everything the reports draw on. What is not known here is left at its default, and the report says so."""

    card: Card
    made_at: str  # RFC 3339 UTC: the date of the report
    repo_id: str | None = None
    commit_id: str | None = None
    committed_at: str | None = None
    private: bool | None = None
    library: str | None = None
    organisation: str | None = None  # legal name of whoever provides the model
    site_is_own: bool | None = None  # own data centre, or rented
    grade: Grade | None = None
    signature: SignatureCheck | None = None
    decision: Decided | None = None
    parent: Card | None = None
    alternatives: Sequence[Alternative] = ()
    avoided: Sequence[Avoided] = ()
    disagreements: Sequence[str] | None = None  # of the README's head with the card; None: there is no README
    head: dict[str, object] = field(default_factory=dict)  # of the README

    @cached_property
    def card_digest(self) -> str:
        return str(card_digest(self.card))

    @cached_property
    def totals(self) -> Totals:
        return totals(self.card)
