"""Blobs in memory: a small whole store for tests and notebooks."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from registry_core.ids import Digest
from registry_server.blobs.store import Check, check_announced, checked_key, damaged, not_found


class MemoryBlobStore:
    """Forgets everything when it goes."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, datetime]] = {}
        self._aside: dict[str, bytes] = {}

    def put(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        size_bytes: int,
        digest: Digest | None = None,
        check: Check | None = None,
    ) -> None:
        checked_key(key)
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > size_bytes:
                break  # as every store does: a liar fills no memory
        check_announced((digest, size_bytes), (hashlib.sha256(data).hexdigest(), len(data)))
        if check is not None:
            check(io.BytesIO(data))
        self._blobs[key] = bytes(data), datetime.now(UTC)

    def open(self, key: str, offset: int = 0) -> BinaryIO:
        if checked_key(key) not in self._blobs:
            raise (damaged if key in self._aside else not_found)(key)
        file = io.BytesIO(self._blobs[key][0])
        file.seek(offset)
        return file

    def size_bytes(self, key: str) -> int | None:
        found = self._blobs.get(checked_key(key))
        return None if found is None else len(found[0])

    def stored_at(self, key: str) -> datetime | None:
        found = self._blobs.get(checked_key(key))
        return None if found is None else found[1]

    def delete(self, key: str, *, unless_after: datetime | None = None) -> bool:
        return self._taken(key, unless_after) is not None

    def set_aside(self, key: str, *, unless_after: datetime | None = None) -> bool:
        data = self._taken(key, unless_after)
        if data is not None:
            self._aside[key] = data
        return data is not None

    def open_aside(self, key: str) -> BinaryIO | None:
        data = self._aside.get(checked_key(key))
        return None if data is None else io.BytesIO(data)

    def keys(self) -> Iterator[str]:
        yield from list(self._blobs)

    def check(self) -> None:
        """Memory is always there."""

    def url(self, key: str, expires_seconds: int) -> str | None:  # noqa: ARG002 - memory has no address
        return None

    def _taken(self, key: str, unless_after: datetime | None) -> bytes | None:
        found = self._blobs.get(checked_key(key))
        if found is None or (unless_after is not None and found[1] > unless_after):
            return None
        return self._blobs.pop(key)[0]
