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

_UNHELD_BLOB = "b.xet_file is null and not exists (select 1 from repo_blobs h where h.digest = b.digest)"
_UNHELD_FILE = f"not exists (select 1 from repo_blobs h where {HOLDS})"
_OF_XORB = "substr(x.hash, length(x.hash) - 31)"  # a xorb that was set aside has a mark before its hash
_UNHELD_XORB = (
    "not exists (select 1 from xet_file_xorbs l join xet_files f on f.hash = l.file_hash"
    f" join repo_blobs h on {HOLDS} where l.xorb_hash = {_OF_XORB})"
)

_XORB_BLOB_SEEN = (
    "(select max(b.seen_at) from xet_file_xorbs l join xet_files f on f.hash = l.file_hash"
    " join blobs b on b.digest = f.digest and b.xet_file = f.hash where l.xorb_hash = x.hash)"
)
"""When somebody last relied on a file that xorb `x` is part of; relying on a part of it renews the xorb itself."""


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


@dataclass(frozen=True)
class GitBlob:
    """What a walk over trees needs to know of a blob. `content` is there for one that may be a pointer."""

    oid: bytes
    sha256: bytes
    is_detached: bool
    content: bytes | None  # compressed


@dataclass(frozen=True)
class Part:
    """Bytes that a repo holds: a whole file or a xorb. `shared` tells that another repo holds them too."""

    key: bytes
    size_bytes: int
    is_xorb: bool
    shared: bool
    blob_seen_at: str | None
    xet_seen_at: str | None


@dataclass(frozen=True)
class Waiting:
    """What nobody holds and what is kept for a while yet; the latest moments at which somebody relied on any of it."""

    count: int
    size_bytes: int
    blob_seen_at: str | None
    xet_seen_at: str | None


# -- marking


def roots(tx: Transaction, repo: int, recent: str) -> tuple[bytes, ...]:
    """What keeps history: refs, what they point to, publications, and commits made after `recent`."""
    rows = tx.execute(
        "select oid from refs where repo_id = :repo union select commit_oid from refs where repo_id = :repo"
        " union select commit_oid from publications where repo_id = :repo"
        " union select oid from commits where repo_id = :repo and created_at >= :recent order by 1",
        {"repo": repo, "recent": recent},
    )
    return tuple(row["oid"] for row in rows)


def owned_objects(tx: Transaction, repo: int) -> dict[bytes, int]:
    """Row numbers of the git objects that the repo owns, by id."""
    rows = tx.execute(
        "select o.id, o.oid from git_repo_objects g join git_objects o on o.id = g.object_id where g.repo_id = :repo",
        {"repo": repo},
    )
    return {row["oid"]: row["id"] for row in rows}


def git_blobs(tx: Transaction, oids: Iterable[bytes], pointer_bytes: int) -> list[GitBlob]:
    """What is known of those blobs; content only for those of at most `pointer_bytes`."""
    found: list[GitBlob] = []
    for names, params in in_batches(oids):
        rows = tx.execute(
            "select oid, sha256, data is null as detached, case when size <= :limit then data end as content"
            f" from git_objects where oid in {names}",
            {**params, "limit": pointer_bytes},
        )
        found += (GitBlob(row["oid"], row["sha256"], bool(row["detached"]), row["content"]) for row in rows)
    return found


def held_digests(tx: Transaction, repo: int) -> set[bytes]:
    """SHA-256s of the large files that the repo holds."""
    return {row["digest"] for row in tx.execute("select digest from repo_blobs where repo_id = :r", {"r": repo})}


def release_objects(tx: Transaction, repo: int, object_ids: Iterable[int]) -> int:
    """The repo owns these git objects no more; how many of them were lines of its log."""
    before = tx.execute("select count(*) as n from commits where repo_id = :repo", {"repo": repo})[0]["n"]
    of_repo = {"repo": repo}
    for numbers, params in in_batches(object_ids):
        values = {**params, **of_repo}
        tx.execute(
            f"delete from commits where repo_id = :repo and oid in (select oid from git_objects where id in {numbers})",
            values,
        )
        tx.execute(f"delete from git_repo_objects where repo_id = :repo and object_id in {numbers}", values)
    after = tx.execute("select count(*) as n from commits where repo_id = :repo", {"repo": repo})[0]["n"]
    if after < before:
        _forget_positions(tx, repo)
    return int(before - after)


def release_blobs(tx: Transaction, repo: int, digests: Iterable[bytes], since: str) -> int:
    """The repo holds these large files no more, save those relied on after `since`; how many Xet files are among them.

    An "already stored" answer may rest on this repo's holding the file, so what was seen lately stays the repo's.
    """
    xet_files = 0
    for names, params in in_batches(digests):
        rows = tx.execute(
            f"delete from repo_blobs as h where h.repo_id = :repo and h.digest in {names}"
            " and not exists (select 1 from blobs b where b.digest = h.digest and b.seen_at >= :since)"
            " and not exists (select 1 from xet_files f where f.hash = h.xet_file and f.digest = h.digest"
            "  and (f.checked_at is null or f.stored_at >= :since))"
            " returning xet_file",
            {**params, "repo": repo, "since": since},
        )
        xet_files += sum(row["xet_file"] is not None for row in rows)
    return xet_files


def _forget_positions(tx: Transaction, repo: int) -> None:
    """The index of touched paths forgets the commits that are gone; no commit that is left has them in its history."""
    params = {"repo": repo}
    tx.execute(
        "delete from touches where folder_id in (select id from folders where repo_id = :repo) and not exists"
        " (select 1 from commits c where c.chain = touches.chain and c.generation = touches.generation)",
        params,
    )
    tx.execute(
        "delete from chains where repo_id = :repo"
        " and not exists (select 1 from commits c where c.repo_id = :repo and c.chain = chains.id)",
        params,
    )


# -- forgetting


def drop_blobs(tx: Transaction, since: str, after: bytes, limit: int) -> Dropped:
    """Forget whole files that no repo holds and nobody relied on after `since`: those behind `after`, in order."""
    rows = tx.execute(
        f"select b.digest, b.size from blobs b where b.digest > :after and b.seen_at < :since and {_UNHELD_BLOB}"
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
        f" and not exists (select 1 from xet_file_xorbs l where l.xorb_hash = {_OF_XORB})"
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


# -- telling


def waiting_blobs(tx: Transaction) -> Waiting:
    """Whole files that no repo holds."""
    row = tx.execute(
        "select count(*) as n, coalesce(sum(b.size), 0) as size, max(b.seen_at) as seen"
        f" from blobs b where {_UNHELD_BLOB}"
    )[0]
    return Waiting(row["n"], row["size"], row["seen"], None)


def waiting_xorbs(tx: Transaction) -> Waiting:
    """Xorbs that are part of nothing a repo holds."""
    row = tx.execute(
        "select count(*) as n, coalesce(sum(size), 0) as size, max(seen_at) as seen, max(blob_seen) as blob_seen"
        f" from (select x.size, x.seen_at, {_XORB_BLOB_SEEN} as blob_seen from xorbs x"
        f" where length(x.hash) = 32 and {_UNHELD_XORB})"
    )[0]
    return Waiting(row["n"], row["size"], row["blob_seen"], row["seen"])


def parts_of(tx: Transaction, repo: int) -> list[Part]:
    """The whole files and xorbs that the repo holds."""
    params = {"repo": repo}
    whole = tx.execute(
        "select b.digest as key, b.size, b.seen_at as blob_seen, exists (select 1 from repo_blobs o"
        "  where o.digest = b.digest and o.repo_id <> :repo) as shared"
        " from repo_blobs h join blobs b on b.digest = h.digest and b.xet_file is null where h.repo_id = :repo",
        params,
    )
    xorbs = tx.execute(
        f"select x.hash as key, x.size, x.seen_at as xet_seen, {_XORB_BLOB_SEEN} as blob_seen,"
        " exists (select 1 from xet_file_xorbs l join xet_files f on f.hash = l.file_hash"
        f"  join repo_blobs h on {HOLDS} where l.xorb_hash = x.hash and h.repo_id <> :repo) as shared"
        " from xorbs x where x.hash in (select l.xorb_hash from repo_blobs h"
        f"  join xet_files f on {HOLDS} join xet_file_xorbs l on l.file_hash = f.hash where h.repo_id = :repo)",
        params,
    )
    return [
        *(Part(row["key"], row["size"], False, bool(row["shared"]), row["blob_seen"], None) for row in whole),
        *(Part(row["key"], row["size"], True, bool(row["shared"]), row["blob_seen"], row["xet_seen"]) for row in xorbs),
    ]


def object_bytes(tx: Transaction, repo: int) -> tuple[int, int]:
    """Bytes of the git objects that only this repo owns, and of those that it shares."""
    row = tx.execute(
        "select coalesce(sum(case when owners = 1 then size end), 0) as own,"
        " coalesce(sum(case when owners > 1 then size end), 0) as shared from ("
        "  select coalesce(length(o.data), 0) as size,"
        "   (select count(*) from git_repo_objects a where a.object_id = o.id) as owners"
        "  from git_repo_objects g join git_objects o on o.id = g.object_id where g.repo_id = :repo)",
        {"repo": repo},
    )[0]
    return row["own"], row["shared"]


def all_repos(tx: Transaction) -> list[Repo]:
    """Every repo, by kind and name."""
    return [repo_of(row) for row in tx.execute("select * from repos order by kind, key")]


def repo_of_number(tx: Transaction, number: int) -> Repo | None:
    """The repo of that row number."""
    rows = tx.execute("select * from repos where id = :id", {"id": number})
    return repo_of(rows[0]) if rows else None
