"""Accounts, members and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from registry_server.catalog.engine import Row, Transaction

Role = Literal["read", "write", "admin"]
AccountKind = Literal["user", "org"]


@dataclass(frozen=True)
class Account:
    """A user or an organisation."""

    id: int
    name: str
    kind: AccountKind
    is_admin: bool


@dataclass(frozen=True)
class Caller:
    """Who asks, as a token proved it. `token_role` bounds what the account's own rights allow."""

    account_id: int
    name: str
    is_admin: bool
    token_name: str
    token_role: Literal["read", "write"]

    @property
    def is_anonymous(self) -> bool:
        return self.account_id == 0


ANONYMOUS = Caller(account_id=0, name="", is_admin=False, token_name="", token_role="read")


def by_name(tx: Transaction, name: str) -> Account | None:
    """The account of that name, in any case."""
    rows = tx.execute("select id, name, kind, is_admin from accounts where key = :key", {"key": name.lower()})
    return _account(rows[0]) if rows else None


def add(tx: Transaction, name: str, kind: AccountKind, *, is_admin: bool, at: str) -> Account:
    """A new account; the name must be free."""
    row = tx.execute(
        "insert into accounts (name, key, kind, is_admin, created_at) values (:name, :key, :kind, :is_admin, :at)"
        " returning id, name, kind, is_admin",
        {"name": name, "key": name.lower(), "kind": kind, "is_admin": int(is_admin), "at": at},
    )[0]
    return _account(row)


def set_member(tx: Transaction, org: Account, user: Account, role: Role) -> None:
    """Make `user` a member of `org` with `role`, or change the role."""
    tx.execute(
        "insert into members (org_id, user_id, role) values (:org, :user, :role)"
        " on conflict (org_id, user_id) do update set role = excluded.role",
        {"org": org.id, "user": user.id, "role": role},
    )


def role_in(tx: Transaction, account_id: int, owner_id: int) -> Role | None:
    """What `account_id` may do with the things of `owner_id`; one's own things are 'admin'."""
    if account_id and account_id == owner_id:
        return "admin"
    rows = tx.execute(
        "select role from members where org_id = :org and user_id = :user",
        {"org": owner_id, "user": account_id},
    )
    return rows[0]["role"] if rows else None


def organisations(tx: Transaction, account_id: int) -> list[tuple[str, Role]]:
    """Names of the organisations that the account belongs to, with its role, by name."""
    rows = tx.execute(
        "select a.name, m.role from members m join accounts a on a.id = m.org_id"
        " where m.user_id = :user order by a.key",
        {"user": account_id},
    )
    return [(row["name"], row["role"]) for row in rows]


def members(tx: Transaction, org_id: int) -> list[str]:
    """Names of the users that belong to an organisation, by name."""
    rows = tx.execute(
        "select a.name from members m join accounts a on a.id = m.user_id where m.org_id = :org order by a.key",
        {"org": org_id},
    )
    return [row["name"] for row in rows]


def add_token(tx: Transaction, account_id: int, digest: bytes, *, name: str, role: str, at: str) -> None:
    """Remember a token by its SHA-256; the token itself is never stored."""
    tx.execute(
        "insert into tokens (account_id, digest, name, role, created_at) values (:account, :digest, :name, :role, :at)",
        {"account": account_id, "digest": digest, "name": name, "role": role, "at": at},
    )


def caller_of_account(tx: Transaction, account_id: int) -> Caller:
    """The account as a caller whose rights are bounded elsewhere; the anonymous one when there is none."""
    rows = tx.execute("select id, name, is_admin from accounts where id = :id", {"id": account_id})
    if not rows:
        return ANONYMOUS
    return Caller(rows[0]["id"], rows[0]["name"], bool(rows[0]["is_admin"]), token_name="", token_role="read")


def caller_of_token(tx: Transaction, digest: bytes) -> Caller | None:
    """Who holds the token of that SHA-256."""
    rows = tx.execute(
        "select a.id, a.name, a.is_admin, t.name as token_name, t.role from tokens t"
        " join accounts a on a.id = t.account_id where t.digest = :digest",
        {"digest": digest},
    )
    if not rows:
        return None
    row = rows[0]
    return Caller(row["id"], row["name"], bool(row["is_admin"]), row["token_name"], row["role"])


def _account(row: Row) -> Account:
    return Account(id=row["id"], name=row["name"], kind=row["kind"], is_admin=bool(row["is_admin"]))
