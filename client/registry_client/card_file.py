"""A footprint card on this computer: what it adds up to, how far to trust it, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from registry_client.folder import CARD_NAME, README_NAME
from registry_core.card import Card, parse_card
from registry_core.errors import Invalid, InvalidCard, InvalidReadme, NotFound
from registry_core.estimates import estimate
from registry_core.evidence import MAX_EVIDENCE_BYTES, read_evidence
from registry_core.footprint import totals, totals_json
from registry_core.grades import Finding, Grade
from registry_core.levels import grade
from registry_core.phase import Phase
from registry_core.readme import parse_readme
from registry_core.sentences import sentence

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
    """Whether a card is valid, every fault when it is not, and what was found in its numbers when it is."""

    path: str
    valid: bool
    faults: list[str]
    findings: list[Finding]

    @property
    def passes(self) -> bool:
        """Whether there is no fault, and no finding of severity error."""
        return self.valid and all(finding.severity == "warn" for finding in self.findings)


def compute(file: Path, *, flop_per_joule: float | None = None) -> dict[str, Any]:
    """The totals of a card, or of a JSON object with `phases` alone; and how far they can be trusted.

    Beside the totals stand `findings`, `grade`, `sentences` about the phases, and `estimates` of phases that
    measured nothing, from FLOP where `flop_per_joule` says how many the hardware does. Evidence and README
    are read from the folder of the card. Raises NotFound, Invalid and InvalidCard.
    """
    card = parse_card(_document(file))
    found = _graded(card, file.parent)
    return {
        **totals_json(totals(card)),
        "findings": [asdict(finding) for finding in found.findings],
        "grade": {"level": found.level, "missing": list(found.missing)},
        "sentences": [sentence(card, index) for index in range(len(card.phases))],
        "estimates": [told for told in map(_estimate_of(flop_per_joule), enumerate(card.phases)) if told],
    }


def check(path: Path) -> CardCheck:
    """Every fault of the card at `path`, or in the folder `path`, and every finding. Raises NotFound and Invalid."""
    file = path / CARD_NAME if path.is_dir() else path
    data = read_file(file)
    try:
        card = parse_card(data)
    except InvalidCard as error:
        return CardCheck(str(file), False, list(error.faults) or [error.message], [])
    return CardCheck(str(file), True, [], list(_graded(card, file.parent).findings))


def _graded(card: Card, folder: Path) -> Grade:
    return grade(card, read_evidence(card, lambda path: _evidence_file(folder / path)), head=_head(folder))


def _evidence_file(file: Path) -> bytes | None:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_EVIDENCE_BYTES + 1)
    except OSError:
        return None  # the reader says what that means


def _head(folder: Path) -> dict[str, Any]:
    """The front matter of the README beside the card; empty when there is none that can be read."""
    try:
        return parse_readme((folder / README_NAME).read_text(encoding="utf-8")).front_matter
    except (OSError, ValueError, InvalidReadme):
        return {}


def _estimate_of(flop_per_joule: float | None) -> Callable[[tuple[int, Phase]], dict[str, Any] | None]:
    """What stands beside a phase, with its number; a reason where one is due and cannot be made."""

    def told(numbered: tuple[int, Phase]) -> dict[str, Any] | None:
        index, phase = numbered
        try:
            found = estimate(phase, flop_per_joule=flop_per_joule)
        except Invalid as error:
            return {"phase": index, "reason": f"{error.message} {error.hint}".strip()}
        return None if found is None else {"phase": index, **asdict(found)}

    return told


def _document(file: Path) -> bytes | dict[str, Any]:
    """The card's own text; what stands around it is filled in when there are phases alone."""
    data = read_file(file)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data  # the reader of cards says it best
    is_bare = isinstance(document, dict) and document.keys() == {"phases"}
    return {**_WITHOUT, **document} if is_bare else data


def read_file(file: Path) -> bytes:
    """The bytes of a file that somebody named. Raises NotFound and Invalid."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.") from error
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
