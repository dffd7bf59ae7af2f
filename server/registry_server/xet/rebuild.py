"""Making a lost xorb again from chunks that are found elsewhere.

Its hash names its chunks and not their compressed form, so a chunk that comes from a file is stored as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from registry_server.xet.errors import DamagedXorb
from registry_server.xet.hashing import HASH_BYTES
from registry_server.xet.xorb import Bytes, XorbIndex, decode_chunks


def sound_records(stored: Bytes, index: XorbIndex) -> dict[int, bytes]:
    """The stored form of every chunk that is still what it was, by number, out of the bytes of a damaged xorb."""
    found = {}
    for number in range(index.chunks):
        record = record_at(stored, index, number)
        if record is not None:
            found[number] = record
    return found


def record_at(stored: Bytes, index: XorbIndex, number: int, *, offset: int = 0) -> bytes | None:
    """The stored form of one chunk, if it is sound. `stored` begins `offset` bytes into the xorb."""
    begin, stop = index.span(number, number + 1)
    record = bytes(stored[begin - offset : stop - offset])
    try:
        for _ in decode_chunks(record, index, number, number + 1, offset=begin):
            return record
    except DamagedXorb:
        return None
    return None


def plain_record(raw: bytes) -> bytes:
    """The stored form of a chunk that is not compressed."""
    return struct.pack("<II", len(raw) << 8, len(raw) << 8) + raw


def chunk_hashes(index: XorbIndex) -> Iterator[bytes]:
    """The hash of each chunk, in order."""
    for start in range(0, len(index.chunk_hashes), HASH_BYTES):
        yield index.chunk_hashes[start : start + HASH_BYTES]
