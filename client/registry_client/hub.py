"""Bytes and commits, by `huggingface_hub`: its Xet transfers, parallelism and cache, so that only what a side lacks
travels, and a pulled model is at once visible to `transformers` without a second copy on disk.

`huggingface_hub` is set up by module-wide state, read from the environment when it is imported. `_our_way`
changes some of it for the length of a call and puts it back, so that a program that uses both keeps its own:

    telemetry off  otherwise each process asks the default hub, not our server, for a list of program names
    logging off    its warnings speak of another service; what matters comes to our callers as an error
    progress       drawn on a terminal only

Hub words (`sha`, `oid`) end in this module, and so do its exceptions.
"""

from __future__ import annotations

import json
import logging
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2
from huggingface_hub import CommitOperationAdd, HfApi, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from registry_client.answers import error_from, unreachable
from registry_client.folder import LocalFile
from registry_core.errors import Invalid, InvalidReadme, RegistryError, RemoteFailed
from registry_core.ids import CommitId, RepoId, RepoPath, Revision

Algorithm = Literal["sha256", "git-sha1"]


@dataclass(frozen=True)
class Commit:
    """A commit as it was made, and the page that shows it."""

    commit_id: CommitId
    url: str


@dataclass(frozen=True)
class Checksum:
    """What the hub says of one file: SHA-256 for large files, git's SHA-1 for small ones."""

    path: RepoPath
    size_bytes: int
    algorithm: Algorithm
    hexdigest: str


class Hub:
    """One server that speaks the Hugging Face protocol, and the token to show there."""

    def __init__(self, endpoint: str, token: str | None, *, progress: bool = False) -> None:
        self.endpoint = endpoint
        self.progress = progress
        # False, and not None: with None the token stored for another hub would be sent to this one.
        self._token = token or False
        self._api = HfApi(endpoint=endpoint, token=self._token, library_name="model-commons")

    def head(self, repo_id: RepoId, revision: Revision) -> CommitId | None:
        """The commit a revision means now; None in an empty repo. Raises RepoNotFound, RevisionNotFound."""
        with self._call(repo_id):
            commit_id = self._api.repo_info(repo_id, revision=revision).sha
        return CommitId(commit_id) if commit_id else None

    def create_repo(self, repo_id: RepoId, *, private: bool) -> None:
        """Make the repo; one that is there already is fine."""
        with self._call(repo_id):
            self._api.create_repo(repo_id, private=private, exist_ok=True)

    def create_branch(self, repo_id: RepoId, branch: Revision) -> None:
        """Make a branch that starts at main; one that is there already is fine."""
        with self._call(repo_id):
            self._api.create_branch(repo_id, branch=branch, exist_ok=True)

    def commit(
        self,
        repo_id: RepoId,
        branch: Revision,
        parent: CommitId | None,
        files: Iterable[LocalFile],
        message: str,
    ) -> Commit:
        """Upload the files, make one commit of them. Raises StaleParent when the branch has moved."""
        with self._call(repo_id):
            made = self._api.create_commit(
                repo_id,
                operations=[_addition(file) for file in files],
                commit_message=message,
                revision=branch,
                parent_commit=parent,
            )
        return Commit(CommitId(made.oid), str(made.commit_url))

    def download(self, repo_id: RepoId, commit_id: CommitId, to: Path | None, *, only: list[str] | None = None) -> Path:
        """The folder that holds one commit: in the shared cache, or `to`. `only` are patterns of the files wanted."""
        with self._call(repo_id):
            folder = snapshot_download(
                repo_id,
                revision=commit_id,
                endpoint=self.endpoint,
                token=self._token,
                local_dir=to,
                allow_patterns=only,
            )
        return Path(folder)

    def checksums(self, repo_id: RepoId, commit_id: CommitId) -> list[Checksum]:
        """What any hub knows of one commit's files, for servers that have no manifest."""
        with self._call(repo_id):
            entries = list(self._api.list_repo_tree(repo_id, recursive=True, revision=commit_id))
        return [_checksum(entry) for entry in entries if isinstance(entry, RepoFile)]

    @contextmanager
    def _call(self, repo_id: RepoId) -> Iterator[None]:
        """Run calls of `huggingface_hub` our way, and let only our errors out."""
        try:
            with _our_way(self.progress):
                yield
        except RegistryError:
            raise
        except (OSError, ValueError, RuntimeError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _ours(error, self.endpoint, repo_id) from error


def remember_revision(repo_id: RepoId, revision: Revision, commit_id: CommitId) -> None:
    """Note in the shared cache what `revision` meant: offline, programs find the snapshot by that name."""
    if revision.is_commit_id:
        return
    refs = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo_id, repo_type="model"), "refs")
    ref = refs / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    temporary = ref.with_name(f"{ref.name}.{commit_id[:8]}.tmp")
    temporary.write_text(commit_id)
    temporary.replace(ref)


def _addition(file: LocalFile) -> CommitOperationAdd:
    addition = CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=file.local)
    addition.upload_info.sha256 = bytes.fromhex(file.digest)  # known: a large file need not be read once more
    return addition


def _checksum(entry: RepoFile) -> Checksum:
    if entry.lfs is not None:
        return Checksum(RepoPath(entry.path), entry.lfs.size, "sha256", entry.lfs.sha256)
    return Checksum(RepoPath(entry.path), entry.size, "git-sha1", entry.blob_id)


# Several threads may be inside at once: the first one in changes the settings, the last one restores them.
_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


@contextmanager
def _our_way(progress: bool) -> Iterator[None]:
    global _inside
    with _lock:
        if _inside == 0:
            _enter(progress)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.close()


def _enter(progress: bool) -> None:
    _restore.callback(setattr, constants, "HF_HUB_DISABLE_TELEMETRY", constants.HF_HUB_DISABLE_TELEMETRY)
    constants.HF_HUB_DISABLE_TELEMETRY = True
    logger = logging.getLogger("huggingface_hub")
    _restore.callback(logger.setLevel, logger.level)
    logger.setLevel(logging.CRITICAL)
    _restore.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    if not progress and not are_progress_bars_disabled():
        disable_progress_bars()
        _restore.callback(enable_progress_bars)


def _ours(error: Exception, endpoint: str, repo_id: RepoId) -> RegistryError:
    """The error of ours that says what `error` says."""
    if isinstance(error, ValueError) and "metadata in README.md" in str(error):
        return InvalidReadme("The server refuses the head of README.md.", faults=_items(str(error)))
    for cause in _causes(error):
        if isinstance(cause, HfHubHTTPError):
            return error_from(cause.response, endpoint)
        if isinstance(cause, OfflineModeIsEnabled):
            return RemoteFailed("HF_HUB_OFFLINE is set, so nothing is fetched.", hint="Unset it and try again.")
        if isinstance(cause, (httpx2.HTTPError, httpx2.InvalidURL, ConnectionError)):  # the last by Xet
            return unreachable(endpoint, cause)
    if isinstance(error, LocalEntryNotFoundError | json.JSONDecodeError):
        return unreachable(endpoint, error)
    if isinstance(error, ValueError):
        return Invalid(" ".join(str(error).split()))
    return RemoteFailed(f"The transfer for {repo_id} failed: {error}", hint="Run it again; finished files are kept.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it: uploads in threads arrive wrapped in a RuntimeError."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _items(text: str) -> list[str]:
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
