"""The table answers for the zones it has, and for no others."""

from __future__ import annotations

import pytest
from tests.core.cards import minimal_card, minimal_phase

from registry_core.card import parse_card
from registry_core.card_rules import COUNTRIES
from registry_core.errors import Invalid
from registry_core.intensity import _table, intensity


def test_a_country_has_its_latest_year() -> None:
    found = intensity("FRA")
    assert (found.zone, found.value, found.year) == ("FRA", 56.039, 2023)
    assert found.licence == "CC-BY-4.0"
    assert "Our World in Data" in found.dataset
    assert (found.resolution, found.basis, found.kind, found.gases, found.lifecycle) == (
        "annual", "location", "average", "co2e", "lifecycle"
    )  # fmt: skip


def test_a_later_year_takes_the_latest_before_it() -> None:
    assert intensity("FRA", 2026) == intensity("FRA")


def test_a_year_before_the_table_is_an_error() -> None:
    with pytest.raises(Invalid, match="of 1999 or before") as caught:
        intensity("FRA", 1999)
    assert "2023" in caught.value.hint


@pytest.mark.parametrize("zone", ["", "FR", "fra", "XXX", "CAF", "WORLD", "zone"])
def test_an_unknown_zone_is_an_error_and_no_default(zone: str) -> None:
    with pytest.raises(Invalid) as caught:
        intensity(zone)
    assert caught.value.hint


def test_every_row_is_plausible() -> None:
    assert len(_table()) == 212
    assert set(_table()) <= COUNTRIES
    for rows in _table().values():
        assert all(1 <= row.value <= 1500 and 2000 <= row.year <= 2023 for row in rows)


def test_a_card_can_quote_it() -> None:
    found = intensity("DEU")
    phase = minimal_phase(intensity=found.quantity(), intensity_meta=found.meta())
    card = parse_card(minimal_card(phases=[phase]))
    assert card.phases[0].intensity is not None
    assert card.phases[0].intensity.value == found.value
