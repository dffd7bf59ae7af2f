"""A compressed model beside its parent: size, quality in the same group, energy on the same hardware."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.cards import minimal_card, quantity

from registry_core.card import Card, parse_card
from registry_core.compression import Weights, compressed_parent, compression
from registry_core.errors import Invalid

PARENT = Weights(size_bytes=400, parameters=100)


def score(value: float, **changes: Any) -> dict[str, Any]:
    fields = {"task": "image-classification", "dataset": "digits", "split": "test", "metric": "accuracy"}
    return {**fields, "value": value, "higher_is_better": True, **changes}


def use(value: float, low: float, high: float, **changes: Any) -> dict[str, Any]:
    per_unit = quantity(value, "kWh per unit", low=low, high=high)
    return {"unit_of_work": "image", "energy_per_unit": per_unit, "hardware": "AMD EPYC", "batch": 32, **changes}


def card(*, quality: list[Any] | None = None, uses: list[Any] | None = None, bases: list[Any] | None = None) -> Card:
    found = minimal_card(**({"quality": quality} if quality else {}), **({"use_phase": uses} if uses else {}))
    found["model"] = {**found["model"], **({} if bases is None else {"base_models": bases})}
    return parse_card(found)


def test_quantisation_changes_bits_and_bytes_not_parameters() -> None:
    found = compression(card(), Weights(100, 100), card(), PARENT)
    assert (found.rate_bytes, found.rate_params) == (4.0, 1.0)
    assert (found.bits_per_parameter, found.parent_bits_per_parameter) == (8.0, 32.0)
    assert found.size_reduction == 0.75


def test_dense_pruning_changes_parameters_not_bits() -> None:
    found = compression(card(), Weights(240, 60), card(), PARENT)
    assert found.rate_params == found.rate_bytes == pytest.approx(1.667, abs=1e-3)
    assert found.bits_per_parameter == 32.0
    assert found.size_reduction == pytest.approx(0.4)


def test_without_scores_and_uses_nothing_is_said_of_them() -> None:
    found = compression(card(), Weights(100, 100), card(), PARENT)
    assert (found.score_retention, found.energy_ratio) == (None, None)


def test_retention_is_the_least_over_the_groups_in_common() -> None:
    child = card(quality=[score(0.9), score(0.6, dataset="letters"), score(0.1, dataset="other")])
    parent = card(quality=[score(0.9), score(0.8, dataset="letters"), score(0.9, split="train")])
    found = compression(child, Weights(100, 100), parent, PARENT)
    assert [retention.rate for retention in found.retentions] == pytest.approx([1.0, 0.75])
    assert found.score_retention == pytest.approx(0.75)


def test_retention_where_lower_is_better_is_turned_round() -> None:
    lower = {"metric": "perplexity", "higher_is_better": False}
    found = compression(card(quality=[score(10, **lower)]), PARENT, card(quality=[score(8, **lower)]), PARENT)
    assert found.score_retention == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("child", "parent"),
    [(score(0.0), score(0.9)), (score(0.9), score(-0.1)), (score(1, higher_is_better=False), score(1))],
)
def test_no_retention_of_scores_that_have_no_ratio(child: dict[str, Any], parent: dict[str, Any]) -> None:
    assert compression(card(quality=[child]), PARENT, card(quality=[parent]), PARENT).score_retention is None


def test_energy_ratio_has_the_interval_of_both() -> None:
    found = compression(card(uses=[use(2, 1, 3)]), PARENT, card(uses=[use(4, 3, 5)]), PARENT).energy_ratio
    assert found is not None
    assert (found.value, found.low, found.high) == (0.5, 0.2, 1.0)


@pytest.mark.parametrize("changes", [{"hardware": "other"}, {"batch": 1}, {"unit_of_work": "batch"}])
def test_no_energy_ratio_of_different_work(changes: dict[str, Any]) -> None:
    found = compression(card(uses=[use(2, 1, 3, **changes)]), PARENT, card(uses=[use(4, 3, 5)]), PARENT)
    assert found.energy_ratio is None


def test_no_energy_ratio_of_hardware_that_nobody_named() -> None:
    unnamed = use(2, 1, 3)
    del unnamed["hardware"]
    assert compression(card(uses=[unnamed]), PARENT, card(uses=[unnamed]), PARENT).energy_ratio is None


def test_worst_of_several_energy_ratios_counts() -> None:
    other = {"batch": 1}
    child = card(uses=[use(2, 2, 2), use(9, 9, 9, **other)])
    parent = card(uses=[use(4, 4, 4), use(3, 3, 3, **other)])
    found = compression(child, PARENT, parent, PARENT)
    assert len(found.use_ratios) == 2
    assert found.energy_ratio is not None
    assert found.energy_ratio.value == 3.0


def test_weights_without_bytes_are_refused() -> None:
    with pytest.raises(Invalid, match="compressed size"):
        compression(card(), Weights(0, 100), card(), PARENT)


def base(relation: str, **more: str) -> dict[str, str]:
    return {"repo_id": "team/base", "relation": relation, **more}


@pytest.mark.parametrize("relation", ["quantized", "pruned", "distilled"])
def test_parent_is_the_declared_revision(relation: str) -> None:
    found = compressed_parent(card(bases=[base("finetune", revision="v0"), base(relation, revision="v1")]))
    assert found is not None
    assert found.revision == "v1"


@pytest.mark.parametrize(
    "bases",
    [
        None,
        [],
        [base("quantized")],
        [base("finetune", revision="v1")],
        [base("pruned", revision=r) for r in ("1", "2")],
    ],
)
def test_no_parent_without_one_declared_revision(bases: list[Any] | None) -> None:
    assert compressed_parent(card(bases=bases)) is None
