"""Conformance reports: what the card says is there, what it does not say is named with who can supply it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cards import full_card, golden_card, minimal_card, minimal_phase, quantity

from registry_core.card import card_digest, parse_card
from registry_core.errors import Invalid
from registry_core.grades import Grade, SignatureCheck
from registry_core.reports import STANDARDS, Report, report
from registry_core.reports.line import Line, plain
from registry_core.reports.subject import Alternative, Avoided, Decided, Subject

MADE_AT = "2026-11-22T08:00:00Z"


def of(standard: str, document: dict[str, Any], recipient: str | None = None, **known: Any) -> Report:
    return report(standard, Subject(parse_card(document), MADE_AT, **known), recipient)


def line(found: Report, line_id: str) -> Line:
    (only,) = [one for one in found.lines if one.id == line_id]
    return only


def everything_known() -> dict[str, Any]:
    return {
        "repo_id": "team/golden",
        "commit_id": "c" * 40,
        "committed_at": "2026-11-21T17:00:00Z",
        "private": False,
        "library": "transformers",
        "organisation": "Team Ltd",
        "site_is_own": False,
        "grade": Grade("E3", (), ("a rerun by somebody else",)),
        "signature": SignatureCheck(True, "k" * 64, "alice", None),
        "decision": Decided("minimal/1", "d" * 64, allowed=True),
        "parent": parse_card(golden_card()),
        "alternatives": [
            Alternative("other/model", "accuracy", 0.9, 3.0),
            Alternative("third/model", "accuracy", 0.8, None),
        ],
        "avoided": [Avoided("event-1", "Other Ltd", "2026-11-22T07:00:00Z", 1.0, 2.0)],
        "disagreements": (),
        "head": {"co2_eq_emissions": {"emissions": 645.57}, "model-index": [{"name": "golden"}]},
    }


@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("document", [minimal_card(), golden_card(), full_card()], ids=["minimal", "golden", "full"])
def test_every_line_says_what_it_knows_or_who_knows(standard: str, document: dict[str, Any]) -> None:
    found = of(standard, document, **(everything_known() if document == full_card() else {}))
    assert found.lines
    assert len({one.id for one in found.lines}) == len(found.lines)
    for one in found.lines:
        assert (one.value is None) == (one.status in ("not met", "outside the registry")), one
        assert (one.supplier is None) == (one.status in ("met", "not applicable")), one
    for table in found.tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
    json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize("standard", STANDARDS)
def test_the_head_names_the_card_and_says_what_it_is_not(standard: str) -> None:
    head = of(standard, golden_card(), **everything_known()).head
    assert "no certificate" in head.notice
    assert head.card_digest == card_digest(parse_card(golden_card()))
    assert head.policy_digest == "d" * 64
    assert head.schema == "footprint-card/1.0"
    assert head.made_at == MADE_AT


@pytest.mark.parametrize("standard", STANDARDS)
def test_a_narrative_fills_the_lines_that_people_write(standard: str) -> None:
    asked = [one for one in of(standard, golden_card()).lines if (one.supplier or "").endswith(f"narrative.{one.id}")]
    answers = {one.id: f"About {one.id}." for one in asked}
    answered = of(standard, golden_card() | {"narrative": answers})
    for line_id, words in answers.items():
        assert (line(answered, line_id).value, line(answered, line_id).status) == (words, "met")


def test_the_eu_form_gives_energy_in_mwh_with_its_boundary() -> None:
    energy = line(of("eu-form", golden_card()), "eu.energy")
    assert (energy.value, energy.unit, energy.source) == ("0.0115 (0.0101 to 0.0131)", "MWh", "declared")
    assert "the facility" in energy.requirement
    without_pue = line(of("eu-form", minimal_card()), "eu.energy")
    assert "the devices" in without_pue.requirement
    assert str(without_pue.value).startswith("0.000001 ")


def test_energy_that_was_withheld_is_explained_and_not_zero() -> None:
    phase = minimal_phase()
    del phase["energy_cpu"], phase["energy_it"]
    phase["coverage"] |= {"cpu": False}
    silent = minimal_card(phases=[phase])
    assert line(of("eu-form", silent), "eu.energy").status == "not met"
    told = silent | {"narrative": {"eu.energy": "The provider of the computers withholds it."}}
    assert line(of("eu-form", told), "eu.energy").value == "The provider of the computers withholds it."


def test_the_authorities_read_what_downstream_providers_do_not() -> None:
    downstream = {one.id for one in of("eu-form", full_card(), "DP").lines}
    authority = {one.id for one in of("eu-form", full_card(), "NCA").lines}
    office = {one.id for one in of("eu-form", full_card(), "AIO").lines}
    secret = {"eu.energy", "eu.energy_methodology", "eu.inference"}
    assert not secret & downstream
    assert secret <= authority & office
    assert "eu.flop" in office - authority
    assert "eu.flop_order" in authority - office
    assert "eu.acceptable_use" in downstream


@pytest.mark.parametrize(
    ("days", "band"),
    [(29, "less than 1 month"), (31, "1 to 3 months"), (92, "3 to 6 months"), (184, "more than 6 months")],
)
def test_training_time_falls_into_the_bands_of_the_form(days: int, band: str) -> None:
    ended_at = {29: "2026-01-30", 31: "2026-02-01", 92: "2026-04-03", 184: "2026-07-04"}[days]
    phase = minimal_phase(started_at="2026-01-01T00:00:00Z", ended_at=f"{ended_at}T00:00:00Z")
    found = of("eu-form", minimal_card(phases=[phase]))
    assert line(found, "eu.time_band").value == band
    assert line(found, "eu.time").value == str(days)


def test_the_order_of_magnitude_of_computation_is_a_power_of_ten() -> None:
    phase = minimal_phase(compute_flop=quantity(3.8e25, "FLOP", "estimated"), compute_flop_kind="gross")
    found = of("eu-form", minimal_card(phases=[phase]))
    assert line(found, "eu.flop_order").value == "10^25"
    assert line(found, "eu.flop").value == "3.8e+25"


def test_the_score_is_e_times_i_plus_m_over_r() -> None:
    document = golden_card()
    document["model"]["parameters_total"] = 1000
    document["phases"][0]["groups"][0] |= {"factor_kg": 300, "lifetime_h": 43800, "utilisation": 0.85}
    found = line(of("sci", document), "sci.per_parameter")
    embodied_kg = 300 * 32 / (43800 * 0.85)
    assert str(found.value).startswith(plain((0.64556928 + embodied_kg) * 1000 / 1000))
    assert found.unit == "gCO2e/parameter"
    del document["phases"][0]["groups"][0]["factor_kg"]
    assert line(of("sci", document), "sci.per_parameter").status == "not met"


def test_no_market_figure_enters_the_score() -> None:
    document = golden_card()
    document["phases"][0]["intensity_meta"]["basis"] = "market"
    document["phases"][0]["co2e_location"] = quantity(0.6, "kgCO2e", "declared")
    assert line(of("sci", document), "sci.exclusions").status == "not met"
    assert line(of("sci", golden_card()), "sci.exclusions").status == "met"


def test_the_inventory_has_one_row_a_phase_and_avoided_stands_apart() -> None:
    found = of("ghg", golden_card(), **everything_known())
    inventory, annex = found.tables
    assert inventory.rows[0][:3] == ("2026", "FRA", "pretraining")
    assert inventory.rows[0][4] == pytest.approx(0.64556928)
    assert "outside every sum" in annex.title
    assert annex.rows[0][0] == "event-1"
    assert line(found, "ghg.scope").value == "scope 3 of the customer"


def test_what_the_registry_cannot_know_is_said_to_lie_outside() -> None:
    found = of("life-cycle", full_card())
    assert line(found, "lca.transport").status == "outside the registry"
    (matrix,) = found.tables
    assert matrix.rows[3] == ("end of life", *("not covered",) * 5)


def test_a_forecast_stands_beside_its_result() -> None:
    document = golden_card() | {"declarations": {"pre_estimate_kwh": 10.0}}
    found = line(of("frugality", document), "frugal.forecast")
    assert str(found.value).startswith("10 kWh forecast, 11.5 (")


def test_a_sheet_of_a_partly_measured_cluster_is_partly_met() -> None:
    phase = minimal_phase()
    phase["coverage"] |= {"hosts_total": 4}
    nodes = line(of("measurement", minimal_card(phases=[phase])), "mlperf.nodes")
    assert (nodes.value, nodes.status) == ("1 of 4", "partly")


def test_a_readme_that_contradicts_the_card_does_not_meet_the_hub() -> None:
    known = everything_known()
    assert line(of("hub", golden_card(), **known), "hub.agrees").status == "met"
    contradicted = known | {"disagreements": ("license mit, not Apache-2.0",)}
    assert line(of("hub", golden_card(), **contradicted), "hub.agrees").status == "not met"


def test_a_standard_and_a_recipient_that_nobody_knows_are_refused() -> None:
    with pytest.raises(Invalid, match="There is no report 'iso'"):
        of("iso", golden_card())
    with pytest.raises(Invalid, match="has no recipient 'press'"):
        of("eu-form", golden_card(), "press")
    with pytest.raises(Invalid, match="has no recipient 'AIO'"):
        of("sci", golden_card(), "AIO")


@given(st.floats(min_value=1e-15, max_value=1e15))
def test_plain_numbers_have_no_exponent_and_keep_three_digits(number: float) -> None:
    written = plain(number)
    assert "e" not in written
    assert float(written) == pytest.approx(number, rel=5.01e-3)
