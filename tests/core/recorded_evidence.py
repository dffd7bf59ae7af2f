"""The constructed tool output under recorded/, as a card and what to read its files with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from registry_core.card import Card, parse_card
from registry_core.evidence import RawEvidence, read_evidence

FOLDER = Path(__file__).with_name("recorded")
ROW = "footprint/tool-row-0-pretraining.json"
ENVIRONMENT = "footprint/env-0-pretraining.json"
SAMPLES = "footprint/samples-0-pretraining-5f0c2a91.csv"


class Recorded:
    """A card document and its files, both free to be changed before they are read."""

    def __init__(self, name: str) -> None:
        self.document: dict[str, Any] = json.loads((FOLDER / name / "footprint.json").read_text())
        self.files = {path: (FOLDER / name / path).read_bytes() for path in (ROW, ENVIRONMENT, SAMPLES)}

    @property
    def phase(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["phases"][0]
        return found

    def change(self, path: str, **fields: Any) -> None:
        """Replace fields of one of the JSON files."""
        self.files[path] = json.dumps({**json.loads(self.files[path]), **fields}).encode()

    def samples(self, *, keep: slice) -> None:
        """Keep some of the lines below the header."""
        header, *lines = self.files[SAMPLES].decode().splitlines()
        self.files[SAMPLES] = "\n".join([header, *lines[keep]]).encode()

    def card(self) -> Card:
        return parse_card(self.document)

    def evidence(self) -> RawEvidence:
        return read_evidence(self.card(), self.files.get)
