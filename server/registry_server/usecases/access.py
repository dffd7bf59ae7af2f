"""Who may do what. Default deny; a hidden repo and an absent one give the same answer."""

from __future__ import annotations

import re
from typing import Literal

from registry_core.errors import Forbidden, Gated, RepoNotFound, Unauthenticated
from registry_core.ids import Owner, RepoId, RepoKind
from registry_server.catalog import accounts, pulls, repos
from registry_server.catalog.accounts import Account, Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo

Need = Literal["see", "read", "write", "admin"]
"""See what a repo is and which files it has; read the files; push; manage."""


_PULLS = "refs/pr/"
_PULL = re.compile(f"{_PULLS}[1-9][0-9]{{0,8}}")

_ENOUGH: dict[Need, tuple[str, ...]] = {
    "write": ("write", "admin"),
    "admin": ("admin",),
}


class RepoMoved(RepoNotFound):
    """The repo has another name now, and the caller may read it there."""

    def __init__(self, old: RepoId, new: RepoId) -> None:
        super().__init__("Repository not found", hint=f"It is called {new} now.")
        self.old = old
        self.new = new


def open_repo(tx: Transaction, caller: Caller, kind: RepoKind, repo_id: RepoId, need: Need = "read") -> Repo:
    """The repo, if the caller may do with it what `need` says.

    Raises RepoNotFound when it is absent or hidden, Gated when its files are for others, Unauthenticated or Forbidden
    when it is seen but not the caller's.
    """
    repo = repos.visible(tx, caller, kind, repo_id)
    if repo is None:
        moved = repos.moved(tx, caller, kind, repo_id)
        if moved is not None:
            raise RepoMoved(repo_id, moved.id)
        raise RepoNotFound("Repository not found", hint="Check the name, and that your token may read it.")
    if need == "read" and not repos.is_readable(tx, caller, repo):
        raise Gated(
            f"Access to {repo.kind} {repo.id} is restricted and you are not in the authorized list.",
            hint=f"Ask for access: registry access request {repo.id}"
            if repo.kind == "model"
            else "Ask its owner for access.",
        )
    if need in ("write", "admin"):
        require_role(
            tx,
            caller,
            repo.owner_id,
            need,
            f"{need} to {repo.id}" if need == "write" else f"manage {repo.id}",
        )
    return repo


def open_for_push(tx: Transaction, caller: Caller, kind: RepoKind, repo_id: RepoId, ref: str | None) -> Repo:
    """The repo, if the caller may push to `ref`: to their own pull request, or else as one who may write.

    None stands for a pull request that is yet to be opened.
    """
    if ref is None:
        return open_for_proposal(tx, caller, kind, repo_id)
    if not is_pull(ref):
        return open_repo(tx, caller, kind, repo_id, "write")
    repo = open_for_proposal(tx, caller, kind, repo_id)
    pull = pulls.by_number(tx, repo.row_id, int(ref.removeprefix(_PULLS)))
    if pull is not None and pull.account_id == caller.account_id:
        return repo
    return open_repo(tx, caller, kind, repo_id, "write")


def open_for_proposal(tx: Transaction, caller: Caller, kind: RepoKind, repo_id: RepoId) -> Repo:
    """The repo, if the caller may propose changes to it: may read it, and has a token that may write."""
    repo = open_repo(tx, caller, kind, repo_id)
    require_writing_token(caller, f"propose changes to {repo.id}")
    return repo


def is_pull(ref: str) -> bool:
    """Whether `ref` is that of a pull request."""
    return _PULL.fullmatch(ref) is not None


def open_namespace(tx: Transaction, caller: Caller, name: Owner) -> Account:
    """The account `name`, if the caller may make repos in it."""
    require_account(caller)
    account = accounts.by_name(tx, name)
    if account is None:
        raise Forbidden(
            f"You may not create repos for {name!r}.",
            hint="Use your own name or an organisation in which you may write.",
        )
    require_role(tx, caller, account.id, "write", f"create repos for {account.name!r}")
    return account


def require_role(tx: Transaction, caller: Caller, owner_id: int, need: Need, what: str) -> None:
    """Raise unless the caller's account and token together allow `need` on the things of `owner_id`."""
    require_writing_token(caller, what)
    if caller.is_admin:
        return
    if accounts.role_in(tx, caller.account_id, owner_id) not in _ENOUGH[need]:
        raise Forbidden(f"You may not {what}.", hint="Ask its owner for the right, or use your own namespace.")


def require_account(caller: Caller) -> None:
    """Raise Unauthenticated for somebody without a token."""
    if caller.is_anonymous:
        raise _no_token()


def require_writing_token(caller: Caller, what: str) -> None:
    """Raise unless the caller has a token that may write."""
    require_account(caller)
    if caller.token_role != "write":
        raise Forbidden(f"This token may only read, not {what}.", hint="Use a token with the role write.")


def _no_token() -> Unauthenticated:
    return Unauthenticated("This needs a token.", hint="Run `registry login`, or send Authorization: Bearer TOKEN.")
