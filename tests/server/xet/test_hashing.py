from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.xet.objects import leaves_of
from tests.server.xet.vectors import VECTORS, Vector

from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import (
    ZERO_HASH,
    XetHash,
    chunk_hash,
    eligible_chunks,
    file_hash,
    keyed_hash,
    tree_root,
    verification_hash,
)

A, B, C, D = (
    XetHash.parse(text)
    for text in (
        "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6",
        "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72",
        "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37",
        "adf8773496a9b7319b2e50dc98093f344053b17d8ad37100b9c07d9805988784",
    )
)
FIRST = XetHash.parse("c28f58387a60d4aa200c311cda7c7f77f686614864f5869eadebf765d0a14a69")
SECOND = XetHash.parse("6e4e3263e073ce2c0e78cc770c361e2778db3b054b98ab65e277fc084fa70f22")


def test_a_hash_is_written_in_swapped_groups_of_eight() -> None:
    text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert str(XetHash(bytes(range(32)))) == text
    assert XetHash.parse(text) == bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
def test_a_hash_survives_writing_and_reading(raw: bytes) -> None:
    assert XetHash.parse(str(XetHash(raw))) == raw


@given(st.text() | st.text("0123456789abcdefABCDEF", min_size=62, max_size=66))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        assert str(XetHash.parse(text)) == text
    except InvalidXet:
        assert len(text) != 64 or not set(text) <= set("0123456789abcdef")


@given(st.binary(max_size=40).filter(lambda raw: len(raw) != 32))
def test_any_other_length_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidXet, match="32 bytes"):
        XetHash(raw)


def test_hello_world_has_the_hash_of_the_specification() -> None:
    name = chunk_hash(b"Hello World!")
    assert str(name) == "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb"
    assert name.hex().startswith("a29cfb08")


def test_a_node_of_two_children() -> None:
    root = tree_root([(FIRST, 100), (SECOND, 200)])
    assert str(root) == "be64c7003ccd3cf4357364750e04c9592b3c36705dee76a71590c011766b6c14"


def test_the_verification_hash_of_two_chunks() -> None:
    expected = "eb06a8ad81d588ac05d1d9a079232d9c1e7d0b07232fa58091caa7bf333a2768"
    assert str(verification_hash(FIRST + SECOND)) == expected


@pytest.mark.parametrize(
    ("leaves", "root", "file"),
    [
        (
            [(A, 100), (B, 200), (A, 100), (B, 200), (C, 300), (D, 400)],
            "52c826f99507aa05d0b45e9837fa1709e0485425cfbcb1e80db3905cf98b3ee9",
            "91d21684db364c8883ab8209fa5eb2e781cf07f37e1fa43e731c30839afe422f",
        ),
        (
            [(A, 100)] * 4,
            "89f2ada89ff8c96763c6b25010e6dd76a4c05b1466207633ea559acf2093211b",
            "2cdba690d0e09563596e0cda626d43eb4c96ef1e994fe72d9b2f5a83cfcd36dd",
        ),
        ([(A, 100)], str(A), "8e16257caa3fe079d484d872a8975264b2ff683b0d6db9028cc7c0f968a45661"),
        ([], "0" * 64, "0" * 64),
    ],
)
def test_roots_and_file_hashes_of_the_specification(leaves: list[tuple[bytes, int]], root: str, file: str) -> None:
    assert str(tree_root(leaves)) == root
    assert str(file_hash(leaves)) == file


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_hashes_are_those_of_the_real_client(vector: Vector) -> None:
    leaves = leaves_of(vector.chunks)
    sha256 = hashlib.sha256(vector.content).hexdigest()
    assert (sha256[:8], sha256[-8:]) == vector.sha256_ends
    assert str(tree_root(leaves)) == vector.xorb
    assert str(file_hash(leaves * vector.terms)) == vector.file
    assert str(verification_hash(b"".join(name for name, _ in leaves))) == vector.verification


@given(st.integers(0, 400), st.integers(0, 99))
@settings(deadline=None)
def test_the_streamed_tree_is_the_tree_built_level_by_level(count: int, seed: int) -> None:
    leaves = [(chunk_hash(f"{seed} {number}".encode()), number + 1) for number in range(count)]
    assert tree_root(iter(leaves)) == _root_level_by_level(leaves)


def _root_level_by_level(nodes: list[tuple[XetHash, int]]) -> XetHash:
    """The specification's own words."""
    while len(nodes) > 1:
        bounds = [0]
        while bounds[-1] < len(nodes):
            bounds.append(_group_end(nodes, bounds[-1]))
        nodes = [_node(nodes[start:end]) for start, end in pairwise(bounds)]
    return nodes[0][0] if nodes else ZERO_HASH


def _group_end(nodes: list[tuple[XetHash, int]], start: int) -> int:
    if len(nodes) - start <= 2:
        return len(nodes)
    last = min(start + 9, len(nodes))
    closing = (at for at in range(start + 2, last) if int.from_bytes(nodes[at][0][24:], "little") % 4 == 0)
    return next(closing, last - 1) + 1


def _node(children: list[tuple[XetHash, int]]) -> tuple[XetHash, int]:
    key = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
    text = "".join(f"{child} : {size}\n" for child, size in children)
    return XetHash(blake3(text.encode(), key=key).digest()), sum(size for _, size in children)


def test_one_chunk_in_1024_may_be_asked_for() -> None:
    def named(last_word: int) -> bytes:
        return bytes([7] * 24) + last_word.to_bytes(8, "little")

    words = [0, 1, 1024, 1023, 512, 2**64 - 1024, 4096 + 4]
    assert eligible_chunks(b"".join(map(named, words))) == [0, 2, 5]
    assert eligible_chunks(b"") == []


def test_a_keyed_hash_depends_on_the_key() -> None:
    assert keyed_hash(bytes([1] * 32), A) == blake3(A, key=bytes([1] * 32)).digest()
    assert len({A, keyed_hash(bytes([1] * 32), A), keyed_hash(bytes([2] * 32), A)}) == 3
