"""Find before you train: the comparison groups of a task, who leads one, and what could be reused instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from registry_core.comparisons import GroupCount, Groups, Layers, Suggestions
from registry_core.errors import NotFound
from registry_core.groups import GroupKey, Peer, agreeing
from registry_core.pareto import ranked
from registry_core.quantity import exact
from registry_core.suggesting import suggest
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.peers import groups_of_task, peers, version
from registry_server.usecases.context import Registry

MOST_RANKED = 1000
MOST_CANDIDATES = 10
MOST_PEERS = 20_000
"""As many are looked through for candidates; smaller groups are left out, and the answer says so."""


@dataclass(frozen=True)
class AskedGroup:
    """A comparison group, or as much of one as was named; the largest that fits is meant."""

    task: str
    metric: str | None = None
    dataset: str | None = None
    config: str | None = None
    split: str | None = None
    revision: str | None = None

    def fits(self, group: GroupKey) -> bool:
        named = {name: value for name, value in vars(self).items() if value is not None}
        return all(getattr(group, name) == value for name, value in named.items())


def groups(registry: Registry, caller: Caller, task: str) -> Groups:
    """The comparison groups of a task in which the caller sees a model."""
    with registry.engine.read() as tx:
        return Groups(task, [GroupCount(*found) for found in groups_of_task(tx, caller, task)])


def layers(registry: Registry, caller: Caller, asked: AskedGroup, limit: int) -> Layers:
    """The first `limit` models of a group by Pareto layer. Raises NotFound when the caller sees nobody in any."""
    with registry.engine.read() as tx:
        found = _ranked(registry, tx, caller, _largest(tx, caller, asked))
    return replace(found, ranked=found.ranked[:limit])


def _ranked(registry: Registry, tx: Transaction, caller: Caller, group: GroupKey) -> Layers:
    """The first of a group; strangers all see the same, which is ranked once for each version of the index."""
    if not caller.is_anonymous:
        return _layers(group, peers(tx, caller, group))
    now = version(tx)
    found = registry.rankings.get(group, now)
    if found is None:
        found = _layers(group, peers(tx, caller, group))
        registry.rankings.put(now, found)
    return found


def _layers(group: GroupKey, found: list[Peer]) -> Layers:
    compared = agreeing(found)
    return Layers(
        group=group,
        axis="own",
        models=len(found),
        contrary=len(found) - len(compared),
        ranked=ranked(compared)[:MOST_RANKED],
    )


def candidates(
    registry: Registry, caller: Caller, task: str, at_least: Mapping[str, float], estimate_kwh: float | None
) -> Suggestions:
    """What could be reused instead of training for the task; nothing is found where there is no group."""
    with registry.engine.read() as tx:
        every = [group for group, _ in groups_of_task(tx, caller, task) if not at_least or group.metric in at_least]
        looked_through = _peers_of(tx, caller, every)
    found = suggest(
        looked_through,
        at_least=at_least,
        pre_estimate_kwh=None if estimate_kwh is None else exact(estimate_kwh, "estimated"),
        limit=MOST_CANDIDATES,
    )
    return Suggestions(task, dict(at_least), len(looked_through), len(every) - len(looked_through), found)


def _peers_of(tx: Transaction, caller: Caller, groups: list[GroupKey]) -> dict[GroupKey, list[Peer]]:
    """Who is in the first of these groups, until enough of them are known."""
    found: dict[GroupKey, list[Peer]] = {}
    for group in groups:
        if sum(map(len, found.values())) >= MOST_PEERS:
            break
        found[group] = agreeing(peers(tx, caller, group))
    return found


def _largest(tx: Transaction, caller: Caller, asked: AskedGroup) -> GroupKey:
    for group, _ in groups_of_task(tx, caller, asked.task, asked.metric):
        if asked.fits(group):
            return group
    raise NotFound(
        f"No model of the task {asked.task[:80]!r} states such a score.",
        hint="Ask for the groups of the task; a score counts when its footprint card says whether higher is better.",
    )
