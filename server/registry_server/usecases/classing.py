"""Energy classes: a dated snapshot of all comparison groups, and the class of every public model in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from registry_core.energy_class import Snapshot, energy_class
from registry_core.groups import agreeing
from registry_core.ids import RepoId, RepoKind
from registry_core.records import ModelClass
from registry_server.catalog import classes
from registry_server.catalog.accounts import ANONYMOUS, Caller
from registry_server.catalog.classes import Group
from registry_server.catalog.engine import Transaction
from registry_server.catalog.peers import peers
from registry_server.catalog.repos import Repo
from registry_server.usecases import access
from registry_server.usecases.context import Registry

NO_CLASS_YET = "no class yet: no snapshot has this model; it takes a public model with a score of a comparison group"


@dataclass(frozen=True)
class Taken:
    """What a snapshot found."""

    snapshot: int
    taken_on: str
    groups: int
    classes: dict[str, int]  # letter, or the reason why there is none -> how many


def take_snapshot(registry: Registry) -> Taken:
    """Class every public model in each of its groups, as of today. Older snapshots stay as they are.

    Each group is written for itself, so that nobody who pushes has to wait for all of them.
    """
    today = registry.now().date()
    with registry.engine.read() as tx:
        groups = classes.all_groups(tx)
    with registry.engine.write() as tx:
        number = classes.add_snapshot(tx, today.isoformat())
    found: Counter[str] = Counter()
    for group in groups:
        found.update(_class_group(registry, number, group))
    return Taken(number, today.isoformat(), len(groups), dict(sorted(found.items())))


def _class_group(registry: Registry, number: int, group: Group) -> list[str]:
    with registry.engine.read() as tx:
        # Public models alone: a class that hung on hidden ones would tell of them.
        public = agreeing(peers(tx, ANONYMOUS, group.key))
        members = classes.members(tx, group)
    snapshot = Snapshot(f"{number}.{group.row_id}", registry.now().date(), group.key, "own", tuple(public))
    found = [(members[peer.id], energy_class(peer, snapshot)) for peer in public]
    with registry.engine.write() as tx:
        classes.add(tx, number, group, found)
    return [each.letter or str(each) for _, each in found]


def newest(tx: Transaction, repo: Repo) -> list[ModelClass]:
    """The classes of the newest snapshot that has the repo."""
    found = classes.of_repo(tx, repo)
    return [each for each in found if each.snapshot_id.partition(".")[0] == found[0].snapshot_id.partition(".")[0]]


def history(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> list[ModelClass]:
    """Every class that the repo ever had, newest snapshot first."""
    with registry.engine.read() as tx:
        return list(classes.of_repo(tx, access.open_repo(tx, caller, kind, repo_id, "see")))
