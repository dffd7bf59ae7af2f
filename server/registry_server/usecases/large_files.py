"""Looking through the large files of a repo's whole history, to see what takes room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_core.ids import Digest, RepoId, RepoKind
from registry_server.catalog import history, large_files
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.objects import TREE_MODE, commit_id, raw
from registry_server.usecases import access, reading
from registry_server.usecases.context import Registry

PAGE = 1000


@dataclass(frozen=True)
class Listed:
    """A large file; `path` is one place where it is or was, `ref` a ref at whose head it is."""

    digest: Digest
    size_bytes: int
    stored_at: str
    path: str
    ref: str | None


def listed(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, after: Digest | None) -> list[Listed]:
    """A page of large files by digest, and one more when there are more. For those who may write."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "write")
        files = large_files.of_repo(tx, repo.row_id, bytes.fromhex(after or ""), PAGE + 1)
        places = _places(tx, repo, {file.pointer for file in files})
    return [
        Listed(Digest(file.digest.hex()), file.size_bytes, file.stored_at, *places.get(file.pointer, ("unknown", None)))
        for file in files
    ]


def _places(tx: Transaction, repo: Repo, pointers: set[bytes]) -> dict[bytes, tuple[str, str | None]]:
    """Path and ref of each pointer: at the head of a ref, or else the name it has in some tree of the past."""
    found: dict[bytes, tuple[str, str | None]] = {}
    for ref in sorted(reading.refs(tx, repo), key=lambda ref: (ref.name != reading.MAIN, ref.name)):
        for file in reading.files(tx, repo, commit_id(ref.commit_oid)):
            if file.oid in pointers:
                found.setdefault(file.oid, (file.path, ref.name))
    if pointers - found.keys():
        for oid, name in _names(tx, large_files.trees(tx, repo.row_id)):
            if oid in pointers:
                found.setdefault(oid, (name, None))
    return found


def _names(tx: Transaction, trees: list[bytes]) -> Iterable[tuple[bytes, str]]:
    for start in range(0, len(trees), 500):
        for tree in history.trees(tx, trees[start : start + 500]).values():
            for name, mode, oid in tree.items():
                if mode != TREE_MODE:
                    yield raw(oid), name.decode()
