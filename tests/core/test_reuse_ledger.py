"""`reuse-convention/1`, all claims: once, split over the chain, capped, never negative, and never farmed."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.claims import BASE, START, TUNED, claim, claims
from tests.core.peers import kwh

from registry_core.errors import Invalid
from registry_core.quantity import Amount
from registry_core.reuse import Claim, Maker, Revocation
from registry_core.reuse_ledger import Ledger, ledger
from registry_core.reuse_text import events_csv, ledger_json, sums_csv


def avoided(*found: Claim) -> float:
    return ledger(found).total_kwh.value


def reasons(found: Ledger) -> dict[str, str]:
    return {refusal.id: " ".join(refusal.reasons) for refusal in found.refused}


def ends(amount: Amount | None) -> tuple[float, float, float]:
    assert amount is not None
    return amount.value, amount.low, amount.high


def test_avoided_is_the_displaced_counterfactual_less_what_was_spent() -> None:
    (event,) = ledger([claim()]).events
    assert ends(event.energy_kwh) == pytest.approx((90, 68, 112))
    assert ends(event.co2e_kg) == pytest.approx((4.5, 2.72, 6.72))
    assert event.energy_kwh.source == "estimated"


def test_statement_alone_displaces_a_quarter() -> None:
    (event,) = ledger([claim(cancelled_job=None)]).events
    assert ends(event.energy_kwh) == pytest.approx((15, 8, 22))


def test_a_reuse_that_took_more_avoided_nothing() -> None:
    (event,) = ledger([claim(spent_kwh=kwh(500))]).events
    assert ends(event.energy_kwh) == (0, 0, 0)


def test_marginal_intensity_stands_beside_and_changes_nothing() -> None:
    marginal = claim(marginal_intensity_g_per_kwh=kwh(900))
    (event,) = ledger([marginal]).events
    assert event.marginal_intensity_g_per_kwh == kwh(900)
    assert event.co2e_kg == ledger([claim()]).events[0].co2e_kg


def test_chain_is_split_by_own_build_energy() -> None:
    found = ledger([claim()])
    assert {entry.name: entry.energy_kwh.value for entry in found.by_model} == pytest.approx(
        {"lab/base": 67.5, "shop/tuned": 22.5}
    )
    assert {entry.name: entry.events for entry in found.by_team} == {"lab": 1, "shop": 1}
    assert [entry.name for entry in found.by_organisation] == ["lab-org", "shop-org"]
    assert [(entry.name, entry.energy_kwh.value) for entry in found.by_reuser] == [("users-org", pytest.approx(90))]


def test_chain_of_unknown_builds_counts_for_the_reused_model() -> None:
    chain = (replace(TUNED, build_kwh=None), replace(BASE, build_kwh=None))
    assert [entry.name for entry in ledger([claim(chain=chain)]).by_model] == ["shop/tuned"]


def test_two_revisions_of_one_model_in_a_chain_are_one_model() -> None:
    chain = (TUNED, replace(TUNED, build_kwh=60.0), BASE)
    assert [entry.energy_kwh.value for entry in ledger([claim(chain=chain)]).by_model] == pytest.approx([45, 45])


def test_a_maker_further_down_the_chain_gains_nothing_from_its_own_pull() -> None:
    found = ledger([claim(team="lab", organisation="lab-org")])
    assert [(entry.name, entry.energy_kwh.value) for entry in found.by_model] == [("shop/tuned", pytest.approx(22.5))]
    assert found.total_kwh.value == pytest.approx(22.5)


def test_once_in_twelve_months() -> None:
    found = ledger([claim("1"), claim("2", made_on=date(2027, 1, 14), artifact="revision 2")])
    assert [event.id for event in found.events] == ["1"]
    assert "users-org has claim 1 for this lineage and task within 12 months" in reasons(found)["2"]


def test_again_after_twelve_months() -> None:
    found = ledger([claim("1", cancelled_job=None), claim("2", made_on=date(2027, 1, 15), cancelled_job=None)])
    assert len(found.events) == 2


@pytest.mark.parametrize("changes", [{"organisation": "others"}, {"task": "text-classification"}])
def test_another_organisation_or_task_is_another_event(changes: dict[str, str]) -> None:
    assert len(ledger([claim("1"), claim("2", **changes)]).events) == 2


def test_another_root_is_another_event_unless_the_model_is_the_same() -> None:
    fork = Maker("fork/tuned", "fork", "fork", 1.0)
    assert len(ledger([claim("1"), claim("2", root="other")]).events) == 1
    assert len(ledger([claim("1"), claim("2", chain=(fork,))]).events) == 1
    assert len(ledger([claim("1"), claim("2", root="other", chain=(fork,))]).events) == 2


def test_what_later_claims_spent_is_charged_to_the_first() -> None:
    assert avoided(claim("1"), claim("2", spent_kwh=kwh(50))) == pytest.approx(40)


def test_refused_claims_take_no_place_and_charge_nothing() -> None:
    assert avoided(claim("1", signature_valid=False, spent_kwh=kwh(50)), claim("2")) == pytest.approx(90)


def test_no_model_avoids_more_than_a_counterfactual_for_each_organisation() -> None:
    alone = {"chain": (BASE,), "spent_kwh": kwh(0), "counterfactual_kwh": kwh(100)}
    found = ledger([claim("1", **alone), claim("2", task="text-classification", **alone)])
    assert found.total_kwh.value == pytest.approx(100)
    assert [event.energy_kwh.value for event in found.events] == pytest.approx([50, 50])
    two = ledger([claim("1", **alone), claim("2", organisation="others", **alone)])
    assert two.total_kwh.value == pytest.approx(200)


@pytest.mark.parametrize("kind", ["withdrawn", "disproved", "trained_anyway"])
def test_revoked_claim_is_no_event(kind: str) -> None:
    revocation = Revocation(kind, date(2026, 3, 1), "said so")  # type: ignore[arg-type]
    found = ledger([claim(revocation=revocation)])
    assert found.events == ()
    assert "since 2026-03-01: said so" in reasons(found)["1"]


def test_a_withdrawn_claim_may_be_made_again() -> None:
    withdrawn = claim("1", revocation=Revocation("withdrawn", date(2026, 3, 1), "a slip"))
    assert [event.id for event in ledger([withdrawn, claim("2")]).events] == ["2"]


def test_who_trained_anyway_avoided_nothing_in_these_months() -> None:
    trained = claim("1", revocation=Revocation("trained_anyway", date(2026, 3, 1), "card f00"))
    assert ledger([trained, claim("2")]).events == ()


def test_same_id_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="same id"):
        ledger([claim(), claim()])


def test_nothing_claimed() -> None:
    found = ledger([])
    assert found.total_kwh.value == 0
    assert events_csv(found).count("\n") == sums_csv(found).count("\n") == 1


def test_unknown_intensity_is_no_zero() -> None:
    found = ledger([claim("1"), claim("2", organisation="others", intensity_g_per_kwh=None)])
    base = found.by_model[0]
    assert found.events[1].co2e_kg is None
    assert (base.events, base.events_without_co2e) == (2, 1)
    assert ends(base.co2e_kg) == ends(found.events[0].shares[0].co2e_kg)
    assert ledger([claim(intensity_g_per_kwh=None)]).by_model[0].co2e_kg is None


def close(amounts: Sequence[Amount], whole: Amount) -> bool:
    return all(
        math.isclose(math.fsum(getattr(a, end) for a in amounts), getattr(whole, end), rel_tol=1e-9, abs_tol=1e-9)
        for end in ("value", "low", "high")
    )


@given(st.data(), claims())
def test_order_of_claims_does_not_matter(data: st.DataObject, found: list[Claim]) -> None:
    assert ledger(data.draw(st.permutations(found))) == ledger(found)


@given(claims())
def test_sum_over_models_is_the_sum_over_events_in_every_view(claimed: list[Claim]) -> None:
    found = ledger(claimed)
    assert close([event.energy_kwh for event in found.events], found.total_kwh)
    for view in (found.by_model, found.by_team, found.by_organisation, found.by_reuser):
        assert close([entry.energy_kwh for entry in view], found.total_kwh)


@given(claims())
def test_amounts_are_never_negative_and_err_low(claimed: list[Claim]) -> None:
    for event in ledger(claimed).events:
        for amount in (event.energy_kwh, *(share.energy_kwh for share in event.shares)):
            assert 0 <= amount.low <= amount.value <= amount.high
        displaced = event.displacement * event.counterfactual_kwh.value
        assert event.energy_kwh.value <= max(0.0, displaced - event.spent_kwh.value) * (1 + 1e-9)


@given(claims())
def test_cap_holds_for_every_model(claimed: list[Claim]) -> None:
    found = ledger(claimed)
    for entry in found.by_model:
        events = [event for event in found.events if any(share.model == entry.name for share in event.shares)]
        largest = max(event.counterfactual_kwh.value for event in events)
        organisations = {event.organisation for event in events}
        assert entry.energy_kwh.value <= len(organisations) * largest * (1 + 1e-9)


@given(claims())
def test_every_claim_is_an_event_or_refused_with_a_reason(claimed: list[Claim]) -> None:
    found = ledger(claimed)
    assert sorted([e.id for e in found.events] + [r.id for r in found.refused]) == sorted(c.id for c in claimed)
    assert all(refusal.reasons for refusal in found.refused)


@given(claims(), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 364)), min_size=1, max_size=4))
def test_splitting_the_pulls_of_an_organisation_gains_nothing(
    others: list[Claim], parts: list[tuple[float, int]]
) -> None:
    """One reuse told in several claims, of several revisions, tells no more than in one; `a` has others, too."""
    mine = {"organisation": "a", "root": "m0", "task": "t1", "chain": (Maker("m1", "team1", "org1", 5.0), BASE)}
    one = claim("one", spent_kwh=kwh(math.fsum(part for part, _ in parts)), **mine)
    split = [
        claim(
            f"part{index}",
            made_on=START + timedelta(days=day if index else 0),
            artifact=f"revision {index}",
            spent_kwh=kwh(part),
            cancelled_job=None if index % 2 else "job 7",
            **mine,
        )
        for index, (part, day) in enumerate(parts)
    ]
    assert avoided(*others, *split) <= avoided(*others, one) * (1 + 1e-9)


@given(claims())
def test_a_void_claim_leaves_the_ledger_of_the_others(claimed: list[Claim]) -> None:
    if claimed:
        void = replace(claimed[0], revocation=Revocation("disproved", START, "wrong"))
        assert ledger([void, *claimed[1:]]).events == ledger(claimed[1:]).events


@given(claims())
def test_json_holds_all_of_it(claimed: list[Claim]) -> None:
    found = ledger(claimed)
    document = json.loads(json.dumps(ledger_json(found), allow_nan=False))
    assert document["convention"]["words"] == "avoided, estimate by convention 1"
    assert [event["made_on"] for event in document["events"]] == [event.made_on.isoformat() for event in found.events]
    assert document["total_kwh"]["value"] == found.total_kwh.value


def test_csv_of_events() -> None:
    found = ledger([claim("1"), claim("2", organisation="others, inc", intensity_g_per_kwh=None)])
    rows = list(csv.DictReader(io.StringIO(events_csv(found))))
    assert [row["organisation"] for row in rows] == ["users-org", "others, inc"]
    assert float(rows[0]["avoided_kwh"]) == pytest.approx(90)
    assert rows[1]["avoided_co2e_kg"] == ""
    assert rows[0]["models"] == "lab/base shop/tuned"
    assert rows[0]["convention"] == "reuse-convention/1"


def test_csv_of_sums() -> None:
    rows = list(csv.DictReader(io.StringIO(sums_csv(ledger([claim()])))))
    assert [(row["by"], row["name"]) for row in rows] == [
        ("model", "lab/base"),
        ("model", "shop/tuned"),
        ("team", "lab"),
        ("team", "shop"),
        ("organisation", "lab-org"),
        ("organisation", "shop-org"),
        ("reuser", "users-org"),
    ]
    assert float(rows[0]["avoided_kwh_low"]) == pytest.approx(51)
