"""Where the head of a README and the footprint card say different things.

Other programs read the head, this registry reads the card. A head that was drafted from an older card, or written by
hand, is worth a warning; what one of the two leaves out is no contradiction.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from registry_core.card import Card
from registry_core.exports.front_matter import hub_license
from registry_core.footprint import totals
from registry_core.readme import card_data
from registry_core.units import grams_from_kg

TOLERATED_SHARE = 0.01
"""By how much the emissions of the head may differ from those of the card."""


def disagreements(head: Mapping[str, Any], card: Card) -> list[str]:
    """What the card contradicts in the head of a README, a few words for each field."""
    found = (_task(head, card), _license(head, card), _emissions(head, card))
    return [words for words in found if words is not None]


def _task(head: Mapping[str, Any], card: Card) -> str | None:
    stated = card_data(dict(head)).pipeline_tag
    if stated in (None, card.model.task):
        return None
    return f"pipeline_tag {stated}, not {card.model.task}"


def _license(head: Mapping[str, Any], card: Card) -> str | None:
    stated, expression = card_data(dict(head)).license, card.model.license
    if stated is None or expression == "other" or expression.startswith("LicenseRef-"):
        return None  # the card knows no name that a hub could have
    # Of "MIT OR Apache-2.0" a head may name the one, the other, or `other`.
    if stated.lower() in {hub_license(expression), *re.findall(r"[\w.+-]+", expression.lower())}:
        return None
    return f"license {stated}, not {expression}"


def _emissions(head: Mapping[str, Any], card: Card) -> str | None:
    stated = _grams(head.get("co2_eq_emissions"))
    co2e_kg = totals(card).all.co2e_location_kg
    if stated is None or co2e_kg is None:
        return None
    computed = grams_from_kg(co2e_kg.value)
    if abs(stated - computed) <= TOLERATED_SHARE * computed:
        return None
    return f"co2_eq_emissions {stated:.4g} g, not {computed:.4g} g"


def _grams(stated: Any) -> float | None:
    """The number in the one or the other form that hubs take, `12.5` or `{emissions: 12.5, source: …}`."""
    if isinstance(stated, dict):
        stated = stated.get("emissions")
    try:
        grams = float(stated)
    except (TypeError, ValueError, OverflowError):
        return None
    return grams if math.isfinite(grams) else None
