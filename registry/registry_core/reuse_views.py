"""A ledger as one model or one organisation sees it. What is left out is counted still: nothing is worked out anew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from registry_core.quantity import Amount
from registry_core.reuse_event import Event, total_of
from registry_core.reuse_ledger import Ledger, Refusal, Sum


@dataclass(frozen=True)
class ModelLedger:
    """What reuse of a model avoided and, beside it, what came of it. The two are never netted."""

    model: str
    ledger: Ledger
    induced_kwh: Amount | None  # of all descendants at the heads of main; None when there is none with a known energy
    descendants: int


def of_model(found: Ledger, model: str, claims: Collection[str]) -> Ledger:
    """The events that give `model` a share, and its sum; of the refused claims those among `claims`."""
    events = tuple(event for event in found.events if any(share.model == model for share in event.shares))
    by_model = _named(found.by_model, model)
    return _narrowed(found, events, claims, by_model=by_model, total_of_rows=by_model)


def of_organisation(found: Ledger, name: str, claims: Collection[str]) -> Ledger:
    """The events of an organisation, as a maker and as a reuser. `total_kwh` is what others avoided by its models."""
    events = tuple(
        event
        for event in found.events
        if event.organisation == name or any(share.organisation == name for share in event.shares)
    )
    made = _named(found.by_organisation, name)
    narrowed = _narrowed(found, events, claims, by_model=(), total_of_rows=made)
    return replace(
        narrowed,
        by_team=_named(found.by_team, name),
        by_organisation=made,
        by_reuser=_named(found.by_reuser, name),
    )


def _narrowed(
    found: Ledger,
    events: tuple[Event, ...],
    claims: Collection[str],
    *,
    by_model: tuple[Sum, ...],
    total_of_rows: tuple[Sum, ...],
) -> Ledger:
    refused: tuple[Refusal, ...] = tuple(refusal for refusal in found.refused if refusal.id in claims)
    return Ledger(
        convention=found.convention,
        events=events,
        refused=refused,
        by_model=by_model,
        by_team=(),
        by_organisation=(),
        by_reuser=(),
        total_kwh=total_of([row.energy_kwh for row in total_of_rows]),
    )


def _named(rows: tuple[Sum, ...], name: str) -> tuple[Sum, ...]:
    return tuple(row for row in rows if row.name == name)
