"""Everything that is stored, a page at a time, for those who look at all of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from registry_server.catalog.engine import Row, Transaction
from registry_server.git.objects import StoredObject
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import XetHash
from registry_server.xet.shard import Term
from registry_server.xet.xorb import XorbIndex

MARK = b"damaged:"
"""Stands before the hash of a xorb, or the data of a git object, that was found damaged; `damage` puts it there."""

_TERM = struct.Struct("<32sIII")
_ROWS_AT_ONCE = 200


@dataclass(frozen=True)
class StoredXorb:
    """A row of `xorbs`. `index` is None when the row itself cannot be read."""

    number: int
    hash: XetHash
    size_bytes: int
    index: XorbIndex | None


@dataclass(frozen=True)
class StoredFile:
    """A row of `xet_files`. `serves` says that its SHA-256 was found right, `is_disputed` that it was found wrong."""

    number: int
    hash: XetHash
    digest: bytes
    size_bytes: int
    terms: tuple[Term, ...]
    serves: bool
    is_disputed: bool


def whole_blobs(tx: Transaction, after: bytes) -> list[tuple[bytes, int]]:
    """SHA-256 and size of some whole files behind `after`, in order."""
    rows = tx.execute(
        "select digest, size from blobs where xet_file is null and digest > :after order by digest limit :limit",
        {"after": after, "limit": _ROWS_AT_ONCE},
    )
    return [(row["digest"], row["size"]) for row in rows]


def is_whole(tx: Transaction, digest: bytes) -> bool:
    """Whether the blob store is said to hold this file whole."""
    return bool(tx.execute("select 1 from blobs where digest = :d and xet_file is null", {"d": digest}))


def xorbs(tx: Transaction, after: int) -> list[StoredXorb]:
    """Some xorbs behind number `after`, in order, without those that were lost."""
    rows = tx.execute(
        "select id, hash, size, chunk_index from xorbs where length(hash) = 32 and id > :after order by id limit 20",
        {"after": after},
    )
    return [_xorb(row, row["hash"]) for row in rows]


def xorb(tx: Transaction, hash_: bytes) -> StoredXorb | None:
    """The row of one xorb."""
    rows = tx.execute("select id, hash, size, chunk_index from xorbs where hash = :hash", {"hash": hash_})
    return _xorb(rows[0], rows[0]["hash"]) if rows else None


def lost_xorbs(tx: Transaction) -> list[StoredXorb]:
    """Xorbs that were set aside and did not come back, and that a file is made of."""
    rows = tx.execute(
        "select id, hash, size, chunk_index from xorbs x where length(hash) > 32 and exists"
        " (select 1 from xet_file_xorbs l where l.xorb_hash = substr(x.hash, length(x.hash) - 31))"
        " order by id"
    )
    found = [_xorb(row, row["hash"].removeprefix(MARK)) for row in rows]
    return [xorb_ for xorb_ in found if xorb(tx, xorb_.hash) is None]


def files(tx: Transaction, after: int) -> list[StoredFile]:
    """Some Xet files behind number `after`, in order."""
    rows = tx.execute(f"{_FILE} where f.id > :after order by f.id limit 50", {"after": after})
    return [_file(row) for row in rows]


def file(tx: Transaction, number: int) -> StoredFile | None:
    """One Xet file."""
    rows = tx.execute(f"{_FILE} where f.id = :id", {"id": number})
    return _file(rows[0]) if rows else None


def files_of_xorb(tx: Transaction, hash_: bytes) -> list[StoredFile]:
    """The Xet files that this xorb is part of."""
    rows = tx.execute(f"{_FILE} join xet_file_xorbs l on l.file_hash = f.hash where l.xorb_hash = :h", {"h": hash_})
    return [_file(row) for row in rows]


def files_of_digest(tx: Transaction, digest: bytes) -> list[StoredFile]:
    """The Xet files that are known to have that SHA-256."""
    rows = tx.execute(f"{_FILE} where f.digest = :digest", {"digest": digest})
    return [found for found in map(_file, rows) if found.serves]


def git_objects(tx: Transaction, after: int) -> list[tuple[int, StoredObject]]:
    """Some git objects behind row number `after`, in order."""
    rows = tx.execute(
        "select id, oid, type, size, sha256, data from git_objects where id > :after order by id limit :limit",
        {"after": after, "limit": _ROWS_AT_ONCE},
    )
    return [(row["id"], _object(row)) for row in rows]


def git_object(tx: Transaction, number: int) -> StoredObject | None:
    """One git object."""
    rows = tx.execute("select oid, type, size, sha256, data from git_objects where id = :id", {"id": number})
    return _object(rows[0]) if rows else None


def pointers(tx: Transaction, after: bytes) -> list[tuple[bytes, bytes, int]]:
    """Some of what pointers are known to mean behind git id `after`, in order: git id, SHA-256, size in bytes."""
    rows = tx.execute(
        "select oid, digest, size from lfs_pointers where oid > :after order by oid limit :limit",
        {"after": after, "limit": _ROWS_AT_ONCE},
    )
    return [(row["oid"], row["digest"], row["size"]) for row in rows]


def detached(tx: Transaction) -> dict[bytes, bytes]:
    """Git ids, by SHA-256, of the git blobs whose bytes are in the blob store."""
    return {row["sha256"]: row["oid"] for row in tx.execute("select sha256, oid from git_objects where data is null")}


def bytes_to_check(tx: Transaction) -> int:
    """Bytes that a check of everything reads."""
    return sum(
        int(tx.execute(f"select coalesce(sum({size}), 0) as n from {table}")[0]["n"])
        for size, table in (
            ("size", "blobs where xet_file is null"),
            ("size", "xorbs where length(hash) = 32"),
            ("length(data)", "git_objects"),
        )
    )


_FILE = "select f.id, f.hash, f.digest, f.size, f.terms, f.checked_at, f.fault from xet_files f"


def _file(row: Row) -> StoredFile:
    return StoredFile(
        row["id"],
        XetHash(row["hash"]),
        row["digest"],
        row["size"],
        tuple(_terms(row["terms"])),
        serves=row["checked_at"] is not None and row["fault"] is None,
        is_disputed=row["fault"] is not None,
    )


def _terms(data: bytes) -> Iterator[Term]:
    for number in range(len(data) // _TERM.size):
        xorb_, raw_bytes, start, end = _TERM.unpack_from(data, number * _TERM.size)
        yield Term(XetHash(xorb_), raw_bytes, start, end)


def _xorb(row: Row, hash_: bytes) -> StoredXorb:
    try:
        index = XorbIndex.from_bytes(XetHash(hash_), row["chunk_index"])
    except (InvalidXet, struct.error):
        index = None
    return StoredXorb(row["id"], XetHash(hash_), row["size"], index)


def _object(row: Row) -> StoredObject:
    return StoredObject(row["oid"], row["type"], row["size"], row["sha256"], row["data"])
