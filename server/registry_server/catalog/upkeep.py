"""What nobody needs any more, and who holds how much.

    repos ── refs, publications ──► commits ──► trees ──► pointers        marked by walking the objects
      │ repo_blobs                                           │
      └─► blobs (whole files) ◄──────────────────────────────┤            held by any repo, or seen lately
          xet_files ── xet_file_xorbs ──► xorbs ◄────────────┘            held, or registered or seen lately

Every function here that forgets something looks at the rows themselves, inside the caller's write transaction, so that
a row that somebody came to rely on meanwhile stays. Bytes are deleted elsewhere, after their row is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from registry_server.catalog.engine import Transaction, in_batches
from registry_server.catalog.repos import Repo, repo_of
from registry_server.xet.hashing import XetHash

_NOT_WHOLE = "not exists (select 1 from blobs w where w.digest = f.digest and w.xet_file is null)"

HOLDS = (
    f"h.digest = f.digest and (h.xet_file = f.hash or (f.checked_at is not null and f.fault is null and {_NOT_WHOLE}))"
)
"""A row `h` of repo_blobs needs the Xet file `f`: it names it, or it names the SHA-256 and no whole file is there."""

UNHELD_BLOB = "b.xet_file is null and not exists (select 1 from repo_blobs h where h.digest = b.digest)"
_UNHELD_FILE = f"not exists (select 1 from repo_blobs h where {HOLDS})"
OF_XORB = "substr(x.hash, length(x.hash) - 31)"  # a xorb that was set aside has a mark before its hash


@dataclass(frozen=True)
class Moments:
    """From when on something counts as seen lately."""

    blobs: str
    xet: str


@dataclass(frozen=True)
class Dropped:
    """Rows that are gone from the catalog: their keys, in the order of the batch, and their bytes."""

    keys: list[bytes]
    size_bytes: int


def drop_blobs(tx: Transaction, since: str, after: bytes, limit: int) -> Dropped:
    """Forget whole files that no repo holds and nobody relied on after `since`: those behind `after`, in order."""
    rows = tx.execute(
        f"select b.digest, b.size from blobs b where b.digest > :after and b.seen_at < :since and {UNHELD_BLOB}"
        " order by b.digest limit :limit",
        {"since": since, "after": after, "limit": limit},
    )
    forget_blobs(tx, [row["digest"] for row in rows])
    return Dropped([row["digest"] for row in rows], sum(row["size"] for row in rows))


def forget_blobs(tx: Transaction, digests: Collection[bytes]) -> None:
    """These files are not stored any more, under whatever form: nobody may name them without sending them again."""
    for names, params in in_batches(digests):
        tx.execute(f"delete from uploads where digest in {names}", params)
        tx.execute(f"delete from blobs where digest in {names}", params)
        tx.execute(
            f"delete from weights where digest in {names}"
            " and not exists (select 1 from repo_blobs h where h.digest = weights.digest)",
            params,
        )


def drop_files(tx: Transaction, since: Moments, after: int, limit: int) -> list[int]:
    """Forget Xet files behind number `after` that no repo holds and nobody registered or relied on lately."""
    rows = tx.execute(
        "select f.id, f.hash from xet_files f where f.id > :after and f.checked_at is not null"
        f" and f.stored_at < :xet and {_UNHELD_FILE}"
        " and not exists (select 1 from xet_uploads u where u.hash = f.hash and u.uploaded_at >= :xet)"
        " and not exists (select 1 from blobs b where b.digest = f.digest and b.xet_file = f.hash"
        "  and b.seen_at >= :blobs) order by f.id limit :limit",
        {"xet": since.xet, "blobs": since.blobs, "after": after, "limit": limit},
    )
    for numbers, params in in_batches(row["id"] for row in rows):
        named = tx.execute(
            "select b.digest from xet_files f join blobs b on b.digest = f.digest and b.xet_file = f.hash"
            f" where f.id in {numbers}",
            params,
        )
        forget_blobs(tx, [blob["digest"] for blob in named])
        tx.execute(f"delete from xet_files where id in {numbers}", params)
    for names, params in in_batches({row["hash"] for row in rows}):
        for table, column in (("xet_file_xorbs", "file_hash"), ("weights", "digest")):
            tx.execute(
                f"delete from {table} where {column} in {names}"
                f" and not exists (select 1 from xet_files f where f.hash = {table}.{column})",
                params,
            )
    return [row["id"] for row in rows]


def drop_xorbs(tx: Transaction, since: str, after: int, limit: int) -> tuple[Dropped, int]:
    """Forget xorbs behind number `after` that are part of no file and were not seen after `since`; the last number."""
    rows = tx.execute(
        "select x.id, x.hash, x.size from xorbs x where x.id > :after and x.seen_at < :since"
        f" and not exists (select 1 from xet_file_xorbs l where l.xorb_hash = {OF_XORB})"
        " order by x.id limit :limit",
        {"since": since, "after": after, "limit": limit},
    )
    for numbers, params in in_batches(row["id"] for row in rows):
        tx.execute(f"delete from xorbs where id in {numbers}", params)
    whole = [row for row in rows if len(row["hash"]) == 32]
    dropped = Dropped([row["hash"] for row in whole], sum(row["size"] for row in whole))
    return dropped, rows[-1]["id"] if rows else after


def drop_chunks(tx: Transaction) -> None:
    """Nobody need ask for chunks of xorbs that are not stored."""
    tx.execute("delete from xet_chunks where xorb_hash not in (select hash from xorbs)")


def drop_objects(tx: Transaction, after: int, limit: int) -> tuple[int, int, int]:
    """Forget git objects behind number `after` that no repo owns: how many, their bytes, the last number.

    No grace is needed: whoever makes a commit writes all its objects again and takes them in one write transaction, so
    nobody relies on an object without an owner.
    """
    rows = tx.execute(
        "select o.id, o.oid, length(o.data) as size from git_objects o where o.id > :after"
        " and not exists (select 1 from git_repo_objects g where g.object_id = o.id) order by o.id limit :limit",
        {"after": after, "limit": limit},
    )
    for names, params in in_batches(row["oid"] for row in rows):
        tx.execute(f"delete from lfs_pointers where oid in {names}", params)
    for numbers, params in in_batches(row["id"] for row in rows):
        tx.execute(f"delete from git_objects where id in {numbers}", params)
    return len(rows), sum(row["size"] or 0 for row in rows), rows[-1]["id"] if rows else after


def drop_notes(tx: Transaction, since: Moments) -> int:
    """Forget who sent what before those moments; how many notes there were."""
    return tx.changed("delete from uploads where uploaded_at < :since", {"since": since.blobs}) + tx.changed(
        "delete from xet_uploads where uploaded_at < :since", {"since": since.xet}
    )


def unknown_keys(tx: Transaction, keys: Iterable[str]) -> list[str]:
    """Of those keys of the blob store the ones whose bytes no row stands for, and no repo waits for."""
    named = [key.split("/") for key in keys]
    unknown: dict[bytes, str] = {bytes.fromhex(name): f"{space}/{name}" for space, name in named if space == "sha256"}
    for names, params in in_batches(list(unknown)):
        rows = tx.execute(
            f"select digest from blobs where xet_file is null and digest in {names}"
            f" union select digest from repo_blobs where xet_file is null and digest in {names}",
            params,
        )
        for row in rows:
            del unknown[row["digest"]]
    xorbs: dict[bytes, str] = {XetHash.parse(name): f"{space}/{name}" for space, name in named if space == "xorb"}
    for names, params in in_batches(list(xorbs)):
        for row in tx.execute(f"select hash from xorbs where hash in {names}", params):
            del xorbs[row["hash"]]
    parts = [f"{space}/{name}" for space, name in named if space == "part"]  # of uploads that were abandoned
    return [*unknown.values(), *xorbs.values(), *parts]


def unlinked_files(tx: Transaction) -> int:
    """How many Xet files have lost the note of the xorbs they are made of; these would then look free."""
    number: int = tx.execute(
        "select count(*) as n from xet_files f where length(f.terms) > 0"
        " and not exists (select 1 from xet_file_xorbs l where l.file_hash = f.hash)"
    )[0]["n"]
    return number


def all_repos(tx: Transaction) -> list[Repo]:
    """Every repo, by kind and name."""
    return [repo_of(row) for row in tx.execute("select * from repos order by kind, key")]


def repo_of_number(tx: Transaction, number: int) -> Repo | None:
    """The repo of that row number."""
    rows = tx.execute("select * from repos where id = :id", {"id": number})
    return repo_of(rows[0]) if rows else None
