"""Xorbs, shards and files made by hand, as a client would make them."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import lz4.frame
import numpy as np

from registry_core.ids import Digest
from registry_server.xet.hashing import XetHash, chunk_hash, file_hash, tree_root, verification_hash
from registry_server.xet.shard import Shard, ShardFile, ShardXorb, Term
from registry_server.xet.xorb import XorbIndex, verify_xorb

SHARD_TAG = bytes.fromhex("48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9")
END_MARK = b"\xff" * 32 + bytes(16)


def counted(size: int) -> bytes:
    """Bytes that do not shrink and are the same everywhere: SHA-256 of a counter."""
    blocks = (hashlib.sha256(b"xet-vector" + struct.pack("<Q", number)).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def cut(data: bytes, lengths: Sequence[int]) -> list[bytes]:
    """The data in chunks of these lengths."""
    assert sum(lengths) == len(data)
    return [data[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)]


def leaves_of(chunks: Sequence[bytes]) -> list[tuple[XetHash, int]]:
    return [(chunk_hash(chunk), len(chunk)) for chunk in chunks]


def record(payload: bytes, scheme: int, raw_bytes: int, *, version: int = 0) -> bytes:
    """One chunk of a stored xorb, with whatever its header is to say."""
    return struct.pack("<II", version | len(payload) << 8, scheme | raw_bytes << 8) + payload


def encoded(chunk: bytes, scheme: int) -> bytes:
    """One chunk of a stored xorb."""
    grouped = b"".join(chunk[lane::4] for lane in range(4)) if scheme == 2 else chunk
    return record(lz4.frame.compress(grouped, store_size=False) if scheme else chunk, scheme, len(chunk))


def encode_xorb(chunks: Sequence[bytes], schemes: Sequence[int] = (0, 1, 2)) -> bytes:
    """A stored xorb; its chunks take the schemes in turn."""
    return b"".join(encoded(chunk, schemes[number % len(schemes)]) for number, chunk in enumerate(chunks))


def random_chunks(seed: int, count: int, largest: int = 3000) -> list[bytes]:
    """Chunks of random length, some of which shrink."""
    source = random.Random(seed)
    return [source.randbytes(source.randint(1, largest) // 8 + 1) * source.randint(1, 8) for _ in range(count)]


def floats(count: int) -> bytes:
    """The numbers 0, 0.001, 0.002 …, as 32-bit floats."""
    return (np.arange(count, dtype=np.float32) * np.float32(0.001)).astype("<f4").tobytes()


@dataclass
class Store:
    """Xorbs by hash, as a server holds them."""

    indexes: dict[XetHash, XorbIndex]
    stored: dict[XetHash, bytes]
    raw: dict[XetHash, list[bytes]]

    def add(self, chunks: Sequence[bytes]) -> XorbIndex:
        stored = encode_xorb(chunks)
        index = verify_xorb(tree_root(leaves_of(chunks)), [stored])
        self.indexes[index.hash], self.stored[index.hash], self.raw[index.hash] = index, stored, list(chunks)
        return index

    def content(self, terms: Sequence[Term]) -> bytes:
        return b"".join(chunk for term in terms for chunk in self.raw[term.xorb][term.start : term.end])


def store_of(*xorbs: Sequence[bytes]) -> Store:
    store = Store({}, {}, {})
    for chunks in xorbs:
        store.add(chunks)
    return store


def term_of(index: XorbIndex, start: int, end: int) -> Term:
    begin, stop = index.raw_span(start, end)
    return Term(index.hash, stop - begin, start, end)


def file_of(store: Store, terms: Sequence[Term], sha256: Digest | None = None) -> ShardFile:
    """The file of these terms with all its hashes right."""
    verifications = [verification_hash(b"".join(_hashes(store, term))) for term in terms]
    leaves = [leaf for term in terms for leaf in store.indexes[term.xorb].leaves(term.start, term.end)]
    return ShardFile(file_hash(leaves), tuple(terms), tuple(verifications), sha256)


def listing_of(index: XorbIndex) -> ShardXorb:
    return ShardXorb(index.hash, index.chunk_hashes, index.raw_ends)


def encode_shard(shard: Shard, *, footer_bytes: int = 0) -> bytes:
    """The shard as a client uploads it."""
    return b"".join(
        [
            SHARD_TAG + struct.pack("<QQ", 2, footer_bytes),
            *(part for file in shard.files for part in _file_records(file)),
            END_MARK,
            *(part for xorb in shard.xorbs for part in _xorb_records(xorb)),
            END_MARK,
        ]
    )


def _hashes(store: Store, term: Term) -> Iterator[bytes]:
    return (leaf for leaf, _ in store.indexes[term.xorb].leaves(term.start, term.end))


def _file_records(file: ShardFile) -> Iterator[bytes]:
    flags = (1 << 31 if file.verifications else 0) | (1 << 30 if file.sha256 else 0)
    yield struct.pack("<32sIIQ", file.hash, flags, len(file.terms), 0)
    for term in file.terms:
        yield struct.pack("<32s4I", term.xorb, 0, term.raw_bytes, term.start, term.end)
    for verification in file.verifications:
        yield verification + bytes(16)
    if file.sha256:
        yield XetHash.parse(file.sha256) + bytes(16)


def _xorb_records(xorb: ShardXorb) -> Iterator[bytes]:
    yield struct.pack("<32s4I", xorb.hash, 0, len(xorb.raw_ends), xorb.raw_ends[-1], 0)
    for number, (start, end) in enumerate(zip((0, *xorb.raw_ends), xorb.raw_ends, strict=False)):
        name = xorb.chunk_hashes[32 * number : 32 * number + 32]
        yield struct.pack("<32s4I", name, start, end - start, 0, 0)
