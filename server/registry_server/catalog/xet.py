"""Xorbs, the files made of them, and who may build on which xorb.

A file is known by its Xet hash and the SHA-256 that its uploader claims, and belongs to that uploader alone until the
claim has been checked: `blobs` learns of it only then. A repo names the very file that was committed to it
(`repo_blobs.xet_file`), so that nobody else's claim of the same SHA-256 can come between.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry_core.ids import Digest
from registry_server.catalog import damage
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Row, Transaction, in_batches
from registry_server.catalog.repos import READABLE, seen_by
from registry_server.xet.hashing import XetHash
from registry_server.xet.shard import Term
from registry_server.xet.xorb import XorbIndex

_TERM = struct.Struct("<32sIII")

_USABLE = (
    "(exists (select 1 from xet_uploads u where u.account_id = :caller and u.hash = x.hash and u.uploaded_at >= :since)"
    " or exists (select 1 from xet_file_xorbs f join repo_blobs h on h.xet_file = f.file_hash"
    f"  join repos r on r.id = h.repo_id where f.xorb_hash = x.hash and {READABLE}))"
)
"""Xorbs `x` that the caller sent since `:since`, or that are part of a file in a repo the caller may read."""

_SEEN_FILE = (
    "(exists (select 1 from xet_uploads u where u.account_id = :caller and u.hash = f.file_hash"
    "  and u.uploaded_at >= :since)"
    " or exists (select 1 from repo_blobs h join repos r on r.id = h.repo_id"
    f"  where h.xet_file = f.file_hash and {READABLE}))"
)
"""Rows `f` of xet_file_xorbs of a file that the caller registered since `:since`, or may read in a repo."""


@dataclass(frozen=True)
class XetFile:
    """A file as a list of terms. `is_checked` says that its SHA-256 was found right, `fault` that it was not."""

    hash: XetHash
    digest: Digest
    size_bytes: int
    terms: tuple[Term, ...]
    is_checked: bool
    fault: str | None


def generation(tx: Transaction) -> int:
    """The number in the address of the store. A new one makes clients forget what they believe to be stored."""
    number: int = tx.execute("select generation from xet_store")[0]["generation"]
    return number


def bump_generation(tx: Transaction) -> None:
    """Give the store a new address: something is gone of which clients may believe that they can build on it."""
    tx.execute("update xet_store set generation = generation + 1")


def may_read(tx: Transaction, caller: Caller, repo: int) -> bool:
    """Whether there is still such a repo, and the caller may read its files."""
    return bool(
        tx.execute(f"select 1 from repos r where r.id = :repo and {READABLE}", {"repo": repo, **seen_by(caller)})
    )


def add_xorb(tx: Transaction, index: XorbIndex, at: str) -> None:
    """Remember a stored xorb. A known one keeps its index, which tells where in the stored bytes each chunk lies."""
    new = tx.changed(
        "insert into xorbs (hash, size, chunk_index, stored_at, seen_at) values (:hash, :size, :chunks, :at, :at)"
        " on conflict (hash) do nothing",
        {"hash": index.hash, "size": index.size_bytes, "chunks": index.to_bytes(), "at": at},
    )
    if not new:
        see_xorbs(tx, [index.hash], at)


def replace_index(tx: Transaction, index: XorbIndex) -> None:
    """The known xorb, of which the bytes were lost, is about to be stored in this form."""
    tx.execute(
        "update xorbs set size = :size, chunk_index = :chunks where hash = :hash",
        {"hash": index.hash, "size": index.size_bytes, "chunks": index.to_bytes()},
    )


def xorb_size(tx: Transaction, xorb: bytes) -> int | None:
    """Bytes of the stored xorb, or None when none is known."""
    rows = tx.execute("select size from xorbs where hash = :hash", {"hash": xorb})
    return rows[0]["size"] if rows else None


def see_xorbs(tx: Transaction, xorbs: Iterable[bytes], at: str) -> None:
    """Renew the moment at which somebody last relied on these xorbs."""
    for names, params in in_batches(xorbs):
        tx.execute(f"update xorbs set seen_at = :at where hash in {names}", {**params, "at": at})


def all_seen(tx: Transaction, xorbs: Iterable[bytes], since: str) -> bool:
    """Whether somebody relied on each of these xorbs after `since`."""
    return not any(
        tx.execute(
            f"select 1 from xorbs where hash in {names} and seen_at < :since limit 1", {**params, "since": since}
        )
        for names, params in in_batches(xorbs)
    )


def was_sent(tx: Transaction, account_id: int, hash_: bytes) -> bool:
    """Whether this account ever sent this xorb, or registered this file."""
    return bool(
        tx.execute(
            "select 1 from xet_uploads where account_id = :account and hash = :hash",
            {"account": account_id, "hash": hash_},
        )
    )


def add_upload(tx: Transaction, account_id: int, hash_: bytes, at: str) -> None:
    """This account sent this xorb, or registered this file."""
    tx.execute(
        "insert into xet_uploads (account_id, hash, uploaded_at) values (:account, :hash, :at)"
        " on conflict (account_id, hash) do update set uploaded_at = excluded.uploaded_at",
        {"account": account_id, "hash": hash_, "at": at},
    )


def xorb_indexes(tx: Transaction, xorbs: Iterable[bytes]) -> dict[XetHash, XorbIndex]:
    """The indexes of those xorbs, by hash. For hashes that a file of ours names."""
    found: dict[XetHash, XorbIndex] = {}
    for names, params in in_batches(xorbs):
        for row in tx.execute(f"select hash, chunk_index from xorbs where hash in {names}", params):
            found[XetHash(row["hash"])] = XorbIndex.from_bytes(XetHash(row["hash"]), row["chunk_index"])
    return found


def usable_indexes(tx: Transaction, caller: Caller, xorbs: Iterable[bytes], since: str) -> dict[XetHash, XorbIndex]:
    """Of those xorbs the ones that the caller may build on, with their indexes."""
    found: dict[XetHash, XorbIndex] = {}
    for names, params in in_batches(xorbs):
        rows = tx.execute(
            f"select x.hash, x.chunk_index from xorbs x where x.hash in {names} and {_USABLE}",
            {**params, "since": since, **seen_by(caller)},
        )
        for row in rows:
            found[XetHash(row["hash"])] = XorbIndex.from_bytes(XetHash(row["hash"]), row["chunk_index"])
    return found


def add_file(tx: Transaction, file: XetFile, at: str) -> None:
    """Remember a file that is not checked yet; nothing happens when it is known and serves as a blob.

    One that does not, since a part of it was lost, is made of the new terms from now on, and checked again.
    """
    new = tx.changed(
        "insert into xet_files as f (hash, digest, size, terms, stored_at) values (:hash, :digest, :size, :terms, :at)"
        " on conflict (digest, hash) do update set terms = excluded.terms, checked_at = null"
        " where f.fault is null and not exists (select 1 from blobs b where b.digest = f.digest)",
        {
            "hash": file.hash,
            "digest": bytes.fromhex(file.digest),
            "size": file.size_bytes,
            "terms": b"".join(_TERM.pack(term.xorb, term.raw_bytes, term.start, term.end) for term in file.terms),
            "at": at,
        },
    )
    if new:
        tx.execute(
            "delete from xet_file_xorbs where file_hash = :file"
            " and not exists (select 1 from xorbs x where x.hash = xet_file_xorbs.xorb_hash)",
            {"file": file.hash},
        )
        tx.execute_many(
            "insert into xet_file_xorbs (xorb_hash, file_hash) values (:xorb, :file)"
            " on conflict (xorb_hash, file_hash) do nothing",
            ({"xorb": xorb, "file": file.hash} for xorb in dict.fromkeys(term.xorb for term in file.terms)),
        )


def file(tx: Transaction, file_hash: bytes, digest: bytes) -> XetFile | None:
    """The file of that hash and claimed SHA-256."""
    rows = tx.execute(f"{_FILE} where f.hash = :hash and f.digest = :digest", {"hash": file_hash, "digest": digest})
    return _file(rows[0]) if rows else None


def fault(tx: Transaction, file_hash: bytes, digest: bytes) -> str | None:
    """What was found wrong with the SHA-256 that was claimed for this file."""
    rows = tx.execute(
        "select fault from xet_files where hash = :hash and digest = :digest", {"hash": file_hash, "digest": digest}
    )
    return rows[0]["fault"] if rows else None


def file_in_repo(tx: Transaction, repo: int, file_hash: bytes) -> XetFile | None:
    """The file of that hash, if a commit of this repo names it."""
    rows = tx.execute(
        f"{_FILE} join repo_blobs h on h.xet_file = f.hash and h.digest = f.digest"
        " where f.hash = :hash and h.repo_id = :repo order by f.fault is not null",
        {"hash": file_hash, "repo": repo},
    )
    return _file(rows[0]) if rows else None


def own_files(tx: Transaction, caller: Caller, digests: Iterable[bytes], since: str) -> dict[bytes, XetFile]:
    """Files of those SHA-256s, checked or not, that the caller registered since then; by SHA-256.

    Of several with one SHA-256 a checked one counts, or else the last.
    """
    found: dict[bytes, XetFile] = {}
    for names, params in in_batches(digests):
        rows = tx.execute(
            f"{_FILE} join xet_uploads u on u.hash = f.hash and u.account_id = :caller and u.uploaded_at >= :since"
            f" where f.digest in {names} and f.fault is null order by f.checked_at is not null, f.id",
            {**params, "caller": caller.account_id, "since": since},
        )
        found.update((row["digest"], _file(row)) for row in rows)
    return found


def unchecked(tx: Transaction) -> dict[int, int]:
    """Sizes of the files whose SHA-256 is still to be checked, by number; who waits longest comes first."""
    rows = tx.execute("select id, size from xet_files where checked_at is null order by id")
    return {row["id"]: row["size"] for row in rows}


def unchecked_file(tx: Transaction, number: int) -> XetFile | None:
    """The file of that number, if its SHA-256 is still to be checked."""
    rows = tx.execute(f"{_FILE} where f.checked_at is null and f.id = :id", {"id": number})
    return _file(rows[0]) if rows else None


def set_checked(tx: Transaction, checked: XetFile, fault: str | None, at: str) -> bool:
    """Note the outcome of the check; False when that was done before.

    A file without fault is from now on a blob like any other.
    """
    waited = tx.changed(
        "update xet_files set checked_at = :at, fault = :fault"
        " where hash = :hash and digest = :digest and checked_at is null",
        {"at": at, "fault": fault, "hash": checked.hash, "digest": bytes.fromhex(checked.digest)},
    )
    if waited and fault is None:
        new = tx.changed(
            "insert into blobs (digest, size, stored_at, seen_at, xet_file) values (:digest, :size, :at, :at, :hash)"
            " on conflict (digest) do nothing",
            {"digest": bytes.fromhex(checked.digest), "size": checked.size_bytes, "at": at, "hash": checked.hash},
        )
        if new:
            damage.stand_in(tx, bytes.fromhex(checked.digest), checked.hash)
    return bool(waited)


def senders(tx: Transaction, hash_: bytes) -> list[str]:
    """Names of the accounts that sent this xorb, or registered this file, by name."""
    rows = tx.execute(
        "select a.name from xet_uploads u join accounts a on a.id = u.account_id where u.hash = :hash order by a.key",
        {"hash": hash_},
    )
    return [row["name"] for row in rows]


def add_chunks(tx: Transaction, chunks: Iterable[tuple[bytes, bytes]]) -> None:
    """Chunks that clients may ask for, each with its xorb."""
    tx.execute_many(
        "insert into xet_chunks (chunk_hash, xorb_hash) values (:chunk, :xorb) on conflict do nothing",
        ({"chunk": chunk, "xorb": xorb} for chunk, xorb in chunks),
    )


def candidates(tx: Transaction, caller: Caller, repo: int, chunk: bytes, since: str, limit: int) -> list[bytes]:
    """Xorbs that an answer about `chunk` should tell of, best first, and only such as the caller may build on.

    First those that hold the chunk, then those of the files these are part of, of the repo that is pushed to, and of
    what the caller sent lately: a changed first tensor, or other metadata, then still finds the rest of the file.
    What the caller cannot see leads nowhere either: else the answer would tell that it is there.
    """
    rows = tx.execute(
        "with hits as (select x.hash from xet_chunks c join xorbs x on x.hash = c.xorb_hash"
        f"  where c.chunk_hash = :chunk and {_USABLE}),"
        " ranked as ("
        "  select hash as xorb_hash, 0 as rank from hits union all"
        "  select o.xorb_hash, 1 from hits join xet_file_xorbs f on f.xorb_hash = hits.hash"
        f"   join xet_file_xorbs o on o.file_hash = f.file_hash where {_SEEN_FILE} union all"
        "  select f.xorb_hash, 2 from repo_blobs h join xet_file_xorbs f on f.file_hash = h.xet_file"
        "   where h.repo_id = :repo and h.xet_file is not null union all"
        "  select u.hash, 3 from xet_uploads u where u.account_id = :caller and u.uploaded_at >= :since)"
        " select x.hash, min(ranked.rank) as best from ranked join xorbs x on x.hash = ranked.xorb_hash"
        f" where {_USABLE} group by x.hash order by best, x.id desc limit :limit",
        {"chunk": chunk, "repo": repo, "since": since, "limit": limit, **seen_by(caller)},
    )
    return [row["hash"] for row in rows]


_FILE = "select f.id, f.hash, f.digest, f.size, f.terms, f.checked_at, f.fault from xet_files f"


def _file(row: Row) -> XetFile:
    return XetFile(
        hash=XetHash(row["hash"]),
        digest=Digest(row["digest"].hex()),
        size_bytes=row["size"],
        terms=_terms(row["terms"]),
        is_checked=row["checked_at"] is not None and row["fault"] is None,
        fault=row["fault"],
    )


def _terms(data: bytes) -> tuple[Term, ...]:
    parts: Sequence[tuple[bytes, int, int, int]] = list(_TERM.iter_unpack(data))
    return tuple(Term(XetHash(xorb), raw_bytes, start, end) for xorb, raw_bytes, start, end in parts)
