"""Quantities keep their unit and origin; intervals are conservative."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from registry_core.errors import Invalid
from registry_core.quantity import (
    Amount,
    DerivableEnergy,
    Energy,
    Money,
    MoneyPerEnergy,
    Share,
    amount,
    default_interval,
    exact,
    product,
    quotient,
    surplus,
    total,
)


def kwh(**changes: Any) -> dict[str, Any]:
    return {"value": 12.4, "unit": "kWh", "source": "measured", **changes}


numbers = st.floats(0, 1e9)
sources = st.sampled_from(["measured", "estimated", "declared"])


@st.composite
def amounts(draw: st.DrawFn) -> Amount:
    low, value, high = sorted([draw(numbers), draw(numbers), draw(numbers)])
    return Amount(value, low, high, draw(sources))


def test_whole_json_number_is_a_value() -> None:
    assert Energy.model_validate(kwh(value=8)).value == 8.0


def test_zero_is_a_value() -> None:
    assert Energy.model_validate(kwh(value=0)).value == 0.0


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1, -1e-9, 1e31, "12", "N/A", True, None, [1], {"value": 1}]
)
def test_what_is_no_finite_number_from_zero_up_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        Energy.model_validate(kwh(value=value))


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "Wh"},
        {"unit": "KWH"},
        {"unit": None},
        {"source": "guessed"},
        {"source": "derived"},
        {"method": ""},
        {"low": 12.5},
        {"high": 12.3},
        {"low": -1},
        {"high": math.inf},
        {"note": "x"},
    ],
)
def test_a_faulty_part_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Energy.model_validate(kwh(**changes))


def test_a_quantity_needs_its_unit_and_its_source() -> None:
    with pytest.raises(ValidationError) as caught:
        Energy.model_validate({"value": 1.0})
    assert {fault["loc"] for fault in caught.value.errors()} == {("unit",), ("source",)}


def test_a_quantity_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Energy.model_validate(kwh()).value = 1.0


def test_only_some_fields_may_be_derived() -> None:
    assert DerivableEnergy.model_validate(kwh(source="derived")).source == "derived"


def test_a_share_is_at_most_one() -> None:
    with pytest.raises(ValidationError):
        Share.model_validate({"value": 1.1, "unit": "1", "source": "measured"})


@pytest.mark.parametrize(("kind", "unit"), [(Money, "EUR"), (MoneyPerEnergy, "EUR/kWh")])
def test_money_is_in_a_currency(kind: type[Money] | type[MoneyPerEnergy], unit: str) -> None:
    kind.model_validate({"value": 1, "unit": unit, "source": "declared"})
    for wrong in (unit.lower(), unit.replace("EUR", "EURO"), unit.replace("EUR", "€")):
        with pytest.raises(ValidationError):
            kind.model_validate({"value": 1, "unit": wrong, "source": "declared"})


@pytest.mark.parametrize(
    ("method", "low", "high"),
    [
        ("wattmeter", 9.5, 10.5),
        ("pdu", 9.5, 10.5),
        ("psu", 9.5, 10.5),
        ("nvml_counter", 9.0, 11.0),
        ("amdsmi_counter", 9.0, 11.0),
        ("nvml_power_polled", 6.5, 13.5),
        ("rapl_package", 9.0, 11.5),
        ("cpu_load_model", 3.3, 30.0),
        ("tdp_constant", 3.3, 30.0),
        ("ram_dimm_model", 3.0, 20.0),
        ("device_hours_tdp", 10 * 0.25 / 0.70, 10 * 1.15 / 0.70),
        ("host_share", 10 * 1.1 / 1.4, 10 * 1.9 / 1.4),
        ("flop_model", 3.3, 30.0),
        ("pue_measured", 9.7, 10.3),
        ("intensity_hourly", 9.0, 11.0),
        ("intensity_annual", 7.0, 13.0),
        ("intensity_world_default", 1.0, 20.0),
        ("embodied_factor", 5.0, 35.0),
        ("unknown", 3.3, 30.0),
        ("a_meter_of_our_own", 10.0, 10.0),
        (None, 10.0, 10.0),
    ],
)
def test_each_method_has_its_interval(method: str | None, low: float, high: float) -> None:
    assert default_interval(10.0, method) == pytest.approx((low, high))


def test_a_counter_is_less_sure_over_a_short_window() -> None:
    assert default_interval(10.0, "nvml_counter", window_seconds=59.9) == pytest.approx((6.0, 15.0))
    assert default_interval(10.0, "nvml_counter", window_seconds=60.0) == pytest.approx((9.0, 11.0))
    assert default_interval(10.0, "rapl_package", window_seconds=5.0) == pytest.approx((9.0, 11.5))


def test_the_default_pue_has_an_absolute_interval() -> None:
    assert default_interval(1.56, "pue_default") == (1.1, 2.0)
    assert default_interval(1.05, "pue_default") == (1.05, 2.0)


def test_own_bounds_go_before_default_ones() -> None:
    quantity = Energy.model_validate(kwh(value=10, method="rapl_package", low=9.9))
    assert amount(quantity) == Amount(10.0, 9.9, 11.5, "measured")


def test_a_derived_quantity_counts_as_estimated() -> None:
    assert amount(DerivableEnergy.model_validate(kwh(source="derived"))).source == "estimated"


def test_product_multiplies_lows_and_highs() -> None:
    found = product(Amount(10, 9, 12, "measured"), Amount(2, 1, 3, "estimated"))
    assert found == Amount(20, 9, 36, "estimated")


def test_sum_adds_lows_and_highs() -> None:
    found = total([Amount(10, 9, 12, "measured"), Amount(2, 1, 3, "declared")])
    assert found == Amount(12, 10, 15, "declared")


def test_a_part_below_two_percent_does_not_lower_the_source_of_a_sum() -> None:
    assert total([exact(98.1), exact(1.9, "declared")]).source == "measured"
    assert total([exact(98.0), exact(2.0, "declared")]).source == "declared"
    assert total([exact(0.0), exact(0.0, "estimated")]).source == "estimated"


def test_a_sum_of_many_small_parts_has_the_weakest_source() -> None:
    assert total([exact(1.0)] * 99 + [exact(1.0, "declared")]).source == "declared"


@given(st.lists(amounts(), min_size=1, max_size=4))
def test_value_stays_inside_its_interval(parts: list[Amount]) -> None:
    for found in (product(*parts), total(parts)):
        slack = 1e-9 * found.high
        assert found.low <= found.value + slack
        assert found.value <= found.high + slack


@given(amounts(), amounts())
def test_order_does_not_matter(one: Amount, other: Amount) -> None:
    assert product(one, other) == product(other, one)
    assert total([one, other]) == total([other, one])


@given(amounts())
def test_one_is_neutral(one: Amount) -> None:
    assert product(one, exact(1.0)) == one


@given(numbers, st.sampled_from(["rapl_package", "pue_default", "host_share", "cpu_load_model", None]))
def test_a_default_interval_holds_its_value(value: float, method: str | None) -> None:
    low, high = default_interval(value, method)
    assert low <= value <= high


def test_quotient_is_widest_where_the_divisor_is_narrowest() -> None:
    found = quotient(Amount(12, 6, 18, "measured"), Amount(4, 3, 6, "declared"))
    assert found == Amount(3, 1, 6, "declared")


@given(amounts(), amounts())
def test_quotient_holds_its_value_or_is_refused(one: Amount, other: Amount) -> None:
    if other.low < 1e-100:
        return
    found = quotient(one, other)
    assert found.low <= found.value <= found.high


def test_nothing_is_divided_by_what_may_be_zero() -> None:
    with pytest.raises(Invalid, match="may be zero"):
        quotient(exact(1), Amount(1, 0, 2, "measured"))


def test_surplus_takes_the_high_end_from_the_low_one() -> None:
    found = surplus(Amount(10, 8, 12, "measured"), Amount(3, 1, 9, "estimated"))
    assert found == Amount(7, 0, 11, "estimated")


@given(amounts(), amounts())
def test_surplus_is_never_negative(one: Amount, other: Amount) -> None:
    found = surplus(one, other)
    assert 0 <= found.low <= found.value <= found.high
