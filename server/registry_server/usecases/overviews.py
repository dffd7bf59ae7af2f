"""What is told of accounts: who they are, what they have."""

from __future__ import annotations

from dataclasses import dataclass

from registry_core.errors import AccountNotFound, Forbidden
from registry_server.catalog import accounts, repos
from registry_server.catalog.accounts import Account, AccountKind, Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access
from registry_server.usecases.context import Registry


@dataclass(frozen=True)
class Overview:
    """An account, and how many repos of it the caller sees, by kind."""

    account: Account
    repos: dict[str, int]
    members: int


@dataclass(frozen=True)
class Usage:
    """A repo and what its history takes up."""

    repo: Repo
    used_bytes: int


def overview(registry: Registry, caller: Caller, name: str, kind: AccountKind) -> Overview:
    """Raises AccountNotFound."""
    with registry.engine.read() as tx:
        account = _account(tx, name, kind)
        members = len(accounts.members(tx, account.id))
        return Overview(account, repos.numbers(tx, caller, account.id), members)


def members(registry: Registry, caller: Caller, name: str) -> list[str]:
    """Who belongs to an organisation. Only its own members are told. Raises AccountNotFound, Forbidden."""
    with registry.engine.read() as tx:
        org = _account(tx, name, "org")
        _require_member(tx, caller, org)
        return accounts.members(tx, org.id)


def usage(registry: Registry, caller: Caller, name: str | None, after: int, limit: int) -> list[Usage]:
    """The repos of an organisation of the caller's, or for None of the caller, and one more when there are more."""
    access.require_account(caller)
    with registry.engine.read() as tx:
        owner_id = caller.account_id
        if name is not None:
            org = _account(tx, name, "org")
            _require_member(tx, caller, org)
            owner_id = org.id
        found = repos.owned(tx, owner_id, after, limit + 1)
        return [Usage(repo, repos.used_bytes(tx, repo)) for repo in found]


def _account(tx: Transaction, name: str, kind: AccountKind) -> Account:
    account = accounts.by_name(tx, name)
    if account is None or account.kind != kind:
        raise AccountNotFound(f"There is no {'user' if kind == 'user' else 'organisation'} {name[:100]!r}.")
    return account


def _require_member(tx: Transaction, caller: Caller, org: Account) -> None:
    access.require_account(caller)
    if not caller.is_admin and accounts.role_in(tx, caller.account_id, org.id) is None:
        raise Forbidden(f"You are not a member of {org.name}.", hint="Ask one of its administrators.")
