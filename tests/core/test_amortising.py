"""A build spread over its uses, and a reuse beside what it replaced, with intervals."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.peers import kwh

from registry_core.amortising import break_even_units, pay_back, per_use
from registry_core.errors import Invalid
from registry_core.quantity import Amount

DAY = date(2026, 11, 22)


def ends(amount: Amount) -> tuple[float, float, float]:
    return amount.value, amount.low, amount.high


def test_producer_counts_as_one_use() -> None:
    assert ends(per_use(kwh(12, 9, 15), 0, DAY).amount) == (12, 9, 15)


def test_per_use_falls_and_carries_its_date() -> None:
    found = per_use(kwh(12, 9, 15), 2, DAY)
    assert ends(found.amount) == (4, 3, 5)
    assert (found.uses, found.as_of) == (3, DAY)


def test_fewer_than_no_reuses_are_refused() -> None:
    with pytest.raises(Invalid):
        per_use(kwh(12), -1, DAY)


def test_break_even() -> None:
    assert ends(break_even_units(kwh(12, 9, 15), kwh(2, 1, 3))) == (6, 3, 15)


def test_pay_back_may_be_a_loss() -> None:
    assert ends(pay_back(kwh(12, 9, 15), kwh(4, 3, 5))) == pytest.approx((2, 0.8, 4))
    assert pay_back(kwh(1), kwh(4)).high < 0


def test_nothing_is_divided_by_what_may_be_zero() -> None:
    with pytest.raises(Invalid, match="may be zero"):
        pay_back(kwh(12), kwh(4, 0, 5))
    with pytest.raises(Invalid, match="may be zero"):
        break_even_units(kwh(12), kwh(0))


@given(st.lists(st.floats(0.001, 1e6), min_size=6, max_size=6), st.integers(0, 1000))
def test_intervals_hold_their_values(numbers: list[float], reuses: int) -> None:
    (low, value, high), (other_low, other, other_high) = sorted(numbers[:3]), sorted(numbers[3:])
    one, two = kwh(value, low, high), kwh(other, other_low, other_high)
    for found in (per_use(one, reuses, DAY).amount, break_even_units(one, two), pay_back(one, two)):
        assert found.low <= found.value <= found.high
