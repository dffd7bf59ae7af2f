"""The registry energy class, A to G: the energy of a card beside that of the cards that are at least as good.

    index = energy of the card / median energy of its peers      A <= 1/8, B <= 1/4, C <= 1/2, D <= 1, E <= 2, F <= 4, G

Peers come from a dated snapshot, so a class can be looked up again. They are of evidence E2 or better and score
at least what the card scores less two standard errors: a small and bad model gains nothing by being small. It
is energy and not CO2e, so that the place of the grid does not improve a class.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from registry_core.grades import Level
from registry_core.groups import Axis, GroupKey, Peer
from registry_core.quantity import Amount, exact, quotient

Letter = Literal["A", "B", "C", "D", "E", "F", "G"]

DISCLAIMER = (
    "Registry energy class: training energy beside models of this registry that score at least as well. "
    "It is not an EU energy label; the European Commission is preparing its own."
)
MIN_PEERS = 8
LEAST_LEVEL: Level = "E2"
STANDARD_ERRORS = 2.0
BEST_WHEN_ESTIMATED: Letter = "C"

_LETTERS: tuple[Letter, ...] = ("A", "B", "C", "D", "E", "F", "G")
_UPPER_ENDS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Snapshot:
    """The cards of one comparison group as they were on a day; `peers` agree on whether higher is better."""

    id: str
    taken_on: date
    group: GroupKey
    axis: Axis
    peers: tuple[Peer, ...]

    @cached_property
    def best(self) -> list[Peer]:
        """The peers that classes are measured by, best score first."""
        return sorted(filter(_is_eligible, self.peers), key=lambda peer: -peer.goodness)

    @cached_property
    def medians_kwh(self) -> list[float]:
        """The median energy of the first of `best`, of the first two, and so on: found once for all classes."""
        energies_kwh: list[float] = []
        medians_kwh = []
        for number, peer in enumerate(self.best, start=1):
            assert peer.energy_kwh is not None
            insort(energies_kwh, peer.energy_kwh.value)
            medians_kwh.append((energies_kwh[(number - 1) // 2] + energies_kwh[number // 2]) / 2)
        return medians_kwh


@dataclass(frozen=True)
class EnergyClass:
    """A class, or the reason why there is none, with all that is needed to find it again."""

    snapshot_id: str
    taken_on: date
    group: GroupKey
    axis: Axis
    letter: Letter | None = None
    reason: str | None = None  # why there is no class
    is_estimated: bool = False  # shown as "est."; then C is the best there is
    index: Amount | None = None  # energy / median energy of the peers
    peers: int = 0  # how many stand behind the median
    widened_to: float | None = None  # the lowest score among the peers, when scores below the window had to be taken

    def __str__(self) -> str:
        return self.reason or f"{self.letter}{' est.' if self.is_estimated else ''}"


def energy_class(peer: Peer, snapshot: Snapshot) -> EnergyClass:
    """The class of `peer`, a card of the snapshot's group whose energy is on the snapshot's axis.

    When its index could be in several classes, the worst of them is taken. The card may be among its peers.
    """
    if peer.energy_kwh is None or peer.energy_kwh.value <= 0:
        return _without(snapshot, "energy not known")
    if peer.level == "E0":
        return _without(snapshot, "energy only declared")
    if len(snapshot.best) < MIN_PEERS:
        return _without(snapshot, "not enough peers")
    number, is_widened = _window(peer, snapshot)
    index = quotient(peer.energy_kwh, exact(snapshot.medians_kwh[number - 1]))
    letter, is_estimated = letter_of(index.high), peer.level == "E1"
    return EnergyClass(
        snapshot_id=snapshot.id,
        taken_on=snapshot.taken_on,
        group=snapshot.group,
        axis=snapshot.axis,
        letter=max(letter, BEST_WHEN_ESTIMATED) if is_estimated else letter,
        is_estimated=is_estimated,
        index=index,
        peers=number,
        widened_to=snapshot.best[number - 1].score if is_widened else None,
    )


def letter_of(index: float) -> Letter:
    """The class of an index that is known exactly; each class includes its upper end."""
    return _LETTERS[bisect_left(_UPPER_ENDS, index)]


def _without(snapshot: Snapshot, reason: str) -> EnergyClass:
    return EnergyClass(snapshot.id, snapshot.taken_on, snapshot.group, snapshot.axis, reason=reason)


def _is_eligible(peer: Peer) -> bool:
    return peer.level >= LEAST_LEVEL and peer.energy_kwh is not None and peer.energy_kwh.value > 0


def _window(peer: Peer, snapshot: Snapshot) -> tuple[int, bool]:
    """How many of the best score at least the card's score less two standard errors, and whether that was widened.

    A window of fewer than 8 takes the nearest scores below, and all that tie with the last of them. That makes
    the index stricter, since weaker models are usually cheaper.
    """
    least = peer.goodness - STANDARD_ERRORS * (peer.stderr or 0.0)
    eighth = snapshot.best[MIN_PEERS - 1].goodness
    return bisect_right(snapshot.best, -min(least, eighth), key=lambda other: -other.goodness), eighth < least
