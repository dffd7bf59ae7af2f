from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.xet.objects import (
    END_MARK,
    SHARD_TAG,
    encode_shard,
    file_of,
    listing_of,
    random_chunks,
    store_of,
    term_of,
)

from registry_core.ids import Digest
from registry_server.xet import shard as shards
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import XetHash, chunk_hash, keyed_hash
from registry_server.xet.shard import MAX_FILE_CHUNKS, MAX_SHARD_BYTES, Shard, ShardFile, Term, keyed_shard, read_shard

HELLO_SHARD = bytes.fromhex(
    "48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa902000000000000000000000000000000"
    "bd60b088ade0daa9b195cfbd7ac8e7d74f6db014045ac9326571b887d268eb6b000000c0010000000000000000000000"
    "a29cfb08e608d4d8726dd8659a90b9134b3240d5d8e42d5fcb28e2a6e763a3e8000000000c0000000000000001000000"
    "4ccb988e4563cb8923b7a7a5506bbe7592e648535df0824b2b86c35daf1ab75f00000000000000000000000000000000"
    "53fcf17f65b1837f5dd6a14881c12db92877d6a31f4b2dfc69906d1200d2dd4a00000000000000000000000000000000"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000000000000000000000000000"
    "a29cfb08e608d4d8726dd8659a90b9134b3240d5d8e42d5fcb28e2a6e763a3e800000000010000000c00000000000000"
    "a29cfb08e608d4d8726dd8659a90b9134b3240d5d8e42d5fcb28e2a6e763a3e8000000000c0000000000000000000000"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff00000000000000000000000000000000"
)
"""What hf_xet 1.8.0 uploads for a file that says `Hello World!`."""

STORE = store_of(random_chunks(1, 9), random_chunks(2, 4), [b"Hello World!"])
ONE, TWO, HELLO = STORE.indexes.values()
SHA256 = Digest("7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069")
HASHES_ONLY = file_of(STORE, [term_of(ONE, 0, 3), term_of(TWO, 1, 2), term_of(ONE, 2, 9)])
SHARD = Shard((replace(HASHES_ONLY, sha256=SHA256), HASHES_ONLY), (listing_of(ONE), listing_of(TWO)))
DATA = encode_shard(SHARD)
KEY = bytes(range(32))


def test_the_shard_of_the_real_client_is_read() -> None:
    expected = Shard((file_of(STORE, [term_of(HELLO, 0, 1)], SHA256),), (listing_of(HELLO),))
    assert str(expected.files[0].hash) == "a9dae0ad88b060bdd7e7c87abdcf95b132c95a0414b06d4f6beb68d287b87165"
    assert read_shard(HELLO_SHARD) == expected
    assert encode_shard(expected) == HELLO_SHARD


def test_a_shard_survives_writing_and_reading() -> None:
    assert read_shard(DATA) == SHARD
    assert read_shard(memoryview(DATA)) == SHARD


def test_an_empty_shard_and_an_empty_file_are_read() -> None:
    empty = ShardFile(XetHash(bytes(32)), (), (), None)
    for shard in (Shard((), ()), Shard((empty,), ())):
        assert read_shard(encode_shard(shard)) == shard


def test_a_file_knows_its_size() -> None:
    assert read_shard(DATA).files[0].size_bytes == len(STORE.content(HASHES_ONLY.terms))


def _changed(at: int, form: str, *values: int) -> bytes:
    data = bytearray(DATA)
    struct.pack_into(form, data, at, *values)
    return bytes(data)


_TERM_AT, _XORB_AT = 96, 48 * (1 + 8 + 7 + 1)
REFUSED = {
    "nothing": (b"", "ends before"),
    "another tag": (b"x" + DATA[1:], "not a shard"),
    "another version": (_changed(32, "<Q", 3), "not a shard"),
    "a footer announced": (_changed(40, "<Q", 200), "without footer"),
    "a footer unannounced": (DATA + bytes(200), "goes on"),
    "one byte more": (DATA + b"\0", "goes on"),
    "no end mark": (DATA[:-48], "ends before"),
    "a cut record": (DATA[:-1], "ends before"),
    "no xorb section": (SHARD_TAG + struct.pack("<QQ", 2, 0) + END_MARK, "ends before"),
    "unknown flags": (_changed(48 + 32, "<I", 0xE0000000), "unknown flags"),
    "terms without end": (_changed(48 + 36, "<I", 0xFFFFFFFF), "ends before"),
    "a term without chunks": (_changed(_TERM_AT + 40, "<II", 3, 3), "out of bounds"),
    "a term turned round": (_changed(_TERM_AT + 40, "<II", 3, 2), "out of bounds"),
    "a term past any xorb": (_changed(_TERM_AT + 40, "<II", 0, 8193), "out of bounds"),
    "a term without bytes": (_changed(_TERM_AT + 36, "<I", 0), "out of bounds"),
    "a term larger than any xorb": (_changed(_TERM_AT + 36, "<I", (64 << 20) + 1), "out of bounds"),
    "a xorb without chunks": (_changed(_XORB_AT + 36, "<I", 0), "has 0 chunks"),
    "a xorb of too many chunks": (_changed(_XORB_AT + 36, "<I", 8193), "has 8193 chunks"),
    "another size of a xorb": (_changed(_XORB_AT + 40, "<I", 7), "do not lie"),
    "a gap between chunks": (_changed(_XORB_AT + 96 + 32, "<I", 7), "do not lie"),
    "a chunk without bytes": (_changed(_XORB_AT + 48 + 36, "<I", 0), "do not lie"),
    "a chunk too long": (_changed(_XORB_AT + 48 + 36, "<I", 0xFFFFFFFF), "do not lie"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_shard_is_refused(case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(InvalidXet, match=message):
        read_shard(data)


def test_a_shard_above_64_mib_is_refused() -> None:
    with pytest.raises(InvalidXet, match="above the limit"):
        read_shard(bytes(MAX_SHARD_BYTES + 1))


def test_a_small_shard_cannot_name_endless_chunks() -> None:
    full = Term(ONE.hash, 1, 0, 8192)
    count = MAX_FILE_CHUNKS // 8192
    file = ShardFile(XetHash(bytes(32)), (full,) * count, (), None)
    assert len(read_shard(encode_shard(Shard((file,), ()))).files[0].terms) == count
    with pytest.raises(InvalidXet, match="name more than"):
        read_shard(encode_shard(Shard((file, replace(file, terms=(full,))), ())))


@settings(deadline=None)
@given(st.binary(max_size=500) | st.binary(max_size=500).map(lambda tail: DATA[:48] + tail))
def test_random_bytes_are_refused_in_our_words(data: bytes) -> None:
    with pytest.raises(InvalidXet):
        read_shard(data)


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_a_changed_shard_is_read_or_refused_in_our_words(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(DATA)))
    until = data.draw(st.integers(at, min(at + 60, len(DATA))))
    changed = DATA[:at] + data.draw(st.binary(max_size=60)) + DATA[until:]
    try:
        shard = read_shard(changed)
    except InvalidXet:
        return
    assert len(encode_shard(shard)) == len(changed)


def test_an_answer_names_chunks_by_keyed_hashes_only() -> None:
    answer = keyed_shard([ONE, TWO], key=KEY, created_at=1, expires_at=2)
    for index in (ONE, TWO):
        for leaf, _ in index.leaves(0, index.chunks):
            assert keyed_hash(KEY, leaf) in answer
            assert leaf not in answer


def test_an_answer_has_the_layout_that_clients_scan() -> None:
    answer = keyed_shard([TWO], key=KEY, created_at=1_700_000_000, expires_at=1_700_600_000)
    end = 48 * (1 + 1 + 1 + TWO.chunks + 1)
    assert answer[:48] == SHARD_TAG + struct.pack("<QQ", 2, 200)
    assert answer[48:96] == answer[end - 48 : end] == END_MARK
    assert answer[96:144] == struct.pack("<32s4I", TWO.hash, 0, TWO.chunks, TWO.raw_ends[-1], TWO.size_bytes)
    assert [struct.unpack_from("<4I", answer, 144 + 48 * number + 32) for number in range(TWO.chunks)] == [
        (start, stop - start, 0, 0)
        for start, stop in (TWO.raw_span(number, number + 1) for number in range(TWO.chunks))
    ]
    assert answer[end:] == b"".join(
        [
            struct.pack("<9Q", 1, 48, 96, end, 0, end, 0, end, 0),
            KEY,
            struct.pack("<QQ", 1_700_000_000, 1_700_600_000),
            bytes(48),
            struct.pack("<4Q", TWO.size_bytes, 0, TWO.raw_ends[-1], end),
        ]
    )


def test_the_chunks_of_an_answer_can_be_read_back() -> None:
    answer = keyed_shard([ONE, TWO], key=KEY, created_at=1, expires_at=2)
    (one, two) = read_shard(answer[:40] + bytes(8) + answer[48:-200]).xorbs
    assert (one.hash, one.raw_ends, two.hash, two.raw_ends) == (ONE.hash, ONE.raw_ends, TWO.hash, TWO.raw_ends)
    assert one.chunk_hashes[:32] == keyed_hash(KEY, ONE.chunk_hashes[:32])


def test_the_same_answer_has_the_same_bytes_and_names_a_xorb_once() -> None:
    once = keyed_shard([ONE, TWO], key=KEY, created_at=1, expires_at=2)
    assert once == keyed_shard(iter([ONE, TWO, ONE]), key=KEY, created_at=1, expires_at=2)
    assert once != keyed_shard([ONE, TWO], key=KEY[::-1], created_at=1, expires_at=2)


def test_an_answer_without_xorbs_is_a_shard_too() -> None:
    assert len(keyed_shard([], key=KEY, created_at=1, expires_at=2)) == 48 * 3 + 200


def test_an_answer_keeps_the_first_xorbs_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    one_only = keyed_shard([ONE], key=KEY, created_at=1, expires_at=2)
    monkeypatch.setattr(shards, "MAX_SHARD_BYTES", len(one_only))
    assert keyed_shard([ONE, TWO], key=KEY, created_at=1, expires_at=2) == one_only


@pytest.mark.parametrize("key", [bytes(32), b"short", b""])
def test_an_answer_without_a_key_is_never_written(key: bytes) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        keyed_shard([ONE], key=key, created_at=1, expires_at=2)


def test_hashes_that_end_in_zeros_are_kept_whole() -> None:
    index = replace(HELLO, chunk_hashes=chunk_hash(b"x")[:30] + bytes(2))
    shard = Shard((), (listing_of(index),))
    assert read_shard(encode_shard(shard)) == shard
