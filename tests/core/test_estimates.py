"""Where nothing was measured the server estimates, widely, beside the card; it never guesses a device."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.cards import golden_card, minimal_card, minimal_phase, quantity

from registry_core.card import parse_card
from registry_core.errors import Invalid
from registry_core.estimates import (
    DEVICES,
    device_power,
    estimate,
    from_device_hours,
    from_flop,
    recomputed,
    with_hosts,
)
from registry_core.intensity import intensity
from registry_core.phase import Group, Phase
from registry_core.quantity import exact
from registry_core.tables import table


def group(**fields: Any) -> Group:
    return Group(**{"device_kind": "gpu", "device_model": "A100 SXM", "device_count": 4, "hours": 8.0, **fields})


def unmeasured(**fields: Any) -> Phase:
    """The golden run with no energy."""
    phase = golden_card()["phases"][0] | fields
    for name in ("energy_gpu", "energy_it", "co2e_location"):
        phase.pop(name, None)
    phase["coverage"] = {**phase["coverage"], "gpu": False}
    return parse_card(minimal_card(phases=[phase])).phases[0]


def test_device_hours_times_tdp() -> None:
    found = from_device_hours([group()])
    assert found.value == pytest.approx(32 * 400 * 0.70 / 1000)
    assert (found.low, found.high) == pytest.approx((32 * 400 * 0.25 / 1000, 32 * 400 * 1.15 / 1000))
    assert found.source == "estimated"


def test_a_stated_load_and_a_stated_power_stand_as_they_are() -> None:
    found = from_device_hours([group(tdp_w=300.0), group(tdp_w=100.0, device_count=1)], load=1.0)
    assert (found.low, found.value, found.high) == pytest.approx((10.4, 10.4, 10.4))


def test_a_published_mean_is_not_scaled_down_again() -> None:
    found = from_device_hours([group(device_model="TPU v3", device_count=1, hours=1000.0)])
    assert found.value == pytest.approx(283.0)
    assert found.low == pytest.approx(283.0 * 0.25 / 0.70)


def test_hosts_add_between_a_tenth_and_nine_tenths() -> None:
    found = with_hosts(exact(10.0))
    assert (found.low, found.value, found.high) == pytest.approx((11.0, 14.0, 19.0))


def test_operations_on_hardware_of_a_stated_efficiency() -> None:
    found = from_flop(3.6e18, 1e12)
    assert (found.low, found.value, found.high) == pytest.approx((0.33, 1.0, 3.0))
    with pytest.raises(Invalid):
        from_flop(1e18, 0)


@pytest.mark.parametrize(
    "name", ["NVIDIA A100-SXM4-80GB", "a100 sxm4 80gb", "NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-32GB", "TPU v3"]
)
def test_devices_are_found_by_the_names_that_drivers_give(name: str) -> None:
    assert device_power(name).power_w > 0
    assert device_power(name).source


@pytest.mark.parametrize("name", ["", "GPU", "A1000", "NVIDIA", "AMD EPYC"])
def test_an_unknown_device_is_an_error_and_no_default(name: str) -> None:
    with pytest.raises(Invalid, match="not known"):
        device_power(name)


def test_the_table_says_where_each_power_is_from() -> None:
    rows = table(DEVICES).rows
    assert all(row["source"] and int(row["year"]) > 2000 and float(row["power_w"]) > 0 for row in rows)
    assert {row["meaning"] for row in rows} == {"tdp", "mean"}
    names = [name for row in rows for name in row["device"].split("|")]
    assert len(names) == len(set(names))


def test_a_phase_without_energy_gets_an_estimate_with_hosts() -> None:
    found = estimate(unmeasured())
    assert found is not None
    assert found.energy_devices_kwh is not None
    assert found.energy_devices_kwh.value == pytest.approx(8.96)
    assert found.energy_it_kwh.value == pytest.approx(8.96 * 1.4)
    assert found.energy_facility_kwh.value == pytest.approx(8.96 * 1.4 * 1.2)
    assert found.co2e_location_kg is not None
    assert found.co2e_location_kg.value == pytest.approx(8.96 * 1.4 * 1.2 * 0.056039)
    assert "server estimate" in found.says


def test_hosts_that_are_listed_are_not_added_again() -> None:
    groups = [dict(group()), dict(group(device_kind="cpu", device_model="AMD EPYC 7763", device_count=1))]
    phase = unmeasured(groups=[{name: value for name, value in one.items() if value is not None} for one in groups])
    found = estimate(phase)
    assert found is not None
    assert found.energy_it_kwh.value == pytest.approx(8.96 + 8 * 280 * 0.7 / 1000)


def test_operations_go_before_device_hours_when_an_efficiency_is_stated() -> None:
    phase = unmeasured(compute_flop=quantity(3.6e18, "FLOP", "estimated"))
    found = estimate(phase, flop_per_joule=1e12)
    assert found is not None
    assert (found.basis, found.energy_it_kwh.value) == ("flop", pytest.approx(1.0))
    by_hours = estimate(phase)
    assert by_hours is not None
    assert by_hours.basis == "device_hours"


def test_energy_of_accelerators_alone_gets_its_hosts() -> None:
    found = estimate(parse_card(golden_card()).phases[0])
    assert found is not None
    assert found.basis == "host_share"
    assert found.energy_it_kwh.value == pytest.approx(9.6 * 1.4)
    assert found.energy_it_kwh.low == pytest.approx(9.6 * 0.9 * 1.1)


def test_a_measured_phase_needs_no_estimate() -> None:
    assert estimate(parse_card(minimal_card()).phases[0]) is None


def test_an_estimate_that_cannot_be_made_says_why() -> None:
    unknown = {"device_kind": "gpu", "device_model": "Fast GPU", "device_count": 4, "hours": 8}
    with pytest.raises(Invalid, match="Fast GPU"):
        estimate(unmeasured(groups=[unknown]))


def test_without_a_location_based_intensity_there_is_energy_alone() -> None:
    meta = {**golden_card()["phases"][0]["intensity_meta"], "basis": "market"}
    found = estimate(unmeasured(intensity_meta=meta))
    assert found is not None
    assert found.co2e_location_kg is None


def test_the_card_is_never_overwritten() -> None:
    card = parse_card(golden_card())
    before = card.model_dump()
    estimate(card.phases[0])
    recomputed(card.phases[0], intensity("USA"))
    assert card.model_dump() == before


def test_co2e_with_another_table_stands_beside_the_old() -> None:
    found = recomputed(parse_card(golden_card()).phases[0], intensity("USA"))
    assert found is not None
    assert found.old is not None
    assert found.old.value == pytest.approx(0.64556928)
    assert found.co2e_location_kg.value == pytest.approx(11.52 * intensity("USA").value / 1000)
    assert recomputed(unmeasured(), intensity("USA")) is None
    assert estimate(parse_card(minimal_card(phases=[minimal_phase()])).phases[0]) is None
