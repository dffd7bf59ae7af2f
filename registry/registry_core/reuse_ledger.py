"""The ledger of `reuse-convention/1`: all claims together, what they avoided, for whom.

    claims ─► eligible ─► once per organisation, root and task ─► avoided ─► split over the chain ─► capped ─► sums

Amounts stand apart from footprints and are never netted. The sums by model, team, organisation and reuser are
four views of the same events: each adds up to the events' sum, and no two are ever added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from registry_core.errors import Invalid
from registry_core.quantity import Amount, total
from registry_core.reuse import CONVENTION, Claim, Convention, Statement, months_after, why_refused
from registry_core.reuse_event import Event, Share, event_of, settled, total_of

Part = tuple[Event, Share]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Refusal:
    """A claim that does not count, and all reasons why."""

    id: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Sum:
    """What the events of one model, team, organisation or reuser avoided."""

    name: str
    events: int
    energy_kwh: Amount
    co2e_kg: Amount | None  # of the events whose intensity is known; None when there is none
    events_without_co2e: int


@dataclass(frozen=True)
class Ledger:
    """All that was claimed by one convention."""

    convention: Convention
    events: tuple[Event, ...]  # by day, then id
    refused: tuple[Refusal, ...]
    by_model: tuple[Sum, ...]  # reused models and their ancestors
    by_team: tuple[Sum, ...]  # that made them
    by_organisation: tuple[Sum, ...]  # that made them
    by_reuser: tuple[Sum, ...]  # organisations that reused
    total_kwh: Amount


@dataclass
class _Slot:
    """The place that a claim takes for its organisation, root and task, and what was spent on it."""

    claim: Claim
    statement: Statement
    spent: list[Amount]


def ledger(claims: Iterable[Claim], convention: Convention = CONVENTION) -> Ledger:
    """The ledger of `claims`, the same in whatever order they come. Raises Invalid when two have the same id."""
    ordered = sorted(claims, key=lambda claim: (_day(claim), claim.id))
    if len({claim.id for claim in ordered}) < len(ordered):
        raise Invalid("Two claims of a reuse have the same id.", hint="Give each claim an id of its own.")
    slots, refused = _once(ordered, convention)
    events = _capped([event_of(slot.claim, slot.statement, total(slot.spent), convention) for slot in slots])
    return Ledger(
        convention=convention,
        events=tuple(events),
        refused=tuple(refused),
        by_model=_sums(events, lambda _, share: share.model),
        by_team=_sums(events, lambda _, share: share.team),
        by_organisation=_sums(events, lambda _, share: share.organisation),
        by_reuser=_sums(events, lambda event, _: event.organisation),
        total_kwh=total_of([event.energy_kwh for event in events]),
    )


def _day(claim: Claim) -> date:
    return claim.statement.made_on if claim.statement else date.max


def _once(claims: Sequence[Claim], convention: Convention) -> tuple[list[_Slot], list[Refusal]]:
    """The claims that count, first come, with what was spent on each, and the others with their reasons.

    A later claim of the same organisation, root and task adds nothing but what it spent, so that pulls that
    are split up gain nothing. Training the same thing anyway ends an event and keeps its place taken.
    """
    slots: list[_Slot] = []
    refused: list[Refusal] = []
    taken: dict[tuple[str, str, str, str], _Slot] = {}
    for claim in claims:
        reasons = why_refused(claim) + _revoked(claim)
        statement, spent = claim.statement, claim.spent_kwh
        if reasons or statement is None or spent is None:
            refused.append(Refusal(claim.id, reasons))
            continue
        keys = _keys(claim, statement)
        earlier = [taken[key] for key in keys if key in taken and _is_within(taken[key], statement, convention)]
        if earlier:
            refused.append(Refusal(claim.id, (_already(earlier[0], convention),)))
            earlier[0].spent.append(spent)
            continue
        slot = _Slot(claim, statement, [spent])
        taken.update(dict.fromkeys(keys, slot))
        if claim.revocation:
            refused.append(Refusal(claim.id, (_revocation(claim),)))
        else:
            slots.append(slot)
    return slots, refused


def _keys(claim: Claim, statement: Statement) -> list[tuple[str, str, str, str]]:
    """A lineage root, and the model itself, whose revisions may be said to come from several roots."""
    who = (statement.organisation, statement.task)
    return [(*who, "root", claim.reused.root), (*who, "model", claim.reused.maker.model)]


def _is_within(slot: _Slot, statement: Statement, convention: Convention) -> bool:
    return statement.made_on < months_after(slot.statement.made_on, convention.window_months)


def _already(slot: _Slot, convention: Convention) -> str:
    return (
        f"{slot.statement.organisation} has claim {slot.claim.id} for this lineage and task "
        f"within {convention.window_months} months."
    )


def _revoked(claim: Claim) -> tuple[str, ...]:
    is_void = claim.revocation is not None and claim.revocation.kind != "trained_anyway"
    return (_revocation(claim),) if is_void else ()


def _revocation(claim: Claim) -> str:
    assert claim.revocation is not None
    word = (
        "void, as such a model was trained anyway,"
        if claim.revocation.kind == "trained_anyway"
        else claim.revocation.kind
    )
    return f"It is {word} since {claim.revocation.on}: {claim.revocation.reason}"


def _capped(events: Sequence[Event]) -> list[Event]:
    """The events without what no model may exceed: one counterfactual for each organisation that reused it.

    Of a model in a chain it is its part of the counterfactual. What is too much is taken off all shares of the
    model that come from the organisation, and off their intervals, alike.
    """
    parts = _by(events, lambda event, share: (share.model, event.organisation))
    factors = {key: _cap_factor(found) for key, found in parts.items()}
    return [settled(event, {s.model: factors[s.model, event.organisation] for s in event.shares}) for event in events]


def _cap_factor(parts: Sequence[Part]) -> float:
    cap = max(event.counterfactual_kwh.value * share.part for event, share in parts)
    avoided = math.fsum(share.energy_kwh.value for _, share in parts)
    return min(1.0, cap / avoided) if avoided > 0 else 1.0


def _by(events: Sequence[Event], key: Callable[[Event, Share], Key]) -> dict[Key, list[Part]]:
    found: dict[Key, list[Part]] = {}
    for event in events:
        for share in event.shares:
            found.setdefault(key(event, share), []).append((event, share))
    return found


def _sums(events: Sequence[Event], name: Callable[[Event, Share], str]) -> tuple[Sum, ...]:
    return tuple(_sum(key, parts) for key, parts in sorted(_by(events, name).items()))


def _sum(name: str, parts: Sequence[Part]) -> Sum:
    masses = [share.co2e_kg for _, share in parts if share.co2e_kg]
    return Sum(
        name=name,
        events=len({event.id for event, _ in parts}),
        energy_kwh=total_of([share.energy_kwh for _, share in parts]),
        co2e_kg=total(masses) if masses else None,
        events_without_co2e=len({event.id for event, share in parts if share.co2e_kg is None}),
    )
