"""Numbers for people: one unit, three digits, and nothing that was rounded into the next unit's place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core import units

AMOUNTS = st.floats(min_value=1e-9, max_value=1e18)


def test_conversions_are_exact():
    assert units.hours_from_seconds(5400) == 1.5
    assert units.grams_from_kg(0.25) == 250


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.energy_text(1.2), "1.2 kWh"),
        (units.energy_text(0.00034), "340 mWh"),
        (units.energy_text(0), "0 Wh"),
        (units.co2e_text(0.012), "12 g CO2e"),
        (units.co2e_text(0.9996), "1 kg CO2e"),
        (units.co2e_text(999.6), "1 t CO2e"),
        (units.co2e_text(25_000), "25 t CO2e"),
        (units.water_text(1.5), "1.5 L"),
        (units.cost_text(80, "EUR"), "80.00 EUR"),
        (units.cost_text(1234567.891, "USD"), "1,234,567.89 USD"),
        (units.size_text(0), "0 B"),
        (units.size_text(999), "999 B"),
        (units.size_text(90_868_376), "90.9 MB"),
        (units.size_text(999_600), "1 MB"),
        (units.size_text(2 * 10**15), "2 PB"),
        (units.count_text(0), "0"),
        (units.count_text(512), "512"),
        (units.count_text(22_713_728), "22.7 M"),
        (units.count_text(1_100_000_000), "1.1 G"),
    ],
)
def test_amounts_read_well(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.85, "850 ms"),
        (0.9996, "1.0 s"),
        (12.34, "12.3 s"),
        (59.94, "59.9 s"),
        (59.97, "1 min 00 s"),
        (250, "4 min 10 s"),
        (3599.7, "1 h 00 min"),
        (11_100, "3 h 05 min"),
        (12 * 86_400 + 4 * 3600, "12 d 4 h"),
    ],
)
def test_durations_read_well(seconds, expected):
    assert units.duration_text(seconds) == expected


def test_what_is_not_known_is_a_dash():
    dashes = [
        units.energy_text(None),
        units.co2e_text(None),
        units.water_text(None),
        units.cost_text(None, "EUR"),
        units.cost_text(1.0, None),
        units.duration_text(None),
        units.size_text(None),
        units.count_text(None),
    ]
    assert set(dashes) == {"–"}


@given(AMOUNTS)
def test_amount_has_at_most_three_digits_before_its_unit(amount):
    number, unit = units.water_text(amount).split(" ")
    assert 1 <= float(number) < 1000
    assert "e" not in number
    assert re.fullmatch("[EPTGMkmµn]?L", unit)


@given(AMOUNTS)
def test_amount_is_what_its_text_says_to_three_digits(amount):
    number, unit = units.water_text(amount).split(" ")
    factors = {
        "E": 1e18,
        "P": 1e15,
        "T": 1e12,
        "G": 1e9,
        "M": 1e6,
        "k": 1e3,
        "": 1,
        "m": 1e-3,
        "µ": 1e-6,
        "n": 1e-9,
    }
    assert float(number) * factors[unit[:-1]] == pytest.approx(amount, rel=0.0051)


@given(st.floats(min_value=0, max_value=1e9))
def test_duration_never_shows_sixty_of_a_unit(seconds):
    assert not re.search(r"\b(60(\.0)? s|60 min|24 h|1000 ms)\b", units.duration_text(seconds))
