"""What a repo keeps, and how it gives up what cannot be reached any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_server.catalog.engine import Transaction, in_batches


@dataclass(frozen=True)
class GitBlob:
    """What a walk over trees needs to know of a blob. `content` is there for one that may be a pointer."""

    oid: bytes
    sha256: bytes
    is_detached: bool
    content: bytes | None  # compressed


def roots(tx: Transaction, repo: int, recent: str) -> tuple[bytes, ...]:
    """What keeps history: refs, what they point to, publications, and commits made after `recent`."""
    rows = tx.execute(
        "select oid from refs where repo_id = :repo union select commit_oid from refs where repo_id = :repo"
        " union select commit_oid from publications where repo_id = :repo"
        " union select oid from commits where repo_id = :repo and created_at >= :recent order by 1",
        {"repo": repo, "recent": recent},
    )
    return tuple(row["oid"] for row in rows)


def kept_roots(tx: Transaction, repo: int) -> list[bytes]:
    """What a repo's refs and publications point to."""
    return list(roots(tx, repo, recent="9999"))


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
