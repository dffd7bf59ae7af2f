"""A run: one training with a beginning and an end, what it cost, and how good its model is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from registry_client.folder import CARD_NAME
from registry_client.privacy import Pseudonyms
from registry_client.tracking.document import Declared, Recorded, facts_of, fragment_of, uncovered_remark
from registry_client.tracking.evidence import evidence_of
from registry_client.tracking.launch import Launch
from registry_client.tracking.measurement import Span
from registry_client.tracking.saving import card_before, save_card, save_with_weights
from registry_core.card import Score
from registry_core.errors import Invalid, InvalidCard
from registry_core.fragments import merge, parse_fragment
from registry_core.strict import fault_lines, faults_of


@dataclass(frozen=True)
class RunSummary:
    """What one run took. `energy_kwh` is None when it could not be measured, for the `reason` given."""

    path: str | None  # of the card, or of the fragment, when one was written
    stage: str
    duration_seconds: float
    uncovered_seconds: float  # of the duration: what no energy was measured for
    energy_kwh: float | None  # of the devices
    energy_source: str | None
    energy_methods: dict[str, str]  # component -> method
    reason: str | None


class Run:
    """What `track()` hands out: `quality` says how good the model is, `save` writes its card beside it."""

    def __init__(self, declared: Declared, pseudonyms: Pseudonyms | None = None, launch: Launch | None = None) -> None:
        self.declared = declared
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._launch = launch or Launch()
        self._quality: list[dict[str, Any]] = []
        self._work: dict[str, Any] = {}
        self._before: dict[Path, dict[str, Any] | None] = {}  # what a card held before this run was added to it
        self._samples = ""
        self._again: Callable[[], object] | None = None
        self.path: Path | None = None
        """Of the card, or of the fragment, when one was written."""
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
        """State one result, over `n` samples of a split. Raises InvalidCard when a card could not hold it.

        A later result for the same metric of the same split takes the place of the earlier one.
        """
        entry: dict[str, Any] = {
            "task": self.declared.task,
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
        score = _score({name: given for name, given in entry.items() if given is not None})
        self._quality = [*(other for other in self._quality if _about(other) != _about(score)), score]

    def work(
        self,
        *,
        tokens: float | None = None,
        compute_flop: float | None = None,
        method: str | None = None,
        kind: Literal["gross", "effective"] = "gross",
    ) -> None:
        """State how much was computed: tokens seen, and FLOP by a formula whose name is `method`.

        `gross` counts all that the hardware did, `effective` what the model needed.
        """
        if tokens is not None:
            self._work["tokens"] = {"value": float(tokens), "unit": "token", "source": "declared"}
        if compute_flop is not None:
            flop = {"value": float(compute_flop), "unit": "FLOP", "source": "estimated", "method": method}
            self._work["compute_flop"] = {name: given for name, given in flop.items() if given is not None}
            self._work["compute_flop_kind"] = kind

    def save(self, folder: str | Path, *, append: bool = False) -> Path:
        """Write `footprint.json` and its evidence into the folder of the weights; the path of the card.

        With `append` a card that is there gets one phase more, else it is replaced. Raises Invalid while the run
        is still measured and when there are no weights; then nothing is written.
        """
        recorded = self.recorded()
        path = save_with_weights(folder, recorded, self._card_before(Path(folder) / CARD_NAME, append))
        return self.wrote(path, lambda: self.save(folder, append=append))

    def write(self, path: str | Path, *, append: bool = False) -> Path:
        """Write the card to `path`, its evidence beside it; without weights it is a draft that a push completes.

        With `append` a card that is there gets one phase more, else it is replaced.
        """
        written = save_card(Path(path), self.recorded(), self._card_before(Path(path), append))
        return self.wrote(written, lambda: self.write(path, append=append))

    def rewrite(self) -> None:
        """Write the card, or the fragment, that was written once more, say after another evaluation."""
        if self._again is None:
            raise Invalid("Nothing of this run was written yet.", hint="Call run.save(folder) or run.write(path).")
        self._again()

    def wrote(self, path: Path, again: Callable[[], object]) -> Path:
        """Remember where this run was written, and how to do it again."""
        self.path, self._again = path, again
        return path

    def summary(self) -> RunSummary:
        """The numbers of the run. Raises Invalid while it is still measured."""
        span = self._ended()
        reading = span.reading
        return RunSummary(
            path=None if self.path is None else str(self.path),
            stage=self.declared.stage,
            duration_seconds=span.wall_seconds,
            uncovered_seconds=span.uncovered_seconds,
            energy_kwh=reading.energy_kwh if reading else None,
            energy_source=reading.source if reading else None,
            energy_methods=reading.methods if reading else {},
            reason=span.reason,
        )

    def end(self, span: Span, samples: str = "") -> None:
        """Keep what was measured; `samples` is the CSV of this host."""
        self.span, self._samples = span, samples

    def fragment(self, family: str, outcome: str) -> dict[str, Any]:
        """What this process saw, as plain JSON values."""
        return fragment_of(self.declared, self._ended(), self._pseudonyms, self._launch, family=family, outcome=outcome)

    def recorded(self) -> Recorded:
        """What this run brings to a card. Raises Invalid while it is still measured."""
        span = self._ended()
        phase = merge([parse_fragment(self.fragment("alone", "done"))]).phase
        return Recorded(
            facts=facts_of(self.declared),
            phase={**phase, **self._work},
            quality=self._quality,
            remarks=self._remarks(span),
            evidence=evidence_of(span, {self._pseudonyms.host: self._samples}),
        )

    def _remarks(self, span: Span) -> list[str]:
        notes = list(span.reading.notes) if span.reading else []
        if self._launch.world_size and self._launch.world_size > 1:
            notes.append(f"of {self._launch.world_size} processes one was measured, and the host that it ran on")
        return notes + uncovered_remark(span.uncovered_seconds, span.wall_seconds)

    def _card_before(self, path: Path, append: bool) -> Mapping[str, Any] | None:
        # A run that is written twice, say after one more evaluation, is still one phase.
        if path not in self._before:
            self._before[path] = card_before(path) if append else None
        return self._before[path]

    def _ended(self) -> Span:
        if self.span is None:
            raise Invalid("The run is still measured.", hint="Leave the `with track()` block first.")
        return self.span


def _score(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return Score.model_validate(entry).model_dump(mode="json", exclude_none=True)
    except ValidationError as error:
        raise InvalidCard("This result cannot stand in a card.", faults=fault_lines(faults_of(error))) from error


def _about(score: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(score.get(name) for name in ("metric", "dataset", "split", "revision", "seed"))
