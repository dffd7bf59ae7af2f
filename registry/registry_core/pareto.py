"""Pareto layers of a comparison group: which cards are beaten on score and on energy at once, beyond doubt.

A dominates B when A's score less its standard error is at least B's score and its standard error, and the
upper end of A's energy is at most the lower end of B's, with at least one of them strict. Layer 1 is what
nothing dominates, layer 2 what nothing dominates once layer 1 is taken away, and so on.

Dominance of intervals is transitive, so a card's layer is one more than the deepest layer among those that
dominate it, and one sweep along the energy axis finds them all.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from registry_core.groups import Peer


@dataclass(frozen=True)
class Ranked:
    """A peer and its layer, from 1; None for one whose energy is only declared or not known."""

    peer: Peer
    layer: int | None


def dominates(peer: Peer, other: Peer) -> bool:
    """Whether `peer` is at least as good for at most the energy, beyond doubt, and better in one of them."""
    if not (peer.is_ranked and other.is_ranked) or peer.energy_kwh is None or other.energy_kwh is None:
        return False
    gain = peer.goodness_low - other.goodness_high
    saving = other.energy_kwh.low - peer.energy_kwh.high
    return gain >= 0 and saving >= 0 and (gain > 0 or saving > 0)


def layers(peers: Sequence[Peer]) -> list[int | None]:
    """The layer of each peer, in the order given; None for those below E1 or without energy, which dominate nothing.

    Takes n log n steps. Each peer is asked for at the lower end of its energy, with its upper score, and
    counts from the upper end of its energy on, with its lower score.
    """
    found: list[int | None] = [None] * len(peers)
    reach: list[float] = []  # of layer i + 1: minus the best lower score so far; it rises, as each layer beats the next
    for _, minus_score, counts, index in sorted(_events(peers)):
        if not counts:
            found[index] = bisect_right(reach, minus_score) + 1
            continue
        layer = found[index]
        assert layer is not None  # its lower end of energy came before
        if layer > len(reach):
            reach.append(minus_score)
        else:
            reach[layer - 1] = min(reach[layer - 1], minus_score)
    return found


def _events(peers: Sequence[Peer]) -> list[tuple[float, float, bool, int]]:
    """Where each peer is asked for (False) and counts from (True): energy, minus score, which, index.

    At one energy the better score comes first, and a question before an answer of the same score, since a
    peer that ties in both does not dominate.
    """
    events = []
    for index, peer in enumerate(peers):
        if peer.is_ranked and peer.energy_kwh is not None:
            events.append((peer.energy_kwh.low, -peer.goodness_high, False, index))
            events.append((peer.energy_kwh.high, -peer.goodness_low, True, index))
    return events


def ranked(peers: Sequence[Peer]) -> list[Ranked]:
    """The peers, best first: by layer, then evidence level, then gain per energy, then least energy.

    Those without a layer come last. The first front is what has layer 1.
    """
    return sorted(
        (Ranked(peer, layer) for peer, layer in zip(peers, layers(peers), strict=True)),
        key=_order,
    )


def _order(entry: Ranked) -> tuple[float, int, float, float, str]:
    peer = entry.peer
    return (
        math.inf if entry.layer is None else entry.layer,
        -int(peer.level[1:]),
        -(peer.gain_per_kwh or 0.0),
        math.inf if peer.energy_kwh is None else peer.energy_kwh.value,
        peer.id,
    )
