"""Footprint cards: one that was read is read from its canonical bytes again, and its totals can be computed."""

from __future__ import annotations

import json

from fuzz.documents import change_json
from tests.core.cards import full_card, golden_card, minimal_card

from registry_core.card import canonical_bytes, check_against_tree, parse_card
from registry_core.footprint import totals

SEEDS = [json.dumps(card).encode() for card in (minimal_card(), golden_card(), full_card())]

change = change_json


def read(data: bytes) -> None:
    card = parse_card(data)
    canonical = canonical_bytes(card)
    assert canonical_bytes(parse_card(canonical)) == canonical
    check_against_tree(card, {})
    totals(card)
