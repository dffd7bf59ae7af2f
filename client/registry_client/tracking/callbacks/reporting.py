"""What the callbacks of all libraries have in common: a run that begins, is told results, and ends."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any

from registry_client.tracking.run import Run
from registry_client.tracking.tracker import Tracker


@dataclass(frozen=True)
class Reported:
    """Which result of an evaluation goes into the card: `metric` as the library names it, on which data."""

    metric: str
    dataset: str
    split: str = "test"
    n: int | None = None  # samples; None means as many as the evaluation's data set has
    name: str | None = None  # of the metric in the card; None means the library's
    higher_is_better: bool = True


class Reporter:
    """One training of a library, from its begin to its last evaluation."""

    def __init__(self, tracker: Tracker, reported: Reported | None) -> None:
        self._tracker = tracker
        self._reported = reported
        self._is_open = False
        self.run: Run | None = None

    def begin(self, *, is_first: bool) -> None:
        """Start to measure: in every process that leaves a fragment, else in the first one."""
        if not is_first and not self._tracker.leaves_fragments:
            return
        self.run = self._tracker.__enter__()
        self._is_open = True

    def end(self, error: BaseException | None = None) -> None:
        """End the run; after an error no card is written."""
        if self._is_open:
            self._is_open = False
            self._tracker.__exit__(type(error) if error else None, error, None)

    def evaluated(self, results: Mapping[str, Any], samples: int | None) -> None:
        """State the result that is asked for, if it is among these; a card that is written already learns of it."""
        wanted = self._reported
        if self.run is None or wanted is None or wanted.metric not in results or not (wanted.n or samples):
            return
        self.run.quality(
            wanted.name or wanted.metric,
            float(results[wanted.metric]),
            dataset=wanted.dataset,
            split=wanted.split,
            n=wanted.n or samples or 0,
            higher_is_better=wanted.higher_is_better,
        )
        if not self._is_open and self.run.path is not None:
            self.run.rewrite()


def samples_in(loader: Any) -> int | None:
    """How many samples a loader of data goes through; None when it cannot know."""
    data = getattr(loader, "dataset", None)
    return len(data) if isinstance(data, Sized) else None
