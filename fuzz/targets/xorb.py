"""Xorbs as clients upload them; what was accepted must decode to what its index says."""

from __future__ import annotations

from tests.server.xet.objects import encode_xorb, random_chunks

from registry_server.xet.xorb import XorbIndex, _index, decode_chunks, verify_xorb

SEEDS = [
    encode_xorb(random_chunks(1, 4, 300)),
    encode_xorb(random_chunks(2, 1, 2000), (1,)),
    encode_xorb([bytes(3000), b"x"], (2,)),
    encode_xorb([b"a"], (0,)),
]


def read(data: bytes) -> None:
    index = _index([data])  # a fuzzer guesses no hash, so it may skip the comparison with the announced one
    assert verify_xorb(index.hash, [data[at : at + 700] for at in range(0, len(data), 700)]) == index
    assert XorbIndex.from_bytes(index.hash, index.to_bytes()) == index
    chunks = list(decode_chunks(data, index, 0, index.chunks))
    assert sum(map(len, chunks)) == index.raw_ends[-1]
