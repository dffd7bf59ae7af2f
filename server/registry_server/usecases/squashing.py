"""Giving up history: a branch as one commit."""

from __future__ import annotations

from registry_core.errors import RevisionNotFound, StaleParent
from registry_core.ids import CommitId, RepoId, RepoKind, Revision
from registry_server.catalog import cards, history, repos
from registry_server.catalog.accounts import Caller
from registry_server.git.objects import commit_id
from registry_server.usecases import access, commits, indexing, reading
from registry_server.usecases.context import Registry


def squash(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, branch: Revision, title: str
) -> CommitId:
    """Make the branch one commit without a parent that holds what is there now, and answer its id.

    What only the old commits held is freed by the collector. Raises RevisionNotFound for anything but a branch.
    """
    name = f"refs/heads/{branch.removeprefix('refs/heads/')}"
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        found = history.ref(tx, repo.row_id, [name])
        if found is None:
            raise RevisionNotFound(f"Invalid rev id: {branch}", hint="Only a branch can be squashed.")
        root = reading.root_of(tx, commit_id(found.commit_oid))
        made = commits.add_root(registry, tx, repo, caller.name, root, title)
        if not history.swap_ref(tx, repo.row_id, name, found.oid, made):
            raise StaleParent("The branch has moved meanwhile.", hint="Try again.")
        repos.touch(tx, repo.row_id, registry.stamp())
        if name == reading.MAIN:
            cards.index(tx, repo.row_id, indexing.derive(registry, tx, repo, commit_id(made), root))
    return commit_id(made)
