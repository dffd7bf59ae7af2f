"""What a card says, in words."""

from __future__ import annotations

from typing import Any

from tests.core.cards import full_card, golden_card, minimal_card, minimal_phase, quantity

from registry_core.card import parse_card
from registry_server.figures import Figure, development_text, figures, phase_rows


def figure(name: str, card: dict[str, Any]) -> Figure:
    return next(found for found in figures(parse_card(card)) if found.name == name)


def test_number_comes_with_its_interval_and_where_it_is_from() -> None:
    found = figure("Energy", minimal_card())
    assert (found.text, found.interval) == ("1.56 Wh", "363 mWh to 6 Wh")
    source = found.source.replace("\N{NO-BREAK SPACE}", " ")
    assert source == "Estimated by CodeCarbon 3.3.2 (cpu_load_model), times the default PUE 1.56, +285 % / −77 %."
    assert found.span is not None
    assert 0 < found.span.low < found.span.value < 100


def test_what_an_author_declares_is_not_said_to_come_from_a_tool() -> None:
    found = figure("Cost", golden_card())
    assert (found.text, found.interval, found.span) == ("80.00 EUR", "", None)
    assert found.source == "Declared by the author, at list price."


def test_number_that_nobody_knows_is_a_dash_and_not_zero() -> None:
    assert figure("Water", minimal_card()) == Figure("Water", "–", "", "Not reported.", None)
    two = minimal_card(phases=[minimal_phase(), minimal_phase(stage="evaluation")])
    assert figure("CO2e", two).source == "Not reported for every phase."


def test_development_that_is_not_reported_is_not_nothing() -> None:
    assert development_text(parse_card(minimal_card())).startswith("Runs during development are not reported")
    both = minimal_card(phases=[minimal_phase(), minimal_phase(stage="development")])
    assert development_text(parse_card(both)) == "Of this energy, development took 1.56 Wh."


def test_bars_share_one_scale_and_follow_each_other() -> None:
    small = minimal_phase(energy_cpu=quantity(1.02, "kWh"), energy_it=quantity(1.02, "kWh", "derived"))
    rows = phase_rows(parse_card(minimal_card(phases=[*full_card()["phases"], small])))
    assert [round(part.width) for part in rows[0].parts] == [94, 5, 1, 0]
    assert [round(part.start) for part in rows[0].parts] == [0, 94, 99, 100]
    assert [round(part.width) for part in rows[1].parts] == [10]


def test_what_a_meter_saw_and_nobody_itemised_is_a_part_of_its_own() -> None:
    phase = minimal_phase(energy_cpu=quantity(1, "kWh"), energy_it=quantity(4, "kWh", method="psu"))
    rest = phase_rows(parse_card(minimal_card(phases=[phase])))[0].parts[-1]
    assert (rest.name, rest.text, rest.width) == ("Not itemised", "3 kWh", 75.0)


def test_phase_without_energy_has_no_bar() -> None:
    phase = minimal_phase(coverage={**minimal_phase()["coverage"], "cpu": False})
    del phase["energy_cpu"], phase["energy_it"]
    row = phase_rows(parse_card(minimal_card(phases=[phase])))[0]
    assert (row.energy, row.interval, row.parts) == ("–", "", [])
