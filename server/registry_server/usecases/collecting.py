"""Freeing what nobody needs any more, beside a running server.

    1. mark      each repo's objects from its refs, its publications and its commits of late; the rest it gives up
    2. forget    rows that no repo needs and nobody relied on within the grace, in short write transactions
    3. sweep     bytes in the blob store that no row stands for and that were not stored lately

Somebody may rely on a thing again at any moment. Rows: each is looked at once more in the transaction that drops it,
and "already stored" is said in a transaction that renews the moment it was seen. Bytes: an upload puts its bytes first
and its row after, so bytes without a row may be somebody's who is about to add it. Bytes are therefore deleted under
the catalog's write lock, once it was seen there that no row stands for them, and only by a step of the store that
refuses when they were put within the grace. Whoever dies in between leaves bytes without a row, for the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from registry_core.errors import Refused
from registry_core.ids import Digest
from registry_server.blobs.store import key_of, xorb_key
from registry_server.catalog import audit, holdings, keeping, upkeep, xet
from registry_server.catalog.engine import Engine, Transaction
from registry_server.catalog.upkeep import Moments
from registry_server.settings import UPLOAD_GRACE_SECONDS
from registry_server.usecases import marking
from registry_server.usecases.context import Registry, moment, moment_before
from registry_server.usecases.holdings import RepoBytes, free_from, repo_bytes
from registry_server.usecases.xet_access import XORB_GRACE_SECONDS
from registry_server.xet.hashing import XetHash

_ROWS_AT_ONCE = 500
_KEYS_AT_ONCE = 50

Begin = Callable[[], AbstractContextManager[Transaction]]


@dataclass
class Amount:
    """So many things, and their bytes."""

    count: int = 0
    size_bytes: int = 0

    def add(self, count: int, size_bytes: int) -> None:
        self.count += count
        self.size_bytes += size_bytes


@dataclass
class Freed:
    """What is gone: bytes of the blob store, and rows of the catalog.

    `orphans` are bytes that no row stood for, as a crash leaves them. Room in the catalog's file is used again.
    """

    blobs: Amount = field(default_factory=Amount)
    xorbs: Amount = field(default_factory=Amount)
    orphans: Amount = field(default_factory=Amount)
    git_objects: Amount = field(default_factory=Amount)
    xet_files: int = 0
    commits: int = 0
    notes: int = 0


@dataclass(frozen=True)
class Kept:
    """What nobody holds and the grace keeps; `free_from` is the moment from which all of it is free."""

    count: int
    size_bytes: int
    free_from: str | None


@dataclass(frozen=True)
class Collection:
    """What one run freed, or would free. `skipped` are repos whose history cannot be read to its end."""

    dry_run: bool
    at: str
    freed: Freed
    freed_bytes: int  # of the blob store
    kept: dict[str, Kept]  # blobs, xorbs, orphans
    repos: list[RepoBytes]
    skipped: list[str]


@dataclass(frozen=True)
class _Mark:
    """What a repo owns and holds and cannot be reached from its roots."""

    repo: int
    name: str
    roots: tuple[bytes, ...]
    object_ids: list[int]
    digests: set[bytes]
    is_broken: bool


def collect(registry: Registry, *, dry_run: bool = False) -> Collection:
    """Free what can be freed. A dry run does the same in a transaction that is undone, and deletes no bytes.

    Raises Refused when the catalog's derived tables are too damaged to tell what is free.
    """
    at = registry.now()
    since = Moments(moment_before(at, UPLOAD_GRACE_SECONDS), moment_before(at, XORB_GRACE_SECONDS))
    with registry.engine.read() as tx:
        if upkeep.unlinked_files(tx):
            raise Refused(
                "The catalog does not know of which xorbs some files are made.",
                hint="Run `registry admin reindex` first.",
            )
    _note(registry, "gc.start", {}, dry_run=dry_run)
    marks = list(_marks(registry, since))
    freed, dropped = Freed(), set[str]()
    with _begin(registry.engine, dry_run) as begin:
        _release(begin, marks, since, freed)
        _forget(begin, since, freed, dropped)
        with begin() as tx:
            kept = {"blobs": _kept(holdings.waiting_blobs(tx)), "xorbs": _kept(holdings.waiting_xorbs(tx))}
            repos = [repo_bytes(tx, repo) for repo in upkeep.all_repos(tx)]
    kept["orphans"] = _sweep(registry, dropped, at, freed, dry_run=dry_run)
    freed_bytes = sum(amount.size_bytes for amount in (freed.blobs, freed.xorbs, freed.orphans))
    _note(registry, "gc.end", {"freed_bytes": freed_bytes, "freed": asdict(freed)}, dry_run=dry_run)
    skipped = [mark.name for mark in marks if mark.is_broken]
    return Collection(dry_run, moment(at), freed, freed_bytes, kept, repos, skipped)


def _note(registry: Registry, action: str, detail: dict[str, object], *, dry_run: bool) -> None:
    """A line in the audit: a run is many transactions, and one that dies has left its beginning."""
    if not dry_run:
        with registry.engine.write() as tx:
            audit.note(tx, registry.stamp(), None, action, detail=detail)


# -- mark


def _marks(registry: Registry, since: Moments) -> Iterator[_Mark]:
    """A mark for each repo that has something to give up. Reading takes no lock, however long it is."""
    with registry.engine.read() as tx:
        repos = upkeep.all_repos(tx)
    for repo in repos:
        with registry.engine.read() as tx:
            mark = _mark(tx, repo.row_id, f"{repo.kind} {repo.id}", since)
        if mark.object_ids or mark.digests or mark.is_broken:
            yield mark


def _mark(tx: Transaction, repo: int, name: str, since: Moments) -> _Mark:
    roots = keeping.roots(tx, repo, since.blobs)
    reached = marking.walk(tx, roots)
    if reached.broken:
        return _Mark(repo, name, roots, [], set(), is_broken=True)
    object_ids = [number for oid, number in keeping.owned_objects(tx, repo).items() if oid not in reached.objects]
    return _Mark(repo, name, roots, object_ids, keeping.held_digests(tx, repo) - reached.digests, is_broken=False)


def _release(begin: Begin, marks: list[_Mark], since: Moments, freed: Freed) -> None:
    for mark in marks:
        with begin() as tx:
            if keeping.roots(tx, mark.repo, since.blobs) != mark.roots:
                mark = _mark(tx, mark.repo, mark.name, since)  # somebody pushed meanwhile
            freed.commits += keeping.release_objects(tx, mark.repo, mark.object_ids)
            if keeping.release_blobs(tx, mark.repo, mark.digests, since.blobs):
                # Clients may have been told that they can build on these files' xorbs, and nobody can take it back.
                xet.bump_generation(tx)


# -- forget


def _forget(begin: Begin, since: Moments, freed: Freed, dropped: set[str]) -> None:
    digest, more = b"", True
    while more:
        with begin() as tx:
            rows = upkeep.drop_blobs(tx, since.blobs, digest, _ROWS_AT_ONCE)
        dropped.update(key_of(Digest(key.hex())) for key in rows.keys)
        more, digest = bool(rows.keys), max(rows.keys, default=b"")
    file, more = 0, True
    while more:
        with begin() as tx:
            numbers = upkeep.drop_files(tx, since, file, _ROWS_AT_ONCE)
        freed.xet_files += len(numbers)
        more, file = bool(numbers), max(numbers, default=0)
    xorb, more = 0, True
    while more:
        with begin() as tx:
            rows, last = upkeep.drop_xorbs(tx, since.xet, xorb, _ROWS_AT_ONCE)
        dropped.update(xorb_key(XetHash(key)) for key in rows.keys)
        more, xorb = last > xorb, last
    thing, more = 0, True
    while more:
        with begin() as tx:
            count, size_bytes, last = upkeep.drop_objects(tx, thing, _ROWS_AT_ONCE)
        freed.git_objects.add(count, size_bytes)
        more, thing = last > thing, last
    with begin() as tx:
        upkeep.drop_chunks(tx)
        freed.notes += upkeep.drop_notes(tx, since)


class _Undone(Exception):
    """Ends a dry run."""


@contextmanager
def _begin(engine: Engine, dry_run: bool) -> Iterator[Begin]:
    """How a step begins its transaction: each a short one of its own, or, in a dry run, all in one that is undone."""
    if not dry_run:
        yield engine.write
        return
    try:
        with engine.write() as tx:
            yield lambda: nullcontext(tx)
            raise _Undone
    except _Undone:
        pass


# -- sweep


def _sweep(registry: Registry, dropped: set[str], at: datetime, freed: Freed, *, dry_run: bool) -> Kept:
    """Delete bytes that no row stands for; what is left of them, because it is young."""
    cutoff = at - timedelta(seconds=UPLOAD_GRACE_SECONDS)
    young: list[tuple[int, datetime]] = []
    for keys in _in_pieces(registry.blobs.keys()):
        with registry.engine.read() as tx:
            unknown = upkeep.unknown_keys(tx, keys)
        if dry_run:
            unknown += [key for key in keys if key in dropped and key not in unknown]
        sizes = {key: registry.blobs.size_bytes(key) or 0 for key in unknown}
        gone = _old(registry, unknown, cutoff) if dry_run else _deleted(registry, unknown, cutoff)
        for key in gone:
            _amount(freed, key, dropped).add(1, sizes[key])
        left = {key: registry.blobs.stored_at(key) for key in set(unknown) - set(gone)}
        young += [(sizes[key], stored_at) for key, stored_at in left.items() if stored_at is not None]
    newest = max((stored_at for _, stored_at in young), default=None)
    end = free_from(moment(newest), None) if newest else None
    return Kept(len(young), sum(size for size, _ in young), end)


def _old(registry: Registry, keys: Iterable[str], cutoff: datetime) -> list[str]:
    moments = {key: registry.blobs.stored_at(key) for key in keys}
    return [key for key, stored_at in moments.items() if stored_at is not None and stored_at <= cutoff]


def _deleted(registry: Registry, keys: list[str], cutoff: datetime) -> list[str]:
    """The keys whose bytes are deleted now. While the write lock is held nobody adds a row for them."""
    if not keys:
        return []
    with registry.engine.write() as tx:
        return [key for key in upkeep.unknown_keys(tx, keys) if registry.blobs.delete(key, unless_after=cutoff)]


def _amount(freed: Freed, key: str, dropped: set[str]) -> Amount:
    if key not in dropped:
        return freed.orphans
    return freed.xorbs if key.startswith("xorb/") else freed.blobs


def _in_pieces(keys: Iterator[str]) -> Iterator[list[str]]:
    while piece := list(islice(keys, _KEYS_AT_ONCE)):
        yield piece


# -- tell


def _kept(waiting: holdings.Waiting) -> Kept:
    return Kept(waiting.count, waiting.size_bytes, free_from(waiting.blob_seen_at, waiting.xet_seen_at))
