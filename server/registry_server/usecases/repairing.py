"""Bringing back what was lost from other copies.

    a xorb         from its own sound chunks, and the others from xorbs or whole files that have the same chunks
    a whole file   from its bytes, if they are sound after all, or by the Xet file of the same content
    a Xet file     with its xorbs; or by the whole file of the same content
    a git object   from the whole file of the same content

There is no other source: a chunk, a small file, a tree or a commit of which this was the only copy comes back from a
backup, or, if it is a large file, by pushing it again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from registry_core.errors import NotFound, Unavailable
from registry_core.ids import Digest
from registry_server.blobs.store import key_of, xorb_key
from registry_server.catalog import damage, losses, stored
from registry_server.catalog.engine import Transaction
from registry_server.catalog.stored import StoredFile, StoredXorb
from registry_server.git.objects import StoredObject
from registry_server.usecases.context import Registry
from registry_server.usecases.faults import Unreadable, blob_fault, file_fault, object_fault, xorb_fault
from registry_server.xet.hashing import XetHash, chunk_hash
from registry_server.xet.rebuild import chunk_hashes, plain_record, record_at, sound_records
from registry_server.xet.xorb import XorbIndex, verify_xorb


def repair(registry: Registry) -> list[str]:
    """Bring back what can be had, and name it."""
    return [*_repair_xorbs(registry), *_repair_files(registry), *_repair_objects(registry)]


# -- xorbs


def _repair_xorbs(registry: Registry) -> Iterator[str]:
    with registry.engine.read() as tx:
        xorbs = stored.lost_xorbs(tx)
    for lost in xorbs:
        if _find_xorb(registry, lost) or (lost.index is not None and _rebuild_xorb(registry, lost, lost.index)):
            yield f"xorb {lost.hash}"


def _find_xorb(registry: Registry, lost: StoredXorb) -> bool:
    """Whether sound bytes are in the xorb's place, as somebody may have put them there from a backup."""
    key = xorb_key(lost.hash)
    stored_at = registry.blobs.stored_at(key)
    try:
        found = None if stored_at is None else xorb_fault(registry, lost)[1]
    except Unreadable:
        return False
    if found is None:
        return False
    with registry.engine.write() as tx:
        if registry.blobs.stored_at(key) != stored_at:
            return False
        _serve_again(registry, tx, lost, found)
    return True


def _serve_again(registry: Registry, tx: Transaction, lost: StoredXorb, index: XorbIndex) -> None:
    if stored.xorb(tx, lost.hash) is None:  # else somebody brought it back meanwhile
        damage.find_xorb(tx, lost.number, index)
    at = registry.stamp()
    for file in stored.files_of_xorb(tx, lost.hash):
        if file.serves and file_fault(tx, file) is None:
            damage.find_file(tx, file, at)


def _rebuild_xorb(registry: Registry, lost: StoredXorb, index: XorbIndex) -> bool:
    """Whether the xorb is stored again."""
    records = _own_records(registry, lost.hash, index)
    hashes = list(chunk_hashes(index))
    own = {hashes[n] for n in records}
    wanted = {leaf: n for n, leaf in enumerate(hashes) if leaf not in own}
    if wanted:
        _add_records_of_xorbs(registry, records, wanted)
    if wanted:
        _add_records_of_files(registry, lost, index, records, wanted)
    if wanted:
        return False
    by_hash = {hashes[n]: record for n, record in records.items()}
    data = b"".join(by_hash[leaf] for leaf in hashes)
    made = verify_xorb(lost.hash, [data])
    with registry.engine.write() as tx:
        if stored.xorb(tx, lost.hash) is None:
            registry.blobs.put(xorb_key(lost.hash), [data], size_bytes=len(data))
        _serve_again(registry, tx, lost, made)
    return True


def _own_records(registry: Registry, xorb: XetHash, index: XorbIndex) -> dict[int, bytes]:
    """What is sound of the bytes that were set aside."""
    aside = registry.blobs.open_aside(xorb_key(xorb))
    if aside is None:
        return {}
    with aside:
        return sound_records(aside.read(), index)


def _add_records_of_xorbs(registry: Registry, records: dict[int, bytes], wanted: dict[bytes, int]) -> None:
    """Look for wanted chunks in all other xorbs; what is found is no longer wanted."""
    after = 0
    while wanted:
        with registry.engine.read() as tx:
            rows = stored.xorbs(tx, after)
        if not rows:
            return
        for row in rows:
            if row.index is not None:
                _add_records_of(registry, row.hash, row.index, records, wanted)
        after = rows[-1].number


def _add_records_of(
    registry: Registry, xorb: XetHash, index: XorbIndex, records: dict[int, bytes], wanted: dict[bytes, int]
) -> None:
    for number, leaf in enumerate(chunk_hashes(index)):
        if leaf not in wanted:
            continue
        begin, stop = index.span(number, number + 1)
        record = record_at(_bytes_of(registry, xorb_key(xorb), begin, stop), index, number, offset=begin)
        if record is not None:
            records[wanted.pop(leaf)] = record


def _add_records_of_files(
    registry: Registry, lost: StoredXorb, index: XorbIndex, records: dict[int, bytes], wanted: dict[bytes, int]
) -> None:
    """Look for wanted chunks in files that the xorb is part of and that are stored whole, too."""
    with registry.engine.read() as tx:
        files = [file for file in stored.files_of_xorb(tx, lost.hash) if stored.is_whole(tx, file.digest)]
    for file in files:
        for number, leaf, begin, stop in _places(file, lost.hash, index):
            if leaf in wanted:
                raw = _bytes_of(registry, key_of(Digest(file.digest.hex())), begin, stop)
                if chunk_hash(raw) == leaf:
                    records[number] = plain_record(raw)
                    del wanted[leaf]


def _places(file: StoredFile, xorb: XetHash, index: XorbIndex) -> Iterator[tuple[int, bytes, int, int]]:
    """Where the chunks of a xorb lie in a file: number, hash, first byte, end."""
    hashes = list(chunk_hashes(index))
    position = 0
    for term in file.terms:
        if term.xorb == xorb:
            first, _ = index.raw_span(term.start, term.end)
            for number in range(term.start, term.end):
                begin, stop = index.raw_span(number, number + 1)
                yield number, hashes[number], position + begin - first, position + stop - first
        position += term.raw_bytes


def _bytes_of(registry: Registry, key: str, start: int, stop: int) -> bytes:
    """The bytes from `start` up to `stop` of a blob; fewer, or none, when it does not have them."""
    try:
        with registry.blobs.open(key, start) as file:
            return file.read(stop - start)
    except (NotFound, Unavailable, OSError):
        return b""


# -- files


def _repair_files(registry: Registry) -> Iterator[str]:
    with registry.engine.read() as tx:
        digests = list(losses.lost_digests(tx))
    for digest in digests:
        if _find_whole(registry, digest) or _find_xet(registry, digest):
            yield f"blob {digest.hex()}"


def _find_whole(registry: Registry, digest: bytes) -> bool:
    """Whether the bytes are there and sound, so that only the catalog had lost them."""
    key = key_of(Digest(digest.hex()))
    size_bytes = registry.blobs.size_bytes(key)
    try:
        if size_bytes is None or blob_fault(registry, digest, size_bytes, None) is not None:
            return False
    except Unreadable:
        return False
    with registry.engine.write() as tx:
        if registry.blobs.size_bytes(key) != size_bytes:
            return False
        damage.find_blob(tx, digest, size_bytes, registry.stamp())
    return True


def _find_xet(registry: Registry, digest: bytes) -> bool:
    """Whether a Xet file of that content takes the place of the whole one."""
    with registry.engine.write() as tx:
        for file in stored.files_of_digest(tx, digest):
            if file_fault(tx, file) is None:
                damage.find_file(tx, file, registry.stamp())
                return True
    return False


# -- git objects


def _repair_objects(registry: Registry) -> Iterator[str]:
    after = 0
    while True:
        with registry.engine.read() as tx:
            rows = stored.git_objects(tx, after)
        if not rows:
            return
        for number, thing in rows:
            if object_fault(thing) is not None and _repair_object(registry, number, thing):
                yield f"git object {thing.oid.hex()}"
        after = rows[-1][0]


def _repair_object(registry: Registry, number: int, thing: StoredObject) -> bool:
    content = _bytes_of(registry, key_of(Digest(thing.sha256.hex())), 0, thing.size_bytes)
    whole = StoredObject(thing.oid, thing.type, thing.size_bytes, thing.sha256, zlib.compress(content, 6))
    if object_fault(whole) is not None:
        return False
    with registry.engine.write() as tx:
        damage.restore_object(tx, number, whole.data or b"")
    return True
