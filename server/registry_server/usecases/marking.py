"""Walking a repo's objects from what keeps them: refs, publications, commits of late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from dulwich.errors import FileFormatException
from dulwich.objects import ShaFile, Tag

from registry_server.catalog import history, keeping
from registry_server.catalog.engine import Transaction
from registry_server.git.objects import (
    COMMIT_TYPE,
    TAG_TYPE,
    TREE_MODE,
    TREE_TYPE,
    DamagedObject,
    StoredObject,
    parse_pointer,
    raw,
    unpacked,
)

POINTER_BYTES = 200
"""No pointer is longer: two fixed lines, a digest, and a size of at most 18 digits."""

_AT_ONCE = 1000


@dataclass
class Reached:
    """What a walk came to: git objects, and SHA-256s of the large files that are named. `broken` stopped it."""

    objects: set[bytes] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)
    broken: set[bytes] = field(default_factory=set)  # named, and absent or unreadable


def walk(tx: Transaction, roots: Iterable[bytes]) -> Reached:
    """Everything that can be reached from commits and tags.

    Pointers are read from their text, not from what the catalog derived of it: a lost row must not make a file free.
    """
    reached = Reached()
    files: set[bytes] = set()
    level = set(roots)
    while level:
        reached.objects |= level
        below: set[bytes] = set()
        for oids in in_pieces(level, _AT_ONCE):
            found = history.objects(tx, oids)
            reached.broken.update(oid for oid in oids if oid not in found)
            for thing in found.values():
                try:
                    folders, named = _named(thing)
                except UNREADABLE:
                    reached.broken.add(thing.oid)
                else:
                    below |= folders
                    files |= named
        level = below - reached.objects
    _reach_files(tx, files, reached)
    return reached


def pointer_of(content: bytes | None) -> tuple[bytes, int] | None:
    """SHA-256 and size that a git blob names, given its compressed content; None when it is no pointer.

    Raises DamagedObject.
    """
    pointer = None if content is None else parse_pointer(unpacked(content))
    return pointer and (bytes.fromhex(pointer[0]), pointer[1])


UNREADABLE = (DamagedObject, FileFormatException, ValueError, AssertionError, KeyError, AttributeError, TypeError)
"""What reading a damaged object raises, here and in dulwich."""


def in_pieces(values: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """The values, so many at a time."""
    rest = iter(values)
    while piece := list(islice(rest, size)):
        yield piece


def _named(thing: StoredObject) -> tuple[set[bytes], set[bytes]]:
    """Ids of commits, trees and tags that an object names, and ids of blobs."""
    if thing.type == COMMIT_TYPE:
        commit = thing.commit()
        return {raw(commit.tree), *map(raw, commit.parents)}, set()
    if thing.type == TAG_TYPE:
        tag = ShaFile.from_raw_string(TAG_TYPE, thing.content)
        assert isinstance(tag, Tag)
        return {raw(tag.object[1])}, set()
    assert thing.type == TREE_TYPE
    entries = [(mode, raw(oid)) for _, mode, oid in thing.tree().items()]
    folders = {oid for mode, oid in entries if mode == TREE_MODE}
    return folders, {oid for mode, oid in entries if mode != TREE_MODE}


def _reach_files(tx: Transaction, files: set[bytes], reached: Reached) -> None:
    reached.objects |= files
    for oids in in_pieces(files, _AT_ONCE):
        found = keeping.git_blobs(tx, oids, POINTER_BYTES)
        reached.broken.update(set(oids) - {blob.oid for blob in found})
        for blob in found:
            if blob.is_detached:
                reached.digests.add(blob.sha256)
            else:
                try:
                    pointer = pointer_of(blob.content)
                except DamagedObject:
                    reached.broken.add(blob.oid)
                    continue
                if pointer is not None:
                    reached.digests.add(pointer[0])
