"""Which large files are stored, which repo holds them, and who sent them lately.

Knowing a digest grants nothing: `granted` is the one place that decides whether a caller may name stored bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction, in_batches
from registry_server.catalog.repos import READABLE, seen_by

_SOUND = (
    "(h.xet_file is null or exists (select 1 from xet_files f where f.hash = h.xet_file and f.digest = h.digest"
    " and f.checked_at is not null and f.fault is null))"
)
"""Rows `h` of repo_blobs of which the SHA-256 is known to be that of the bytes, and not only what somebody claimed."""


@dataclass(frozen=True)
class Stored:
    """A large file that is stored: whole in the blob store, or else as the Xet file that rebuilds it."""

    size_bytes: int
    xet_file: bytes | None


def granted(tx: Transaction, caller: Caller, repo: int, digests: Iterable[bytes], since: str) -> dict[bytes, Stored]:
    """Of the digests, those that are stored and that this caller may name in `repo`.

    That is so when the repo itself or one the caller may read holds the blob, or the caller sent it after `since`. What
    a repo holds on its uploader's word alone does not count: whoever knows a SHA-256 can claim it.
    """
    found: dict[bytes, Stored] = {}
    for names, params in in_batches(digests):
        rows = tx.execute(
            f"select b.digest, b.size, b.xet_file from blobs b where b.digest in {names} and ("
            " exists (select 1 from repo_blobs h join repos r on r.id = h.repo_id"
            f"  where h.digest = b.digest and (r.id = :repo or {READABLE}) and {_SOUND})"
            " or exists (select 1 from uploads u where u.account_id = :caller and u.digest = b.digest"
            "  and u.uploaded_at >= :since))",
            {**params, "repo": repo, "since": since, **seen_by(caller)},
        )
        found.update((row["digest"], Stored(row["size"], row["xet_file"])) for row in rows)
    return found


def see(tx: Transaction, digests: Iterable[bytes], at: str) -> None:
    """Renew the moment at which somebody last relied on these blobs; the collector leaves recent ones alone."""
    for names, params in in_batches(digests):
        tx.execute(f"update blobs set seen_at = :at where digest in {names}", {**params, "at": at})


def add(tx: Transaction, digest: bytes, size_bytes: int, at: str) -> None:
    """The store holds this blob now."""
    tx.execute(
        "insert into blobs (digest, size, stored_at, seen_at) values (:digest, :size, :at, :at)"
        " on conflict (digest) do update set seen_at = excluded.seen_at, xet_file = null",
        {"digest": digest, "size": size_bytes, "at": at},
    )


def add_upload(tx: Transaction, account_id: int, digest: bytes, at: str) -> None:
    """This account sent these bytes, so it had them."""
    tx.execute(
        "insert into uploads (account_id, digest, uploaded_at) values (:account, :digest, :at)"
        " on conflict (account_id, digest) do update set uploaded_at = excluded.uploaded_at",
        {"account": account_id, "digest": digest, "at": at},
    )


def was_sent(tx: Transaction, account_id: int, digest: bytes, since: str) -> bool:
    """Whether this account sent these bytes after `since`."""
    return bool(
        tx.execute(
            "select 1 from uploads where account_id = :account and digest = :digest and uploaded_at >= :since",
            {"account": account_id, "digest": digest, "since": since},
        )
    )


def hold(tx: Transaction, repo: int, digests: Iterable[bytes]) -> None:
    """The repo's history names these blobs, which were granted. They take the place of what was only claimed."""
    tx.execute_many(
        "insert into repo_blobs as h (repo_id, digest, xet_file)"
        " select :repo, :digest, (select b.xet_file from blobs b where b.digest = :digest)"
        f" where true on conflict (repo_id, digest) do update set xet_file = excluded.xet_file where not {_SOUND}",
        ({"repo": repo, "digest": digest} for digest in digests),
    )


def hold_unchecked(tx: Transaction, repo: int, files: Mapping[bytes, bytes]) -> None:
    """The repo's history names these files, SHA-256 to Xet hash, of which the SHA-256 is still to be checked.

    They take the place of files of which it was found wrong.
    """
    tx.execute_many(
        "insert into repo_blobs as h (repo_id, digest, xet_file) values (:repo, :digest, :file)"
        " on conflict (repo_id, digest) do update set xet_file = excluded.xet_file"
        " where exists (select 1 from xet_files f"
        "  where f.hash = h.xet_file and f.digest = h.digest and f.fault is not null)",
        ({"repo": repo, "digest": digest, "file": file} for digest, file in files.items()),
    )


def held(tx: Transaction, repo: int, digest: bytes) -> Stored | None:
    """A large file that the repo holds, or None."""
    rows = tx.execute(
        "select coalesce(f.size, b.size) as size, h.xet_file from repo_blobs h"
        " left join xet_files f on f.hash = h.xet_file left join blobs b on b.digest = h.digest"
        " where h.repo_id = :repo and h.digest = :digest",
        {"repo": repo, "digest": digest},
    )
    return Stored(rows[0]["size"], rows[0]["xet_file"]) if rows else None
