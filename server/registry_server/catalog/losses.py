"""What repos need and what cannot be served."""

from __future__ import annotations

from collections.abc import Iterable

from registry_server.catalog.engine import Row, Transaction, in_batches
from registry_server.catalog.repos import Repo, repo_of
from registry_server.catalog.stored import MARK

LOST = "Its bytes were lost or found damaged."


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


def holders_of_file(tx: Transaction, file_hash: bytes, digest: bytes) -> list[Repo]:
    """Repos that name this very Xet file of that claimed SHA-256, by name."""
    rows = tx.execute(
        "select r.* from repo_blobs h join repos r on r.id = h.repo_id"
        " where h.xet_file = :hash and h.digest = :digest order by r.kind, r.key",
        {"hash": file_hash, "digest": digest},
    )
    return [repo_of(row) for row in rows]


def marked_objects(tx: Transaction) -> dict[bytes, list[str]]:
    """Ids of damaged git objects that repos own, with those repos."""
    rows = tx.execute(
        "select o.oid, r.kind, r.name from git_objects o join git_repo_objects g on g.object_id = o.id"
        " join repos r on r.id = g.repo_id where substr(o.data, 1, :length) = :mark order by o.oid, r.kind, r.key",
        {"length": len(MARK), "mark": MARK},
    )
    return _by_key(rows, "oid")


def present(tx: Transaction, oids: Iterable[bytes]) -> set[bytes]:
    """Those git ids of which there are objects, damaged or not."""
    found: set[bytes] = set()
    for names, params in in_batches(oids):
        found.update(row["oid"] for row in tx.execute(f"select oid from git_objects where oid in {names}", params))
    return found


def of_files(tx: Transaction, repo: int, oids: Iterable[bytes]) -> dict[bytes, str]:
    """Why files of the repo cannot be served, by git id of their blob; those that can be are left out."""
    found: dict[bytes, str] = {}
    for names, params in in_batches(oids):
        rows = tx.execute(
            f"select o.oid, f.fault, {_LOST} as is_lost from git_objects o"
            " left join lfs_pointers p on p.oid = o.oid"
            " left join repo_blobs h on h.repo_id = :repo and h.digest = p.digest"
            " left join xet_files f on f.hash = h.xet_file and f.digest = h.digest"
            f" where o.oid in {names}",
            {**params, "repo": repo, "mark": MARK, "length": len(MARK)},
        )
        found.update((row["oid"], row["fault"] or LOST) for row in rows if row["fault"] or row["is_lost"])
    return found


_LOST = (
    "case when h.digest is null and o.data is not null then substr(o.data, 1, :length) = :mark"
    " when h.xet_file is null then not exists"
    "  (select 1 from blobs b where b.digest = coalesce(h.digest, o.sha256) and b.xet_file is null)"
    " else f.id is null or exists (select 1 from xet_file_xorbs l where l.file_hash = h.xet_file"
    "  and not exists (select 1 from xorbs x where x.hash = l.xorb_hash)) end"
)
"""Small files are in the catalog, large ones whole in the blob store or made of xorbs: whether that is not there."""


def _by_key(rows: Iterable[Row], key: str) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(f"{row['kind']} {row['name']}")
    return found
