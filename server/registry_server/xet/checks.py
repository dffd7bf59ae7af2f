"""Whether a shard tells the truth about xorbs that we hold. Each check raises InvalidXet with what is wrong.

1  every xorb it lists has the chunks of the stored one
2  every term lies inside its stored xorb and has the length it says
3  every term's verification hash is that of its chunks: the client knows their hashes
4  the chunks of all terms make the file's hash
5  the content has the announced SHA-256, by which the rest of the registry will call it: `check_content`
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from registry_server.xet.errors import InvalidXet, UnknownXorb
from registry_server.xet.hashing import HASH_BYTES, Leaf, XetHash, file_hash, verification_hash
from registry_server.xet.shard import Shard, ShardFile, ShardXorb, Term
from registry_server.xet.xorb import XorbIndex

Lookup = Callable[[XetHash], XorbIndex | None]


def check_shard(shard: Shard, index_of: Lookup) -> None:
    """Checks 1 to 4. `index_of` is called for each listed xorb and each term, so it pays to keep what it read."""
    for xorb in shard.xorbs:
        check_xorb(xorb, index_of)
    for file in shard.files:
        check_file(file, index_of)


def check_xorb(xorb: ShardXorb, index_of: Lookup) -> None:
    """Check 1. Raises UnknownXorb when it is not stored."""
    index = _known(xorb.hash, index_of)
    if (index.chunk_hashes, index.raw_ends) != (xorb.chunk_hashes, xorb.raw_ends):
        raise InvalidXet(f"The shard lists other chunks for the xorb {xorb.hash} than are stored.")


def check_file(file: ShardFile, index_of: Lookup) -> None:
    """Checks 2 to 4. Raises UnknownXorb when a term's xorb is not stored."""
    if len(file.verifications) != len(file.terms):
        raise InvalidXet(f"The file {file.hash} lacks the verification hashes of its terms.")
    if file_hash(_checked_leaves(file, index_of)) != file.hash:
        raise InvalidXet(f"The chunks of the file {file.hash} make another hash.")


def check_content(file: ShardFile, content: Iterable[bytes]) -> None:
    """Check 5, on all bytes of the file; nothing is to be done when it announced no SHA-256."""
    if file.sha256 is None:
        return
    digest = hashlib.sha256()
    for piece in content:
        digest.update(piece)
    fault = sha256_fault(file.hash, file.sha256, digest.hexdigest())
    if fault is not None:
        raise InvalidXet(fault)


def sha256_fault(file: XetHash, announced: str, found: str) -> str | None:
    """What is to be said of a file whose content has another SHA-256 than was announced; None for the same."""
    return None if found == announced else f"The file {file} was announced with SHA-256 {announced}, and has {found}."


def _checked_leaves(file: ShardFile, index_of: Lookup) -> Iterator[Leaf]:
    for term, verification in zip(file.terms, file.verifications, strict=True):
        index = _known(term.xorb, index_of)
        _check_term(term, verification, index)
        yield from index.leaves(term.start, term.end)


def _check_term(term: Term, verification: XetHash, index: XorbIndex) -> None:
    part = f"chunks {term.start} up to {term.end} of the xorb {term.xorb}"
    if term.end > index.chunks:
        raise InvalidXet(f"A term wants the {part}, which has {index.chunks}.")
    begin, end = index.raw_span(term.start, term.end)
    if end - begin != term.raw_bytes:
        raise InvalidXet(f"A term says {term.raw_bytes} bytes for the {part}, which have {end - begin}.")
    if verification_hash(index.chunk_hashes[HASH_BYTES * term.start : HASH_BYTES * term.end]) != verification:
        raise InvalidXet(f"The verification hash for the {part} is another.")


def _known(xorb: XetHash, index_of: Lookup) -> XorbIndex:
    index = index_of(xorb)
    if index is None:
        raise UnknownXorb(str(xorb))
    return index
