"""An event of `reuse-convention/1`: what one reuse avoided, and its split over the chain of models behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from registry_core.quantity import Amount, exact, product, surplus, total
from registry_core.reuse import Claim, Convention, Maker, Statement, displacement
from registry_core.units import GRAMS_PER_KG

_PER_KG = exact(1 / GRAMS_PER_KG)


@dataclass(frozen=True)
class Share:
    """The part of an event's avoided amount that one model of the chain is given."""

    model: str
    team: str
    organisation: str
    part: float  # its own build energy / that of the whole chain
    energy_kwh: Amount
    co2e_kg: Amount | None  # None when the intensity is not known


@dataclass(frozen=True)
class Event:
    """A reuse that counts; `energy_kwh` and `co2e_kg` are the avoided amounts, the sums of the shares."""

    id: str
    made_on: date
    account: str
    team: str  # of the reuser
    organisation: str  # of the reuser
    task: str
    artifact: str
    root: str
    evidence: str  # digest of a card, id of a rerun
    displacement: float
    counterfactual_kwh: Amount
    spent_kwh: Amount
    intensity_g_per_kwh: Amount | None
    marginal_intensity_g_per_kwh: Amount | None  # beside the average, in no sum
    shares: tuple[Share, ...]
    energy_kwh: Amount
    co2e_kg: Amount | None


def event_of(claim: Claim, statement: Statement, spent: Amount, convention: Convention) -> Event:
    """The event of an eligible claim: max(0, displacement x counterfactual - spent), split over the chain."""
    assert claim.counterfactual_kwh is not None
    assert claim.evidence is not None
    factor = displacement(claim, convention)
    avoided = surplus(product(exact(factor), claim.counterfactual_kwh), spent)
    shares = [
        Share(maker.model, maker.team, maker.organisation, part, _times(avoided, part), None)
        for maker, part in _parts(claim.reused.chain)
        if maker.team != statement.team  # a pull by a producer counts zero, further down the chain as well
    ]
    return Event(
        id=claim.id,
        made_on=statement.made_on,
        account=statement.account,
        team=statement.team,
        organisation=statement.organisation,
        task=statement.task,
        artifact=claim.reused.digest,
        root=claim.reused.root,
        evidence=claim.evidence.reference,
        displacement=factor,
        counterfactual_kwh=claim.counterfactual_kwh,
        spent_kwh=spent,
        intensity_g_per_kwh=claim.intensity_g_per_kwh,
        marginal_intensity_g_per_kwh=claim.marginal_intensity_g_per_kwh,
        shares=tuple(shares),
        energy_kwh=total_of([share.energy_kwh for share in shares]),
        co2e_kg=None,
    )


def _parts(chain: Sequence[Maker]) -> list[tuple[Maker, float]]:
    """Each model of the chain and its part, by own build energy; all to the first when none is known."""
    makers = {maker.model: maker for maker in reversed(chain)}
    energies = {model: math.fsum(maker.build_kwh or 0.0 for maker in chain if maker.model == model) for model in makers}
    whole = math.fsum(energies.values())
    if whole <= 0:
        return [(chain[0], 1.0)]
    return [(maker, energies[model] / whole) for model, maker in sorted(makers.items())]


def settled(event: Event, factors: Mapping[str, float]) -> Event:
    """The event with each model's share times its factor, and with the CO2e of what is left."""
    shares = [_settled(share, factors[share.model], event.intensity_g_per_kwh) for share in event.shares]
    return replace(
        event,
        shares=tuple(shares),
        energy_kwh=total_of([share.energy_kwh for share in shares]),
        co2e_kg=None if event.intensity_g_per_kwh is None else total_of([s.co2e_kg for s in shares if s.co2e_kg]),
    )


def _settled(share: Share, factor: float, intensity_g_per_kwh: Amount | None) -> Share:
    energy_kwh = _times(share.energy_kwh, factor)
    co2e_kg = None if intensity_g_per_kwh is None else product(energy_kwh, intensity_g_per_kwh, _PER_KG)
    return replace(share, energy_kwh=energy_kwh, co2e_kg=co2e_kg)


def total_of(amounts: Sequence[Amount]) -> Amount:
    """The sum, which is zero of nothing."""
    return total(amounts) if amounts else exact(0.0, "estimated")


def _times(amount: Amount, factor: float) -> Amount:
    return product(amount, exact(factor))
