"""`reuse-check.json`: what could have been reused, and why a model was trained anyway.

`check` writes it before a training; whoever saves a footprint card beside it puts what it says into the card's
`declarations`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from registry_client.writing import rewrite
from registry_core.errors import Invalid
from registry_core.suggesting import Candidate
from registry_core.units import energy_text

REUSE_CHECK_NAME = "reuse-check.json"
_NAMED = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReuseCheck:
    """What was asked, what was found, and what was decided, as far as it was."""

    asked_at: str  # RFC 3339 UTC
    task: str
    at_least: dict[str, float]  # metric -> score
    estimate_kwh: float | None
    candidates: tuple[Candidate, ...]  # least training energy first
    decision: Literal["reuse", "train"] | None = None
    reuse: str | None = None  # the model that is reused
    reason: str | None = None  # to train anyway
    note: str | None = None  # why nothing could be asked

    @property
    def why_not_reuse(self) -> str | None:
        """One text for the card: the reason, and the best that was found; None unless a model is trained."""
        if self.decision != "train":
            return None
        return f"{self.reason} ({self._found()}, {self.asked_at[:10]})"

    def save(self, path: str | Path) -> Path:
        """Write it to `path`, in the folder of the card that is to say so."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        rewrite(Path(path), json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        return Path(path)

    def _found(self) -> str:
        if self.note is not None:
            return "the registry could not be asked"
        wanted = " and ".join(f"{metric} {score:g}" for metric, score in self.at_least.items())
        if not self.candidates:
            return f"no model was found that reaches {wanted}" if wanted else "no model was found"
        return "found: " + "; ".join(map(_named, self.candidates[:_NAMED]))


def read_reuse_check(path: Path) -> ReuseCheck:
    """What `save` wrote. Raises Invalid for another file."""
    try:
        return TypeAdapter(ReuseCheck).validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise Invalid(
            f"{path} is no reuse check.", hint="`registry check TASK --train-anyway REASON` writes one."
        ) from error


def with_reuse_check(card: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The card with what the reuse check in its folder says, where the card is silent.

    A check for another task, or one that ended in a reuse, says nothing about this training. One that cannot be
    read does not stand in the way of a card: the training is over by then.
    """
    path = folder / REUSE_CHECK_NAME
    if not path.is_file():
        return dict(card)
    try:
        found = read_reuse_check(path)
    except Invalid as error:
        logger.warning("%s", error.message)
        return dict(card)
    if found.why_not_reuse is None or found.task != card.get("model", {}).get("task"):
        logger.warning("%s is about another task, or about a reuse; the card does not mention it.", path)
        return dict(card)
    learned = {"why_not_reuse": found.why_not_reuse, "pre_estimate_kwh": found.estimate_kwh}
    declared = {name: value for name, value in learned.items() if value is not None}
    return {**card, "declarations": {**declared, **card.get("declarations", {})}}


def _named(candidate: Candidate) -> str:
    peer = candidate.peer
    energy = energy_text(peer.energy_kwh.value if peer.energy_kwh else None)
    return f"{peer.id}, {candidate.group.metric} {peer.score:.4g} for {energy}"
