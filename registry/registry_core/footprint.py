"""The calculator: what a card's phases add up to. The formulas on plain numbers are in `formulas`.

    parts ─► energy_it ─ x PUE ─► energy_facility ─ x intensity ─► co2e_location
                    └── x (WUE_on + PUE x WUE_off) ─► water        groups ─► co2e_embodied

Numbers that follow from others are computed here, whatever the card says they are. A number that is not
known is None; a sum is None unless every one of its parts is known, and a cost also unless all parts are in
one currency. A split without any phase is None as a whole: "development not reported" is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from registry_core.card import Card
from registry_core.formulas import embodied
from registry_core.phase import Gases, Group, Phase
from registry_core.quantity import Amount, Quantity, amount, default_interval, exact, product, total
from registry_core.units import GRAMS_PER_KG

DEFAULT_PUE = 1.56
_DEFAULT_PUE = Amount(DEFAULT_PUE, *default_interval(DEFAULT_PUE, "pue_default"), source="estimated")
_PER_KG = exact(1 / GRAMS_PER_KG)


@dataclass(frozen=True)
class Footprint:
    """What one phase, or several together, took. The unit of each amount is the last word of its name."""

    energy_it_kwh: Amount | None  # at the devices and their hosts
    energy_facility_kwh: Amount | None  # energy_it x PUE
    co2e_location_kg: Amount | None
    co2e_embodied_kg: Amount | None
    water_litres: Amount | None
    cost: Amount | None
    device_time_hours: Amount | None  # summed over devices
    wall_time_seconds: Amount | None
    currency: str | None  # of the cost
    gases: Gases | None  # that co2e_location_kg counts; None when it is not known, or when they are mixed


@dataclass(frozen=True)
class Totals:
    """The sums of a card: stages other than development, development, and all."""

    final: Footprint | None
    development: Footprint | None
    all: Footprint


def totals(card: Card) -> Totals:
    """The sums over the card's phases, by split."""
    final = [phase_footprint(phase) for phase in card.phases if phase.stage != "development"]
    development = [phase_footprint(phase) for phase in card.phases if phase.stage == "development"]
    return Totals(
        final=combined(final) if final else None,
        development=combined(development) if development else None,
        all=combined(final + development),
    )


def totals_json(sums: Totals) -> dict[str, Any]:
    """As plain JSON: split -> name with unit -> `{value, low, high, source}` or null."""
    return asdict(sums)


def phase_footprint(phase: Phase) -> Footprint:
    """What one phase took.

    Without a PUE, energy of scope `facility` has it already (1.0), and any other gets the default 1.56,
    between 1.1 and 2.0, estimated. Only a location-based intensity enters co2e_location; a declared figure
    stands where it cannot be computed. Water needs its part on site and its part in generation, each as
    volume or as WUE.
    """
    energy = _energy_it(phase)
    pue = _pue(phase)
    facility = None if energy is None else product(energy, pue)
    co2e = _co2e_location(phase, facility)
    return Footprint(
        energy_it_kwh=energy,
        energy_facility_kwh=facility,
        co2e_location_kg=co2e,
        co2e_embodied_kg=_co2e_embodied(phase),
        water_litres=_water(phase, energy, pue),
        cost=_amount(phase.cost.amount) if phase.cost else None,
        device_time_hours=_amount(phase.device_time),
        wall_time_seconds=_amount(phase.wall_time),
        currency=phase.cost.currency if phase.cost else None,
        gases=(phase.intensity_meta.gases if phase.intensity_meta else "co2e") if co2e else None,
    )


def facility_energy(phase: Phase, energy_it: Amount) -> Amount:
    """What the facility draws when the devices of the phase and their hosts take `energy_it`, in kWh."""
    return product(energy_it, _pue(phase))


def facility_co2e(phase: Phase, energy_facility: Amount) -> Amount | None:
    """What that energy emits at the phase's place, in kgCO2e; None without a location-based intensity."""
    meta = phase.intensity_meta
    if phase.intensity is None or meta is None or meta.basis != "location":
        return None
    # There is no factor of its own for monthly values: the wider of its neighbours is taken.
    method = "intensity_hourly" if meta.resolution == "hourly" else "intensity_annual"
    return product(energy_facility, amount(phase.intensity, method=method), _PER_KG)


def combined(footprints: Sequence[Footprint]) -> Footprint:
    """What at least one phase, or card, took together."""
    currencies = {footprint.currency for footprint in footprints}
    gases = {footprint.gases for footprint in footprints}
    one_currency, one_gas = len(currencies) == 1, len(gases) == 1

    def of(name: str) -> Amount | None:
        parts = [getattr(footprint, name) for footprint in footprints]
        return None if None in parts else total(parts)

    return Footprint(
        energy_it_kwh=of("energy_it_kwh"),
        energy_facility_kwh=of("energy_facility_kwh"),
        co2e_location_kg=of("co2e_location_kg") if one_gas else None,
        co2e_embodied_kg=of("co2e_embodied_kg"),
        water_litres=of("water_litres"),
        cost=of("cost") if one_currency else None,
        device_time_hours=of("device_time_hours"),
        wall_time_seconds=of("wall_time_seconds"),
        currency=currencies.pop() if one_currency else None,
        gases=gases.pop() if one_gas else None,
    )


def _amount(quantity: Quantity | None, method: str | None = None) -> Amount | None:
    return None if quantity is None else amount(quantity, method=method)


def _energy_it(phase: Phase) -> Amount | None:
    window_seconds = phase.wall_time.value
    if phase.energy_it is not None and phase.energy_it.source != "derived":
        return amount(phase.energy_it, window_seconds=window_seconds)
    parts = [amount(part, window_seconds=window_seconds) for part in phase.energy_parts]
    return total(parts) if parts else None


def _pue(phase: Phase) -> Amount:
    if phase.pue is not None:
        is_default = phase.pue_origin == "default"
        return amount(phase.pue, method="pue_default" if is_default else "pue_measured")
    return exact(1.0) if phase.scope == "facility" else _DEFAULT_PUE


def _co2e_location(phase: Phase, facility: Amount | None) -> Amount | None:
    computed = None if facility is None else facility_co2e(phase, facility)
    return computed or _amount(phase.co2e_location)


def _co2e_embodied(phase: Phase) -> Amount | None:
    if phase.co2e_embodied is not None:
        return amount(phase.co2e_embodied, method="embodied_factor")
    masses = [_embodied_of(group) for group in phase.groups]
    if None in masses:
        return None
    value = math.fsum(mass for mass in masses if mass is not None)
    return Amount(value, *default_interval(value, "embodied_factor"), source="estimated")


def _embodied_of(group: Group) -> float | None:
    if group.factor_kg is None or group.lifetime_h is None or group.utilisation is None:
        return None
    device_hours = group.device_count * group.hours
    return embodied(group.factor_kg, device_hours, group.lifetime_h, group.utilisation)


def _water(phase: Phase, energy: Amount | None, pue: Amount) -> Amount | None:
    onsite, offsite = _amount(phase.water_onsite), _amount(phase.water_offsite)
    if onsite is None and energy is not None and phase.wue_on is not None:
        onsite = product(energy, amount(phase.wue_on))
    if offsite is None and energy is not None and phase.wue_off is not None:
        offsite = product(energy, pue, amount(phase.wue_off))
    return None if onsite is None or offsite is None else total([onsite, offsite])
