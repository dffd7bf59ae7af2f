"""What was found damaged, how the catalog is told, and how it is told that all is well again.

    a whole file    its row in `blobs` goes, and with it every "already stored"; repos go on naming its SHA-256
    a xorb          its row gets a mark before its hash, so that nobody finds it; its index tells how to rebuild it
    a Xet file      a file made of a lost xorb: its row in `blobs` goes; repos name its SHA-256 and no Xet file
    a git object    its data gets a mark, which no reader takes for a zlib stream

So a repo that names a SHA-256 of which `blobs` has no row has lost a file. Whoever brings the same content again, whole
or as a Xet file, gives it back to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry_server.catalog import upkeep
from registry_server.catalog.engine import Transaction, in_batches
from registry_server.catalog.stored import MARK, StoredFile, StoredXorb, files_of_xorb
from registry_server.git.objects import StoredObject
from registry_server.xet.xorb import XorbIndex

# -- what is lost


def lose_xorb(tx: Transaction, lost: StoredXorb) -> None:
    """Nobody finds this xorb any more, and what is made of it is not stored."""
    marked = {"id": lost.number, "hash": MARK + lost.hash}
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
    tx.execute("update git_objects set data = :data where id = :id", {"id": number, "data": MARK + data})


def unmarked(data: bytes) -> bytes:
    """The data of a git object as it was before it was marked."""
    return data.removeprefix(MARK)


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


def heal_objects(tx: Transaction, objects: Iterable[StoredObject]) -> None:
    """Those of these git objects that are marked as damaged are what they were again."""
    tx.execute_many(
        "update git_objects set data = :data"
        " where oid = :oid and sha256 = :sha256 and substr(data, 1, :length) = :mark",
        (
            {"oid": o.oid, "sha256": o.sha256, "data": o.data, "length": len(MARK), "mark": MARK}
            for o in objects
            if o.data is not None
        ),
    )


def restore_object(tx: Transaction, number: int, data: bytes) -> None:
    """The data of a git object is what it was."""
    tx.execute("update git_objects set data = :data where id = :id", {"id": number, "data": data})


def forget_pointer(tx: Transaction, oid: bytes) -> None:
    """Forget what a pointer means, since that is not what stands in it."""
    tx.execute("delete from lfs_pointers where oid = :oid", {"oid": oid})


def add_owner(tx: Transaction, repo: int, oids: Iterable[bytes]) -> None:
    """The repo owns these git objects."""
    for names, params in in_batches(oids):
        tx.execute(
            "insert into git_repo_objects (repo_id, object_id)"
            f" select :repo, id from git_objects where oid in {names} on conflict (repo_id, object_id) do nothing",
            {**params, "repo": repo},
        )


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
