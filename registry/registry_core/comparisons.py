"""What the registry answers about comparison groups: which there are, who leads one, what could be reused."""

from __future__ import annotations

from dataclasses import dataclass

from registry_core.groups import Axis, GroupKey
from registry_core.pareto import Ranked
from registry_core.suggesting import Candidate


@dataclass(frozen=True)
class GroupCount:
    """A comparison group and how many models the caller sees in it."""

    group: GroupKey
    models: int


@dataclass(frozen=True)
class Groups:
    """The comparison groups of a task, largest first."""

    task: str
    groups: list[GroupCount]


@dataclass(frozen=True)
class Layers:
    """The models of one group, best first: by Pareto layer, evidence level, gain per energy, least energy."""

    group: GroupKey
    axis: Axis
    models: int  # in the group, also those that `ranked` has no room for
    contrary: int  # left out: they take higher for better where most take lower, or the other way round
    ranked: list[Ranked]

    @property
    def front(self) -> list[Ranked]:
        """What nothing dominates."""
        return [entry for entry in self.ranked if entry.layer == 1]


@dataclass(frozen=True)
class Suggestions:
    """What could be reused instead of training, least training energy first."""

    task: str
    at_least: dict[str, float]  # metric -> score that had to be reached
    groups: int  # that were looked through
    groups_left_out: int  # smaller ones, when the task has more than can be looked through
    candidates: list[Candidate]
