"""What a README says about the footprint: its number for other hubs, and claims in public words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from registry_core.footprint import Totals
from registry_core.readme import split_front_matter
from registry_core.units import grams_from_kg

TOLERATED_SHARE = 0.01
"""By how much the emissions of the head may differ from those of the card."""
CLAIMS = "frugal.claims"
"""The narrative that holds claims made elsewhere."""

_BLOCK = re.compile(r"co2_eq_emissions[ \t]*:[ \t]*(.*)")
_EMISSIONS = re.compile(r"(?:^|[\s{,])[\"']?emissions[\"']?[ \t]*:[ \t]*([^\s,}#]+)")
# Hubs take the first decimal number they find in the text, so that an exponent or a separator changes the value.
_PLAIN_DECIMAL = re.compile(r"[0-9]{1,30}(\.[0-9]{1,30})?")
_CLAIM = re.compile(
    r"""(?xi)
    \b(carbon|climate|co2|emission)s?[-\ ](neutral|positive|negative|free)\b
    | \bnet[-\ ]zero\b | \b(zero|low|lower)[-\ ](carbon|emissions?)\b
    | \b(eco|environmentally|climate)[-\ ]friendly\b | \bgreen(er|est)?\ (ai|model)\b
    | \b(saves?|saved|avoids?|avoided|reduces?|reduced|less|fewer)\ [^.\n]{0,60}\b(co2e?|carbon|emissions|energy)\b
    """
)
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_SHOWN = 20
_MAX_README = 200_000  # characters that are looked through


def emissions_agree(readme: str, sums: Totals) -> bool | None:
    """Whether `co2_eq_emissions` is what the card adds up to, in grams, as a plain decimal number.

    None when one of the two says nothing.
    """
    head, _ = split_front_matter(readme)
    stated = _stated_emissions(head or "")
    co2e_kg = sums.all.co2e_location_kg
    if stated is None or co2e_kg is None:
        return None
    if not _PLAIN_DECIMAL.fullmatch(stated):
        return False
    grams = grams_from_kg(co2e_kg.value)
    return abs(float(stated) - grams) <= TOLERATED_SHARE * grams


def _stated_emissions(head: str) -> str | None:
    """The number as it is spelled, of `co2_eq_emissions: 12.5` or of its block with `emissions: 12.5`."""
    lines = iter(head.splitlines())
    opening = next((found for found in map(_BLOCK.match, lines) if found), None)
    if opening is None:
        return None
    rest = opening[1].partition(" #")[0].strip()
    if rest and not rest.startswith(("{", "#")):
        return rest
    block = [rest, *takewhile(lambda line: line[:1] in (" ", "\t"), lines)]
    return next((found[1] for found in map(_EMISSIONS.search, block) if found), None)


def claims(readme: str | None, narrative: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """The paragraphs that claim something about the footprint, and whether each names a card digest.

    None when there is neither a README nor a text of claims.
    """
    told = narrative.get(CLAIMS)
    if readme is None and told is None:
        return None
    body = split_front_matter((readme or "")[:_MAX_README])[1]
    found = [text for text in re.split(r"\n\s*\n", body) if _CLAIM.search(text)]
    # What stands in the narrative is a claim whatever its words.
    return [
        {"text": " ".join(text.split())[:200], "names_digest": _DIGEST.search(text) is not None}
        for text in [*found[:_SHOWN], *([told] if told else [])]
    ]
