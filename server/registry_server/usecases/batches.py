"""Which large files are to be sent, and to where: those that this caller may not name yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from registry_core.ids import Digest, RepoId, RepoKind
from registry_server.catalog import blobs
from registry_server.catalog.accounts import Caller
from registry_server.catalog.blobs import Stored
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, multipart
from registry_server.usecases.context import Registry
from registry_server.usecases.grants import Grant, sign


@dataclass(frozen=True)
class BatchItem:
    """One large file of a batch. An upload without a grant is stored already; a download without one is not here."""

    digest: Digest
    size_bytes: int
    grant: str | None
    verify_grant: str | None = None
    part_grants: tuple[str, ...] = ()  # when it is sent in parts, of `part_bytes` each but the last
    part_bytes: int = 0


def upload(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    wanted: Iterable[tuple[Digest, int]],
    ref: str | None,
    *,
    in_parts: bool = False,
) -> list[BatchItem]:
    """For each (digest, size): a grant to send the bytes, or none when the caller may name them already.

    `ref` is where they are to be committed; None: to a new pull request. `in_parts` tells that the client can send a
    file in parts, which very large ones then are.
    """
    files = dict(wanted)
    with registry.engine.write() as tx:
        repo = access.open_for_push(tx, caller, kind, repo_id, ref)
        digests = {bytes.fromhex(digest): digest for digest in files}
        stored = blobs.granted(tx, caller, repo.row_id, digests, registry.upload_grace_start())
        present = {digests[raw] for raw, blob in stored.items() if blob.size_bytes == files[digests[raw]]}
        # Saying "already stored" is a promise: the collector leaves alone what was seen lately.
        blobs.see(tx, (bytes.fromhex(digest) for digest in present), registry.stamp())
    return [
        BatchItem(digest, size_bytes, grant=None)
        if digest in present
        else _upload_item(
            registry, Grant("upload", repo.row_id, caller.account_id, digest, size_bytes), in_parts=in_parts
        )
        for digest, size_bytes in files.items()
    ]


def download(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, wanted: Iterable[tuple[Digest, int]]
) -> list[BatchItem]:
    """For each (digest, size): a grant to fetch the bytes, or none when this repo does not hold them."""
    items = []
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id)
        for digest, size_bytes in wanted:
            held = blobs.held(tx, repo.row_id, bytes.fromhex(digest))
            grant = None if held is None else _download_grant(registry, caller, repo, digest, held)
            items.append(BatchItem(digest, size_bytes, grant))
    return items


def _upload_item(registry: Registry, upload: Grant, *, in_parts: bool) -> BatchItem:
    digest, size_bytes = Digest(upload.digest), upload.size_bytes
    verify_grant = sign(registry, replace(upload, direction="verify"))
    if not in_parts or size_bytes <= registry.settings.multipart_bytes:
        return BatchItem(digest, size_bytes, sign(registry, upload), verify_grant)
    plan = multipart.plan(registry, upload.account, digest, size_bytes)
    complete = replace(upload, direction="complete", part_bytes=plan.part_bytes)
    parts = tuple(
        sign(registry, replace(complete, direction="part", part=number)) for number in range(1, plan.count + 1)
    )
    return BatchItem(digest, size_bytes, sign(registry, complete), verify_grant, parts, plan.part_bytes)


def _download_grant(registry: Registry, caller: Caller, repo: Repo, digest: Digest, held: Stored) -> str:
    xet_file = held.xet_file.hex() if held.xet_file else None
    return sign(registry, Grant("download", repo.row_id, caller.account_id, digest, held.size_bytes, xet_file))
