"""Who asked to read the files of a gated repo, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.repos import Repo

Status = Literal["pending", "accepted", "rejected"]


@dataclass(frozen=True)
class Admission:
    """One account's request, and where it stands."""

    number: int
    account_id: int
    account: str
    status: Status
    reason: str | None  # why it was rejected
    asked_at: str


_SELECT = (
    "select q.id, q.account_id, a.name, q.status, q.reason, q.asked_at from admissions q"
    " join accounts a on a.id = q.account_id where q.repo_id = :repo"
)


def ask(tx: Transaction, repo: Repo, account_id: int, status: Status, at: str) -> None:
    """Note a request; nothing happens when the account has one."""
    tx.execute(
        "insert into admissions (repo_id, account_id, status, asked_at) values (:repo, :account, :status, :at)"
        " on conflict (repo_id, account_id) do nothing",
        {"repo": repo.row_id, "account": account_id, "status": status, "at": at},
    )


def settle(tx: Transaction, number: int, status: Status, reason: str | None) -> None:
    """Say where a request stands from now on."""
    tx.execute(
        "update admissions set status = :status, reason = :reason where id = :id",
        {"id": number, "status": status, "reason": reason},
    )


def of_account(tx: Transaction, repo: Repo, account_id: int) -> Admission | None:
    """The request of one account."""
    rows = tx.execute(f"{_SELECT} and q.account_id = :account", {"repo": repo.row_id, "account": account_id})
    return _admission(rows[0]) if rows else None


def by_number(tx: Transaction, repo: Repo, number: int) -> Admission | None:
    """The request of that number, if it is one for this repo."""
    rows = tx.execute(f"{_SELECT} and q.id = :id", {"repo": repo.row_id, "id": number})
    return _admission(rows[0]) if rows else None


def with_status(tx: Transaction, repo: Repo, status: Status) -> list[Admission]:
    """The requests that stand there, oldest first."""
    rows = tx.execute(f"{_SELECT} and q.status = :status order by q.id", {"repo": repo.row_id, "status": status})
    return [_admission(row) for row in rows]


def _admission(row: Row) -> Admission:
    return Admission(row["id"], row["account_id"], row["name"], row["status"], row["reason"], row["asked_at"])
