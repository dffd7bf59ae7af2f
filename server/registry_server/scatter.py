"""A picture of a comparison group: energy on a logarithmic axis, score upwards, each model where it belongs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from registry_core.comparisons import Layers
from registry_core.pareto import Ranked
from registry_core.units import energy_text

WIDTH, HEIGHT = 720.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 20.0, 20.0, 50.0
_MOST_TICKS = 6
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_SPARE = 0.05  # of the span, so that no model lies on the frame


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A model; `low` and `high` are the ends of its energy, `worse` and `better` its score and one standard error."""

    x: float
    y: float
    low: float
    high: float
    worse: float
    better: float
    is_front: bool
    title: str


@dataclass(frozen=True)
class Scatter:
    """Places in a picture of WIDTH x HEIGHT, origin at the top left."""

    points: list[Point]
    energies: list[Tick]
    scores: list[Tick]
    hidden: int  # models whose energy is not known or zero, which have no place on a logarithmic axis

    width, height, left, right, top, bottom = WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM


@dataclass(frozen=True)
class _Axis:
    """Values from `low` to `high`, in a picture from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def scatter(found: Layers) -> Scatter:
    """The picture of those that have a known energy; the front is drawn last, so that it lies on top."""
    shown = [entry for entry in found.ranked if entry.peer.energy_kwh is not None and entry.peer.energy_kwh.value > 0]
    energies = [math.log10(_kwh(entry)) for entry in shown]
    scores = [entry.peer.score for entry in shown]
    across, up = _axis(energies, LEFT, WIDTH - RIGHT), _axis(scores, HEIGHT - BOTTOM, TOP)
    points = [_point(entry, across, up) for entry in shown]
    return Scatter(
        points=sorted(points, key=lambda point: point.is_front),
        energies=[Tick(across.at(power), energy_text(10.0**power)) for power in _powers(across)],
        scores=[Tick(up.at(score), f"{score:.4g}") for score in _round_values(up)],
        hidden=len(found.ranked) - len(shown),
    )


def _kwh(entry: Ranked) -> float:
    return entry.peer.energy_kwh.value if entry.peer.energy_kwh else 0.0


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    low, high = min(values, default=0.0), max(values, default=1.0)
    spare = _SPARE * (high - low) or 0.5 * abs(high) or 0.5
    return _Axis(low - spare, high + spare, start, end)


def _point(entry: Ranked, across: _Axis, up: _Axis) -> Point:
    peer = entry.peer
    assert peer.energy_kwh is not None
    error = peer.stderr or 0.0
    return Point(
        x=across.at(math.log10(peer.energy_kwh.value)),
        y=up.at(peer.score),
        low=across.at(math.log10(peer.energy_kwh.low) if peer.energy_kwh.low > 0 else across.low),
        high=across.at(math.log10(peer.energy_kwh.high)),
        worse=up.at(peer.score - error),
        better=up.at(peer.score + error),
        is_front=entry.layer == 1,
        title=f"{peer.id}: {peer.score:.4g}, {energy_text(peer.energy_kwh.value)}, {_layer(entry)}",
    )


def _layer(entry: Ranked) -> str:
    return "not ranked" if entry.layer is None else "on the front" if entry.layer == 1 else f"layer {entry.layer}"


def _powers(axis: _Axis) -> list[float]:
    """Powers of ten; where there are fewer than two, three places in between."""
    whole = range(math.ceil(axis.low), math.floor(axis.high) + 1)
    if len(whole) >= 2:
        return [float(power) for power in whole[:: math.ceil(len(whole) / _MOST_TICKS)]]
    return [axis.low + share * (axis.high - axis.low) for share in (0.1, 0.5, 0.9)]


def _round_values(axis: _Axis) -> list[float]:
    """Round numbers along an axis."""
    rough = (axis.high - axis.low) / _MOST_TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(step * size for step in _STEPS if step * size >= rough)
    first = math.ceil(axis.low / step)
    return [index * step for index in range(first, math.floor(axis.high / step) + 1)]
