"""The hashes of the Xet protocol: how chunks, xorbs and files get their names.

All are BLAKE3 in keyed mode, so a chunk, a tree node and a file never share a name by accident. Formulas and keys are
those of the protocol's specification (https://huggingface.co/docs/xet/hashing), checked against its vectors.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Self

from blake3 import blake3

from registry_server.xet.errors import InvalidXet
from registry_server.xet.lazy import np

HASH_BYTES = 32

_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_TERM_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_FILE_KEY = bytes(HASH_BYTES)

_LITTLE, _BIG = struct.Struct("<4Q"), struct.Struct(">4Q")
_HEX = frozenset("0123456789abcdef")


class XetHash(bytes):
    """The 32 bytes of a hash. As text, each group of eight bytes is a little-endian number in hex.

    A SHA-256 inside a shard is kept in the same order: its usual hex is the text of the XetHash of those bytes.
    """

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        """Raises InvalidXet unless `raw` has 32 bytes."""
        if len(raw) != HASH_BYTES:
            raise InvalidXet(f"A Xet hash has {HASH_BYTES} bytes, not {len(raw)}.")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The hash written as `text`. Raises InvalidXet unless these are 64 lower-case hex digits."""
        if len(text) != 2 * HASH_BYTES or not _HEX.issuperset(text):
            raise InvalidXet(f"{text[:80]!r} is not a Xet hash.", hint="A Xet hash is 64 lower-case hex digits.")
        return cls(_swapped(bytes.fromhex(text)))

    def __str__(self) -> str:
        return _swapped(self).hex()


ZERO_HASH = XetHash(bytes(HASH_BYTES))
"""The root of a tree without leaves, and the hash of an empty file."""

Leaf = tuple[bytes, int]
"""A chunk's hash and its raw size in bytes; or those of a group of chunks."""


def chunk_hash(raw: bytes) -> XetHash:
    """The hash of a chunk's uncompressed bytes."""
    return XetHash(blake3(raw, key=_CHUNK_KEY).digest())


def verification_hash(chunk_hashes: bytes) -> XetHash:
    """The hash of one term, over its chunks' hashes put end to end: proof that the sender knows them."""
    return XetHash(blake3(chunk_hashes, key=_TERM_KEY).digest())


def keyed_hash(key: bytes, chunk: bytes) -> bytes:
    """A chunk's hash as a deduplication answer shows it: of use only to who has the chunk."""
    return blake3(chunk, key=key).digest()


def eligible_chunks(chunk_hashes: bytes) -> list[int]:
    """Numbers of the chunks, of hashes put end to end, that clients may ask for: one in 1024, chosen by its hash."""
    last_words = np.frombuffer(chunk_hashes, "<u8")[3::4]
    found: list[int] = np.flatnonzero(last_words % 1024 == 0).tolist()
    return found


def file_hash(leaves: Iterable[Leaf]) -> XetHash:
    """The hash of the file made of these chunks."""
    root = tree_root(leaves)
    return root if root == ZERO_HASH else XetHash(blake3(root, key=_FILE_KEY).digest())


def tree_root(leaves: Iterable[Leaf]) -> XetHash:
    """The root over these chunks; of a xorb's chunks it is the xorb's hash. A single leaf is its own root.

    Each level of the tree is cut into groups from left to right, and each group is one node of the level above. Only
    the open group of each level is held, so a file of millions of chunks takes a few kilobytes.
    """
    levels: list[list[Leaf]] = [[]]
    for leaf in leaves:
        _add(levels, 0, leaf)
    depth = 0
    while depth + 1 < len(levels) or len(levels[depth]) > 1:
        if levels[depth]:
            _add(levels, depth + 1, _parent(levels[depth]))
        depth += 1
    return XetHash(levels[depth][0][0]) if levels[depth] else ZERO_HASH


def _add(levels: list[list[Leaf]], depth: int, node: Leaf) -> None:
    if depth == len(levels):
        levels.append([])
    group = levels[depth]
    group.append(node)
    if _is_closed(group):
        levels[depth] = []
        _add(levels, depth + 1, _parent(group))


def _is_closed(group: list[Leaf]) -> bool:
    """A group has three to nine nodes, and ends early at a hash whose last word is divisible by four."""
    return len(group) == 9 or (len(group) >= 3 and group[-1][0][24] % 4 == 0)


def _parent(group: list[Leaf]) -> Leaf:
    text = "".join(f"{_swapped(child).hex()} : {size}\n" for child, size in group)
    return blake3(text.encode(), key=_NODE_KEY).digest(), sum(size for _, size in group)


def _swapped(raw: bytes) -> bytes:
    return _BIG.pack(*_LITTLE.unpack(raw))
