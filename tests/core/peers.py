"""Peers of one comparison group to test with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from registry_core.grades import Level
from registry_core.groups import GroupKey, Peer
from registry_core.quantity import Amount, GivenSource

GROUP = GroupKey("image-classification", "digits", None, "test", "1", "accuracy")
LEVELS: Sequence[Level] = ("E0", "E1", "E2", "E3", "E4")


def kwh(value: float, low: float | None = None, high: float | None = None, source: GivenSource = "measured") -> Amount:
    """An amount; an end that is not given is the value."""
    return Amount(value, value if low is None else low, value if high is None else high, source)


def peer(id: str, score: float, energy: float | Amount | None, **changes: Any) -> Peer:
    """A measured peer, sure of its score and energy unless `changes` say otherwise."""
    energy_kwh = kwh(energy) if isinstance(energy, (int, float)) else energy
    fields: dict[str, Any] = {"higher_is_better": True, "level": "E2", **changes}
    return Peer(id=id, score=score, energy_kwh=energy_kwh, **fields)


# Few different numbers, so that ties in score and in energy happen often.
_SMALL = st.integers(0, 6).map(float)


@st.composite
def peers(draw: st.DrawFn, levels: Sequence[Level] = LEVELS, max_size: int = 8) -> list[Peer]:
    """Some peers with ties, intervals, unknown energies and unknown errors."""
    return [
        peer(
            str(index),
            draw(_SMALL),
            draw(st.none() | st.lists(_SMALL, min_size=3, max_size=3).map(_ordered)),
            stderr=draw(st.none() | st.sampled_from([0.0, 0.5, 1.0])),
            level=draw(st.sampled_from(levels)),
            baseline=draw(st.none() | _SMALL),
        )
        for index in range(draw(st.integers(0, max_size)))
    ]


def _ordered(ends: list[float]) -> Amount:
    low, value, high = sorted(ends)
    return kwh(value, low, high)
