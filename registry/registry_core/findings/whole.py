"""F16, F18: the card as a whole, and the README beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from registry_core.card import Card
from registry_core.evidence import ToolRow
from registry_core.findings.subject import Subject
from registry_core.footprint import totals
from registry_core.grades import Finding
from registry_core.units import GRAMS_PER_KG

_TOLERANCE = 0.01


def readme_disagrees(card: Card, head: Mapping[str, Any]) -> Iterator[Finding]:
    """F16: `co2_eq_emissions` of the README, in grams, is not what the card comes to."""
    block = head.get("co2_eq_emissions")
    fields = block if isinstance(block, Mapping) else {"emissions": block}
    stated = ToolRow(fields).number("emissions")
    computed = totals(card).all.co2e_location_kg
    if stated is None or computed is None:
        return
    grams = computed.value * GRAMS_PER_KG
    if abs(stated - grams) > _TOLERANCE * grams:
        hint = " It looks like kilograms." if abs(stated * GRAMS_PER_KG - grams) <= _TOLERANCE * grams else ""
        yield Finding(
            "F16",
            "warn",
            "",
            f"README.md says co2_eq_emissions {stated:.6g} g, and the card comes to {grams:.6g} g.{hint} Let the head "
            "be written from the card.",
        )


def gases_mixed(subjects: Sequence[Subject]) -> Iterator[Finding]:
    """F18: one phase counts CO2 alone, another all gases."""
    counted = {subject.footprint.gases for subject in subjects} - {None}
    if len(counted) > 1:
        yield Finding(
            "F18",
            "error",
            "phases",
            "Some phases count CO2 alone and others CO2e, which have no sum. Take factors of one kind for all phases.",
        )
