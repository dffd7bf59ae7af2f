"""Reading a repo: revisions, folders, files, the log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from registry_core.errors import EntryNotFound, RevisionNotFound
from registry_core.ids import CommitId, Digest, RepoPath, Revision
from registry_server.catalog import history, touches
from registry_server.catalog.engine import Transaction
from registry_server.catalog.history import CommitEntry, FileFacts, Ref
from registry_server.catalog.repos import Repo
from registry_server.git.objects import TREE_MODE, commit_id, raw
from registry_server.usecases import contents
from registry_server.usecases.context import Registry

MAIN = "refs/heads/main"

_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")


@dataclass(frozen=True)
class File:
    """A file of one commit."""

    path: str
    oid: bytes  # git id of the blob, which is the pointer's for a large file
    facts: FileFacts

    @property
    def digest(self) -> Digest:
        return Digest(self.facts.sha256.hex())

    @property
    def content_key(self) -> bytes:
        """What tells of the bytes themselves: a SHA-256 that somebody claimed for a Xet file may not be checked yet."""
        return self.facts.xet_file or self.facts.sha256

    @property
    def size_bytes(self) -> int:
        return self.facts.size_bytes

    @property
    def etag(self) -> str:
        """What Hub clients name a cached file by: the SHA-256 of a large file, the git id of a small one."""
        return self.digest if self.facts.is_lfs else self.oid.hex()


@dataclass(frozen=True)
class Folder:
    """A folder of one commit."""

    path: str
    oid: bytes


def resolve(tx: Transaction, repo: Repo, revision: Revision) -> CommitId:
    """The commit that `revision` means in `repo`. Raises RevisionNotFound."""
    if revision.is_commit_id:
        oid = history.owned_commit(tx, repo.row_id, bytes.fromhex(revision))
        if oid is not None:
            return commit_id(oid)
    found = history.ref(tx, repo.row_id, [f"refs/heads/{revision}", f"refs/tags/{revision}", revision])
    if found is not None:
        return commit_id(found.commit_oid)
    if _SHORT_COMMIT.fullmatch(revision):
        low, high = revision.ljust(40, "0"), revision.ljust(40, "f")
        commits = history.commits_with_prefix(tx, repo.row_id, bytes.fromhex(low), bytes.fromhex(high))
        if len(commits) == 1:
            return commit_id(commits[0])
    raise RevisionNotFound(f"Invalid rev id: {revision}", hint="Look at the repo's branches and tags.")


def root_of(tx: Transaction, commit: CommitId) -> bytes:
    """The id of a commit's root tree."""
    oid = bytes.fromhex(commit)
    return raw(history.objects(tx, [oid])[oid].commit().tree)


def entry(tx: Transaction, repo: Repo, commit: CommitId, path: RepoPath) -> File | Folder:
    """What stands at `path`. Raises EntryNotFound."""
    oid, mode = root_of(tx, commit), TREE_MODE
    for part in path.parts:
        if mode != TREE_MODE:
            raise EntryNotFound("Entry not found", commit_id=commit)
        tree = history.trees(tx, [oid])[oid]
        if part.encode() not in tree:
            raise EntryNotFound("Entry not found", commit_id=commit)
        mode, name = tree[part.encode()]
        oid = raw(name)
    if mode == TREE_MODE:
        return Folder(path, oid)
    return File(path, oid, history.file_facts(tx, repo.row_id, [oid])[oid])


def file(tx: Transaction, repo: Repo, commit: CommitId, path: RepoPath) -> File:
    """The file at `path`. Raises EntryNotFound, also for a folder."""
    found = entry(tx, repo, commit, path)
    if isinstance(found, Folder):
        raise EntryNotFound("Entry not found", commit_id=commit)
    return found


def listing(
    tx: Transaction, repo: Repo, commit: CommitId, path: RepoPath | None = None, *, recursive: bool
) -> list[File | Folder]:
    """What is in the folder at `path` (the root for None), and below it if `recursive`, by path.

    Raises EntryNotFound when `path` is not a folder.
    """
    start = root_of(tx, commit)
    if path is not None:
        found = entry(tx, repo, commit, path)
        if isinstance(found, File):
            raise EntryNotFound("Entry not found", commit_id=commit)
        start = found.oid
    return list_tree(tx, repo, start, path, recursive=recursive)


def list_tree(
    tx: Transaction, repo: Repo, root: bytes, path: str | None = None, *, recursive: bool
) -> list[File | Folder]:
    """What is in the tree `root`, whose place in the repo is `path`: one look-up for each depth, one for all files."""
    folders: list[Folder] = []
    blobs: list[tuple[str, bytes]] = []
    level = [(f"{path}/" if path else "", root)]
    while level:
        trees = history.trees(tx, [oid for _, oid in level])
        below: list[tuple[str, bytes]] = []
        for prefix, oid in level:
            for name, mode, child in trees[oid].items():
                place = prefix + name.decode()
                if mode == TREE_MODE:
                    folders.append(Folder(place, raw(child)))
                    below.append((f"{place}/", raw(child)))
                else:
                    blobs.append((place, raw(child)))
        level = below if recursive else []
    facts = history.file_facts(tx, repo.row_id, dict.fromkeys(oid for _, oid in blobs))
    files = [File(place, oid, facts[oid]) for place, oid in blobs]
    return sorted([*folders, *files], key=lambda item: item.path)


def files(tx: Transaction, repo: Repo, commit: CommitId) -> list[File]:
    """Every file of the commit, by path."""
    return [item for item in listing(tx, repo, commit, recursive=True) if isinstance(item, File)]


def content(registry: Registry, tx: Transaction, wanted: File) -> bytes:
    """The whole file. Only for files that are known to be small."""
    if wanted.facts.in_catalog:
        return history.objects(tx, [wanted.oid])[wanted.oid].content
    return contents.read(registry, wanted.digest, wanted.facts.xet_file, 0, wanted.size_bytes)


def log(tx: Transaction, repo: Repo, commit: CommitId, limit: int) -> list[CommitEntry]:
    """Up to `limit` commits from `commit` back, newest first."""
    return history.log(tx, repo.row_id, bytes.fromhex(commit), limit)


def last_commits(
    tx: Transaction, repo: Repo, commit: CommitId, items: Iterable[File | Folder]
) -> dict[str, CommitEntry]:
    """The last commit, at `commit` or before it, that touched each of the items; by path."""
    places = {(folder, name): item.path for item in items for folder, _, name in [item.path.rpartition("/")]}
    found = touches.last(tx, repo.row_id, bytes.fromhex(commit), places)
    return {places[place]: entry for place, entry in found.items()}


def refs(tx: Transaction, repo: Repo) -> list[Ref]:
    """All branches, tags and other refs of the repo, by name."""
    return history.refs(tx, repo.row_id)
