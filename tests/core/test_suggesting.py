"""Before a training starts: what could be reused, cheapest first, with the saving to expect."""

from __future__ import annotations

from dataclasses import replace

from tests.core.peers import GROUP, kwh, peer

from registry_core.suggesting import suggest

PEERS = [
    peer("strong", 0.95, kwh(30, 25, 35)),
    peer("usual", 0.9, kwh(10, 8, 12)),
    peer("unsure", 0.95, kwh(20, 15, 25), stderr=0.02),
    peer("declared", 0.99, 1.0, level="E0"),
    peer("unknown", 0.99, None),
]
F1 = replace(GROUP, metric="f1")


def ids(**options: object) -> list[str]:
    return [candidate.peer.id for candidate in suggest({GROUP: PEERS}, **options)]  # type: ignore[arg-type]


def test_cheapest_first_and_energies_that_nobody_knows_last() -> None:
    assert ids() == ["usual", "unsure", "strong", "declared", "unknown"]


def test_at_least_takes_the_standard_error_off() -> None:
    assert ids(at_least={"accuracy": 0.94}) == ["strong", "declared", "unknown"]


def test_no_more_than_asked_for() -> None:
    assert ids(limit=2) == ["usual", "unsure"]


def test_a_metric_that_no_group_has_finds_nothing() -> None:
    assert ids(at_least={"bleu": 0.1}) == []


def test_all_wanted_scores_must_be_reached_and_each_model_is_named_once() -> None:
    groups = {GROUP: PEERS, F1: [peer("usual", 0.8, 10.0), peer("strong", 0.5, 30.0)]}
    found = suggest(groups, at_least={"accuracy": 0.9, "f1": 0.7})
    assert [candidate.peer.id for candidate in found] == ["usual"]


def test_scores_not_to_exceed_where_lower_is_better() -> None:
    perplexity = replace(GROUP, metric="perplexity")
    models = [peer("a", 5.0, 1.0, higher_is_better=False), peer("b", 9.0, 0.5, higher_is_better=False)]
    assert [found.peer.id for found in suggest({perplexity: models}, at_least={"perplexity": 6.0})] == ["a"]


def test_saving_is_beside_the_median_of_the_group() -> None:
    found = suggest({GROUP: PEERS}, adaptation_kwh=kwh(2, 1, 30))[0]
    assert found.basis == "group_median"
    assert found.training_kwh == kwh(20, 15, 25, "estimated")
    assert found.saving_kwh == kwh(18, 0, 24, "estimated")


def test_saving_is_beside_the_estimate_when_there_is_one() -> None:
    found = suggest({GROUP: PEERS}, pre_estimate_kwh=kwh(9, 3, 27, "estimated"))[0]
    assert found.basis == "pre_estimate"
    assert found.saving_kwh == found.training_kwh == kwh(9, 3, 27, "estimated")


def test_saving_is_not_known_when_no_energy_is() -> None:
    (found,) = suggest({GROUP: [peer("unknown", 0.9, None)]})
    assert (found.training_kwh, found.basis, found.saving_kwh) == (None, None, None)


def test_nothing_to_reuse() -> None:
    assert suggest({}) == []
