"""Comparison groups: which cards may be compared with each other, and a card as a member of one.

Scores are comparable when task, dataset, config, split, dataset revision and metric are the same. A `Peer` is
what the rankings know of a card: a score, an energy on one axis, how sure both are. Whoever builds the peers
of a group chooses the axis, the same for all of them: own or lineage energy, of the final phases or of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from registry_core.card import Score
from registry_core.formulas import gain_per_energy
from registry_core.grades import Level
from registry_core.quantity import Amount
from registry_core.recipe import is_proportion

Axis = Literal["own", "lineage"]
"""What this step took; what it and all of its ancestors took."""


@dataclass(frozen=True)
class GroupKey:
    """What two scores must share to be compared. A config or revision that nobody stated is None."""

    task: str
    dataset: str
    config: str | None
    split: str
    revision: str | None
    metric: str


@dataclass(frozen=True)
class Peer:
    """A card in a comparison group; `energy_kwh` is that of the facility, on the axis of the comparison."""

    id: str  # unique in the group
    score: float
    higher_is_better: bool
    energy_kwh: Amount | None
    level: Level
    stderr: float | None = None  # of the score; None when it is not known
    baseline: float | None = None  # a score to gain on; see `baseline`
    license: str | None = None  # SPDX expression

    @property
    def goodness(self) -> float:
        """The score, turned so that more is better."""
        return self.score if self.higher_is_better else -self.score

    @property
    def goodness_low(self) -> float:
        """The goodness less one standard error, if that is known."""
        return self.goodness - (self.stderr or 0.0)

    @property
    def goodness_high(self) -> float:
        """The goodness and one standard error, if that is known."""
        return self.goodness + (self.stderr or 0.0)

    @property
    def gain_per_kwh(self) -> float | None:
        """What the score gains on its baseline, per kWh; None when it gains nothing, or one of them is not known."""
        if self.baseline is None or self.energy_kwh is None or self.energy_kwh.value <= 0:
            return None
        return gain_per_energy(self.score, self.baseline, self.energy_kwh.value, higher_is_better=self.higher_is_better)

    @property
    def is_ranked(self) -> bool:
        """Whether the energy is known and may be compared; one that is only declared, E0, is there to be shown."""
        return self.energy_kwh is not None and self.level != "E0"

    def reaches(self, score: float) -> bool:
        """Whether the score reaches `score` with one standard error to spare."""
        return self.goodness_low >= (score if self.higher_is_better else -score)


def group_of(score: Score) -> GroupKey:
    """The comparison group of an evaluation result."""
    return GroupKey(score.task, score.dataset, score.config, score.split, score.revision, score.metric)


def standard_error(score: Score) -> float | None:
    """The stated one, else that of a proportion p of n samples, sqrt(p (1 - p) / n); None when neither is known."""
    if score.stderr is not None:
        return score.stderr
    if score.n is None or not is_proportion(score.metric) or not 0 <= score.value <= 1:
        return None
    return math.sqrt(score.value * (1 - score.value) / score.n)


def baseline(group_baseline: float | None, parent_score: float | None) -> float | None:
    """The score that a card has to gain on: its parent's for a derivative, else that of the majority class."""
    return group_baseline if parent_score is None else parent_score


def agreeing(peers: Iterable[Peer]) -> list[Peer]:
    """The peers that agree with most on whether higher is better; higher it is when votes are equal.

    One card that has its metric the wrong way round must not turn its whole group. The rankings take peers
    that agree.
    """
    found = list(peers)
    higher = 2 * sum(peer.higher_is_better for peer in found) >= len(found)
    return [peer for peer in found if peer.higher_is_better == higher]


def cheapest_reaching(peers: Iterable[Peer], score: float) -> Peer | None:
    """The peer of least energy whose score reaches `score` with one standard error to spare; None without one."""
    reaching = [peer for peer in peers if peer.is_ranked and peer.reaches(score)]
    return min(reaching, key=by_energy, default=None)


def energy_to_reach(peers: Iterable[Peer], score: float) -> Amount | None:
    """The least energy in kWh among cards whose score, less its standard error, reaches `score`."""
    cheapest = cheapest_reaching(peers, score)
    return None if cheapest is None else cheapest.energy_kwh


def by_energy(peer: Peer) -> tuple[bool, float, str]:
    """A key that sorts peers by energy, with energy that is only declared, or not known, last."""
    energy_kwh = math.inf if peer.energy_kwh is None else peer.energy_kwh.value
    return not peer.is_ranked, energy_kwh, peer.id
