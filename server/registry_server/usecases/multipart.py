"""Very large files in parts: each part is stored on its own, and the file is put together from them and hashed.

Parts are named by the account and the file, so a push that is repeated takes the place of the one before. What is never
put together is freed by the collector, like any bytes that no row stands for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from registry_core.errors import Refused
from registry_server.blobs.store import CHUNK_BYTES, BlobNotFound
from registry_server.usecases.context import Registry

_MOST_PARTS = 1000


@dataclass(frozen=True)
class Plan:
    """How a file of one account is cut."""

    account: int
    digest: str
    size_bytes: int
    part_bytes: int

    @property
    def count(self) -> int:
        return -(-self.size_bytes // self.part_bytes)

    def key(self, number: int) -> str:
        """Where the part of that number, counted from 1, is kept."""
        name = f"{self.account} {self.digest} {self.part_bytes} {number}"
        return f"part/{hashlib.sha256(name.encode()).hexdigest()}"


def plan(registry: Registry, account: int, digest: str, size_bytes: int) -> Plan:
    """Parts of the usual size, or of a larger one where there would be too many."""
    usual = registry.settings.part_bytes
    return Plan(account, digest, size_bytes, max(usual, -(-size_bytes // _MOST_PARTS)))


def receive(registry: Registry, cut: Plan, number: int, chunks: Iterable[bytes]) -> str:
    """Store one part; a text that stands for it. Raises DigestDiffers for more or fewer bytes than it has."""
    start = (number - 1) * cut.part_bytes
    key = cut.key(number)
    registry.blobs.put(key, chunks, size_bytes=min(cut.part_bytes, cut.size_bytes - start))
    return key.removeprefix("part/")[:32]


def pieces(registry: Registry, cut: Plan) -> Iterator[bytes]:
    """The file, as its parts make it up. Raises Refused when one is missing."""
    for number in range(1, cut.count + 1):
        try:
            part = registry.blobs.open(cut.key(number))
        except BlobNotFound as error:
            raise Refused(f"Part {number} was not uploaded.", hint="Run the push again.") from error
        with part:
            while piece := part.read(CHUNK_BYTES):
                yield piece


def forget(registry: Registry, cut: Plan) -> None:
    """Delete the parts."""
    for number in range(1, cut.count + 1):
        registry.blobs.delete(cut.key(number))
