"""Amortisation: the build of a model beside its uses; `reuse-convention/1` says what a use is.

These figures inform readers. An inventory leaves the whole build with the card of its producer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from registry_core.errors import Invalid
from registry_core.quantity import Amount, exact, quotient


@dataclass(frozen=True)
class PerUse:
    """A share of a build for each use known on a day; it falls as uses come."""

    amount: Amount  # in the unit of the build
    uses: int
    as_of: date


def per_use(build: Amount, verified_reuses: int, as_of: date) -> PerUse:
    """build / U in the unit of `build`, where U is the verified distinct reuses and one for the producer's own use."""
    if verified_reuses < 0:
        raise Invalid(f"There cannot be {verified_reuses} reuses.", hint="Give zero or more.")
    uses = verified_reuses + 1
    return PerUse(quotient(build, exact(uses)), uses, as_of)


def break_even_units(build_kwh: Amount, energy_kwh_per_unit: Amount) -> Amount:
    """Units of work after which use has taken as much as the build: build energy / energy per unit.

    kWh / (kWh / unit) = units. Raises Invalid when the energy of a unit may be zero.
    """
    return quotient(build_kwh, energy_kwh_per_unit)


def pay_back(counterfactual: Amount, actual: Amount) -> Amount:
    """(counterfactual - actual) / actual of a reuse, both in one unit; below zero when the reuse took more.

    Show it with its interval only. Raises Invalid when `actual` may be zero.
    """
    ratio = quotient(counterfactual, actual)
    return Amount(ratio.value - 1, ratio.low - 1, ratio.high - 1, ratio.source)
