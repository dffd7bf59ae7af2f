"""Find before you train: which models could be reused instead, and what that is expected to save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from registry_core.groups import GroupKey, Peer, by_energy
from registry_core.quantity import Amount, surplus
from registry_core.reuse import median

Basis = Literal["pre_estimate", "group_median"]
"""What training is expected to take, as estimated before, or by what others of the group took."""


@dataclass(frozen=True)
class Candidate:
    """A model to reuse instead of training one.

    `saving_kwh` is what training is expected to take less what the reuse takes, zero at least; it says nothing
    about what the ledger will count as avoided, which is less.
    """

    group: GroupKey
    peer: Peer
    training_kwh: Amount | None  # None when there is neither an estimate nor a group with known energies
    basis: Basis | None
    saving_kwh: Amount | None


def suggest(
    groups: Mapping[GroupKey, Sequence[Peer]],
    *,
    at_least: Mapping[str, float] | None = None,
    pre_estimate_kwh: Amount | None = None,
    adaptation_kwh: Amount | None = None,
    limit: int = 10,
) -> list[Candidate]:
    """The candidates of a task, or of one group, least training energy first, each model once.

    `at_least` maps a metric to the score that a model must reach in it, one standard error to spare; for a
    metric where lower is better, the score that it must not exceed. A model must reach them all. Without
    `adaptation_kwh`, what the reuse itself takes, savings are those before adaptation and evaluation. Models
    whose energy is only declared, or not known, come last.
    """
    wanted = at_least or {}
    reaching = [_reaching(metric, score, groups) for metric, score in wanted.items()]
    found: dict[str, Candidate] = {}
    for group, peers in groups.items():
        if wanted and group.metric not in wanted:
            continue
        training_kwh, basis = _training(peers, pre_estimate_kwh)
        saving_kwh = surplus(training_kwh, adaptation_kwh) if training_kwh and adaptation_kwh else training_kwh
        for peer in peers:
            if peer.id not in found and all(peer.id in ids for ids in reaching):
                found[peer.id] = Candidate(group, peer, training_kwh, basis, saving_kwh)
    return sorted(found.values(), key=lambda candidate: by_energy(candidate.peer))[:limit]


def _reaching(metric: str, score: float, groups: Mapping[GroupKey, Sequence[Peer]]) -> set[str]:
    return {
        peer.id for group, peers in groups.items() if group.metric == metric for peer in peers if peer.reaches(score)
    }


def _training(peers: Sequence[Peer], pre_estimate_kwh: Amount | None) -> tuple[Amount | None, Basis | None]:
    if pre_estimate_kwh is not None:
        return pre_estimate_kwh, "pre_estimate"
    usual_kwh = median([peer.energy_kwh for peer in peers if peer.is_ranked and peer.energy_kwh])
    return usual_kwh, "group_median" if usual_kwh else None
