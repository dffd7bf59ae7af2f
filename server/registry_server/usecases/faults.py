"""What is wrong with one stored thing, by hashing it again."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from itertools import chain

from registry_core.errors import NotFound, Unavailable
from registry_core.ids import Digest
from registry_server.blobs.store import CHUNK_BYTES, key_of, xorb_key
from registry_server.catalog import xet
from registry_server.catalog.engine import Transaction
from registry_server.catalog.stored import StoredFile, StoredXorb
from registry_server.git.objects import BLOB_TYPE, COMMIT_TYPE, TAG_TYPE, TREE_TYPE, StoredObject
from registry_server.usecases.context import Registry
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import file_hash
from registry_server.xet.xorb import XorbIndex, verify_xorb

Progress = Callable[[int], None]
"""Is called with the number of bytes just done."""

MISSING = "the bytes are missing"

_TYPE_NAMES = {COMMIT_TYPE: b"commit", TREE_TYPE: b"tree", BLOB_TYPE: b"blob", TAG_TYPE: b"tag"}


class Unreadable(Exception):
    """The system would not give the bytes: that may be a wrong user or a loose cable, so nothing is concluded."""


def blob_fault(
    registry: Registry, digest: bytes, size_bytes: int, git_id: bytes | None, progress: Progress = lambda _: None
) -> str | None:
    """What is wrong with the bytes of a whole file; None when nothing is.

    `git_id` is that of the git blob of which these are the bytes. Raises Unreadable.
    """
    sha256 = hashlib.sha256()
    sha1 = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
    received = 0
    try:
        for piece in _pieces(registry, key_of(Digest(digest.hex())), progress):
            sha256.update(piece)
            if git_id is not None:
                sha1.update(piece)
            received += len(piece)
    except (NotFound, Unavailable):
        return MISSING
    if received != size_bytes:
        return f"{received} bytes are stored, and {size_bytes} were received"
    if sha256.digest() != digest:
        return "the SHA-256 differs"
    if git_id is not None and sha1.digest() != git_id:
        return "the git id differs"
    return None


def xorb_fault(
    registry: Registry, row: StoredXorb, progress: Progress = lambda _: None
) -> tuple[str | None, XorbIndex | None]:
    """What is wrong with a xorb, and the index of its bytes where these are sound. Raises Unreadable."""
    try:
        found = verify_xorb(row.hash, _pieces(registry, xorb_key(row.hash), progress))
    except (NotFound, Unavailable):
        return MISSING, None
    except InvalidXet:
        return "its chunks make another hash, or cannot be read", None
    is_same = found == row.index and found.size_bytes == row.size_bytes
    return (None if is_same else "its index is of other bytes"), found


def file_fault(tx: Transaction, file: StoredFile) -> str | None:
    """Why a Xet file cannot be rebuilt from the xorbs that are stored; None when it can.

    Only names and sizes are compared: the chunks are hashed with their xorbs.
    """
    names = {term.xorb for term in file.terms}
    indexes = xet.xorb_indexes(tx, names)
    if names - indexes.keys():
        return "a xorb is missing"
    if any(not term.start < term.end <= indexes[term.xorb].chunks for term in file.terms):
        return "a term is outside of its xorb"
    if sum(term.raw_bytes for term in file.terms) != file.size_bytes:
        return "the terms have another size"
    leaves = chain.from_iterable(indexes[term.xorb].leaves(term.start, term.end) for term in file.terms)
    return None if file_hash(leaves) == file.hash else "the hash differs"


def object_fault(thing: StoredObject) -> str | None:
    """What is wrong with a git object that is kept in the catalog; None when nothing is."""
    if thing.data is None:
        return None  # its bytes are a whole file's
    try:
        content = zlib.decompress(thing.data)
    except zlib.error as error:
        return f"it cannot be unpacked: {error}"
    header = b"%s %d\0" % (_TYPE_NAMES.get(thing.type, b"?"), len(content))
    if hashlib.sha1(header + content, usedforsecurity=False).digest() != thing.oid:
        return "the git id differs"
    if len(content) != thing.size_bytes or hashlib.sha256(content).digest() != thing.sha256:
        return "the size or the SHA-256 differs"
    return None


def _pieces(registry: Registry, key: str, progress: Progress) -> Iterator[bytes]:
    """The bytes of a blob. Raises NotFound and Unavailable when there are none to have, else Unreadable."""
    try:
        with registry.blobs.open(key) as file:
            while piece := file.read(CHUNK_BYTES):
                progress(len(piece))
                yield piece
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
