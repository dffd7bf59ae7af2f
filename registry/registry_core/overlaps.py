"""Energy that several saw at once: of spans of time that overlap, what counts.

Whatever the order of the spans, the answer is the same to the last bit.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """From `start` to `end`, in seconds since 1970, and the energy that was used in it."""

    start: float
    end: float
    energy_kwh: float = 0.0
    method: str = ""
    source: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


Energies = Counter[tuple[str, str]]
"""kWh by method and source."""


def longest(spans: Iterable[Span]) -> Energies:
    """Of spans that overlap the longest alone."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (-span.seconds, span)):
        if not any(span.overlaps(other) for other in kept):
            kept.append(span)
    return _by_method((span, span.energy_kwh) for span in sorted(kept))


def union(spans: Sequence[Span]) -> Energies:
    """At any moment the mean power of those who measured then."""
    lasting = sorted({span for span in spans if span.seconds > 0})
    edges = sorted({edge for span in lasting for edge in (span.start, span.end)})
    shares: list[tuple[Span, float]] = []
    for start, end in itertools.pairwise(edges):
        there = [span for span in lasting if span.start <= start and end <= span.end]
        shares += [(span, span.energy_kwh / span.seconds * (end - start) / len(there)) for span in there]
    return _by_method(shares)


def _by_method(shares: Iterable[tuple[Span, float]]) -> Energies:
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for span, energy_kwh in shares:
        found[span.method, span.source].append(energy_kwh)
    return Counter({key: math.fsum(values) for key, values in found.items()})


def covered_seconds(spans: Iterable[Span]) -> float:
    """The length of the union."""
    total, reached = 0.0, -math.inf
    for span in sorted(spans):
        total += max(0.0, span.end - max(span.start, reached))
        reached = max(reached, span.end)
    return total
