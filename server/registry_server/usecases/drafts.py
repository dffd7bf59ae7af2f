"""The changes of a commit as git objects, before anybody knows the head they will stand on.

Small files come with the commit; large ones were uploaded before, and only such as the caller may name count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from registry_core.card import CARD_PATH, parse_card
from registry_core.errors import Refused
from registry_core.ids import Digest, RepoPath
from registry_server.blobs.store import key_of
from registry_server.catalog import blobs, weights, xet
from registry_server.catalog.accounts import Caller
from registry_server.catalog.blobs import Stored
from registry_server.catalog.repos import Repo
from registry_server.catalog.weights import Weights
from registry_server.catalog.xet import XetFile
from registry_server.git.changes import Change, Delete, Put
from registry_server.git.objects import StoredObject, blob_object, detached_blob, pointer_text
from registry_server.usecases import indexing, xet_checking
from registry_server.usecases.context import Registry

_CATALOG_BLOB_BYTES = 128 * 1024
"""Inline files above this size are kept in the blob store, where they can be read in ranges."""


@dataclass(frozen=True)
class InlineFile:
    """A small file whose bytes come with the commit."""

    path: RepoPath
    content: bytes


@dataclass(frozen=True)
class LargeFile:
    """A file whose bytes were uploaded before; `size_bytes` is absent when it is copied inside the repo."""

    path: RepoPath
    digest: Digest
    size_bytes: int | None


@dataclass(frozen=True)
class Deletion:
    """A file, or a folder with everything in it."""

    path: RepoPath


Operation = InlineFile | LargeFile | Deletion


@dataclass
class Draft:
    """A commit in the making, independent of the head it will stand on."""

    changes: list[Change] = field(default_factory=list)
    objects: list[StoredObject] = field(default_factory=list)
    pointers: list[tuple[bytes, bytes, int]] = field(default_factory=list)  # git id, SHA-256, size
    large: dict[bytes, Stored] = field(default_factory=dict)  # by SHA-256, files uploaded before
    unchecked: dict[bytes, bytes] = field(default_factory=dict)  # SHA-256 -> Xet file that the caller just registered
    detached: dict[bytes, int] = field(default_factory=dict)  # SHA-256 -> size of inline files in the blob store
    weights: list[Weights] = field(default_factory=list)


def draft(
    registry: Registry, caller: Caller, repo: Repo, operations: Iterable[Operation], *, is_proposal: bool = False
) -> Draft:
    """The operations as objects; large inline files go to the blob store on the way.

    In a proposal, which anybody can make who reads the repo, nothing is taken on its uploader's word alone.
    Raises InvalidCard, and Refused for a large file that was not uploaded.
    """
    made = Draft()
    large: list[LargeFile] = []
    for operation in operations:
        if isinstance(operation, InlineFile):
            _draft_inline(registry, made, operation)
        elif isinstance(operation, LargeFile):
            large.append(operation)
            made.changes.append(Put(operation.path, b""))  # its git id is known once the size is
        else:
            made.changes.append(Delete(operation.path))
    if large:
        _draft_large(registry, caller, repo, made, large, is_proposal=is_proposal)
    return made


def _draft_inline(registry: Registry, draft: Draft, file: InlineFile) -> None:
    if file.path == CARD_PATH:
        parse_card(file.content)  # a faulty card refuses the whole push before anything is stored
    if len(file.content) <= _CATALOG_BLOB_BYTES:
        blob = blob_object(file.content)
    else:
        blob = detached_blob(file.content)
        digest = Digest(hashlib.sha256(file.content).hexdigest())
        registry.blobs.put(key_of(digest), [file.content], digest=digest, size_bytes=len(file.content))
        draft.detached[blob.sha256] = len(file.content)
    draft.objects.append(blob)
    draft.changes.append(Put(file.path, blob.oid))


def _draft_large(
    registry: Registry, caller: Caller, repo: Repo, draft: Draft, files: list[LargeFile], *, is_proposal: bool
) -> None:
    digests = [bytes.fromhex(file.digest) for file in files]
    own = _own_files(registry, caller, digests)
    if is_proposal and any(not registered.is_checked for registered in own.values()):
        _check(registry, own.values())
        own = {digest: file for digest, file in _own_files(registry, caller, digests).items() if file.is_checked}
    with registry.engine.read() as tx:
        draft.large = blobs.granted(tx, caller, repo.row_id, digests, registry.upload_grace_start())
        own = {digest: file for digest, file in own.items() if digest not in draft.large}
        draft.unchecked = {digest: file.hash for digest, file in own.items()}
        found = draft.large | {digest: Stored(file.size_bytes, file.hash) for digest, file in own.items()}
        read_before = weights.known(tx, [stored.xet_file or digest for digest, stored in found.items()])
    by_path: dict[RepoPath, bytes] = {}
    for file, digest in zip(files, digests, strict=True):
        stored = found.get(digest)
        if stored is None or file.size_bytes not in (None, stored.size_bytes):
            raise _not_uploaded(file)
        pointer = blob_object(pointer_text(file.digest, stored.size_bytes))
        draft.objects.append(pointer)
        draft.pointers.append((pointer.oid, digest, stored.size_bytes))
        by_path[file.path] = pointer.oid
        if file.path.endswith(".safetensors") and (stored.xet_file or digest) not in read_before:
            draft.weights.append(indexing.read_weights(registry, file.digest, stored))
    draft.changes = [
        Put(change.path, by_path[change.path]) if isinstance(change, Put) and not change.oid else change
        for change in draft.changes
    ]


def _own_files(registry: Registry, caller: Caller, digests: Iterable[bytes]) -> dict[bytes, XetFile]:
    """Files that the caller registered lately, whose SHA-256 may still be unchecked."""
    with registry.engine.read() as tx:
        return xet.own_files(tx, caller, digests, registry.upload_grace_start())


def _check(registry: Registry, files: Iterable[XetFile]) -> None:
    for file in files:
        if not file.is_checked:
            xet_checking.check(registry, file)


def _not_uploaded(file: LargeFile) -> Refused:
    return Refused(
        f"The bytes of {file.path} ({file.digest[:12]}…) were not uploaded.",
        hint="Upload the file first, then commit it.",
    )
