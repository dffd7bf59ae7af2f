"""Gated repos: asking to read the files, and what the owner says to it."""

from __future__ import annotations

from registry_core.errors import AccountNotFound, AlreadyExists, Invalid
from registry_core.ids import RepoId, RepoKind
from registry_server.catalog import accounts, admissions
from registry_server.catalog.accounts import Caller
from registry_server.catalog.admissions import Admission, Status
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access
from registry_server.usecases.context import Registry


def ask(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> Status:
    """Where the caller's request stands now; one that is new is accepted at once where the repo admits everybody.

    Raises Invalid for a repo that is not gated.
    """
    access.require_account(caller)
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        if repo.gated is None:
            raise Invalid(f"{repo.id} is not gated.", hint="Whoever sees it may read its files: pull it.")
        admissions.ask(tx, repo, caller.account_id, "accepted" if repo.gated == "auto" else "pending", registry.stamp())
        found = admissions.of_account(tx, repo, caller.account_id)
    assert found is not None
    return found.status


def listed(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, status: Status) -> list[Admission]:
    """The requests of one status, for those who manage the repo."""
    with registry.engine.read() as tx:
        return admissions.with_status(tx, access.open_repo(tx, caller, kind, repo_id, "admin"), status)


def settle(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    asked: str | int,
    status: Status,
    reason: str | None = None,
) -> None:
    """Accept, reject or set back a request, which is named by its user or by its number.

    Raises AccountNotFound when there is no such request, and AlreadyExists when it stands there already.
    """
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        found = admissions.by_number(tx, repo, asked) if isinstance(asked, int) else _of_user(tx, repo, asked)
        if found is None:
            raise AccountNotFound(f"{asked!r:.100} did not ask to read {repo.id}.", hint="Grant access instead.")
        _set(tx, repo, found, status, reason)


def _of_user(tx: Transaction, repo: Repo, name: str) -> Admission | None:
    account = accounts.by_name(tx, name)
    return admissions.of_account(tx, repo, account.id) if account else None


def grant(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, user: str) -> None:
    """Let `user` read the files, who need not have asked. Raises AccountNotFound and AlreadyExists."""
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        account = accounts.by_name(tx, user)
        if account is None or account.kind != "user":
            raise AccountNotFound(f"There is no user {user!r:.100}.", hint="Check the name.")
        found = admissions.of_account(tx, repo, account.id)
        if found is None:
            admissions.ask(tx, repo, account.id, "accepted", registry.stamp())
        else:
            _set(tx, repo, found, "accepted", None)


def _set(tx: Transaction, repo: Repo, found: Admission, status: Status, reason: str | None) -> None:
    if found.status == status:
        raise AlreadyExists(f"The request of {found.account} for {repo.id} is {status} already.")
    admissions.settle(tx, found.number, status, reason)
