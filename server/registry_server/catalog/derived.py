"""Writing anew what can be derived: the log, what pointers mean, headers of weights, of which xorbs files are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from registry_server.catalog import weights
from registry_server.catalog.blobs import Stored
from registry_server.catalog.engine import Transaction, in_batches
from registry_server.catalog.history import CommitEntry, add_commit, entry_of
from registry_server.catalog.stored import StoredFile
from registry_server.catalog.weights import Weights
from registry_server.git.objects import StoredObject

_ROWS_AT_ONCE = 500


def owned(tx: Transaction, repo: int, kind: int, largest_bytes: int = 1 << 62) -> Iterator[StoredObject]:
    """The repo's git objects of that type, up to that size."""
    after = 0
    while True:
        rows = tx.execute(
            "select o.id, o.oid, o.type, o.size, o.sha256, o.data from git_repo_objects g"
            " join git_objects o on o.id = g.object_id where g.repo_id = :repo and g.object_id > :after"
            " and o.type = :kind and o.size <= :largest order by g.object_id limit :limit",
            {"repo": repo, "kind": kind, "largest": largest_bytes, "after": after, "limit": _ROWS_AT_ONCE},
        )
        if not rows:
            return
        yield from (StoredObject(row["oid"], row["type"], row["size"], row["sha256"], row["data"]) for row in rows)
        after = rows[-1]["id"]


def detached_digests(tx: Transaction, repo: int) -> list[bytes]:
    """SHA-256s of the repo's git blobs whose bytes are in the blob store."""
    rows = tx.execute(
        "select o.sha256 from git_repo_objects g join git_objects o on o.id = g.object_id"
        " join blobs b on b.digest = o.sha256 where g.repo_id = :repo and o.data is null",
        {"repo": repo},
    )
    return [row["sha256"] for row in rows]


def held(tx: Transaction, repo: int) -> dict[bytes, Stored]:
    """The large files that the repo holds, by SHA-256, as far as anything is stored of them."""
    rows = tx.execute(
        "select h.digest, coalesce(f.size, b.size) as size, h.xet_file from repo_blobs h"
        " left join xet_files f on f.hash = h.xet_file and f.digest = h.digest"
        " left join blobs b on b.digest = h.digest"
        " where h.repo_id = :repo and coalesce(f.size, b.size) is not null",
        {"repo": repo},
    )
    return {row["digest"]: Stored(row["size"], row["xet_file"]) for row in rows}


def stored(tx: Transaction, digests: Iterable[bytes]) -> dict[bytes, Stored]:
    """Those files that are stored, whoever holds them. Only for what the administrator asked for."""
    found: dict[bytes, Stored] = {}
    for names, params in in_batches(digests):
        for row in tx.execute(f"select digest, size, xet_file from blobs where digest in {names}", params):
            found[row["digest"]] = Stored(row["size"], row["xet_file"])
    return found


def log(tx: Transaction, repo: int) -> list[CommitEntry]:
    """Every line of the repo's log, in the order in which they were written."""
    rows = tx.execute(
        "select oid, parent, created_at, author, title, message from commits where repo_id = :repo order by id",
        {"repo": repo},
    )
    return [entry_of(row) for row in rows]


def replace_log(tx: Transaction, repo: int, entries: Sequence[CommitEntry]) -> None:
    """These lines, of which parents come first, are the repo's log."""
    tx.execute("delete from commits where repo_id = :repo", {"repo": repo})
    for entry in entries:
        add_commit(tx, repo, entry)


def replace_weights(tx: Transaction, headers: Iterable[Weights]) -> None:
    """What these headers say is what is known of the files."""
    for header in headers:
        tx.execute("delete from weights where digest = :digest", {"digest": header.key})
        weights.add(tx, header)


def replace_pointers(tx: Transaction, pointers: Iterable[tuple[bytes, bytes, int]]) -> None:
    """What these git blobs mean: (git id, SHA-256, size)."""
    tx.execute_many(
        "insert into lfs_pointers (oid, digest, size) values (:oid, :digest, :size)"
        " on conflict (oid) do update set digest = excluded.digest, size = excluded.size",
        ({"oid": oid, "digest": digest, "size": size} for oid, digest, size in pointers),
    )


def replace_links(tx: Transaction, files: Sequence[StoredFile]) -> None:
    """Note of which xorbs these Xet files are made."""
    tx.execute_many(
        "insert into xet_file_xorbs (xorb_hash, file_hash) values (:xorb, :file)"
        " on conflict (xorb_hash, file_hash) do nothing",
        ({"xorb": term.xorb, "file": file.hash} for file in files for term in file.terms),
    )


def drop_strays(tx: Transaction) -> None:
    """Forget derived rows of things that are gone."""
    for statement in (
        "delete from lfs_pointers where oid not in (select oid from git_objects)",
        "delete from xet_file_xorbs where file_hash not in (select hash from xet_files)",
        "delete from xet_chunks where xorb_hash not in (select hash from xorbs)",
    ):
        tx.execute(statement)
