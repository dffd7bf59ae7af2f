"""Which tags, libraries and tasks there are, as far as a caller sees the repos that name them."""

from __future__ import annotations

from registry_core.ids import RepoKind
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import VISIBLE, seen_by

_MOST = 5000


def tags(tx: Transaction, caller: Caller, kind: RepoKind) -> list[str]:
    """The most frequent tags, by name."""
    rows = tx.execute(
        "select t.tag, count(*) as n from tags t join repos r on r.id = t.repo_id"
        f" where r.kind = :kind and {VISIBLE} group by t.tag order by n desc, t.tag limit :limit",
        {"kind": kind, "limit": _MOST, **seen_by(caller)},
    )
    return sorted(row["tag"] for row in rows)


def libraries_and_tasks(tx: Transaction, caller: Caller, kind: RepoKind) -> tuple[set[str], set[str]]:
    """What cards name as library, and as task."""
    rows = tx.execute(
        "select distinct c.library, c.task from cards c join repos r on r.id = c.repo_id"
        f" where r.kind = :kind and {VISIBLE}",
        {"kind": kind, **seen_by(caller)},
    )
    return {row["library"] for row in rows if row["library"]}, {row["task"] for row in rows if row["task"]}
