"""Who did what, and when: lines that are added and never changed.

A line is written in the transaction of the act it tells of, so that neither stands without the other. Names are kept as
they were at that moment: accounts, repos and their row numbers may go, and the line stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry_core.ids import RepoId
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.repos import Repo


@dataclass(frozen=True)
class Entry:
    """One line. `account` is None for what the server, or somebody on its own machine, did."""

    at: str
    account: str | None
    action: str  # NOUN.VERB, as in repo.delete
    repo: str | None  # as it was called then
    repo_kind: str | None
    subject: str  # what else the act was about: a user, a file, a new name
    detail: dict[str, Any] = field(default_factory=dict)


def note(
    tx: Transaction,
    at: str,
    caller: Caller | None,
    action: str,
    repo: Repo | None = None,
    detail: Mapping[str, object] | None = None,
    *,
    subject: str = "",
) -> None:
    """Add a line, in the transaction of the act. No caller: the server, or somebody on its own machine, did it."""
    tx.execute(
        "insert into audit (at, account, action, repo_kind, repo, repo_key, subject, detail)"
        " values (:at, :account, :action, :kind, :repo, :key, :subject, :detail)",
        {
            "at": at,
            "account": caller.name if caller and not caller.is_anonymous else None,
            "action": action,
            "kind": repo.kind if repo else None,
            "repo": repo.id if repo else None,
            "key": repo.id.key if repo else None,
            "subject": subject,
            "detail": json.dumps(detail or {}, ensure_ascii=False, sort_keys=True),
        },
    )


def entries(tx: Transaction, *, since: str = "", repo: RepoId | None = None) -> list[Entry]:
    """The lines from `since` on, oldest first; those of one repo, under any kind, if one is named."""
    of_repo = "" if repo is None else " and (repo_key = :key or (action = 'repo.move' and lower(subject) = :key))"
    rows = tx.execute(
        f"select at, account, action, repo, repo_kind, subject, detail from audit where at >= :since{of_repo}"
        " order by id",
        {"since": since, "key": repo.key if repo else None},
    )
    return [_entry(row) for row in rows]


def _entry(row: Row) -> Entry:
    return Entry(
        row["at"],
        row["account"],
        row["action"],
        row["repo"],
        row["repo_kind"],
        row["subject"],
        json.loads(row["detail"]),
    )
