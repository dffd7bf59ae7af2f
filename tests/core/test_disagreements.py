"""A README's head beside the footprint card: what is a contradiction, and what is only another way to say it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.client.models import card as card_document

from registry_core.card import Card, parse_card
from registry_core.disagreements import disagreements

FILES = {"files": [{"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 0}]}
LICENSES = ["Apache-2.0", "MIT OR Apache-2.0", "LicenseRef-Ours", "other"]


def card(license: str = "Apache-2.0") -> Card:
    """A card of 0.5 g CO2e."""
    return parse_card(card_document(subject=FILES, model={"task": "image-classification", "license": license}))


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"pipeline_tag": "image-classification", "license": "apache-2.0"},
        {"license": ["apache-2.0"], "co2_eq_emissions": 0.5},
        {"co2_eq_emissions": 0.5049},
        {"co2_eq_emissions": {"emissions": "0.5", "source": "codecarbon"}},
        {"co2_eq_emissions": {"source": "unknown"}},
        {"co2_eq_emissions": "little"},
        {"co2_eq_emissions": float("nan")},
        {"pipeline_tag": ["not", "a", "text"], "license": 3},
    ],
)
def test_a_head_that_says_the_same_or_nothing_agrees(head: dict[str, Any]) -> None:
    assert disagreements(head, card()) == []


@pytest.mark.parametrize("emissions", [0.506, 0.494, 500, 0, {"emissions": 1}, "0.6"])
def test_emissions_may_differ_by_one_percent(emissions: Any) -> None:
    (found,) = disagreements({"co2_eq_emissions": emissions}, card())
    assert found.startswith("co2_eq_emissions ")
    assert found.endswith(", not 0.5 g")


@pytest.mark.parametrize("license", LICENSES)
def test_apache_agrees_with_every_card_that_allows_it_or_has_no_name(license: str) -> None:
    assert disagreements({"license": "apache-2.0"}, card(license)) == []


@pytest.mark.parametrize(("license", "agrees"), list(zip(LICENSES, [False, True, True, True], strict=True)))
def test_other_is_what_hubs_call_a_licence_without_a_single_name(license: str, agrees: bool) -> None:
    assert (disagreements({"license": "other"}, card(license)) == []) == agrees


def test_all_contradictions_are_told() -> None:
    head = {"pipeline_tag": "text-classification", "license": "mit", "co2_eq_emissions": 1}
    assert disagreements(head, card()) == [
        "pipeline_tag text-classification, not image-classification",
        "license mit, not Apache-2.0",
        "co2_eq_emissions 1 g, not 0.5 g",
    ]
