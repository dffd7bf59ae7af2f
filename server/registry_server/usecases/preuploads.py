"""Which files of a push go inline with the commit, which are uploaded before, and what the branch holds already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry_core.errors import EntryNotFound
from registry_core.ids import CommitId, RepoId, RepoKind, RepoPath, Revision
from registry_server.catalog import losses
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.attributes import Attributes, Ignored
from registry_server.usecases import access, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.reading import File

INLINE_BYTES = 10_000_000
"""Text files up to this size travel inside the commit."""

_RULES_BYTES = 1 << 20


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
    if losses.of_files(tx, repo.row_id, [held.oid]):
        return None  # its bytes are lost, or not what was claimed: let them be sent again
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
