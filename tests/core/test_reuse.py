"""`reuse-convention/1`, one claim: what counts, what training again would have taken, how much was displaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.claims import START, claim
from tests.core.peers import kwh, peer, peers

from registry_core.groups import Peer
from registry_core.quantity import Amount
from registry_core.reuse import Claim, Evidence, counterfactual, displacement, months_after, why_refused


def test_statement_and_work_make_an_event() -> None:
    assert why_refused(claim()) == ()


def test_a_pull_without_a_statement_counts_zero() -> None:
    pull = replace(claim(), statement=None)
    assert "by itself counts zero" in why_refused(pull)[0]
    assert displacement(pull) == 0.0


def with_evidence(**changes: Any) -> Claim:
    found = claim()
    assert found.evidence is not None
    return replace(found, evidence=replace(found.evidence, **changes))


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (claim(signature_valid=False), "signature"),
        (claim(digest="another"), "names another revision"),
        (claim(team="shop"), "team that made the model"),
        (claim(alternative="other_model"), "would have been trained"),
        (claim(alternative="nothing"), "would have been trained"),
        (claim(evidence=None), "No work shows"),
        (with_evidence(artifact="another"), "work is about another revision"),
        (with_evidence(organisation="others"), "another organisation"),
        (with_evidence(made_on=date(2025, 5, 31)), "older"),
        (with_evidence(kind="rerun", covers_group=False), "did not evaluate"),
        (claim(counterfactual_kwh=None), "training again"),
        (claim(spent_kwh=None), "spent"),
    ],
)
def test_each_gap_refuses_with_its_reason(refused: Claim, reason: str) -> None:
    assert any(reason in found for found in why_refused(refused))


def test_all_reasons_are_given_at_once() -> None:
    assert len(why_refused(claim(signature_valid=False, evidence=None, spent_kwh=None))) == 3


def test_a_full_rerun_is_evidence() -> None:
    assert why_refused(with_evidence(kind="rerun")) == ()


def test_another_team_of_the_same_organisation_may_claim() -> None:
    assert why_refused(claim(organisation="shop-org")) == ()


GROUP = [peer("small", 0.5, 1.0), peer("good", 0.9, 40.0), peer("usual", 0.9, 60.0), peer("large", 0.95, 90.0)]


def of(reused: Peer, group: list[Peer], declared: Amount | None = None) -> float:
    found = counterfactual(reused, group, declared)
    assert found is not None
    return found.value


def test_counterfactual_is_the_lower_end_of_the_reused_card() -> None:
    assert of(peer("r", 0.99, kwh(30, 25, 35)), GROUP) == 25


def test_counterfactual_is_the_median_of_the_group() -> None:
    assert of(peer("r", 0.99, 95.0), GROUP) == 50


def test_counterfactual_is_the_cheapest_that_is_about_as_good() -> None:
    assert of(peer("r", 0.9, 95.0), GROUP) == 40
    assert of(peer("r", 0.92, 95.0, stderr=0.01), GROUP) == 40
    assert of(peer("r", 0.92, 95.0, stderr=0.009), GROUP) == 50


def test_counterfactual_is_what_the_reuser_declares() -> None:
    found = counterfactual(peer("r", 0.99, 95.0), GROUP, kwh(5, 2, 8, "declared"))
    assert found == kwh(5, 2, 8, "declared")


def test_counterfactual_takes_the_lowest_of_each_end() -> None:
    found = counterfactual(peer("r", 0.9, kwh(10, 8, 12)), [peer("p", 0.9, kwh(9, 1, 50))])
    assert found == kwh(8, 1, 8, "estimated")


def test_declared_energies_take_no_part() -> None:
    assert counterfactual(peer("r", 0.9, 1e6, level="E0"), GROUP) is None
    assert counterfactual(peer("r", 0.9, None), GROUP) is None
    assert of(peer("r", 0.9, 95.0), [*GROUP, peer("free", 0.99, 0.0, level="E0")]) == 40


def test_alone_in_its_group_the_reused_card_counts() -> None:
    assert of(peer("r", 0.9, kwh(10, 8, 12)), []) == 8


@given(peers(), st.integers(0, 6), st.floats(0, 10), st.floats(0, 10))
def test_counterfactual_errs_low(group: list[Peer], score: int, low: float, more: float) -> None:
    reused = peer("r", float(score), kwh(low + more / 2, low, low + more))
    found = counterfactual(reused, group)
    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= low


def days(*found: date) -> dict[str, date]:
    return {str(index): day for index, day in enumerate(found)}


@pytest.mark.parametrize(
    ("trained", "factor"),
    [
        ([], 0.25),
        ([date(2025, 1, 1)], 0.25),
        ([date(2025, 1, 1), START], 0.5),
        ([date(2024, 1, 16), START], 0.5),
        ([date(2024, 1, 15), START], 0.25),  # 24 months are over
        ([date(2025, 1, 1), date(2026, 1, 16)], 0.25),  # after the statement
    ],
)
def test_displacement_of_who_does_train_such_models(trained: list[date], factor: float) -> None:
    assert displacement(claim(cancelled_job=None, trained_in_group=days(*trained))) == factor


def test_displacement_of_a_cancelled_job_is_full() -> None:
    assert displacement(claim()) == 1.0


def test_card_that_shows_the_reuse_is_no_practice() -> None:
    evidence = Evidence("card", "0", "tuned-card", "users-org", START)
    trained = days(date(2025, 1, 1), date(2025, 2, 1))
    assert displacement(claim(cancelled_job=None, trained_in_group=trained, evidence=evidence)) == 0.25


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2026, 1, 15), 12, date(2027, 1, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
    ],
)
def test_months_after(day: date, months: int, then: date) -> None:
    assert months_after(day, months) == then
