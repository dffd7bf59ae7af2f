"""Making again, from git objects and blobs, all that was derived from them.

    store      of which xorbs each Xet file is made, and which chunks clients may ask for
    each repo  in one transaction: what its pointers mean, which large inline files it holds, the headers of its
               weights, its log with what each commit touched, and the card of main's head

Which large files a repo holds is no derived fact but a right: somebody may have committed the text of a foreign
pointer. It is made again from pointers only when the administrator says that they are to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from registry_core.errors import RegistryError
from registry_core.ids import Digest
from registry_server.catalog import blobs, cards, derived, history, keeping, stored, touches, upkeep, xet
from registry_server.catalog.blobs import Stored
from registry_server.catalog.engine import Transaction
from registry_server.catalog.history import CommitEntry
from registry_server.catalog.repos import Repo
from registry_server.catalog.weights import Weights
from registry_server.git.objects import BLOB_TYPE, COMMIT_TYPE, TREE_TYPE, StoredObject, commit_id, raw
from registry_server.usecases import indexing, marking, reading
from registry_server.usecases.context import Registry, moment
from registry_server.xet.hashing import HASH_BYTES, eligible_chunks

Progress = Callable[[], None]
"""Is called after each repo."""


@dataclass
class Reindexed:
    """How many repos were indexed anew, and why others were left as they were."""

    repos: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Found:
    """What the objects of a repo say of large files."""

    pointers: list[tuple[bytes, bytes, int]]  # git id, SHA-256, size
    weights: set[bytes]  # SHA-256s of the safetensors files among them


def reindex(registry: Registry, *, trust_pointers: bool = False, progress: Progress = lambda: None) -> Reindexed:
    """Index everything anew, beside a running server. `trust_pointers` also gives repos the files they point to."""
    _reindex_store(registry)
    report = Reindexed()
    with registry.engine.read() as tx:
        repos = upkeep.all_repos(tx)
    for repo in repos:
        try:
            _reindex_repo(registry, repo.row_id, trust_pointers=trust_pointers)
            report.repos += 1
        except RegistryError as error:
            report.failed[f"{repo.kind} {repo.id}"] = error.message
        except marking.UNREADABLE as error:
            report.failed[f"{repo.kind} {repo.id}"] = f"a git object cannot be read: {error}"
        progress()
    return report


def repos_to_index(registry: Registry) -> int:
    """How many repos `reindex` goes through, for a progress bar."""
    with registry.engine.read() as tx:
        return len(upkeep.all_repos(tx))


# -- the store


def _reindex_store(registry: Registry) -> None:
    """A page of rows in each transaction, so that nobody waits long."""
    after, rows = 0, True
    while rows:
        with registry.engine.write() as tx:
            files = stored.files(tx, after)
            derived.replace_links(tx, files)
            xet.add_chunks(tx, [chunk for file in files for chunk in _first_chunk(tx, file)])
        after, rows = files[-1].number if files else 0, bool(files)
    after, rows = 0, True
    while rows:
        with registry.engine.write() as tx:
            xorbs = stored.xorbs(tx, after)
            xet.add_chunks(tx, [chunk for xorb in xorbs for chunk in _askable_chunks(tx, xorb)])
        after, rows = xorbs[-1].number if xorbs else 0, bool(xorbs)
    with registry.engine.write() as tx:
        derived.drop_strays(tx)


def _first_chunk(tx: Transaction, file: stored.StoredFile) -> Iterable[tuple[bytes, bytes]]:
    """The chunk by which a client that has the file finds it, and its xorb."""
    if not file.terms:
        return []
    term = file.terms[0]
    index = xet.xorb_indexes(tx, [term.xorb]).get(term.xorb)
    at = HASH_BYTES * term.start
    return [(index.chunk_hashes[at : at + HASH_BYTES], term.xorb)] if index is not None else []


def _askable_chunks(tx: Transaction, xorb: stored.StoredXorb) -> Iterable[tuple[bytes, bytes]]:
    """The chunks that clients may ask for by their hash, each with the xorb; none of a xorb that no file is made of."""
    if xorb.index is None or not stored.files_of_xorb(tx, xorb.hash):
        return []
    hashes = xorb.index.chunk_hashes
    return [(hashes[HASH_BYTES * n : HASH_BYTES * (n + 1)], xorb.hash) for n in eligible_chunks(hashes)]


# -- a repo


def _reindex_repo(registry: Registry, number: int, *, trust_pointers: bool) -> None:
    with registry.engine.read() as tx:
        found = _scan(tx, number)
        held = derived.held(tx, number) | _trusted(tx, number, found, trust_pointers)
    # Before the transaction: reading headers takes a while, and the bytes of a blob do not change.
    headers = _headers(registry, found, held)
    with registry.engine.write() as tx:
        repo = upkeep.repo_of_number(tx, number)
        if repo is None:
            return  # deleted meanwhile
        found = _scan(tx, number)
        blobs.hold(tx, number, _trusted(tx, number, found, trust_pointers))
        blobs.hold(tx, number, derived.detached_digests(tx, number))
        derived.replace_pointers(tx, _meant(found, derived.held(tx, number)))
        derived.replace_weights(tx, headers)
        _rewrite_log(tx, number)
        touches.rebuild(tx, number)
        _index_card(registry, tx, repo)


def _scan(tx: Transaction, repo: int) -> _Found:
    names: set[bytes] = set()
    for tree in derived.owned(tx, repo, TREE_TYPE):
        names.update(raw(oid) for name, _, oid in tree.tree().items() if name.endswith(b".safetensors"))
    pointers = []
    for blob in derived.owned(tx, repo, BLOB_TYPE, marking.POINTER_BYTES):
        pointer = marking.pointer_of(blob.data)
        if pointer is not None:
            pointers.append((blob.oid, *pointer))
    return _Found(pointers, {digest for oid, digest, _ in pointers if oid in names})


def _trusted(tx: Transaction, repo: int, found: _Found, trust_pointers: bool) -> dict[bytes, Stored]:
    """What the repo is to hold on its pointers' word."""
    if not trust_pointers:
        return {}
    return derived.stored(tx, {digest for _, digest, _ in found.pointers} - keeping.held_digests(tx, repo))


def _meant(found: _Found, held: dict[bytes, Stored]) -> list[tuple[bytes, bytes, int]]:
    """The pointers that stand for a file; any other is a text that looks like one."""
    return [
        (oid, digest, size_bytes)
        for oid, digest, size_bytes in found.pointers
        if digest in held and held[digest].size_bytes == size_bytes
    ]


def _headers(registry: Registry, found: _Found, held: dict[bytes, Stored]) -> list[Weights]:
    headers = []
    for digest in sorted(found.weights & held.keys()):
        with suppress(RegistryError):  # of a file that is lost or disputed, what is known stays known
            headers.append(indexing.read_weights(registry, Digest(digest.hex()), held[digest]))
    return headers


def _rewrite_log(tx: Transaction, repo: int) -> None:
    """The log as the commit objects have it. A line that agrees with its commit keeps what it knows more exactly."""
    before = derived.log(tx, repo)
    known = {entry.oid: entry for entry in before}
    entries = {}
    for thing in derived.owned(tx, repo, COMMIT_TYPE):
        entry = _entry(thing)
        line = known.get(entry.oid, entry)
        agrees = _plain(line) == _plain(entry)
        entries[entry.oid] = line if agrees else entry
    order = [entry.oid for entry in before if entry.oid in entries]
    lines = _parents_first(entries, order)
    if lines != before:
        derived.replace_log(tx, repo, lines)


def _entry(thing: StoredObject) -> CommitEntry:
    commit = thing.commit()
    title, _, message = commit.message.decode().partition("\n\n")
    return CommitEntry(
        oid=thing.oid,
        parent=raw(commit.parents[0]) if commit.parents else None,
        created_at=moment(datetime.fromtimestamp(commit.commit_time, UTC)),
        author=commit.author.decode().rpartition(" <")[0],
        title=title,
        message=message,
    )


def _plain(entry: CommitEntry) -> CommitEntry:
    """The entry as far as a commit object tells it: whole seconds, and one text."""
    text = f"{entry.title}\n\n{entry.message}" if entry.message else entry.title
    return replace(entry, created_at=entry.created_at[:19], title=text, message="")


def _parents_first(entries: dict[bytes, CommitEntry], order: list[bytes]) -> list[CommitEntry]:
    """In the order that is given, then by time; but no commit before its parent."""
    by_time = sorted(entries.values(), key=lambda entry: (entry.created_at, entry.oid))
    done: dict[bytes, CommitEntry] = {}
    for oid in [*order, *(entry.oid for entry in by_time)]:
        line: list[CommitEntry] = []
        step: bytes | None = oid
        while step is not None and step in entries and step not in done:
            line.append(entries[step])
            step = entries[step].parent
        done.update((entry.oid, entry) for entry in reversed(line))
    return list(done.values())


def _index_card(registry: Registry, tx: Transaction, repo: Repo) -> None:
    head = history.ref(tx, repo.row_id, [reading.MAIN])
    if head is not None:
        commit = commit_id(head.commit_oid)
        cards.index(tx, repo.row_id, indexing.derive(registry, tx, repo, commit, reading.root_of(tx, commit)))
