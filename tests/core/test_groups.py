"""Scores are compared within one group, and the cheapest card that reaches a score is found."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.core.peers import kwh, peer

from registry_core.card import Score
from registry_core.groups import agreeing, baseline, cheapest_reaching, energy_to_reach, group_of, standard_error


def score(**changes: Any) -> Score:
    fields = {
        "task": "image-classification",
        "dataset": "digits",
        "split": "test",
        "metric": "accuracy",
        "value": 0.9,
        "higher_is_better": True,
        **changes,
    }
    return Score.model_validate(fields)


@pytest.mark.parametrize("name", ["task", "dataset", "config", "split", "revision", "metric"])
def test_a_difference_in_any_of_six_makes_another_group(name: str) -> None:
    changed = score(**{name: "text-classification" if name == "task" else "other"})
    assert group_of(changed) != group_of(score())


def test_value_and_harness_do_not_make_another_group() -> None:
    assert group_of(score(value=0.1, harness="other", n=3)) == group_of(score())


def test_stated_standard_error_comes_first() -> None:
    assert standard_error(score(stderr=0.02, n=100)) == 0.02


def test_standard_error_of_a_proportion_follows_from_n() -> None:
    assert standard_error(score(value=0.9, n=100)) == pytest.approx(0.03)


@pytest.mark.parametrize("changes", [{}, {"n": 100, "metric": "perplexity"}, {"n": 100, "value": 90.0}])
def test_standard_error_of_anything_else_is_not_known(changes: dict[str, Any]) -> None:
    assert standard_error(score(**changes)) is None


def test_baseline_of_a_derivative_is_its_parent() -> None:
    assert baseline(0.1, 0.8) == 0.8
    assert baseline(0.1, None) == 0.1
    assert baseline(None, None) is None


def test_gain_per_energy() -> None:
    assert peer("a", 0.9, 2.0, baseline=0.1).gain_per_kwh == pytest.approx(0.4)
    assert peer("a", 3.0, 2.0, baseline=5.0, higher_is_better=False).gain_per_kwh == pytest.approx(1.0)


@pytest.mark.parametrize(
    "changes", [{"baseline": None}, {"baseline": 0.9}, {"baseline": 0.95}, {"energy_kwh": None}, {"energy_kwh": kwh(0)}]
)
def test_gain_that_is_not_there_or_not_known_has_no_rate(changes: dict[str, Any]) -> None:
    assert replace(peer("a", 0.9, 2.0, baseline=0.1), **changes).gain_per_kwh is None


def test_energy_to_reach_takes_the_standard_error_off() -> None:
    found = [peer("sure", 0.95, 8.0), peer("unsure", 0.95, 2.0, stderr=0.01), peer("weak", 0.9, 1.0)]
    assert energy_to_reach(found, 0.95) == kwh(8.0)
    assert energy_to_reach(found, 0.94) == kwh(2.0)
    assert energy_to_reach(found, 0.5) == kwh(1.0)
    assert energy_to_reach(found, 0.96) is None


def test_energy_to_reach_where_lower_is_better() -> None:
    found = [
        peer("sure", 5.0, 8.0, higher_is_better=False),
        peer("unsure", 5.0, 2.0, stderr=0.5, higher_is_better=False),
    ]
    assert energy_to_reach(found, 5.0) == kwh(8.0)
    assert energy_to_reach(found, 5.5) == kwh(2.0)


def test_declared_and_unknown_energies_reach_nothing() -> None:
    assert cheapest_reaching([peer("declared", 0.9, 1.0, level="E0"), peer("unknown", 0.9, None)], 0.5) is None


def test_one_card_with_its_metric_the_wrong_way_round_is_left_out() -> None:
    right, wrong = [peer("a", 0.9, 1.0), peer("b", 0.8, 1.0)], peer("c", 0.1, 1.0, higher_is_better=False)
    assert agreeing([wrong, *right]) == right
    assert agreeing([wrong, wrong, right[0]]) == [wrong, wrong]
    assert agreeing([wrong, right[0]]) == [right[0]]
    assert agreeing([]) == []


def test_goodness_is_more_where_the_score_is_better() -> None:
    assert peer("a", 3.0, 1.0, higher_is_better=False).goodness > peer("b", 4.0, 1.0, higher_is_better=False).goodness
    assert math.isclose(peer("a", 3.0, 1.0, stderr=0.5, higher_is_better=False).goodness_low, -3.5)
