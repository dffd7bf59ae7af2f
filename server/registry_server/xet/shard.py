"""A shard: which chunks make up which files and xorbs, in records of 48 bytes.

    uploaded                                    answer to a deduplication query
    ┌────────────────────────────────────────┐  ┌────────────────────────────────────────┐
    │ header: tag, version 2, footer bytes 0 │  │ header: tag, version 2, footer bytes   │
    ├────────────────────────────────────────┤  ├────────────────────────────────────────┤
    │ per file: file, terms, verifications,  │  │ (no files)                             │
    │           sha256                       │  │ end mark                               │
    │ end mark                               │  ├────────────────────────────────────────┤
    ├────────────────────────────────────────┤  │ per xorb: xorb, chunks by keyed hash   │
    │ per xorb: xorb, chunks                 │  │ end mark                               │
    │ end mark                               │  ├────────────────────────────────────────┤
    └────────────────────────────────────────┘  │ footer: offsets, key, times            │
                                                └────────────────────────────────────────┘

Byte for byte as the protocol's specification has it (https://huggingface.co/docs/xet/shard), save the three lookup
offsets of the footer: clients look for chunks up to the first of them, so they name the end of the xorbs and not zero.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from registry_core.ids import Digest
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import HASH_BYTES, XetHash, keyed_hash
from registry_server.xet.lazy import np
from registry_server.xet.xorb import MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_RAW_BYTES, Bytes, XorbIndex

MAX_SHARD_BYTES = 64 << 20
MAX_FILE_CHUNKS = 1 << 24
"""Chunks that the files of one shard may name together, a TB of them at their usual size. A file can name a chunk any
number of times, so without a limit a small shard makes years of work."""

_TAG = bytes.fromhex("48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9")
_VERSION, _FOOTER_VERSION = 2, 1
_RECORD_BYTES, _FOOTER_BYTES = 48, 200
_END_HASH = b"\xff" * HASH_BYTES
_END_MARK = _END_HASH + bytes(16)
_HAS_VERIFICATION, _HAS_SHA256 = 1 << 31, 1 << 30

_HEADER = struct.Struct("<32sQQ")
_RECORD = struct.Struct("<32s4I")
_FOOTER = struct.Struct("<9Q32sQQ48x4Q")
_CHUNK = [("hash", "S32"), ("raw_start", "<u4"), ("raw_bytes", "<u4"), ("flags", "<u4"), ("zero", "<u4")]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a file: the chunks of a xorb from number `start` up to `end`, together `raw_bytes` uncompressed."""

    xorb: XetHash
    raw_bytes: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file as a client describes it, with one verification hash per term; nothing of it is checked yet."""

    hash: XetHash
    terms: tuple[Term, ...]
    verifications: tuple[XetHash, ...]
    sha256: Digest | None

    @property
    def size_bytes(self) -> int:
        return sum(term.raw_bytes for term in self.terms)


@dataclass(frozen=True, slots=True)
class ShardXorb:
    """A xorb as a client describes it: its chunks' hashes, put end to end, and where each ends uncompressed."""

    hash: XetHash
    chunk_hashes: bytes
    raw_ends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """What a client asks to register."""

    files: tuple[ShardFile, ...]
    xorbs: tuple[ShardXorb, ...]


def read_shard(data: Bytes) -> Shard:
    """The shard that a client uploaded. Raises InvalidXet unless all of `data` is one, without footer."""
    if len(data) > MAX_SHARD_BYTES:
        raise InvalidXet(f"A shard of {len(data)} bytes is above the limit of {MAX_SHARD_BYTES}.")
    reader = _Reader(bytes(data))
    _read_header(reader)
    files, file_chunks = [], 0
    while (record := reader.record())[0] != _END_HASH:
        files.append(_read_file(reader, record))
        file_chunks += sum(term.end - term.start for term in files[-1].terms)
        if file_chunks > MAX_FILE_CHUNKS:
            raise InvalidXet(f"The files of a shard name more than {MAX_FILE_CHUNKS} chunks.")
    xorbs = []
    while (record := reader.record())[0] != _END_HASH:
        xorbs.append(_read_xorb(reader, record))
    if reader.left:
        raise InvalidXet("A shard goes on after its end mark; it is uploaded without footer.")
    return Shard(tuple(files), tuple(xorbs))


def keyed_shard(xorbs: Iterable[XorbIndex], *, key: bytes, created_at: int, expires_at: int) -> bytes:
    """The answer to a deduplication query: the chunks of `xorbs`, named so that only who has a chunk recognises it.

    Times are Unix seconds. The first xorbs count most: those that no longer fit into the size of a shard are left out.
    The same arguments give the same bytes, which lets clients keep one copy. Raises ValueError for a key that is not
    32 bytes or is zero, since a zero key hands out the hashes themselves, and with them other people's files.
    """
    if len(key) != HASH_BYTES or not any(key):
        raise ValueError("A deduplication answer needs a key of 32 bytes that is not zero.")
    header = _HEADER.pack(_TAG, _VERSION, _FOOTER_BYTES)
    listed = _fitting(xorbs, MAX_SHARD_BYTES - len(header) - 2 * _RECORD_BYTES - _FOOTER_BYTES)
    parts = [header, _END_MARK, *(_xorb_records(xorb, key) for xorb in listed), _END_MARK]
    files_at, xorbs_at, end = len(header), len(header) + _RECORD_BYTES, sum(map(len, parts))
    stored_bytes = sum(xorb.size_bytes for xorb in listed)
    raw_bytes = sum(xorb.raw_ends[-1] for xorb in listed)
    lookups = (end, 0, end, 0, end, 0)
    offsets = (_FOOTER_VERSION, files_at, xorbs_at, *lookups)
    return b"".join(parts) + _FOOTER.pack(*offsets, key, created_at, expires_at, stored_bytes, 0, raw_bytes, end)


_Record = tuple[bytes, int, int, int, int]


class _Reader:
    """Reads records one after the other, and never past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self._position

    def take(self, records: int) -> bytes:
        size = records * _RECORD_BYTES
        if size > self.left:
            raise InvalidXet(f"A shard of {len(self._data)} bytes ends before its end mark.")
        self._position += size
        return self._data[self._position - size : self._position]

    def record(self) -> _Record:
        return _RECORD.unpack(self.take(1))


def _read_header(reader: _Reader) -> None:
    tag, version, footer_bytes = _HEADER.unpack(reader.take(1))
    if tag != _TAG or version != _VERSION:
        raise InvalidXet(f"This is not a shard of version {_VERSION}.")
    if footer_bytes != 0:
        raise InvalidXet("A shard is uploaded without footer.")


def _read_file(reader: _Reader, record: _Record) -> ShardFile:
    name, flags, count, _, _ = record
    if flags & ~(_HAS_VERIFICATION | _HAS_SHA256):
        raise InvalidXet(f"A file of a shard has unknown flags {flags:#x}.")
    terms = tuple(_term(*fields) for fields in _RECORD.iter_unpack(reader.take(count)))
    proofs = reader.take(count) if flags & _HAS_VERIFICATION else b""
    verifications = tuple(XetHash(fields[0]) for fields in _RECORD.iter_unpack(proofs))
    sha256 = Digest(str(XetHash(reader.record()[0]))) if flags & _HAS_SHA256 else None
    return ShardFile(XetHash(name), terms, verifications, sha256)


def _term(xorb: bytes, _flags: int, raw_bytes: int, start: int, end: int) -> Term:
    if not start < end <= MAX_CHUNKS or not 0 < raw_bytes <= MAX_RAW_BYTES:
        raise InvalidXet(f"A term of {raw_bytes} bytes in the chunks {start} up to {end} is out of bounds.")
    return Term(XetHash(xorb), raw_bytes, start, end)


def _read_xorb(reader: _Reader, record: _Record) -> ShardXorb:
    name, _, count, raw_bytes, _ = record
    if not 0 < count <= MAX_CHUNKS:
        raise InvalidXet(f"A xorb of a shard has {count} chunks; it has 1 to {MAX_CHUNKS}.")
    chunks = np.frombuffer(reader.take(count), np.dtype(_CHUNK))
    ends = chunks["raw_bytes"].cumsum(dtype=np.uint64)
    too_long = chunks["raw_bytes"].max() > MAX_CHUNK_BYTES or chunks["raw_bytes"].min() == 0
    if too_long or ends[-1] != raw_bytes or (ends - chunks["raw_bytes"] != chunks["raw_start"]).any():
        raise InvalidXet(f"The chunks of the xorb {XetHash(name)} do not lie one after the other.")
    return ShardXorb(XetHash(name), chunks["hash"].tobytes(), tuple(ends.tolist()))


def _fitting(xorbs: Iterable[XorbIndex], room_bytes: int) -> list[XorbIndex]:
    fitting: dict[XetHash, XorbIndex] = {}
    for xorb in xorbs:
        size = (1 + xorb.chunks) * _RECORD_BYTES
        if xorb.hash not in fitting and size <= room_bytes:
            fitting[xorb.hash] = xorb
            room_bytes -= size
    return list(fitting.values())


def _xorb_records(xorb: XorbIndex, key: bytes) -> bytes:
    chunks = np.zeros(xorb.chunks, np.dtype(_CHUNK))
    chunks["hash"] = [keyed_hash(key, leaf) for leaf, _ in xorb.leaves(0, xorb.chunks)]
    chunks["raw_bytes"] = [size for _, size in xorb.leaves(0, xorb.chunks)]
    chunks["raw_start"][1:] = xorb.raw_ends[:-1]
    return _RECORD.pack(xorb.hash, 0, xorb.chunks, xorb.raw_ends[-1], xorb.size_bytes) + chunks.tobytes()
