"""What raw samples add up to, and how closely they look.

A counter goes before a power, since it misses nothing between two samples; power is integrated by
trapezoids. A counter that falls was reset: its rise before and after counts, the fall does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from registry_core.samples import Sample, Series

JOULES_PER_KWH = 3.6e6
MIN_POWER_SAMPLES = 60
MAX_POWER_INTERVAL_SECONDS = 1.05  # 1 Hz, with the jitter of a sleeping thread
MAX_COUNTER_INTERVAL_SECONDS = 60.5
MAX_GAP_INTERVALS = 5


@dataclass(frozen=True)
class Sampling:
    """One device's samples in numbers."""

    series: Series
    energy_kwh: float
    is_counter: bool
    interval_seconds: float  # median
    longest_gap_seconds: float

    @property
    def is_dense(self) -> bool:
        """Counters once a minute at least; or power once a second, sixty times or more."""
        if self.is_counter:
            return self.interval_seconds <= MAX_COUNTER_INTERVAL_SECONDS
        enough = len(self.series.samples) >= MIN_POWER_SAMPLES
        return enough and self.interval_seconds <= MAX_POWER_INTERVAL_SECONDS

    @property
    def has_gap(self) -> bool:
        """Whether a pause was longer than five intervals."""
        return self.longest_gap_seconds > MAX_GAP_INTERVALS * self.interval_seconds


def samplings(series: Iterable[Series]) -> list[Sampling]:
    """One for each device of each host; of files that repeat a device, the one that saw the longest span."""
    longest: dict[tuple[str, str], Series] = {}
    for found in series:
        known = longest.get((found.host, found.device))
        if known is None or _span(found) > _span(known):
            longest[found.host, found.device] = found
    return [_sampling(found) for found in longest.values() if len(found.samples) > 1]


def counter_falls(series: Series) -> int:
    """How often the energy counter of a device was lower than just before."""
    return sum(late < early for early, late in pairwise(_counts(series.samples)))


def _sampling(series: Series) -> Sampling:
    samples = series.samples
    steps = [late.seconds - early.seconds for early, late in pairwise(samples)]
    is_counter = len(_counts(samples)) == len(samples)
    joules = _counted(samples) if is_counter else _integrated(samples)
    return Sampling(series, joules / JOULES_PER_KWH, is_counter, median(steps), max(steps))


def _span(series: Series) -> float:
    return series.samples[-1].seconds - series.samples[0].seconds


def _counts(samples: Sequence[Sample]) -> list[float]:
    return [sample.counter_joules for sample in samples if sample.counter_joules is not None]


def _counted(samples: Sequence[Sample]) -> float:
    return math.fsum(max(0.0, late - early) for early, late in pairwise(_counts(samples)))


def _integrated(samples: Sequence[Sample]) -> float:
    known = [(sample.seconds, sample.power_watts) for sample in samples if sample.power_watts is not None]
    return math.fsum((t2 - t1) * (p1 + p2) / 2 for (t1, p1), (t2, p2) in pairwise(known))
