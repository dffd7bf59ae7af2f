"""A footprint card on this computer: what it adds up to, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry_client.folder import CARD_NAME
from registry_core.card import parse_card
from registry_core.errors import Invalid, InvalidCard, NotFound
from registry_core.footprint import totals, totals_json

_WITHOUT = {
    "schema": "footprint-card/1.0",
    "created_at": "1970-01-01T00:00:00Z",
    "generator": {"name": "registry card compute", "version": "0"},
    "subject": {"files": [{"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 0}]},
    "model": {"task": "other", "license": "other"},
    "evidence": {"tool": "none"},
}
"""What stands in for the rest of a card when somebody only has phases to add up. None of it enters a sum."""


@dataclass(frozen=True)
class CardCheck:
    """Whether a card is valid, and every fault when it is not."""

    path: str
    valid: bool
    faults: list[str]


def compute(file: Path) -> dict[str, Any]:
    """The totals of a card, or of a JSON object with `phases` alone. Raises NotFound, Invalid and InvalidCard."""
    return totals_json(totals(parse_card(_document(file))))


def check(path: Path) -> CardCheck:
    """Every fault of the card at `path`, or in the folder `path`. Raises NotFound and Invalid."""
    file = path / CARD_NAME if path.is_dir() else path
    data = _read(file)
    try:
        parse_card(data)
    except InvalidCard as error:
        return CardCheck(str(file), False, list(error.faults) or [error.message])
    return CardCheck(str(file), True, [])


def _document(file: Path) -> bytes | dict[str, Any]:
    """The card's own text; what stands around it is filled in when there are phases alone."""
    data = _read(file)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data  # the reader of cards says it best
    is_bare = isinstance(document, dict) and document.keys() == {"phases"}
    return {**_WITHOUT, **document} if is_bare else data


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
