"""Which tags, libraries and tasks there are, as far as a caller sees the repos that name them."""

from __future__ import annotations

from registry_core.ids import RepoKind
from registry_server.catalog.accounts import Caller
from registry_server.catalog.cards import LABEL
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import VISIBLE_CARD, seen_by

_MOST = 5000


def tags(tx: Transaction, caller: Caller, kind: RepoKind) -> list[str]:
    """The most frequent tags, by name."""
    rows = tx.execute(
        "select l.name, count(*) as n from tags t join labels l on l.id = t.tag_id"
        " join cards c on c.repo_id = t.repo_id"
        f" where c.is_model = (:kind = 'model') and {VISIBLE_CARD} group by l.id order by n desc, l.name limit :limit",
        {"kind": kind, "limit": _MOST, **seen_by(caller)},
    )
    return sorted(row["name"] for row in rows)


def libraries_and_tasks(tx: Transaction, caller: Caller, kind: RepoKind) -> tuple[set[str], set[str]]:
    """What cards name as library, and as task."""
    rows = tx.execute(
        f"select distinct {LABEL.format('c.library_id')} as library, {LABEL.format('c.task_id')} as task from cards c"
        f" where c.is_model = (:kind = 'model') and {VISIBLE_CARD}",
        {"kind": kind, **seen_by(caller)},
    )
    return {row["library"] for row in rows if row["library"]}, {row["task"] for row in rows if row["task"]}
