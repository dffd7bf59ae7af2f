from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from tests.server.xet.objects import file_of, listing_of, random_chunks, store_of, term_of

from registry_core.errors import Invalid
from registry_core.ids import Digest
from registry_server.xet.checks import check_content, check_file, check_shard, check_xorb
from registry_server.xet.errors import InvalidXet, UnknownXorb
from registry_server.xet.hashing import XetHash, verification_hash
from registry_server.xet.shard import Shard, ShardFile, ShardXorb, Term

STORE = store_of(random_chunks(1, 9), random_chunks(2, 4))
ONE, TWO = STORE.indexes.values()
TERMS = [term_of(ONE, 0, 3), term_of(TWO, 1, 2), term_of(ONE, 2, 9)]
CONTENT = STORE.content(TERMS)
FILE = file_of(STORE, TERMS, Digest(hashlib.sha256(CONTENT).hexdigest()))
STRANGER = XetHash(bytes([9] * 32))


def with_term(**changes: object) -> ShardFile:
    """The file with its second term changed, and verification hashes to match where there are such chunks."""
    term = replace(TERMS[1], **changes)  # type: ignore[arg-type]
    terms = (TERMS[0], term, TERMS[2])
    index = STORE.indexes.get(term.xorb, ONE)
    proof = verification_hash(index.chunk_hashes[32 * term.start : 32 * term.end])
    return replace(FILE, terms=terms, verifications=(FILE.verifications[0], proof, FILE.verifications[2]))


def test_a_true_shard_passes() -> None:
    check_shard(Shard((FILE, replace(FILE, sha256=None)), (listing_of(ONE), listing_of(TWO))), STORE.indexes.get)


def test_an_empty_file_passes() -> None:
    check_file(ShardFile(XetHash(bytes(32)), (), (), None), STORE.indexes.get)


@pytest.mark.parametrize(
    "listing",
    [
        replace(listing_of(ONE), chunk_hashes=STRANGER + ONE.chunk_hashes[32:]),
        replace(listing_of(ONE), raw_ends=(ONE.raw_ends[0] + 1, *ONE.raw_ends[1:])),
        replace(listing_of(ONE), raw_ends=ONE.raw_ends[:-1], chunk_hashes=ONE.chunk_hashes[:-32]),
        replace(listing_of(TWO), hash=ONE.hash),
    ],
)
def test_a_xorb_with_other_chunks_than_stored_is_refused(listing: ShardXorb) -> None:
    with pytest.raises(InvalidXet, match=f"lists other chunks for the xorb {ONE.hash}"):
        check_xorb(listing, STORE.indexes.get)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (replace(FILE, hash=STRANGER), "make another hash"),
        (replace(file_of(STORE, [*TERMS, TERMS[0]]), hash=FILE.hash), "make another hash"),
        (replace(FILE, verifications=()), "lacks the verification hashes"),
        (replace(FILE, verifications=(STRANGER, *FILE.verifications[1:])), "verification hash .* is another"),
        (with_term(end=5), "which has 4"),
        (with_term(start=8000, end=8192), "which has 4"),
        (with_term(raw_bytes=TERMS[1].raw_bytes + 1), "A term says"),
        (with_term(start=0, end=1, raw_bytes=TWO.raw_ends[0]), "make another hash"),
    ],
)
def test_an_untrue_file_is_refused(file: ShardFile, message: str) -> None:
    with pytest.raises(InvalidXet, match=message):
        check_file(file, STORE.indexes.get)


def test_a_xorb_that_is_not_stored_is_named() -> None:
    listing = replace(listing_of(ONE), hash=STRANGER)
    file = replace(FILE, terms=(Term(STRANGER, 1, 0, 1),), verifications=(STRANGER,))
    for shard in (Shard((), (listing,)), Shard((file,), ())):
        with pytest.raises(UnknownXorb) as raised:
            check_shard(shard, STORE.indexes.get)
        assert raised.value.name == str(STRANGER)
        assert raised.value.code == "unknown_xorb"


def test_the_content_must_have_the_announced_sha256() -> None:
    check_content(FILE, [CONTENT[:10], CONTENT[10:]])
    check_content(replace(FILE, sha256=None), [b"anything"])
    with pytest.raises(InvalidXet, match="announced with SHA-256"):
        check_content(FILE, [CONTENT[:-1]])


def test_our_errors_are_of_the_one_tree() -> None:
    assert issubclass(InvalidXet, Invalid)
    assert InvalidXet.code == "invalid_xet"
