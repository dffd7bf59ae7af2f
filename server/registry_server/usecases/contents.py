"""The bytes of a large file, wherever they are: whole in the blob store, or in the xorbs of a Xet file."""

from __future__ import annotations

from collections.abc import Iterator

from registry_core.errors import ContentDiffers
from registry_core.ids import Digest
from registry_server.blobs.store import CHUNK_BYTES, key_of
from registry_server.catalog import xet
from registry_server.catalog.xet import XetFile
from registry_server.usecases import xet_download
from registry_server.usecases.context import Registry
from registry_server.xet.errors import DamagedXorb


def xet_file(registry: Registry, digest: Digest, file_hash: bytes) -> XetFile:
    """The Xet file of that hash and claimed SHA-256. Raises ContentDiffers when the claim was found wrong."""
    with registry.engine.read() as tx:
        found = xet.file(tx, file_hash, bytes.fromhex(digest))
    if found is None:
        raise DamagedXorb("A file is no longer stored.")
    if found.fault is not None:
        raise _disputed(found.fault)
    return found


def require_sound(registry: Registry, digest: Digest, file_hash: bytes) -> None:
    """Raise ContentDiffers when the SHA-256 that was claimed for this Xet file was found wrong."""
    with registry.engine.read() as tx:
        fault = xet.fault(tx, file_hash, bytes.fromhex(digest))
    if fault is not None:
        raise _disputed(fault)


def read(registry: Registry, digest: Digest, file_hash: bytes | None, start: int, length: int) -> bytes:
    """Up to `length` bytes from `start` on."""
    if file_hash is not None:
        return b"".join(xet_download.content(registry, xet_file(registry, digest, file_hash), start, start + length))
    with registry.blobs.open(key_of(digest), start) as blob:
        return blob.read(length)


def pieces(registry: Registry, digest: Digest, file_hash: bytes | None, start: int, stop: int) -> Iterator[bytes]:
    """The bytes from `start` up to `stop`, a megabyte or so at a time."""
    if file_hash is not None:
        yield from xet_download.content(registry, xet_file(registry, digest, file_hash), start, stop)
        return
    with registry.blobs.open(key_of(digest), start) as blob:
        while start < stop and (piece := blob.read(min(CHUNK_BYTES, stop - start))):
            start += len(piece)
            yield piece


def _disputed(fault: str) -> ContentDiffers:
    return ContentDiffers(f"This file is not what its uploader announced: {fault}", hint="Push it again.")
