"""What a blob store does.

    sha256/<64 hex>      a whole file, named by its digest
    xorb/<64 hex>        chunks of files, named by their Xet hash
    part/<64 hex>        a part of an upload that is not put together yet

A blob is written under a temporary name, hashed on the way, made durable, and only then takes its key: what can be seen
is complete. Putting the same blob twice is welcome and changes nothing but the moment at which it was stored.

Damaged bytes are set aside: no longer served, kept for a repair, and replaced by the next put of the same key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, Protocol

from registry_core.errors import DigestDiffers, Invalid, NotFound, Unavailable
from registry_core.ids import Digest

CHUNK_BYTES = 1 << 20

_KEY = re.compile(r"(?:sha256|xorb|part)/[0-9a-f]{64}")

Check = Callable[[BinaryIO], object]
"""Looks at a finished upload before it can be seen; what it raises refuses the upload."""


class BlobNotFound(NotFound):
    """The store holds no blob of that key."""

    code = "blob_not_found"


class DamagedBlob(Unavailable):
    """The bytes of that key were found damaged and set aside."""

    code = "damaged_blob"


class BlobStore(Protocol):
    """Keys and bytes, nothing else. Every method may raise Unavailable or StorageFull."""

    def put(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        size_bytes: int,
        digest: Digest | None = None,
        check: Check | None = None,
    ) -> None:
        """Store what `chunks` yields under `key`, if it is the announced bytes and `check` lets it pass.

        Nobody changes a chunk after it was yielded: it may be hashed a little later.

        Raises DigestDiffers, and keeps nothing, when the size or, where one is announced, the SHA-256 differs.
        """

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        """The blob's bytes from `offset` on. Raises BlobNotFound, and DamagedBlob for one that was set aside."""

    def size_bytes(self, key: str) -> int | None:
        """The blob's size, or None when there is no such blob."""

    def stored_at(self, key: str) -> datetime | None:
        """When the blob was put last, by the store's own clock, or None when there is no such blob."""

    def delete(self, key: str, *, unless_after: datetime | None = None) -> bool:
        """Forget the blob, unless it was put after `unless_after`; False when nothing was done.

        A put comes before this, and counts, or after it: nobody's fresh bytes are taken away.
        """

    def keys(self) -> Iterator[str]:
        """Every key, in no particular order, without those set aside."""

    def set_aside(self, key: str, *, unless_after: datetime | None = None) -> bool:
        """Take damaged bytes out of service, unless the blob was put after `unless_after`; False if nothing was done.

        Until it is put again, the blob has no size and opening it raises DamagedBlob.
        """

    def open_aside(self, key: str) -> BinaryIO | None:
        """The damaged bytes that were set aside under this key, or None."""

    def check(self) -> None:
        """Raise Unavailable when the store is not there. Cheap enough to be asked every second."""

    def url(self, key: str, expires_seconds: int) -> str | None:
        """An address from which a client may fetch the blob without us, or None where the store has none."""


def key_of(digest: Digest) -> str:
    """The key of a whole file."""
    return f"sha256/{digest}"


def is_key(text: str) -> bool:
    """Whether `text` is a key of ours."""
    return _KEY.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """`key`, if it is one of ours; raises Invalid for anything that could name something else."""
    if not is_key(key):
        raise Invalid(f"{key!r} is not a key of a blob.")
    return key


def xorb_key(xorb: object) -> str:
    """The key of a xorb, whose text form is its hash."""
    return f"xorb/{xorb}"


def not_found(key: str) -> BlobNotFound:
    """What is said of a blob that is not there."""
    return BlobNotFound(f"There is no blob {key}.", hint="If a repo names it, its bytes were lost; push them again.")


def damaged(key: str) -> DamagedBlob:
    """What is said of a blob that was set aside."""
    return DamagedBlob(f"The stored bytes of {key} were damaged and set aside.", hint="Push the file again.")


def check_announced(announced: tuple[Digest | None, int], received: tuple[str | None, int]) -> None:
    """Raise DigestDiffers unless digest and size of what was received are the announced ones."""
    (digest, size_bytes), (received_digest, received_bytes) = announced, received
    if received_bytes != size_bytes:
        raise DigestDiffers(
            f"Size differs: announced {size_bytes} bytes, received {received_bytes}.",
            hint="The upload was cut; run the push again, finished blobs are kept.",
        )
    if digest is not None and received_digest is not None and received_digest != digest:
        raise DigestDiffers(
            f"Digest differs: announced {digest[:12]}…, received {received_digest[:12]}….",
            hint="The file changed while it was sent; run the push again, finished blobs are kept.",
        )
