"""Bring one commit to a local folder, and check every byte of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry_client import output
from registry_client.config import Connection, connection
from registry_client.folder import sha256_of
from registry_client.hub import Algorithm, Checksum, Hub, remember_revision
from registry_client.remote import Remote
from registry_client.spec import parse_spec
from registry_core.errors import DigestDiffers, NotFound, RepoNotFound, RevisionNotFound
from registry_core.ids import CommitId, RepoId, RepoPath, Revision

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PullResult:
    """Where a commit lies now, and by what its files were checked."""

    id: str
    revision: str
    commit_id: str
    path: str  # the folder
    files: int
    size_bytes: int
    verified: int  # files whose bytes are the announced ones; always all of them
    verified_by: list[Algorithm]  # git-sha1 only for small files of servers that announce no SHA-256


def pull(
    spec: str,
    *,
    to: str | Path | None = None,
    endpoint: str | None = None,
    token: str | None = None,
    progress: bool | None = None,
) -> PullResult:
    """Bring `OWNER/NAME[@REVISION]` to the shared Hugging Face cache, or into `to`, and check every file.

    `progress` None draws bars on a terminal only. Raises DigestDiffers, after removing what was wrong, and
    the errors of a server.
    """
    repo, revision = parse_spec(spec)
    at = connection(endpoint, token)
    shown = output.on_terminal() if progress is None else progress
    hub = Hub(at.endpoint, at.token, progress=shown)
    commit_id, announced = _announced(at, hub, repo, revision)
    folder = hub.download(repo, commit_id, None if to is None else Path(to))
    _verify(folder, announced, shown)
    if to is None:
        remember_revision(repo, revision, commit_id)
    return PullResult(
        id=repo,
        revision=revision,
        commit_id=commit_id,
        path=str(folder),
        files=len(announced),
        size_bytes=sum(file.size_bytes for file in announced),
        verified=len(announced),
        verified_by=sorted({file.algorithm for file in announced}, reverse=True),
    )


def _announced(at: Connection, hub: Hub, repo: RepoId, revision: Revision) -> tuple[CommitId, list[Checksum]]:
    """The commit that the revision means, and what the server says of its files."""
    try:
        with Remote(at.endpoint, at.token) as remote:
            manifest = remote.manifest(repo, revision)
    except (RepoNotFound, RevisionNotFound):
        raise
    except NotFound:
        return _announced_by_hub(at, hub, repo, revision)
    files = [Checksum(RepoPath(file.path), file.size_bytes, "sha256", file.digest) for file in manifest.files]
    return CommitId(manifest.commit_id), files


def _announced_by_hub(at: Connection, hub: Hub, repo: RepoId, revision: Revision) -> tuple[CommitId, list[Checksum]]:
    logger.info("%s has no manifests: small files are checked by their git SHA-1.", at.endpoint)
    commit_id = hub.head(repo, revision)
    if commit_id is None:
        raise RevisionNotFound(f"{repo} has no commits yet.")
    return commit_id, hub.checksums(repo, commit_id)


def _verify(folder: Path, announced: Sequence[Checksum], shown: bool) -> None:
    """Compare every file with its checksum; one that differs is removed, so the next pull fetches it."""
    faults: list[str] = []
    with output.byte_progress("Checking", sum(file.size_bytes for file in announced), shown) as done:
        for file in announced:
            fault = _fault(folder / file.path, file, done)
            if fault:
                faults.append(f"{file.path}: {fault}")
                _remove(folder / file.path)
    if faults:
        raise DigestDiffers(
            f"{len(faults)} of {len(announced)} files are not the announced ones, and were removed.",
            hint="The transfer was cut, or a disk is damaged. Pull again; good files are kept.",
            faults=faults,
        )


def _fault(local: Path, file: Checksum, done: Callable[[int], None]) -> str | None:
    """What is wrong with a local file; None when it is the announced one."""
    if not local.is_file():
        return "is missing"
    if local.stat().st_size != file.size_bytes:
        return f"announced {file.size_bytes} bytes, received {local.stat().st_size}"
    found = sha256_of(local, done)[0] if file.algorithm == "sha256" else _git_sha1(local, done)
    if found != file.hexdigest:
        return f"announced {file.algorithm} {file.hexdigest[:12]}…, received {found[:12]}…"
    return None


def _git_sha1(local: Path, done: Callable[[int], None]) -> str:
    data = local.read_bytes()  # only small files are announced like this
    done(len(data))
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _remove(local: Path) -> None:
    """Remove a file, and the blob of the cache behind it when it is a link there."""
    if local.is_symlink():
        local.resolve().unlink(missing_ok=True)
    local.unlink(missing_ok=True)
