"""Filling in what a footprint card can learn from the files it is about.

`footprint.json` is written while training, when the weights may not be saved yet. Before a push, its
`subject.files` are made to say which weights lie in the folder now, and what their headers tell is added
where the card is silent. Nothing that somebody wrote is changed, except digests and sizes that are no
longer true.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from registry_client.folder import CARD_NAME, LocalFile
from registry_core.card import MAX_CARD_BYTES, Card, parse_card
from registry_core.safetensors import Header
from registry_core.strict import read_json


def complete(data: bytes, files: Sequence[LocalFile], headers: Iterable[Header]) -> tuple[Card, str | None]:
    """The card of these bytes, completed; and its new text, None when there was nothing to fill in.

    Raises InvalidCard naming every fault that filling in did not cure.
    """
    document, faults = read_json(data, max_bytes=MAX_CARD_BYTES)
    if faults or not isinstance(document, dict):
        return parse_card(data), None  # raises, and says it best
    completed = _with_parameters(_with_subject(document, files), list(headers))
    card = parse_card(completed)
    unchanged = completed == document
    return card, None if unchanged else json.dumps(completed, indent=2, ensure_ascii=False) + "\n"


def _with_subject(document: dict[str, Any], files: Sequence[LocalFile]) -> dict[str, Any]:
    """The document with the weights of the folder as its subject, and other files that it named before."""
    if not any(file.is_weights for file in files):
        return document  # the weights are elsewhere, and the card knows better
    subject = document.get("subject")
    subject = subject if isinstance(subject, dict) else {}
    named = {entry.get("path") for entry in subject.get("files", []) if isinstance(entry, dict)}
    entries = [
        {"path": str(file.path), "sha256": str(file.digest), "size_bytes": file.size_bytes}
        for file in files
        if file.is_weights or (file.path in named and file.path != CARD_NAME)
    ]
    return {**document, "subject": {**subject, "files": entries}}


def _with_parameters(document: dict[str, Any], headers: Sequence[Header]) -> dict[str, Any]:
    """The document with parameters and precision, where it is silent and the headers speak."""
    model = document.get("model")
    if not isinstance(model, dict) or not headers:
        return document
    by_dtype: Counter[str] = Counter()
    for header in headers:
        by_dtype.update(header.parameters_by_dtype)
    if not by_dtype:
        return document
    learned = {"parameters_total": by_dtype.total(), "precision": by_dtype.most_common(1)[0][0]}
    return {
        **document,
        "model": {**model, **{key: value for key, value in learned.items() if key not in model}},
    }
