"""The calculator gives the numbers of the worked example, and None for what nobody knows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cards import full_card, golden_card, minimal_card, minimal_phase, quantity

from registry_core import formulas
from registry_core.card import parse_card
from registry_core.errors import Invalid
from registry_core.footprint import Footprint, Totals, phase_footprint, totals, totals_json


def of(*phases: dict[str, Any]) -> Totals:
    return totals(parse_card(minimal_card(phases=list(phases))))


def phase(**changes: Any) -> Footprint:
    return phase_footprint(parse_card(minimal_card(phases=[minimal_phase(**changes)])).phases[0])


def value(amount: Any) -> float:
    assert amount is not None
    return float(amount.value)


def golden_phase() -> dict[str, Any]:
    found: dict[str, Any] = golden_card()["phases"][0]
    return found


def test_worked_example() -> None:
    found = totals(parse_card(golden_card())).all
    assert value(found.energy_it_kwh) == pytest.approx(9.6, rel=1e-12)
    assert value(found.energy_facility_kwh) == pytest.approx(11.52, rel=1e-12)
    assert value(found.co2e_location_kg) == pytest.approx(0.64556928, rel=1e-12)
    assert value(found.cost) == 80.0
    assert found.currency == "EUR"
    assert value(found.device_time_hours) == 32.0
    assert value(found.wall_time_seconds) == 28800.0


def test_worked_example_by_the_three_cost_models() -> None:
    assert formulas.compute_cost(8, 2.50, 4) == 80.0
    assert formulas.energy(8, 1200, 1.0) == pytest.approx(9.6)
    assert formulas.energy(8, 1200, 1.2) == pytest.approx(11.52)
    rate = formulas.emission_rate(1200, 1.2, 56.039)
    assert rate == pytest.approx(0.08069616, rel=1e-12)
    assert formulas.environment(8, rate) == pytest.approx(0.64556928, rel=1e-12)


def test_worked_example_with_intervals() -> None:
    found = totals(parse_card(golden_card())).all.co2e_location_kg
    assert found is not None
    assert found.low == pytest.approx(9.6 * 0.9 * 1.2 * 0.97 * 56.039 * 0.7 / 1000)
    assert found.high == pytest.approx(9.6 * 1.1 * 1.2 * 1.03 * 56.039 * 1.3 / 1000)


def test_a_card_without_development_says_so() -> None:
    found = totals(parse_card(golden_card()))
    assert found.development is None
    assert found.final == found.all


def test_development_is_split_off() -> None:
    found = of(golden_phase(), {**golden_phase(), "stage": "development"})
    assert found.final == found.development
    assert value(found.all.energy_it_kwh) == pytest.approx(19.2)
    assert value(found.all.wall_time_seconds) == 57600.0


def test_a_card_of_development_alone_has_no_final() -> None:
    found = of(minimal_phase(stage="development"))
    assert found.final is None
    assert found.development == found.all


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    found = of(golden_phase(), minimal_phase()).all
    assert value(found.energy_it_kwh) == pytest.approx(9.601)
    assert found.co2e_location_kg is None
    assert found.cost is None
    assert found.currency is None


def test_mixed_currencies_have_no_sum() -> None:
    dollars = {"amount": quantity(90, "USD", "declared"), "currency": "USD", "basis": "billed"}
    found = of(golden_phase(), {**golden_phase(), "cost": dollars}).all
    assert found.cost is None
    assert found.currency is None


def test_mixed_gases_have_no_sum() -> None:
    meta = {**golden_phase()["intensity_meta"], "gases": "co2_only"}
    co2_only = {**golden_phase(), "intensity_meta": meta}
    mixed, one = of(golden_phase(), co2_only).all, of(co2_only).all
    assert (mixed.co2e_location_kg, mixed.gases) == (None, None)
    assert one.gases == "co2_only"
    assert one.co2e_location_kg is not None


def test_without_pue_the_default_is_estimated() -> None:
    found = phase(energy_cpu=quantity(1, "kWh"), energy_it=quantity(1, "kWh", "derived")).energy_facility_kwh
    assert found is not None
    assert (found.value, found.low, found.high, found.source) == (1.56, 1.1, 2.0, "estimated")


def test_energy_of_a_facility_has_its_pue_in_it() -> None:
    found = phase(scope="facility", energy_it=quantity(1, "kWh")).energy_facility_kwh
    assert found is not None
    assert (found.value, found.low, found.high, found.source) == (1.0, 1.0, 1.0, "measured")


def test_a_default_pue_that_is_named_as_such_has_the_default_interval() -> None:
    found = phase(
        energy_it=quantity(1, "kWh"), pue=quantity(1.56, "1", "estimated"), pue_origin="default"
    ).energy_facility_kwh
    assert found is not None
    assert (found.low, found.high) == (1.1, 2.0)


def test_energy_not_summed_by_the_card_is_summed_here() -> None:
    changes = minimal_phase(energy_gpu=quantity(2, "kWh", method="nvml_counter"))
    del changes["energy_it"]
    found = of(changes).all.energy_it_kwh
    assert found is not None
    assert found.value == pytest.approx(2.001)
    assert found.source == "measured"  # the modelled part is below 2 %


def test_a_meter_goes_before_the_parts() -> None:
    assert value(phase(energy_it=quantity(0.5, "kWh", method="psu")).energy_it_kwh) == 0.5


def test_a_short_window_of_a_counter_is_wide() -> None:
    found = phase(wall_time=quantity(5, "s"), energy_it=quantity(1, "kWh", method="nvml_counter")).energy_it_kwh
    assert found is not None
    assert (found.low, found.high) == (0.6, 1.5)


def test_failed_measurement_has_time_and_no_energy() -> None:
    card = minimal_phase()
    del card["energy_cpu"], card["energy_it"]
    card["coverage"] = {**card["coverage"], "cpu": False}
    found = of(card).all
    assert found.energy_it_kwh is None
    assert found.energy_facility_kwh is None
    assert found.device_time_hours is not None


def test_market_based_intensity_enters_nothing() -> None:
    card = golden_phase()
    card["intensity_meta"]["basis"] = "market"
    del card["co2e_location"]
    assert of(card).all.co2e_location_kg is None


def test_declared_emissions_stand_where_they_cannot_be_computed() -> None:
    found = phase(co2e_location=quantity(0.5, "kgCO2e", "declared"))
    assert value(found.co2e_location_kg) == 0.5
    assert found.gases == "co2e"


def test_embodied_mass_of_groups() -> None:
    group = {"device_kind": "gpu", "device_model": "A100", "device_count": 4, "hours": 8}
    factors = {"factor_kg": 300, "lifetime_h": 43800, "utilisation": 0.85}
    found = phase(groups=[{**group, **factors}]).co2e_embodied_kg
    assert found is not None
    assert found.value == pytest.approx(300 * 32 / (43800 * 0.85))
    assert (found.low, found.high) == pytest.approx((found.value * 0.5, found.value * 3.5))
    assert phase(groups=[{**group, **factors}, group]).co2e_embodied_kg is None


def test_water_from_wue() -> None:
    wue = {"wue_on": quantity(0.5, "L/kWh", "declared"), "wue_off": quantity(2, "L/kWh", "estimated")}
    found = of({**golden_phase(), **wue}).all.water_litres
    assert value(found) == pytest.approx(9.6 * (0.5 + 1.2 * 2))
    assert value(found) == pytest.approx(formulas.water(9.6, 1.2, 0.5, 2))


def test_water_with_one_half_unknown_is_unknown() -> None:
    assert phase(water_onsite=quantity(1, "L")).water_litres is None
    both = {"water_onsite": quantity(1, "L"), "water_offsite": quantity(2, "L")}
    assert value(phase(**both).water_litres) == 3.0


def test_totals_are_plain_json_with_units() -> None:
    found = json.loads(json.dumps(totals_json(totals(parse_card(full_card())))))
    assert found["development"] is None
    assert found["all"] == found["final"]
    assert set(found["all"]["energy_facility_kwh"]) == {"value", "low", "high", "source"}
    assert {name.rpartition("_")[2] for name in found["all"]} == {
        "kwh", "kg", "litres", "cost", "hours", "seconds", "currency", "gases"
    }  # fmt: skip


def test_efficiency_and_gain() -> None:
    assert formulas.efficiency_raw(0.9, 3.0) == pytest.approx(0.3)
    assert formulas.gain_per_energy(0.9, 0.6, 3.0, higher_is_better=True) == pytest.approx(0.1)
    assert formulas.gain_per_energy(0.6, 0.9, 3.0, higher_is_better=False) == pytest.approx(0.1)
    assert formulas.gain_per_energy(0.6, 0.9, 3.0, higher_is_better=True) is None
    assert formulas.gain_per_energy(0.6, 0.6, 3.0, higher_is_better=True) is None


def test_compression() -> None:
    rate = formulas.rate_bytes(1000, 600)
    assert rate == pytest.approx(1.667, abs=1e-3)
    assert formulas.size_reduction(rate) == pytest.approx(0.40)
    assert formulas.rate_params(200, 100) == 2.0
    assert formulas.bits_per_parameter(400, 100) == 32.0
    assert formulas.score_retention(0.855, 0.9) == pytest.approx(0.95)
    assert formulas.energy_ratio(0.5, 1.0) == 0.5


def test_nothing_is_divided_by_zero() -> None:
    for divide in (
        lambda: formulas.rate_bytes(1, 0),
        lambda: formulas.rate_params(1, 0),
        lambda: formulas.bits_per_parameter(1, 0),
        lambda: formulas.size_reduction(0),
        lambda: formulas.score_retention(1, 0),
        lambda: formulas.energy_ratio(1, 0),
        lambda: formulas.efficiency_raw(1, 0),
        lambda: formulas.embodied(1, 1, 0, 1),
    ):
        with pytest.raises(Invalid):
            divide()


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1, 3), st.floats(0, 1500))
def test_environment_is_energy_times_intensity(hours: float, watts: float, pue: float, intensity: float) -> None:
    by_energy = formulas.energy(hours, watts, pue) * intensity / 1000
    assert formulas.environment(hours, formulas.emission_rate(watts, pue, intensity)) == pytest.approx(by_energy)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5), st.randoms())
def test_the_order_of_phases_does_not_matter(energies: list[float], random: Any) -> None:
    phases = [minimal_phase(energy_it=quantity(energy, "kWh", method="psu")) for energy in energies]
    forward = of(*phases)
    random.shuffle(phases)
    assert of(*phases) == forward
