"""Who holds how many bytes, and what nobody holds and is kept for a while yet."""

from __future__ import annotations

from dataclasses import dataclass

from registry_server.catalog.engine import Transaction
from registry_server.catalog.upkeep import HOLDS, OF_XORB, UNHELD_BLOB

_UNHELD_XORB = (
    "not exists (select 1 from xet_file_xorbs l join xet_files f on f.hash = l.file_hash"
    f" join repo_blobs h on {HOLDS} where l.xorb_hash = {OF_XORB})"
)
_XORB_BLOB_SEEN = (
    "(select max(b.seen_at) from xet_file_xorbs l join xet_files f on f.hash = l.file_hash"
    " join blobs b on b.digest = f.digest and b.xet_file = f.hash where l.xorb_hash = x.hash)"
)
"""When somebody last relied on a file that xorb `x` is part of; relying on a part of it renews the xorb itself."""


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


def waiting_blobs(tx: Transaction) -> Waiting:
    """Whole files that no repo holds."""
    row = tx.execute(
        "select count(*) as n, coalesce(sum(b.size), 0) as size, max(b.seen_at) as seen"
        f" from blobs b where {UNHELD_BLOB}"
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
