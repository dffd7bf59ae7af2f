"""Every formula gives the unit that its docstring says, when its inputs have theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pint
import pytest

from registry_core import formulas
from registry_core.estimates import from_flop

UNITS = pint.UnitRegistry()
for definition in (
    "gCO2e = [co2e]",
    "kgCO2e = 1000 * gCO2e",
    "EUR = [currency]",
    "FLOP = [operation]",
    "token = [token]",
    "device = [device]",
    "score = [score]",
    "parameter = [parameter]",
):
    UNITS.define(definition)

KILO = 1000  # a formula that ends in "/ 1000" gives the kilo of the unit that its inputs make


def of(value: float, unit: str) -> Any:
    return UNITS.Quantity(value, unit)


CASES: dict[str, tuple[Callable[[], Any], float, str]] = {
    "compute_cost": (
        lambda: formulas.compute_cost(of(8, "hour"), of(2.5, "EUR/(device*hour)"), of(4, "device")),
        80.0,
        "EUR",
    ),
    "energy": (lambda: formulas.energy(of(8, "hour"), of(1200, "W"), of(1.2, "")) * KILO, 11.52, "kWh"),
    "environment": (
        lambda: formulas.environment(of(8, "hour"), of(0.08069616, "kgCO2e/hour")),
        0.64556928,
        "kgCO2e",
    ),
    "emission_rate": (
        lambda: formulas.emission_rate(of(1200, "W"), of(1.2, ""), of(56.039, "gCO2e/kWh")) * KILO * KILO,
        0.08069616,
        "kgCO2e/hour",
    ),
    "water": (
        lambda: formulas.water(of(9.6, "kWh"), of(1.2, ""), of(0.5, "L/kWh"), of(2, "L/kWh")),
        27.84,
        "L",
    ),
    "embodied": (
        lambda: formulas.embodied(of(300, "kgCO2e/device"), of(32, "device*hour"), of(43800, "hour"), of(0.85, "")),
        0.2578566,
        "kgCO2e",
    ),
    "efficiency_raw": (lambda: formulas.efficiency_raw(of(0.9, "score"), of(3, "kWh")), 0.3, "score/kWh"),
    "gain_per_energy": (
        lambda: formulas.gain_per_energy(of(0.9, "score"), of(0.6, "score"), of(3, "kWh"), higher_is_better=True),
        0.1,
        "score/kWh",
    ),
    "rate_bytes": (lambda: formulas.rate_bytes(of(1000, "byte"), of(600, "byte")), 1.6666667, ""),
    "rate_params": (lambda: formulas.rate_params(of(200, "parameter"), of(100, "parameter")), 2.0, ""),
    "bits_per_parameter": (
        # 8 stands for the bits of a byte, so the sizes come without their unit.
        lambda: formulas.bits_per_parameter(of(400, ""), of(100, "parameter")) * of(1, "bit"),
        32.0,
        "bit/parameter",
    ),
    "size_reduction": (lambda: formulas.size_reduction(of(5 / 3, "")), 0.4, ""),
    "score_retention": (lambda: formulas.score_retention(of(0.855, "score"), of(0.9, "score")), 0.95, ""),
    "energy_ratio": (lambda: formulas.energy_ratio(of(0.5, "kWh/token"), of(1, "kWh/token")), 0.5, ""),
}


@pytest.mark.parametrize("name", CASES)
def test_a_formula_gives_its_unit(name: str) -> None:
    compute, value, unit = CASES[name]
    assert compute().to(unit).magnitude == pytest.approx(value)


def test_every_formula_is_checked() -> None:
    public = {name for name, found in vars(formulas).items() if inspect.isfunction(found) and name[0] != "_"}
    assert {name for name in public if getattr(formulas, name).__module__ == formulas.__name__} <= CASES.keys()


def test_energy_of_operations() -> None:
    by_units = (of(3e18, "FLOP") / of(4e11, "FLOP/J")).to("kWh").magnitude
    assert from_flop(3e18, 4e11).value == pytest.approx(by_units)


def test_co2e_is_no_mass_and_no_energy_is_money() -> None:
    for one, other in (("kgCO2e", "kg"), ("kWh", "EUR"), ("FLOP", "token")):
        with pytest.raises(pint.DimensionalityError):
            of(1, one) + of(1, other)
