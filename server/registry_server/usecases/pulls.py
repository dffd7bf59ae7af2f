"""Pull requests: opening one without a commit, and looking at them. They are not merged here."""

from __future__ import annotations

from dataclasses import dataclass

from registry_core.errors import EntryNotFound
from registry_core.ids import RepoId, RepoKind
from registry_server.catalog import history, pulls
from registry_server.catalog.accounts import Caller
from registry_server.catalog.history import CommitEntry
from registry_server.catalog.pulls import Pull
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, reading
from registry_server.usecases.context import Registry

_MOST_COMMITS = 250


@dataclass(frozen=True)
class Detail:
    """A pull request with its commits, oldest first."""

    repo: Repo
    pull: Pull
    commits: list[CommitEntry]


def open_empty(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, title: str, description: str
) -> int:
    """A pull request on main whose commits are still to come; its number."""
    with registry.engine.write() as tx:
        repo = access.open_for_proposal(tx, caller, kind, repo_id)
        main = history.ref(tx, repo.row_id, [reading.MAIN])
        assert main is not None
        start = main.commit_oid
        new = Pull(
            0, caller.account_id, caller.name, reading.MAIN, start, "draft", title, description, registry.stamp()
        )
        return pulls.add(tx, repo.row_id, new, start)


def listed(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> tuple[Repo, list[Pull]]:
    """The repo and its pull requests, newest first."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        return repo, pulls.of_repo(tx, repo.row_id)


def detail(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, number: int) -> Detail:
    """One pull request. Raises EntryNotFound when the repo has none of that number."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id)
        pull = pulls.by_number(tx, repo.row_id, number)
        head = None if pull is None else history.ref(tx, repo.row_id, [pull.ref])
        if pull is None or head is None:
            raise EntryNotFound(f"{repo.id} has no pull request {number}.")
        log = history.log(tx, repo.row_id, head.commit_oid, _MOST_COMMITS)
    own = log[: next((i for i, entry in enumerate(log) if entry.oid == pull.start), len(log))]
    return Detail(repo, pull, own[::-1])
