"""The large files that a repo's history names, and letting go of some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_server.catalog.engine import Transaction, in_batches
from registry_server.git.objects import TREE_TYPE


@dataclass(frozen=True)
class LargeFile:
    """A large file that a repo holds; `pointer` is the git id of what stands for it in trees."""

    digest: bytes
    pointer: bytes
    size_bytes: int
    stored_at: str


def of_repo(tx: Transaction, repo: int, after: bytes, limit: int) -> list[LargeFile]:
    """Large files by digest, those after `after`."""
    rows = tx.execute(
        "select h.digest, p.oid, coalesce(f.size, b.size, p.size) as size,"
        " coalesce(b.stored_at, f.stored_at) as stored_at"
        " from git_repo_objects g join git_objects o on o.id = g.object_id join lfs_pointers p on p.oid = o.oid"
        " join repo_blobs h on h.repo_id = g.repo_id and h.digest = p.digest"
        " left join xet_files f on f.hash = h.xet_file and f.digest = h.digest"
        " left join blobs b on b.digest = h.digest"
        " where g.repo_id = :repo and h.digest > :after order by h.digest limit :limit",
        {"repo": repo, "after": after, "limit": limit},
    )
    return [LargeFile(row["digest"], row["oid"], row["size"], row["stored_at"]) for row in rows]


def pointers(tx: Transaction, repo: int, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    """Of the files those that the repo holds as large ones: SHA-256 by the git id of what stands in its trees."""
    wanted = set(digests)
    found: dict[bytes, bytes] = {}
    after = b""
    while page := of_repo(tx, repo, after, 1000):
        found |= {file.pointer: file.digest for file in page if file.digest in wanted}
        after = page[-1].digest
    return found


def release(tx: Transaction, repo: int, digests: Iterable[bytes]) -> None:
    """The repo holds these files no longer; what names them is from now on the text of a pointer."""
    for names, params in in_batches(digests):
        tx.execute(f"delete from repo_blobs where repo_id = :repo and digest in {names}", {"repo": repo, **params})


def trees(tx: Transaction, repo: int) -> list[bytes]:
    """Git ids of all trees that the repo owns."""
    rows = tx.execute(
        "select o.oid from git_repo_objects g join git_objects o on o.id = g.object_id"
        " where g.repo_id = :repo and o.type = :type",
        {"repo": repo, "type": TREE_TYPE},
    )
    return [row["oid"] for row in rows]
