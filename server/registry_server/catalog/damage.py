"""What was found damaged, how the catalog is told, and how it is told that all is well again.

    a whole file    its row in `blobs` goes, and with it every "already stored"; repos go on naming its SHA-256
    a xorb          its row gets a mark before its hash, so that nobody finds it; its index tells how to rebuild it
    a Xet file      a file made of a lost xorb: its row in `blobs` goes; repos name its SHA-256 and no Xet file
    a git object    its data gets a mark, which no reader takes for a zlib stream

So a repo that names a SHA-256 of which `blobs` has no row has lost a file. Whoever brings the same content again, whole
or as a Xet file, gives it back to all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from registry_server.catalog import upkeep
from registry_server.catalog.engine import Row, Transaction, in_batches
from registry_server.git.objects import StoredObject
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import XetHash
from registry_server.xet.shard import Term
from registry_server.xet.xorb import XorbIndex

_MARK = b"damaged:"
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


# -- what is there


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
    found = [_xorb(row, row["hash"].removeprefix(_MARK)) for row in rows]
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


# -- what is lost


def lose_xorb(tx: Transaction, lost: StoredXorb) -> None:
    """Nobody finds this xorb any more, and what is made of it is not stored."""
    marked = {"id": lost.number, "hash": _MARK + lost.hash}
    tx.execute("delete from xorbs where hash = :hash and id <> :id", marked)
    tx.execute("update xorbs set hash = :hash where id = :id", marked)
    tx.execute("delete from xet_uploads where hash = :hash", {"hash": lost.hash})
    for made_of_it in files_of_xorb(tx, lost.hash):
        lose_file(tx, made_of_it)


def lose_file(tx: Transaction, file: StoredFile) -> None:
    """The Xet file cannot be rebuilt: repos that name it have the whole file, if there is one, or have lost it.

    A file whose SHA-256 nobody has checked stays the repo's own: naming that SHA-256 must not bring it foreign bytes.
    """
    params = {"hash": file.hash, "digest": file.digest}
    tx.execute("delete from xet_uploads where hash = :hash", {"hash": file.hash})
    if not file.serves:
        return
    for row in tx.execute("select digest from blobs where digest = :digest and xet_file = :hash", params):
        tx.execute("delete from uploads where digest = :digest", {"digest": row["digest"]})
        tx.execute("delete from blobs where digest = :digest", {"digest": row["digest"]})
    if tx.changed("update repo_blobs set xet_file = null where digest = :digest and xet_file = :hash", params):
        _copy_weights(tx, file.hash, file.digest)


def mark_object(tx: Transaction, number: int, data: bytes) -> None:
    """Keep the damaged data so that nobody reads it."""
    tx.execute("update git_objects set data = :data where id = :id", {"id": number, "data": _MARK + data})


def unmarked(data: bytes) -> bytes:
    """The data of a git object as it was before it was marked."""
    return data.removeprefix(_MARK)


# -- what is found again


def find_blob(tx: Transaction, digest: bytes, size_bytes: int, at: str) -> None:
    """The blob store holds this file whole, in spite of what was believed."""
    tx.execute(
        "insert into blobs (digest, size, stored_at, seen_at) values (:digest, :size, :at, :at)"
        " on conflict (digest) do nothing",
        {"digest": digest, "size": size_bytes, "at": at},
    )


def find_xorb(tx: Transaction, number: int, index: XorbIndex) -> None:
    """The xorb is stored again, in the form of `index`."""
    tx.execute(
        "update xorbs set hash = :hash, size = :size, chunk_index = :chunks where id = :id",
        {"id": number, "hash": index.hash, "size": index.size_bytes, "chunks": index.to_bytes()},
    )


def find_file(tx: Transaction, file: StoredFile, at: str) -> None:
    """The Xet file can be rebuilt, and serves as a blob like any other."""
    new = tx.changed(
        "insert into blobs (digest, size, stored_at, seen_at, xet_file) values (:digest, :size, :at, :at, :hash)"
        " on conflict (digest) do nothing",
        {"digest": file.digest, "size": file.size_bytes, "at": at, "hash": file.hash},
    )
    if new:
        stand_in(tx, file.digest, file.hash)


def stand_in(tx: Transaction, digest: bytes, file_hash: bytes) -> None:
    """Repos that had lost the file have it from this Xet file now, of which the SHA-256 is known."""
    params = {"digest": digest, "hash": file_hash}
    if tx.changed("update repo_blobs set xet_file = :hash where digest = :digest and xet_file is null", params):
        _copy_weights(tx, digest, file_hash)


def restore_object(tx: Transaction, number: int, data: bytes) -> None:
    """The data of a git object is what it was."""
    tx.execute("update git_objects set data = :data where id = :id", {"id": number, "data": data})


def add_owner(tx: Transaction, repo: int, oids: Iterable[bytes]) -> None:
    """The repo owns these git objects."""
    for names, params in in_batches(oids):
        tx.execute(
            "insert into git_repo_objects (repo_id, object_id)"
            f" select :repo, id from git_objects where oid in {names} on conflict (repo_id, object_id) do nothing",
            {**params, "repo": repo},
        )


# -- who suffers


def lost_digests(tx: Transaction) -> dict[bytes, list[str]]:
    """SHA-256s that repos name and of which nothing is stored, with those repos."""
    rows = tx.execute(
        "select h.digest, r.kind, r.name from repo_blobs h join repos r on r.id = h.repo_id"
        " where h.xet_file is null"
        " and not exists (select 1 from blobs b where b.digest = h.digest and b.xet_file is null)"
        " order by h.digest, r.kind, r.key"
    )
    return _by_key(rows, "digest")


def lost_references(tx: Transaction) -> dict[bytes, list[str]]:
    """Hashes of Xet files that repos name and that there are no rows for, with those repos."""
    rows = tx.execute(
        "select h.xet_file, r.kind, r.name from repo_blobs h join repos r on r.id = h.repo_id"
        " where h.xet_file is not null"
        " and not exists (select 1 from xet_files f where f.hash = h.xet_file and f.digest = h.digest)"
        " order by h.xet_file, r.kind, r.key"
    )
    return _by_key(rows, "xet_file")


def holders_of_file(tx: Transaction, file: StoredFile) -> list[str]:
    """Repos that name this very Xet file."""
    rows = tx.execute(
        "select r.kind, r.name from repo_blobs h join repos r on r.id = h.repo_id"
        " where h.xet_file = :hash and h.digest = :digest order by r.kind, r.key",
        {"hash": file.hash, "digest": file.digest},
    )
    return [f"{row['kind']} {row['name']}" for row in rows]


def marked_objects(tx: Transaction) -> dict[bytes, list[str]]:
    """Ids of damaged git objects that repos own, with those repos."""
    rows = tx.execute(
        "select o.oid, r.kind, r.name from git_objects o join git_repo_objects g on g.object_id = o.id"
        " join repos r on r.id = g.repo_id where substr(o.data, 1, :length) = :mark order by o.oid, r.kind, r.key",
        {"length": len(_MARK), "mark": _MARK},
    )
    return _by_key(rows, "oid")


def present(tx: Transaction, oids: Iterable[bytes]) -> set[bytes]:
    """Those git ids of which there are objects, damaged or not."""
    found: set[bytes] = set()
    for names, params in in_batches(oids):
        found.update(row["oid"] for row in tx.execute(f"select oid from git_objects where oid in {names}", params))
    return found


def tidy(tx: Transaction) -> None:
    """Forget what is of no use: lost xorbs that came back, and blobs that were to be had from a file that is gone."""
    tx.execute(
        "delete from xorbs where length(hash) > 32 and exists"
        " (select 1 from xorbs y where y.hash = substr(xorbs.hash, length(xorbs.hash) - 31))"
    )
    rows = tx.execute(
        "select b.digest from blobs b where b.xet_file is not null and not exists"
        " (select 1 from xet_files f where f.hash = b.xet_file and f.digest = b.digest)"
    )
    upkeep.forget_blobs(tx, [row["digest"] for row in rows])


def kept_roots(tx: Transaction, repo: int) -> list[bytes]:
    """What a repo's refs and publications point to."""
    return list(upkeep.roots(tx, repo, recent="9999"))


def _copy_weights(tx: Transaction, source: bytes, target: bytes) -> None:
    """What is known of a file's header under another key for the same bytes."""
    params = {"source": source, "target": target}
    new = tx.changed(
        "insert into weights (digest, fault, parameters, parameters_by_dtype, metadata)"
        " select :target, fault, parameters, parameters_by_dtype, metadata from weights where digest = :source"
        " on conflict (digest) do nothing",
        params,
    )
    if new:
        tx.execute(
            "insert into tensors (digest, position, name, dtype, shape)"
            " select :target, position, name, dtype, shape from tensors where digest = :source",
            params,
        )


def _by_key(rows: Iterable[Row], key: str) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(f"{row['kind']} {row['name']}")
    return found


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
