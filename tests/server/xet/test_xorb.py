from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.xet.objects import counted, encode_xorb, encoded, leaves_of, random_chunks, record
from tests.server.xet.vectors import VECTORS, Vector

from registry_server.xet.errors import DamagedXorb, InvalidXet
from registry_server.xet.hashing import XetHash, chunk_hash, tree_root
from registry_server.xet.xorb import (
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_RAW_BYTES,
    XorbIndex,
    decode_chunks,
    verify_xorb,
)

CHUNKS = random_chunks(seed=1, count=40)
STORED = encode_xorb(CHUNKS)
ROOT = tree_root(leaves_of(CHUNKS))
ANY = XetHash(bytes(32))

chunk_lists = st.lists(st.binary(min_size=1, max_size=50) | st.just(bytes(5000)), min_size=1, max_size=12)


def index_of(stored: bytes, chunks: list[bytes]) -> XorbIndex:
    return verify_xorb(tree_root(leaves_of(chunks)), [stored])


def test_hello_world_is_read_from_the_bytes_of_the_real_client() -> None:
    stored = bytes.fromhex("000c0000000c000048656c6c6f20576f726c6421")
    index = index_of(stored, [b"Hello World!"])
    assert (index.chunks, index.raw_ends, index.ends, index.size_bytes) == (1, (12,), (20,), 20)
    assert index.chunk_hashes == chunk_hash(b"Hello World!")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_xorbs_of_the_vectors_verify(vector: Vector) -> None:
    stored = encode_xorb(vector.chunks, [vector.scheme])
    index = verify_xorb(XetHash.parse(vector.xorb), [stored])
    assert list(decode_chunks(stored, index, 0, index.chunks)) == vector.chunks


@given(chunk_lists, st.lists(st.integers(0, 2), min_size=1, max_size=5))
@settings(deadline=None)
def test_what_is_encoded_comes_back(chunks: list[bytes], schemes: list[int]) -> None:
    stored = encode_xorb(chunks, schemes)
    index = index_of(stored, chunks)
    assert list(decode_chunks(stored, index, 0, len(chunks))) == chunks
    assert index.size_bytes == len(stored)


@pytest.mark.parametrize("remainder", range(4))
def test_byte_groups_of_any_length_are_put_back(remainder: int) -> None:
    chunk = counted(4096 + remainder)
    assert list(decode_chunks(encoded(chunk, 2), index_of(encoded(chunk, 2), [chunk]), 0, 1)) == [chunk]


@given(st.integers(1, 5000))
@settings(max_examples=30, deadline=None)
def test_a_stream_in_pieces_of_any_size_gives_the_same_index(piece_bytes: int) -> None:
    pieces = (STORED[at : at + piece_bytes] for at in range(0, len(STORED), piece_bytes))
    assert verify_xorb(ROOT, pieces) == verify_xorb(ROOT, [STORED])


def test_a_stream_above_the_size_of_a_record_gives_the_same_index() -> None:
    chunks = [counted(MAX_CHUNK_BYTES) for _ in range(9)]
    stored = encode_xorb(chunks)
    root = tree_root(leaves_of(chunks))
    for piece_bytes in (1 << 16, 300_000):
        pieces = [memoryview(stored)[at : at + piece_bytes] for at in range(0, len(stored), piece_bytes)]
        assert verify_xorb(root, pieces) == verify_xorb(root, [stored])


def test_a_mapped_file_can_be_closed_after_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "xorb"
    path.write_bytes(STORED)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        index = verify_xorb(ROOT, [mapped])
        assert list(decode_chunks(mapped, index, 3, 5)) == CHUNKS[3:5]
    with path.open("rb") as file, pytest.raises(InvalidXet, match="announced as"):
        _verify_mapped(ANY, file)
    path.write_bytes(STORED[:-1])
    with path.open("rb") as file, pytest.raises(InvalidXet, match="ends inside"):
        _verify_mapped(ROOT, file)


def _verify_mapped(expected: XetHash, file: BinaryIO) -> None:
    """A map that something still looks into would raise BufferError when it closes."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        verify_xorb(expected, [mapped])


def test_an_index_survives_writing_and_reading() -> None:
    index = verify_xorb(ROOT, [STORED])
    assert len(index.to_bytes()) == 40 * len(CHUNKS)
    assert XorbIndex.from_bytes(ROOT, index.to_bytes()) == index


@given(st.binary(max_size=200))
def test_other_bytes_are_no_index(data: bytes) -> None:
    with suppress(InvalidXet):
        assert XorbIndex.from_bytes(ANY, data).to_bytes() == data


def test_an_index_knows_where_chunks_lie() -> None:
    chunks = [b"a" * 10, b"b" * 20, b"c" * 30]
    index = index_of(encode_xorb(chunks, [0]), chunks)
    assert index.raw_span(0, 3) == (0, 60)
    assert index.raw_span(1, 2) == (10, 30)
    assert index.span(1, 3) == (18, 84)
    assert [index.chunk_at(offset) for offset in (0, 9, 10, 29, 30, 59)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(("start", "end"), [(0, 40), (0, 1), (39, 40), (7, 23)])
def test_a_range_of_chunks_is_decoded_from_the_whole_or_its_own_part(start: int, end: int) -> None:
    index = verify_xorb(ROOT, [STORED])
    begin, stop = index.span(start, end)
    assert list(decode_chunks(STORED, index, start, end)) == CHUNKS[start:end]
    assert list(decode_chunks(memoryview(STORED)[begin:stop], index, start, end, offset=begin)) == CHUNKS[start:end]


def _swap_first_chunks(stored: bytes) -> bytes:
    first, second, *_ = verify_xorb(ROOT, [stored]).ends
    return stored[first:second] + stored[:first] + stored[second:]


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda stored: stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]


HELLO = b"Hello World! " * 20
FRAME = lz4.frame.compress(HELLO, store_size=False)
CHECKED = lz4.frame.compress(HELLO, store_size=False, block_checksum=True)
REFUSED = {
    "nothing": (b"", "at least one chunk"),
    "half a header": (b"\0\0\0", "ends inside"),
    "half a chunk": (encoded(HELLO, 0)[:-1], "ends inside"),
    "trailing bytes": (encoded(HELLO, 1) + b"\0", "ends inside"),
    "a footer": (encoded(HELLO, 1) + b"XETBLOB\x01" + bytes(100), "without its footer"),
    "a version": (record(HELLO, 0, len(HELLO), version=1), "version 1"),
    "a scheme": (record(HELLO, 3, len(HELLO)), "scheme 3"),
    "an empty chunk": (record(b"", 0, 0), "out of bounds"),
    "an empty payload": (record(b"", 1, 5), "does not unfold"),
    "a chunk too long": (encoded(bytes(MAX_CHUNK_BYTES + 1), 1), "out of bounds"),
    "a payload too long": (record(bytes(262145), 1, 1000), "out of bounds"),
    "a plain chunk of another size": (record(HELLO, 0, len(HELLO) - 1), "uncompressed chunk"),
    "no frame": (record(b"not a frame", 1, 11), "not an LZ4 frame"),
    "a frame that unfolds to less": (record(FRAME, 1, len(HELLO) + 1), "does not unfold"),
    "a frame that unfolds to more": (record(FRAME, 1, len(HELLO) - 1), "does not unfold"),
    "a frame without its end": (record(FRAME[:-4], 1, len(HELLO)), "does not unfold"),
    "bytes after the frame": (record(FRAME + b"\0", 1, len(HELLO)), "does not unfold"),
    "a second frame": (record(FRAME + FRAME, 1, len(HELLO)), "does not unfold"),
    "a frame to skip": (record(b"\x50\x2a\x4d\x18\x03\0\0\0abc", 1, 3), "does not unfold"),
    "a wrong checksum": (record(CHECKED[:-5] + b"\0" + CHECKED[-4:], 1, len(HELLO)), "not an LZ4 frame"),
    "a bomb": (record(lz4.frame.compress(bytes(60_000_000)), 1, MAX_CHUNK_BYTES), "does not unfold"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_xorb_is_refused(case: str) -> None:
    stored, message = REFUSED[case]
    with pytest.raises(InvalidXet, match=message):
        verify_xorb(ANY, [stored])


@pytest.mark.parametrize("change", [_flip(20), _swap_first_chunks, lambda stored: stored + stored])
def test_other_chunks_than_announced_are_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidXet, match=f"announced as {ROOT}"):
        verify_xorb(ROOT, [change(STORED)])


def test_a_xorb_may_hold_8192_chunks_and_no_more() -> None:
    one = record(b"x", 0, 1)
    root = tree_root(leaves_of([b"x"] * MAX_CHUNKS))
    assert verify_xorb(root, [one * MAX_CHUNKS]).chunks == MAX_CHUNKS
    with pytest.raises(InvalidXet, match="exceeds its limits"):
        verify_xorb(root, [one * (MAX_CHUNKS + 1)])


def test_a_xorb_may_hold_64_mib_and_no_more() -> None:
    one, count = encoded(bytes(MAX_CHUNK_BYTES), 1), MAX_RAW_BYTES // MAX_CHUNK_BYTES
    root = tree_root(leaves_of([bytes(MAX_CHUNK_BYTES)]) * count)
    assert verify_xorb(root, [one] * count).raw_ends[-1] == MAX_RAW_BYTES
    with pytest.raises(InvalidXet, match="exceeds its limits"):
        verify_xorb(root, [one * count + record(b"x", 0, 1)])


def test_a_stored_xorb_has_at_most_65_mib_however_little_it_unfolds_to() -> None:
    nothing, one_byte, end = b"\1\0\0\0\0", b"\1\0\0\x80x", bytes(4)
    frame = bytes.fromhex("04224d18604082") + nothing * 52_000 + one_byte + end
    assert verify_xorb(chunk_hash(b"x"), [record(frame, 1, 1)]).raw_ends == (1,)
    with pytest.raises(InvalidXet, match="exceeds its limits"):
        verify_xorb(ANY, [record(frame, 1, 1)] * 270)


@given(st.integers(0, len(STORED) * 8 - 1))
@settings(max_examples=300, deadline=None)
def test_no_flipped_bit_is_ever_handed_out(bit: int) -> None:
    flipped = bytearray(STORED)
    flipped[bit // 8] ^= 1 << bit % 8
    out: list[bytes] = []
    with suppress(DamagedXorb):
        out.extend(decode_chunks(flipped, verify_xorb(ROOT, [STORED]), 0, len(CHUNKS)))
    assert out == CHUNKS[: len(out)]


def test_a_cut_xorb_is_damaged() -> None:
    index = verify_xorb(ROOT, [STORED])
    for kept in (len(STORED) - 1, index.ends[-2] + 3, index.ends[-2]):
        with pytest.raises(DamagedXorb, match="Chunk 39"):
            list(decode_chunks(STORED[:kept], index, 0, len(CHUNKS)))


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: encoded(HELLO, 1) + tail))
def test_random_bytes_are_refused_in_our_words(data: bytes) -> None:
    with pytest.raises(InvalidXet):
        verify_xorb(ANY, [data])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_xorb_is_refused_in_our_words_or_means_the_same(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(STORED)))
    until = data.draw(st.integers(at, min(at + 20, len(STORED))))
    changed = STORED[:at] + data.draw(st.binary(max_size=20)) + STORED[until:]
    try:
        index = verify_xorb(ROOT, [changed])
    except InvalidXet:
        return
    assert list(decode_chunks(changed, index, 0, index.chunks)) == CHUNKS
