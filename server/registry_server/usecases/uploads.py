"""Bringing the bytes of large files in.

    preupload    which files go inline with the commit and which are uploaded before, and what the branch holds already
    batch        which large files are to be sent: those that this caller may not name yet
    receive      the bytes arrive, are hashed on the way and stored if they are the announced ones
    verify       the client asks whether its upload counts

Upload addresses are signed and carry what may be stored by them, since Hub clients send no token with the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from itsdangerous import BadSignature, URLSafeTimedSerializer

from registry_core.errors import EntryNotFound, Forbidden
from registry_core.ids import CommitId, Digest, RepoId, RepoKind, RepoPath, Revision
from registry_server.blobs.store import key_of
from registry_server.catalog import blobs, xet
from registry_server.catalog.accounts import Caller
from registry_server.catalog.blobs import Stored
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.attributes import Attributes, Ignored
from registry_server.usecases import access, multipart, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.multipart import Plan
from registry_server.usecases.reading import File

INLINE_BYTES = 10_000_000
"""Text files up to this size travel inside the commit."""

_ADDRESS_SECONDS = 24 * 3600
"""An upload must begin within a day of being announced."""

_RULES_BYTES = 1 << 20

Direction = Literal["upload", "part", "complete", "verify", "download"]


@dataclass(frozen=True)
class Announced:
    """A file that a client is about to push."""

    path: RepoPath
    size_bytes: int
    sample: bytes  # its first bytes


@dataclass(frozen=True)
class Preuploaded:
    """How a file is to travel, and what the branch holds at its path now, as the client would compute it."""

    path: RepoPath
    is_lfs: bool
    is_ignored: bool
    held: str | None  # SHA-256 of a large file, git id of a small one


@dataclass(frozen=True)
class Grant:
    """What a signed address allows: to send or to fetch these bytes, for this repo, as this account."""

    direction: Direction
    repo: int
    account: int
    digest: str
    size_bytes: int
    xet_file: str | None = None  # the Xet file to fetch the bytes from
    part: int = 0  # counted from 1
    part_bytes: int = 0


@dataclass(frozen=True)
class BatchItem:
    """One large file of a batch. An upload without a grant is stored already; a download without one is not here."""

    digest: Digest
    size_bytes: int
    grant: str | None
    verify_grant: str | None = None
    part_grants: tuple[str, ...] = ()  # when it is sent in parts, of `part_bytes` each but the last
    part_bytes: int = 0


def preupload(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    revision: Revision,
    announced: Sequence[Announced],
    ignore: bytes | None,
    *,
    is_proposal: bool = False,
) -> tuple[CommitId, list[Preuploaded]]:
    """The head of `revision`, and how each announced file is to travel.

    `ignore` is the text of a `.gitignore` that comes with the push; without one the branch's own counts.
    """
    with registry.engine.read() as tx:
        repo = access.open_for_push(tx, caller, kind, repo_id, None if is_proposal else revision)
        commit = reading.resolve(tx, repo, revision)
        attributes = Attributes(_rules(registry, tx, repo, commit, ".gitattributes"))
        ignored = Ignored(ignore if ignore is not None else _rules(registry, tx, repo, commit, ".gitignore"))
        answers = [_preuploaded(tx, repo, commit, file, attributes=attributes, ignored=ignored) for file in announced]
    return commit, answers


def batch_upload(
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


def batch_download(
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


def receive(registry: Registry, token: str, chunks: Iterable[bytes]) -> None:
    """Store the bytes that the signed `token` announces.

    Raises Forbidden for an address that is not ours or too old, and DigestDiffers for other bytes.
    """
    store(registry, read_grant(registry, token, "upload"), chunks)


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
    grant = read_grant(registry, token, "part")
    return multipart.receive(registry, _plan(grant), grant.part, chunks)


def complete(registry: Registry, token: str) -> None:
    """Put a file together from its parts. Raises Refused for a missing part, and DigestDiffers for other bytes."""
    grant = read_grant(registry, token, "complete")
    store(registry, grant, multipart.pieces(registry, _plan(grant)))
    multipart.forget(registry, _plan(grant))


def verify(registry: Registry, token: str) -> None:
    """Raise EntryNotFound unless the upload that `token` stands for has been stored.

    That the bytes are here is not enough: somebody else may have sent them, for nobody else to know of.
    """
    grant = read_grant(registry, token, "verify")
    with registry.engine.read() as tx:
        sent = blobs.was_sent(tx, grant.account, bytes.fromhex(grant.digest), registry.upload_grace_start())
    if not sent or registry.blobs.size_bytes(key_of(Digest(grant.digest))) != grant.size_bytes:
        raise EntryNotFound("The upload was not stored.", hint="Run the push again, finished blobs are kept.")


def read_grant(registry: Registry, token: str, direction: Direction) -> Grant:
    """The grant that we signed as `token`. Raises Forbidden for any other text, or after a day."""
    try:
        grant = Grant(*_signer(registry).loads(token, max_age=_ADDRESS_SECONDS))
    except (BadSignature, TypeError) as error:
        raise Forbidden("This address is not valid, or too old.", hint="Ask for a new one by pushing again.") from error
    if grant.direction != direction:
        raise Forbidden("This address is for something else.", hint="Ask for a new one by pushing again.")
    return grant


def _upload_item(registry: Registry, upload: Grant, *, in_parts: bool) -> BatchItem:
    digest, size_bytes = Digest(upload.digest), upload.size_bytes
    verify_grant = _sign(registry, replace(upload, direction="verify"))
    if not in_parts or size_bytes <= registry.settings.multipart_bytes:
        return BatchItem(digest, size_bytes, _sign(registry, upload), verify_grant)
    plan = multipart.plan(registry, upload.account, digest, size_bytes)
    complete = replace(upload, direction="complete", part_bytes=plan.part_bytes)
    parts = tuple(
        _sign(registry, replace(complete, direction="part", part=number)) for number in range(1, plan.count + 1)
    )
    return BatchItem(digest, size_bytes, _sign(registry, complete), verify_grant, parts, plan.part_bytes)


def _plan(grant: Grant) -> Plan:
    return Plan(grant.account, grant.digest, grant.size_bytes, grant.part_bytes)


def _download_grant(registry: Registry, caller: Caller, repo: Repo, digest: Digest, held: Stored) -> str:
    xet_file = held.xet_file.hex() if held.xet_file else None
    return _sign(registry, Grant("download", repo.row_id, caller.account_id, digest, held.size_bytes, xet_file))


def _sign(registry: Registry, grant: Grant) -> str:
    return str(_signer(registry).dumps(list(asdict(grant).values())))


def _signer(registry: Registry) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(registry.settings.secret_key, salt="lfs")


def _rules(registry: Registry, tx: Transaction, repo: Repo, commit: CommitId, name: str) -> bytes:
    """The content of a small file at the root, or nothing."""
    try:
        file = reading.file(tx, repo, commit, RepoPath(name))
    except EntryNotFound:
        return b""
    return reading.content(registry, tx, file) if file.size_bytes <= _RULES_BYTES else b""


def _preuploaded(
    tx: Transaction,
    repo: Repo,
    commit: CommitId,
    file: Announced,
    *,
    attributes: Attributes,
    ignored: Ignored,
) -> Preuploaded:
    is_lfs = attributes.is_lfs(file.path) or file.size_bytes > INLINE_BYTES or _is_binary(file.sample)
    return Preuploaded(file.path, is_lfs, file.path in ignored, _held(tx, repo, commit, file.path, is_lfs=is_lfs))


def _held(tx: Transaction, repo: Repo, commit: CommitId, path: RepoPath, *, is_lfs: bool) -> str | None:
    """What the client compares with its own hash to leave an unchanged file out of the commit."""
    try:
        held = reading.entry(tx, repo, commit, path)
    except EntryNotFound:
        return None
    if not isinstance(held, File) or held.facts.is_lfs != is_lfs:
        return None  # another way to travel means another hash: let it be sent
    if held.facts.xet_file is not None and xet.fault(tx, held.facts.xet_file, held.facts.sha256) is not None:
        return None  # its bytes are not what was claimed: let them be sent again
    return held.digest if is_lfs else held.oid.hex()


def _is_binary(sample: bytes) -> bool:
    """Git's own test, and text that is not UTF-8; the sample may cut a character at its end."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start < len(sample) - 3
    return False
