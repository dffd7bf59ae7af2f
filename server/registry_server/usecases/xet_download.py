"""Giving out what is stored as xorbs: plans for Xet clients, and the bytes themselves for all others."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from registry_core.errors import EntryNotFound
from registry_server.blobs.store import xorb_key
from registry_server.catalog import xet
from registry_server.catalog.xet import XetFile
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_access import Session
from registry_server.xet.errors import DamagedXorb
from registry_server.xet.hashing import XetHash
from registry_server.xet.plan import Plan, plan
from registry_server.xet.plan import content as planned_content
from registry_server.xet.shard import Term
from registry_server.xet.xorb import XorbIndex, decode_chunks

_CHUNKS_AT_ONCE = 2
"""About an eighth of a megabyte: so much is held for each reader, and hundreds may be slow ones."""

_KEPT_INDEXES = 2
"""Terms of one file mostly stay in one xorb for a while; an index takes a tenth of a megabyte, at most a whole one."""

# Decoding is work for a core. More threads at it than there are cores would only keep all others, which want no more
# than a moment of the interpreter, waiting in line behind them.
_decoding = threading.BoundedSemaphore(os.cpu_count() or 1)


def reconstruction(
    registry: Registry, session: Session, file_hash: XetHash, start: int, stop: int | None
) -> tuple[XetFile, Plan]:
    """How to rebuild the bytes from `start` up to `stop` of a file of the session's repo. Raises EntryNotFound."""
    with registry.engine.read() as tx:
        file = xet.file_in_repo(tx, session.repo, file_hash)
        if file is None or file.fault is not None:
            raise EntryNotFound("There is no such file in this repository.")
        indexes = xet.xorb_indexes(tx, {term.xorb for term in _touched(file, start, stop)})
    return file, plan(file.terms, lambda xorb: _known(indexes, xorb), start, stop)


def content(registry: Registry, file: XetFile, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from `start` up to `stop`, every chunk checked by its hash before it leaves.

    Holds less than a megabyte at a time, and no transaction while the reader is slow. Raises DamagedXorb.
    """
    indexes: dict[XetHash, XorbIndex] = {}

    def index_of(xorb: XetHash) -> XorbIndex:
        if xorb not in indexes:
            with registry.engine.read() as tx:
                found = xet.xorb_indexes(tx, [xorb])
            while len(indexes) >= _KEPT_INDEXES:
                indexes.pop(next(iter(indexes)))
            indexes[xorb] = _known(found, xorb)
        return indexes[xorb]

    def chunks_of(term: Term) -> Iterator[bytes]:
        index = index_of(term.xorb)
        begin, _ = index.span(term.start, term.end)
        with registry.blobs.open(xorb_key(term.xorb), begin) as stored:
            for first in range(term.start, term.end, _CHUNKS_AT_ONCE):
                last = min(first + _CHUNKS_AT_ONCE, term.end)
                offset, stop_byte = index.span(first, last)
                data = stored.read(stop_byte - offset)
                with _decoding:  # not while the reader takes its time
                    chunks = list(decode_chunks(data, index, first, last, offset=offset))
                del data
                while chunks:
                    yield chunks.pop(0)

    position = 0
    for term in file.terms:
        first, last = max(start - position, 0), min(stop - position, term.raw_bytes)
        if first < last:
            yield from planned_content(plan([term], index_of, first, last), chunks_of)
        position += term.raw_bytes


def _touched(file: XetFile, start: int, stop: int | None) -> Iterator[Term]:
    position = 0
    for term in file.terms:
        if start < position + term.raw_bytes and (stop is None or position < stop):
            yield term
        position += term.raw_bytes


def _known(indexes: dict[XetHash, XorbIndex], xorb: XetHash) -> XorbIndex:
    if xorb not in indexes:
        raise DamagedXorb(f"The xorb {xorb}, of which a file is made, is no longer stored.")
    return indexes[xorb]
