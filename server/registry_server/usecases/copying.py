"""Copies of repos and of large files, which cost no bytes: both sides then name what is stored once.

A copy takes what its maker may name: the source is one they read, and its large files are checked or their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry_core.errors import AlreadyExists, Refused
from registry_core.ids import Digest, RepoId, RepoKind, Revision
from registry_server.catalog import audit, blobs, cards, history, repos, xet
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.objects import commit_id
from registry_server.usecases import access, commits, indexing, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.reading import File

_MAIN = Revision("main")


def duplicate(
    registry: Registry, caller: Caller, kind: RepoKind, source_id: RepoId, target_id: RepoId, *, private: bool | None
) -> Repo:
    """A new repo with the files that are at the source's main, in one commit. None: as private as the source.

    Raises AlreadyExists, Refused, and what asking for the right to read the one and to make the other raises.
    """
    with registry.engine.write() as tx:
        source = access.open_repo(tx, caller, kind, source_id)
        owner = access.open_namespace(tx, caller, target_id.owner)
        target_id = RepoId(f"{owner.name}/{target_id.name}")
        if repos.exists(tx, kind, target_id):
            raise AlreadyExists(f"A {kind} repository called {target_id} already exists", hint="Choose another name.")
        is_private = source.private if private is None else private
        at = registry.stamp()
        target = repos.add(tx, kind, target_id, owner.id, private=is_private, at=at)
        audit.note(tx, at, caller, "repo.create", target, {"private": is_private, "copy_of": source.id})
        root = reading.root_of(tx, reading.resolve(tx, source, _MAIN))
        _share_tree(registry, tx, caller, source, target, root)
        made = commits.add_root(registry, tx, target, caller.name, root, f"Duplicate from {source.id}")
        history.add_ref(tx, target.row_id, reading.MAIN, made, made)
        cards.index(tx, target.row_id, indexing.derive(registry, tx, target, commit_id(made), root))
    return target


def copy_files(
    registry: Registry,
    caller: Caller,
    source: tuple[RepoKind, RepoId],
    target: tuple[RepoKind, RepoId],
    digests: Iterable[Digest],
) -> dict[Digest, str]:
    """Let the caller commit large files of the source to the target; what is wrong with those they may not."""
    wanted = {bytes.fromhex(digest): digest for digest in digests}
    at = registry.stamp()
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, *source)
        access.open_for_proposal(tx, caller, *target)
        held = [digest for digest in wanted if blobs.held(tx, repo.row_id, digest) is not None]
        granted = blobs.granted(tx, caller, repo.row_id, held, registry.upload_grace_start())
        blobs.see(tx, granted, at)
        for digest in granted:  # the commit that follows counts even if the source is hidden meanwhile
            blobs.add_upload(tx, caller.account_id, digest, at)
    return {
        name: "Its content is still being checked." if digest in held else f"{repo.id} holds no such file."
        for digest, name in wanted.items()
        if digest not in granted
    }


def _share_tree(registry: Registry, tx: Transaction, caller: Caller, source: Repo, target: Repo, root: bytes) -> None:
    """Make the target an owner of everything in the tree. Raises Refused while a large file is not checked yet."""
    items = reading.list_tree(tx, source, root, recursive=True)
    history.own_objects(tx, target.row_id, {root, *(item.oid for item in items)})
    large = {item.facts.sha256 for item in items if isinstance(item, File) and not item.facts.in_catalog}
    since = registry.upload_grace_start()
    granted = blobs.granted(tx, caller, source.row_id, large, since)
    own = xet.own_files(tx, caller, large - granted.keys(), since)
    if granted.keys() | own.keys() != large:
        raise Refused(
            f"Some files of {source.id} are still being checked, or were found wrong.",
            hint="Try again in a few minutes.",
        )
    blobs.see(tx, granted, registry.stamp())
    blobs.hold(tx, target.row_id, granted)
    blobs.hold_unchecked(tx, target.row_id, {digest: file.hash for digest, file in own.items()})
