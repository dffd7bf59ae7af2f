"""Bringing the bytes of large files in.

    preuploads   which files go inline with the commit, and which are uploaded before
    batches      which of those are to be sent: such as this caller may not name yet
    receive      the bytes arrive, are hashed on the way and stored if they are the announced ones
    verify       the client asks whether its upload counts

What may be sent to an address stands in the address itself, see `grants`.
"""

from __future__ import annotations

from collections.abc import Iterable

from registry_core.errors import EntryNotFound
from registry_core.ids import Digest
from registry_server.blobs.store import key_of
from registry_server.catalog import blobs
from registry_server.usecases import grants, multipart
from registry_server.usecases.context import Registry
from registry_server.usecases.grants import Grant
from registry_server.usecases.multipart import Plan


def receive(registry: Registry, token: str, chunks: Iterable[bytes]) -> None:
    """Store the bytes that the signed `token` announces.

    Raises Forbidden for an address that is not ours or too old, and DigestDiffers for other bytes.
    """
    store(registry, grants.read(registry, token, "upload"), chunks)


def store(registry: Registry, grant: Grant, chunks: Iterable[bytes]) -> None:
    """Store the bytes that a grant is for, and note who sent them. Raises DigestDiffers for other bytes."""
    digest = Digest(grant.digest)
    registry.blobs.put(key_of(digest), chunks, digest=digest, size_bytes=grant.size_bytes)
    at = registry.stamp()
    with registry.engine.write() as tx:
        blobs.add(tx, bytes.fromhex(digest), grant.size_bytes, at)
        blobs.add_upload(tx, grant.account, bytes.fromhex(digest), at)


def receive_part(registry: Registry, token: str, chunks: Iterable[bytes]) -> str:
    """Store the part that the signed `token` announces, and answer a text that stands for it."""
    grant = grants.read(registry, token, "part")
    return multipart.receive(registry, _plan(grant), grant.part, chunks)


def complete(registry: Registry, token: str) -> None:
    """Put a file together from its parts. Raises Refused for a missing part, and DigestDiffers for other bytes."""
    grant = grants.read(registry, token, "complete")
    store(registry, grant, multipart.pieces(registry, _plan(grant)))
    multipart.forget(registry, _plan(grant))


def verify(registry: Registry, token: str) -> None:
    """Raise EntryNotFound unless the upload that `token` stands for has been stored.

    That the bytes are here is not enough: somebody else may have sent them, for nobody else to know of.
    """
    grant = grants.read(registry, token, "verify")
    with registry.engine.read() as tx:
        sent = blobs.was_sent(tx, grant.account, bytes.fromhex(grant.digest), registry.upload_grace_start())
    if not sent or registry.blobs.size_bytes(key_of(Digest(grant.digest))) != grant.size_bytes:
        raise EntryNotFound("The upload was not stored.", hint="Run the push again, finished blobs are kept.")


def _plan(grant: Grant) -> Plan:
    return Plan(grant.account, grant.digest, grant.size_bytes, grant.part_bytes)
