"""A run: one training with a beginning and an end, what it cost, and how good its model is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from registry_client.completing import complete
from registry_client.folder import (
    CARD_NAME,
    WEIGHT_SUFFIXES,
    LocalFile,
    list_files,
    measure,
    safetensors_headers,
)
from registry_client.tracking.document import Declared, card_of
from registry_client.tracking.evidence import evidence_of, evidence_path
from registry_client.tracking.measurement import Span
from registry_client.writing import rewrite
from registry_core.card import Score, card_document, parse_card
from registry_core.errors import Invalid, InvalidCard
from registry_core.strict import fault_lines, faults_of


@dataclass(frozen=True)
class RunSummary:
    """What one run took. `energy_kwh` is None when it could not be measured, for the `reason` given."""

    path: str | None  # of the card, when one was written
    stage: str
    duration_seconds: float
    uncovered_seconds: float  # of the duration: what no energy was measured for
    energy_kwh: float | None  # of the devices
    energy_source: str | None
    energy_methods: dict[str, str]  # component -> method
    reason: str | None


class Run:
    """What `track()` hands out: `quality` says how good the model is, `save` writes its card beside it."""

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._quality: list[dict[str, Any]] = []
        self._path: Path | None = None
        self.span: Span | None = None
        """What was measured; None until the run has ended."""

    def quality(
        self,
        metric: str,
        value: float,
        *,
        dataset: str,
        split: str,
        n: int,
        higher_is_better: bool = True,
        seed: int | None = None,
        tolerance: float | None = None,
        revision: str | None = None,
    ) -> None:
        """State one result, over `n` samples of a split. Raises InvalidCard when a card could not hold it."""
        entry: dict[str, Any] = {
            "task": self._declared.task,
            "dataset": dataset,
            "split": split,
            "revision": revision,
            "metric": metric,
            "value": float(value),
            "higher_is_better": higher_is_better,
            "n": n,
            "seed": seed,
            "tolerance": tolerance,
        }
        self._quality.append(_score({name: given for name, given in entry.items() if given is not None}))

    def save(self, folder: str | Path) -> Path:
        """Write `footprint.json` and its evidence into the folder of the weights; the path of the card.

        Raises Invalid while the run is still measured and when there are no weights; then nothing is written.
        """
        root = Path(folder)
        weights = _weights_among(root, list_files(root))
        if not weights:
            raise Invalid(f"{root} holds no weights.", hint="Save the model there, then save the run.")
        return self._write(root / CARD_NAME, weights)

    def write(self, path: str | Path) -> Path:
        """Write the card to `path`, its evidence beside it; without weights it is a draft that a push completes."""
        folder = Path(path).parent
        # Only what lies right there: the folder may well be that of a whole project.
        beside = sorted(folder.resolve().iterdir()) if folder.is_dir() else []
        return self._write(Path(path), _weights_among(folder, beside))

    def summary(self) -> RunSummary:
        """The numbers of the run. Raises Invalid while it is still measured."""
        span = self._ended()
        reading = span.reading
        return RunSummary(
            path=None if self._path is None else str(self._path),
            stage=self._declared.stage,
            duration_seconds=span.wall_seconds,
            uncovered_seconds=span.uncovered_seconds,
            energy_kwh=reading.energy_kwh if reading else None,
            energy_source=reading.source if reading else None,
            energy_methods=reading.methods if reading else {},
            reason=span.reason,
        )

    def _ended(self) -> Span:
        if self.span is None:
            raise Invalid("The run is still measured.", hint="Leave the `with track()` block first.")
        return self.span

    def _write(self, path: Path, weights: list[LocalFile]) -> Path:
        span = self._ended()
        text = _card_text(card_of(self._declared, span, self._quality), weights)
        evidence = path.parent / evidence_path(self._declared.stage)
        evidence.parent.mkdir(parents=True, exist_ok=True)
        # The card last: when it is there, what it points to is there.
        rewrite(evidence, _json_text(evidence_of(span)))
        rewrite(path, text)
        self._path = path
        return path


def _score(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return Score.model_validate(entry).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        raise InvalidCard("This result cannot stand in a card.", faults=fault_lines(faults_of(error))) from error


def _weights_among(folder: Path, files: Iterable[Path]) -> list[LocalFile]:
    return measure(folder, [file for file in files if file.suffix.lower() in WEIGHT_SUFFIXES and file.is_file()])


def _card_text(document: dict[str, Any], weights: list[LocalFile]) -> str:
    if weights:
        card, _ = complete(_json_text(document).encode(), weights, safetensors_headers(weights).values())
        return _json_text(card_document(card))
    check_draft(document)
    return _json_text(document)


def check_draft(document: Mapping[str, Any]) -> None:
    """Raises InvalidCard for any fault but a missing `subject`, which only weights can give."""
    weights = {"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 0}
    parse_card({**document, "subject": {"files": [weights]}})


def _json_text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
