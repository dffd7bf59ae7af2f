"""Which model was made from which: what the cards at the heads of main name as their base models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_core.ids import RepoId
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import COLUMNS, VISIBLE, Repo, repo_of, seen_by


@dataclass(frozen=True)
class Base:
    """A model of this registry that another was made from."""

    name: str
    revision: str | None
    relation: str


def replace(tx: Transaction, repo_row_id: int, bases: Iterable[Base]) -> None:
    """What the repo was made from."""
    tx.execute("delete from bases where repo_id = :repo", {"repo": repo_row_id})
    tx.execute_many(
        "insert into bases (repo_id, position, base_key, revision, relation)"
        " values (:repo, :position, :key, :revision, :relation)",
        (
            {
                "repo": repo_row_id,
                "position": position,
                "key": base.name.lower(),
                "revision": base.revision,
                "relation": base.relation,
            }
            for position, base in enumerate(bases)
        ),
    )


def children(tx: Transaction, caller: Caller, repo_id: RepoId, limit: int) -> list[Repo]:
    """Models that the caller may see and that name `repo_id` as a base, by number, at most `limit`."""
    rows = tx.execute(
        f"select distinct {COLUMNS} from bases b join repos r on r.id = b.repo_id"
        f" where b.base_key = :key and r.kind = 'model' and {VISIBLE}"
        " order by r.id limit :limit",
        {"key": repo_id.key, "limit": limit, **seen_by(caller)},
    )
    return [repo_of(row) for row in rows]
