"""Energy classes as dated snapshots found them: written once, and never again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry_core.energy_class import DISCLAIMER, EnergyClass
from registry_core.groups import GroupKey
from registry_core.records import ModelClass
from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.peers import KEY, key_of
from registry_server.catalog.repos import Repo


@dataclass(frozen=True)
class Group:
    """A comparison group and its number."""

    row_id: int
    key: GroupKey


@dataclass(frozen=True)
class Member:
    """A model that states a score of a group: its repo, and the head of main."""

    repo: int
    commit_oid: bytes


def all_groups(tx: Transaction) -> list[Group]:
    """Every comparison group, also those that nobody is in any more."""
    rows = tx.execute(f"select g.id as number, {KEY} from comparison_groups g order by g.id")
    return [Group(row["number"], key_of(row)) for row in rows]


def members(tx: Transaction, group: Group) -> dict[str, Member]:
    """Who is in a group, by repo id."""
    rows = tx.execute(
        "select distinct r.id, r.name, c.commit_oid from metrics m join cards c on c.repo_id = m.repo_id"
        " join repos r on r.id = m.repo_id where m.group_id = :group",
        {"group": group.row_id},
    )
    return {row["name"]: Member(row["id"], row["commit_oid"]) for row in rows}


def add_snapshot(tx: Transaction, taken_on: str) -> int:
    """A new snapshot of that day; its number."""
    row = tx.execute("insert into class_snapshots (taken_on) values (:on) returning id", {"on": taken_on})[0]
    number: int = row["id"]
    return number


def add(tx: Transaction, snapshot: int, group: Group, found: Iterable[tuple[Member, EnergyClass]]) -> None:
    """What a snapshot found of one group; of a repo that is gone meanwhile, nothing."""
    tx.execute_many(
        "insert into classes (repo_id, snapshot_id, group_id, commit_oid, found)"
        " select id, :snapshot, :group, :commit, :found from repos where id = :repo",
        (
            {
                "repo": member.repo,
                "snapshot": snapshot,
                "group": group.row_id,
                "commit": member.commit_oid,
                "found": json.dumps(_found(energy_class)),
            }
            for member, energy_class in found
        ),
    )


def of_repo(tx: Transaction, repo: Repo) -> Sequence[ModelClass]:
    """Every class that a repo ever had, newest snapshot first."""
    rows = tx.execute(
        f"select k.snapshot_id, s.taken_on, k.commit_oid, k.found, {KEY} from classes k"
        " join class_snapshots s on s.id = k.snapshot_id join comparison_groups g on g.id = k.group_id"
        " where k.repo_id = :repo order by k.snapshot_id desc, g.id",
        {"repo": repo.row_id},
    )
    return [_class_of(row) for row in rows]


def _found(found: EnergyClass) -> dict[str, object]:
    index = found.index
    return {
        "snapshot_id": found.snapshot_id,
        "axis": found.axis,
        "letter": found.letter,
        "reason": found.reason,
        "is_estimated": found.is_estimated,
        "index": index.value if index else None,
        "index_low": index.low if index else None,
        "index_high": index.high if index else None,
        "peers": found.peers,
        "widened_to": found.widened_to,
    }


def _class_of(row: Row) -> ModelClass:
    return ModelClass(
        **vars(key_of(row)),
        **json.loads(row["found"]),
        taken_on=row["taken_on"],
        commit_id=row["commit_oid"].hex(),
        disclaimer=DISCLAIMER,
    )
