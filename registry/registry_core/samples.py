"""Raw samples of power and energy counters, as `t_utc,device_id,power_w,energy_counter_j`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from registry_core.card_rules import moment

HEADER = "t_utc,device_id,power_w,energy_counter_j"
MAX_NUMBER = 1e15
"""No power or energy comes near, and sums of many stay finite."""


@dataclass(frozen=True)
class Sample:
    seconds: float  # since 1970
    power_watts: float | None
    counter_joules: float | None


@dataclass(frozen=True)
class Series:
    """The samples of one device in one file, by time."""

    path: str
    host: str  # salted hash
    device: str  # salted hash
    samples: tuple[Sample, ...]


def samples_by_device(text: str) -> dict[str, tuple[Sample, ...]]:
    """The samples that a file holds, by device and time. Raises ValueError with the first line that is wrong."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise ValueError(f"expected the first line {HEADER}")
    found: dict[str, list[Sample]] = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            device, sample = _sample(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        found.setdefault(device, []).append(sample)
    # Several writers may have appended to one file; the order of lines is not the order of time.
    return {device: tuple(sorted(samples, key=_time)) for device, samples in found.items()}


def has_repeated(series: Iterable[Series]) -> bool:
    """Whether two series of one device overlap in time: the same energy, written down twice."""
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for found in series:
        span = (found.samples[0].seconds, found.samples[-1].seconds)
        spans.setdefault((found.host, found.device), []).append(span)
    return any(later[0] < earlier[1] for found in spans.values() for earlier, later in pairwise(sorted(found)))


def _sample(line: str) -> tuple[str, Sample]:
    cells = line.split(",")
    if len(cells) != 4:
        raise ValueError(f"expected 4 cells, got {len(cells)}")
    when, device, power, counter = cells
    sample = Sample(moment(when).timestamp(), _cell(power), _cell(counter))
    if sample.power_watts is None and sample.counter_joules is None:
        raise ValueError("has neither a power nor a counter")
    return device[:200], sample


def _cell(text: str) -> float | None:
    if not text:
        return None
    number = float(text)
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"expected a number from 0 to {MAX_NUMBER:g}, got {text[:40]!r}")
    return number


def _time(sample: Sample) -> float:
    return sample.seconds
