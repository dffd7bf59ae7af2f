"""Is everything that is stored still what it was?

Whole files and xorbs are hashed again, then the git objects, then the Xet files made of the xorbs, and each repo is
walked. Damaged bytes are set aside and the catalog is told (`catalog.damage` says how), so that they are never served,
never said to be stored, and replaced by whoever brings the same content again.

It runs beside a server. What somebody stored again, or the collector took, while it was being looked at is no damage:
each finding is looked at once more under the write lock, and bytes that are newer than the look stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from registry_core.ids import Digest
from registry_server.blobs.store import key_of, xorb_key
from registry_server.catalog import audit, damage, history, keeping, losses, stored, upkeep, xet
from registry_server.catalog.engine import Transaction
from registry_server.catalog.stored import StoredFile, StoredXorb
from registry_server.git.objects import StoredObject, blob_object, parse_pointer, pointer_text
from registry_server.usecases import marking, repairing
from registry_server.usecases.context import Registry
from registry_server.usecases.faults import Progress, Unreadable, blob_fault, file_fault, object_fault, xorb_fault
from registry_server.xet.hashing import XetHash

Key = TypeVar("Key")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Finding:
    """Something damaged that this run came upon, and what was done about it at once."""

    kind: str  # blob, xorb, git_object, pointer, repo
    name: str
    fault: str
    action: str  # set aside, marked, corrected, none


@dataclass(frozen=True)
class Loss:
    """Something that repos need and that cannot be served, and those repos."""

    kind: str  # blob, xet_file, git_object
    name: str
    repos: list[str]


@dataclass
class Check:
    """What was looked at, what was found, what a repair brought back, and what is lost at the end."""

    blobs: int = 0
    xorbs: int = 0
    xet_files: int = 0
    git_objects: int = 0
    repos: int = 0
    found: list[Finding] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    lost: list[Loss] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether everything that a repo needs is there, and could be read."""
        return not self.lost and not self.unreadable


def check(registry: Registry, *, repair: bool = False, progress: Progress = lambda _: None) -> Check:
    """Look at everything that is stored; with `repair`, bring back what can be had from other copies."""
    report = Check()
    _note(registry, "fsck.start", {"repair": repair})
    _check_blobs(registry, report, progress)
    _check_xorbs(registry, report, progress)
    _check_objects(registry, report, progress)
    _check_pointers(registry, report)
    _check_files(registry, report)
    if repair:
        report.repaired += repairing.repair(registry)
    _check_repos(registry, report, repair=repair)
    _tell_losses(registry, report)
    _note(registry, "fsck.end", {name: len(getattr(report, name)) for name in ("found", "repaired", "lost")})
    return report


def _note(registry: Registry, action: str, detail: dict[str, object]) -> None:
    """A line in the audit: a run is many transactions, and one that dies has left its beginning."""
    with registry.engine.write() as tx:
        audit.note(tx, registry.stamp(), None, action, detail=detail)


def bytes_to_check(registry: Registry) -> int:
    """How many bytes `check` reads, for a progress bar."""
    with registry.engine.read() as tx:
        return stored.bytes_to_check(tx)


def _check_blobs(registry: Registry, report: Check, progress: Progress) -> None:
    with registry.engine.read() as tx:
        git_ids = stored.detached(tx)
    for digest, size_bytes in _rows(registry, stored.whole_blobs, b"", lambda row: row[0]):
        report.blobs += 1
        key = key_of(Digest(digest.hex()))
        seen_at = registry.blobs.stored_at(key)
        try:
            fault = blob_fault(registry, digest, size_bytes, git_ids.get(digest), progress)
        except Unreadable as error:
            report.unreadable.append(f"{key}: {error}")
        else:
            if fault is not None:
                _lose_blob(registry, report, digest, fault, seen_at)


def _lose_blob(registry: Registry, report: Check, digest: bytes, fault: str, seen_at: datetime | None) -> None:
    with registry.engine.write() as tx:
        if not stored.is_whole(tx, digest) or not _is_aside(registry, key_of(Digest(digest.hex())), seen_at):
            return
        upkeep.forget_blobs(tx, [digest])
    report.found.append(Finding("blob", digest.hex(), fault, "none" if seen_at is None else "set aside"))


def _is_aside(registry: Registry, key: str, seen_at: datetime | None) -> bool:
    """Whether the bytes are out of service now; they stay when somebody has put them again since `seen_at`."""
    if registry.blobs.size_bytes(key) is None:
        return True
    return seen_at is not None and registry.blobs.set_aside(key, unless_after=seen_at)


def _check_xorbs(registry: Registry, report: Check, progress: Progress) -> None:
    for row in _rows(registry, stored.xorbs, 0, lambda row: row.number):
        report.xorbs += 1
        try:
            _check_xorb(registry, report, row, progress)
        except Unreadable as error:
            report.unreadable.append(f"{xorb_key(row.hash)}: {error}")


def _check_xorb(registry: Registry, report: Check, row: StoredXorb, progress: Progress) -> None:
    key = xorb_key(row.hash)
    seen_at = registry.blobs.stored_at(key)
    fault, found = xorb_fault(registry, row, progress)
    if fault is None:
        return
    with registry.engine.write() as tx:
        if stored.xorb(tx, row.hash) != row or registry.blobs.stored_at(key) != seen_at:
            return  # somebody stored it again, or the collector took it
        if found is not None:
            damage.find_xorb(tx, row.number, found)
            action = "corrected"
        elif _is_aside(registry, key, seen_at):
            damage.lose_xorb(tx, row)
            xet.bump_generation(tx)  # clients believe that what they once sent is here
            action = "none" if seen_at is None else "set aside"
        else:
            return
    report.found.append(Finding("xorb", str(row.hash), fault, action))


def _check_objects(registry: Registry, report: Check, progress: Progress) -> None:
    for number, thing in _rows(registry, stored.git_objects, 0, lambda row: row[0]):
        report.git_objects += 1
        progress(len(thing.data or b""))
        if object_fault(thing) is not None:
            _mark_object(registry, report, number)


def _mark_object(registry: Registry, report: Check, number: int) -> None:
    with registry.engine.write() as tx:
        thing = stored.git_object(tx, number)
        if thing is None or thing.data is None:
            return
        data = damage.unmarked(thing.data)
        fault = object_fault(StoredObject(thing.oid, thing.type, thing.size_bytes, thing.sha256, data))
        if fault is None:  # what was marked before is sound
            damage.restore_object(tx, number, data)
            report.repaired.append(f"git object {thing.oid.hex()}")
        elif data == thing.data:
            damage.mark_object(tx, number, data)
            report.found.append(Finding("git_object", thing.oid.hex(), fault, "marked"))


def _check_pointers(registry: Registry, report: Check) -> None:
    """What each pointer means is compared with its git id, which is that of its text."""
    for oid, digest, size_bytes in _rows(registry, stored.pointers, b"", lambda row: row[0]):
        if _pointer_id(digest, size_bytes) != oid:
            _correct_pointer(registry, oid, digest, size_bytes)
            report.found.append(Finding("pointer", oid.hex(), "means something else than its text", "corrected"))


def _pointer_id(digest: bytes, size_bytes: int) -> bytes:
    return blob_object(pointer_text(Digest(digest.hex()), size_bytes)).oid


def _correct_pointer(registry: Registry, oid: bytes, digest: bytes, size_bytes: int) -> None:
    """Let both git objects that the damaged row may have been about mean what stands in them."""
    with registry.engine.write() as tx:
        damage.forget_pointer(tx, oid)
        for found, thing in history.objects(tx, [oid, _pointer_id(digest, size_bytes)]).items():
            if said := parse_pointer(thing.content):
                history.add_pointers(tx, [(found, bytes.fromhex(said[0]), said[1])])


def _check_files(registry: Registry, report: Check) -> None:
    for file in _rows(registry, stored.files, 0, lambda row: row.number):
        report.xet_files += 1
        with registry.engine.read() as tx:
            fault = file_fault(tx, file)
        if fault is not None:
            _lose_file(registry, file)


def _lose_file(registry: Registry, file: StoredFile) -> None:
    with registry.engine.write() as tx:
        now = stored.file(tx, file.number)
        if now is not None and file_fault(tx, now) is not None:
            damage.lose_file(tx, now)


def _check_repos(registry: Registry, report: Check, *, repair: bool) -> None:
    """What refs lead to is noted as the repo's own: without that, it looks free once another repo is gone."""
    with registry.engine.read() as tx:
        repos = upkeep.all_repos(tx)
    for repo in repos:
        report.repos += 1
        name = f"{repo.kind} {repo.id}"
        with registry.engine.read() as tx:
            reached = marking.walk(tx, keeping.kept_roots(tx, repo.row_id))
            absent = reached.broken - losses.present(tx, reached.broken)
            strange = reached.objects - absent - keeping.owned_objects(tx, repo.row_id).keys()
        report.lost += [Loss("git_object", oid.hex(), [name]) for oid in sorted(absent)]
        if strange and repair:
            with registry.engine.write() as tx:
                damage.add_owner(tx, repo.row_id, strange)
            report.repaired.append(f"{name}: {len(strange)} git objects")
        elif strange:
            fault = f"{len(strange)} git objects of its history are not noted as its own"
            report.found.append(Finding("repo", name, fault, "none"))
            report.lost += [Loss("git_object", oid.hex(), [name]) for oid in sorted(strange)]


def _tell_losses(registry: Registry, report: Check) -> None:
    with registry.engine.write() as tx:
        damage.tidy(tx)
    with registry.engine.read() as tx:
        report.lost += [Loss("blob", digest.hex(), repos) for digest, repos in losses.lost_digests(tx).items()]
        report.lost += [Loss("xet_file", str(XetHash(n)), repos) for n, repos in losses.lost_references(tx).items()]
        report.lost += [Loss("git_object", oid.hex(), repos) for oid, repos in losses.marked_objects(tx).items()]
    for file in _rows(registry, stored.files, 0, lambda row: row.number):
        with registry.engine.read() as tx:
            if file.serves or file.is_disputed or file_fault(tx, file) is None:
                continue
            repos = [f"{repo.kind} {repo.id}" for repo in losses.holders_of_file(tx, file.hash, file.digest)]
        if repos:
            report.lost.append(Loss("xet_file", str(file.hash), repos))


def _rows(
    registry: Registry, query: Callable[[Transaction, Key], list[Item]], start: Key, key: Callable[[Item], Key]
) -> Iterator[Item]:
    """All rows of a table, a page at a time: no transaction is open while their bytes are read."""
    after = start
    while True:
        with registry.engine.read() as tx:
            page = query(tx, after)
        if not page:
            return
        yield from page
        after = key(page[-1])
