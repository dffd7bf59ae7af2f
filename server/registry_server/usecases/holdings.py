"""Who holds which bytes, and what becomes free when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from registry_server.catalog import holdings
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.settings import UPLOAD_GRACE_SECONDS
from registry_server.usecases.context import moment
from registry_server.usecases.xet_access import XORB_GRACE_SECONDS


@dataclass(frozen=True)
class RepoBytes:
    """What one repo holds: bytes that nobody else does, and bytes that other repos hold, too."""

    kind: str
    id: str
    unique_bytes: int
    shared_bytes: int


@dataclass(frozen=True)
class FreedByDeleting:
    """What the removal of a repo makes free, and from when on all of it is; None when nothing is."""

    freed_bytes: int
    shared_bytes: int
    free_from: str | None


def repo_bytes(tx: Transaction, repo: Repo) -> RepoBytes:
    """What the repo holds."""
    parts = holdings.parts_of(tx, repo.row_id)
    own, shared = holdings.object_bytes(tx, repo.row_id)
    return RepoBytes(
        repo.kind,
        repo.id,
        own + sum(part.size_bytes for part in parts if not part.shared),
        shared + sum(part.size_bytes for part in parts if part.shared),
    )


def freed_by_deleting(tx: Transaction, repo: int, at: datetime) -> FreedByDeleting:
    """What becomes free once this repo is gone."""
    parts = holdings.parts_of(tx, repo)
    own_bytes, shared_bytes = holdings.object_bytes(tx, repo)
    own = [part for part in parts if not part.shared]
    freed_bytes = own_bytes + sum(part.size_bytes for part in own)
    moments = [moment(at), *(free_from(part.blob_seen_at, part.xet_seen_at) for part in own)]
    return FreedByDeleting(
        freed_bytes,
        shared_bytes + sum(part.size_bytes for part in parts if part.shared),
        max(filter(None, moments)) if freed_bytes else None,
    )


def free_from(blob_seen_at: str | None, xet_seen_at: str | None) -> str | None:
    """The moment at which the grace of something ends that was last relied upon then."""
    ends = [
        moment(datetime.fromisoformat(seen_at) + timedelta(seconds=seconds))
        for seen_at, seconds in ((blob_seen_at, UPLOAD_GRACE_SECONDS), (xet_seen_at, XORB_GRACE_SECONDS))
        if seen_at is not None
    ]
    return max(ends, default=None)
