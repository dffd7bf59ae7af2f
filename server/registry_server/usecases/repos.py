"""Making, hiding and removing repos; their branches and tags."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from registry_core.errors import AlreadyExists, Forbidden, InvalidRevision, Refused, RevisionNotFound
from registry_core.ids import RepoId, RepoKind, Revision
from registry_server.catalog import audit, history, repos
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Gate, Repo
from registry_server.git.objects import INITIAL_ATTRIBUTES, tag_object
from registry_server.usecases import access, commits, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.holdings import FreedByDeleting, freed_by_deleting

_COMMIT_LIKE = re.compile(r"[0-9a-f]{40}")


def create(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, *, private: bool) -> Repo:
    """A new repo with its first commit. Raises AlreadyExists, Forbidden, Unauthenticated."""
    with registry.engine.write() as tx:
        owner = access.open_namespace(tx, caller, repo_id.owner)
        repo_id = RepoId(f"{owner.name}/{repo_id.name}")  # the owner in its stored spelling
        if repos.exists(tx, kind, repo_id):
            raise AlreadyExists(
                f"A {kind} repository called {repo_id} already exists",
                hint="Push to it, or choose another name.",
            )
        at = registry.stamp()
        repo = repos.add(tx, kind, repo_id, owner.id, private=private, at=at)
        audit.note(tx, at, caller, "repo.create", repo, {"private": private})
        commits.first_commit(registry, tx, repo, caller.name, {".gitattributes": INITIAL_ATTRIBUTES})
    return repo


def delete(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> FreedByDeleting:
    """Forget the repo, and tell what the collector will free of it and when. Bytes that others hold stay."""
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        freed = freed_by_deleting(tx, repo.row_id, registry.now())
        repos.remove(tx, repo)
        audit.note(tx, registry.stamp(), caller, "repo.delete", repo, {"private": repo.private})
    return freed


def move(registry: Registry, caller: Caller, kind: RepoKind, source: RepoId, target: RepoId) -> Repo:
    """Give the repo another name or owner; the old name leads to it from now on.

    Raises AlreadyExists, and what asking for the right to manage the one and to make the other raises.
    """
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, source, "admin")
        owner = access.open_namespace(tx, caller, target.owner)
        target = RepoId(f"{owner.name}/{target.name}")
        if target.key != repo.id.key and repos.exists(tx, kind, target):
            raise AlreadyExists(f"A {kind} repository called {target} already exists", hint="Choose another name.")
        repos.rename(tx, repo, target, owner.id)
        audit.note(tx, registry.stamp(), caller, "repo.move", repo, subject=target)
    return replace(repo, id=target, owner_id=owner.id)


def set_access(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    private: bool | None,
    gated: Gate | Literal[False] | None,
) -> Repo:
    """Hide the repo from strangers or show it to everybody, and say who may read its files; None changes nothing.

    Answers the repo as it is now.
    """
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        changed = repo
        if private is not None:
            repos.set_private(tx, repo, private)
            changed = replace(changed, private=private)
        if gated is not None:
            repos.set_gated(tx, repo, gated or None)
            changed = replace(changed, gated=gated or None)
        if changed != repo:
            detail = {"private": changed.private, "gated": changed.gated}
            audit.note(tx, registry.stamp(), caller, "repo.access", repo, detail)
    return changed


def create_branch(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, branch: str, start: Revision
) -> None:
    """A new branch at `start`.

    Raises AlreadyExists, RevisionNotFound, InvalidRevision, and Refused beside one that has it as a folder of its name.
    """
    name = f"refs/heads/{_ref_name(branch)}"
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "write")
        oid = bytes.fromhex(reading.resolve(tx, repo, start))
        _add_ref(tx, repo, name, oid, oid)


def delete_branch(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, branch: Revision) -> None:
    """Forget a branch. main stays. Raises Forbidden, RevisionNotFound."""
    name = f"refs/heads/{branch}"
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "write")
        if name == reading.MAIN:
            raise Forbidden("Cannot delete refs/heads/main")
        if not history.remove_ref(tx, repo.row_id, name):
            raise RevisionNotFound(f"Invalid rev id: {branch}")


def create_tag(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    tag: str,
    target: Revision,
    message: str,
) -> None:
    """A new tag at `target`, annotated when there is a message.

    Raises AlreadyExists, RevisionNotFound, InvalidRevision, and Refused beside one that has it as a folder of its name.
    """
    name = f"refs/tags/{_ref_name(tag)}"
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "write")
        commit = bytes.fromhex(reading.resolve(tx, repo, target))
        oid = commit
        if message:
            made = tag_object(target=commit, name=tag, author=caller.name, at=registry.now(), message=message)
            history.add_objects(tx, repo.row_id, [made])
            oid = made.oid
        _add_ref(tx, repo, name, oid, commit)


def delete_tag(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, tag: Revision) -> None:
    """Forget a tag. Raises RevisionNotFound."""
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "write")
        if not history.remove_ref(tx, repo.row_id, f"refs/tags/{tag}"):
            raise RevisionNotFound(f"Invalid rev id: {tag}")


def _add_ref(tx: Transaction, repo: Repo, name: str, oid: bytes, commit: bytes) -> None:
    other = history.ref_in_the_way(tx, repo.row_id, name)
    if other is not None:
        raise Refused(f"Reference {name} cannot stand beside {other}", hint="Choose another name, or delete that one.")
    if not history.add_ref(tx, repo.row_id, name, oid, commit):
        raise AlreadyExists(f"Reference {name} already exists", hint="Push to it, or choose another name.")


def _ref_name(text: str) -> Revision:
    """A name for a new ref; one that looks like a commit id or like a full ref would never be found again."""
    name = Revision(text)
    if name.startswith("refs/") or _COMMIT_LIKE.fullmatch(name):
        raise InvalidRevision(
            f"{text!r} cannot name a branch or a tag.",
            hint="Choose a name that is no commit id and no refs/….",
        )
    return name
