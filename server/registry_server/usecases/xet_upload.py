"""Taking in what Xet clients send: xorbs, then the shard that says which files they make.

    store_xorb     every chunk is decoded and hashed before the xorb can be seen
    register       the shard's files are checked against stored xorbs, and noted
    dedup_answer   which chunks we have, so that a client sends only what is missing

Until the SHA-256 of a file is checked too (`xet_checking`), it is served only in repos that its uploader committed it
to.
"""

from __future__ import annotations

import hmac
import mmap
import os
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from typing import BinaryIO

from registry_core.errors import Unavailable
from registry_server.blobs.store import xorb_key
from registry_server.catalog import xet
from registry_server.catalog.engine import Transaction
from registry_server.catalog.xet import XetFile
from registry_server.usecases import xet_access
from registry_server.usecases.context import Registry, moment_before
from registry_server.usecases.xet_access import Session
from registry_server.xet.checks import check_file, check_xorb
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import HASH_BYTES, XetHash, eligible_chunks
from registry_server.xet.shard import Shard, ShardFile, keyed_shard, read_shard
from registry_server.xet.xorb import MAX_XORB_BYTES, XorbIndex, verify_xorb

_ANSWER_XORBS = 1024
_DAY_SECONDS = 24 * 3600
_ANSWER_DAYS = 7

# Verifying is work for a core; more at once than there are cores would only take more memory.
_verifying = threading.BoundedSemaphore(os.cpu_count() or 1)
_storing = [threading.Lock() for _ in range(64)]  # each for some of the xorbs


class _Stored(Exception):
    """Ends an upload that was verified, of a xorb that is here already."""


def store_xorb(registry: Registry, session: Session, xorb: XetHash, chunks: Iterable[bytes], size_bytes: int) -> bool:
    """Store a xorb if its bytes are what its hash says; False when the caller could build on it before.

    The hash names the chunks, not how they are compressed: bytes that are stored stay as they are, since the index
    tells where in them each chunk lies. Raises InvalidXet for other bytes and DigestDiffers when the upload was cut.
    """
    if size_bytes > MAX_XORB_BYTES:
        raise InvalidXet(f"A xorb of {size_bytes} bytes is above the limit of {MAX_XORB_BYTES}.")
    indexes: list[XorbIndex] = []
    with ExitStack() as alone:

        def verify(file: BinaryIO) -> None:
            with _verifying:
                indexes.append(verify_xorb(xorb, _pieces(file, size_bytes)))
            alone.enter_context(_storing[xorb[0] % len(_storing)])  # until the catalog knows these bytes
            _make_way(registry, indexes[0])

        try:
            registry.blobs.put(xorb_key(xorb), chunks, size_bytes=size_bytes, check=verify)
        except _Stored:
            return _note_xorb(registry, session, indexes[0], is_fresh=False)
        return _note_xorb(registry, session, indexes[0], is_fresh=True)


def register(registry: Registry, session: Session, data: bytes) -> bool:
    """Note the files of a shard; False when the caller had registered them all.

    Raises InvalidXet when a shard says anything that the stored xorbs do not bear out, or names a xorb that the caller
    may not build on.
    """
    shard = read_shard(data)
    wanted = {*(xorb.hash for xorb in shard.xorbs), *(term.xorb for file in shard.files for term in file.terms)}
    since = xet_access.uploads_since(registry)
    with registry.engine.read() as tx:
        indexes = xet.usable_indexes(tx, session.caller, wanted, since)
    for xorb in shard.xorbs:
        check_xorb(xorb, indexes.get)
    for file in shard.files:
        _require_sha256(file)
        check_file(file, indexes.get)
    at = registry.stamp()
    new = False
    with registry.engine.write() as tx:
        # Again, inside the transaction: a collector may have run in between.
        if len(xet.usable_indexes(tx, session.caller, wanted, since)) < len(wanted):
            raise InvalidXet("A xorb of this upload was removed meanwhile.", hint="Upload again.")
        xet.see_xorbs(tx, wanted, at)
        for file in shard.files:
            new |= not xet.was_sent(tx, session.caller.account_id, file.hash)
            xet.add_upload(tx, session.caller.account_id, file.hash, at)
            xet.add_file(tx, _noted(file), at)
        xet.add_chunks(tx, _askable(shard, indexes))
    return new


def dedup_answer(registry: Registry, session: Session, chunk: XetHash) -> bytes | None:
    """Xorbs that a client asking about `chunk` can probably build on, or None when there are none for it.

    Chunks are named by a key: whoever has a chunk recognises it, and nobody learns the hashes of chunks they lack.
    """
    with registry.engine.read() as tx:
        listed = _candidates(registry, tx, session, chunk)
        is_seen = xet.all_seen(tx, [index.hash for index in listed], moment_before(registry.now(), _DAY_SECONDS))
    if not is_seen:
        # The answer is a promise: the collector leaves alone what was seen lately. Once a day is often enough for that.
        with registry.engine.write() as tx:
            listed = _candidates(registry, tx, session, chunk)
            xet.see_xorbs(tx, [index.hash for index in listed], registry.stamp())
    if not listed:
        return None
    day = int(registry.now().timestamp()) // _DAY_SECONDS
    # The same answer all day long, so that a client's cache keeps one copy of it.
    secret = registry.settings.secret_key.encode()
    key = hmac.digest(secret, f"dedup {session.repo} {session.caller.account_id} {day}".encode(), "sha256")
    created_at = day * _DAY_SECONDS
    expires_at = created_at + _ANSWER_DAYS * _DAY_SECONDS
    return keyed_shard(listed, key=key, created_at=created_at, expires_at=expires_at)


def _candidates(registry: Registry, tx: Transaction, session: Session, chunk: XetHash) -> list[XorbIndex]:
    since = xet_access.uploads_since(registry)
    names = xet.candidates(tx, session.caller, session.repo, chunk, since, _ANSWER_XORBS)
    indexes = xet.xorb_indexes(tx, names)
    return [indexes[XetHash(name)] for name in names]


def _make_way(registry: Registry, index: XorbIndex) -> None:
    """Raise _Stored when the xorb is here whole; else have its index fit the bytes that are about to come."""
    with registry.engine.read() as tx:
        known_bytes = xet.xorb_size(tx, index.hash)
    if known_bytes is None:
        return
    if registry.blobs.size_bytes(xorb_key(index.hash)) == known_bytes:
        raise _Stored
    with registry.engine.write() as tx:
        xet.replace_index(tx, index)


def _note_xorb(registry: Registry, session: Session, index: XorbIndex, *, is_fresh: bool) -> bool:
    """Write a stored xorb into the catalog; False when the caller could build on it before."""
    at, since = registry.stamp(), xet_access.uploads_since(registry)
    with registry.engine.write() as tx:
        # Fresh bytes are safe from a collector; those of long ago only as long as the catalog knows them.
        if not is_fresh and xet.xorb_size(tx, index.hash) is None:
            raise Unavailable(f"The xorb {index.hash} was removed meanwhile.", hint="Send it again.")
        known = xet.usable_indexes(tx, session.caller, [index.hash], since)
        # Also for a xorb that was there: having sent it proves that the caller has it.
        xet.add_upload(tx, session.caller.account_id, index.hash, at)
        xet.add_xorb(tx, index, at)
    return not known


def _pieces(file: BinaryIO, size_bytes: int) -> Iterable[bytes | mmap.mmap]:
    """The file as one mapped piece where that is possible, which costs no copy."""
    try:
        return [mmap.mmap(file.fileno(), size_bytes, access=mmap.ACCESS_READ)]
    except (OSError, ValueError):
        return iter(lambda: file.read(1 << 20), b"")


def _require_sha256(file: ShardFile) -> None:
    if file.sha256 is None:
        raise InvalidXet(f"The file {file.hash} comes without its SHA-256.", hint="Use a Hugging Face Hub client.")


def _noted(file: ShardFile) -> XetFile:
    assert file.sha256 is not None
    return XetFile(file.hash, file.sha256, file.size_bytes, file.terms, is_checked=False, fault=None)


def _askable(shard: Shard, indexes: dict[XetHash, XorbIndex]) -> Iterable[tuple[bytes, bytes]]:
    """Chunks that clients may ask for: the first of each file, and those that the protocol picks by their hash."""
    for file in shard.files:
        if file.terms:
            first = file.terms[0]
            at = HASH_BYTES * first.start
            yield indexes[first.xorb].chunk_hashes[at : at + HASH_BYTES], first.xorb
    for xorb in shard.xorbs:
        for number in eligible_chunks(xorb.chunk_hashes):
            yield xorb.chunk_hashes[HASH_BYTES * number : HASH_BYTES * (number + 1)], xorb.hash
