"""Send a local folder as one commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry_client import output
from registry_client.config import Connection, connection
from registry_client.folder import LocalFile, list_files, measure
from registry_client.hub import Commit, Hub
from registry_client.policy import require_allowed
from registry_client.preparing import prepared
from registry_client.remote import Remote
from registry_client.signing import with_signature
from registry_client.spec import MAIN
from registry_core.errors import NotFound, RepoNotFound, RevisionNotFound
from registry_core.ids import CommitId, RepoId, Revision


@dataclass(frozen=True)
class PushResult:
    """The commit that a push made, or found to be there already."""

    id: str
    revision: str
    commit_id: str
    url: str
    created: bool  # the repo was made for this push
    unchanged: bool  # the branch held exactly these files before
    files: int  # in the folder
    uploaded_files: int  # that the branch did not hold like this before
    uploaded_bytes: int  # of these; the server may have known some of them from elsewhere


def push(
    folder: str | Path,
    repo_id: str,
    *,
    revision: str = "main",
    message: str | None = None,
    private: bool = False,
    sign: str | None = None,
    mask: bool = False,
    allow_findings: Collection[str] = (),
    endpoint: str | None = None,
    token: str | None = None,
    progress: bool | None = None,
) -> PushResult:
    """Send the files of `folder` to the repo as one commit; repo and branch are made when they are not there.

    `footprint.json` is completed first, and a README.md drafted where there is none. Files that the repo
    has and the folder has not are left there. Nothing is sent when a name, a safetensors header, the footprint
    card, evaluation.yaml or the head of the README is faulty, or when a secret stands in a text file: `mask`
    replaces it there, `allow_findings` names by fingerprint what is none. `sign` names a key of `registry keys` to
    sign the card with. `progress` None draws bars on a terminal only.
    Raises Refused, PolicyRefused where the owner's policy does not let the card pass, InvalidCard, InvalidRecipe,
    InvalidReadme, InvalidWeights, InvalidPath, StaleParent when somebody else pushed meanwhile, and the errors of a
    server.
    """
    repo, branch, root = RepoId(repo_id), Revision(revision), Path(folder)
    to = connection(endpoint, token)
    shown = output.on_terminal() if progress is None else progress
    files = prepared(root, _measured(root, shown), repo, mask=mask, allowed=allow_findings)
    if sign is not None:
        files = with_signature(root, files, sign)
    require_allowed(files, repo, to)
    hub = Hub(to.endpoint, to.token, progress=shown)
    parent, created = _branch_head(hub, repo, branch, private=private)
    changed = _changed(to, repo, parent, files)
    if parent is not None and not changed:
        commit = Commit(parent, f"{to.endpoint}/{repo}/commit/{parent}")
    else:
        commit = hub.commit(repo, branch, parent, changed, message or f"Push {root.resolve().name}")
    return PushResult(
        id=repo,
        revision=branch,
        commit_id=commit.commit_id,
        url=commit.url,
        created=created,
        unchanged=commit.commit_id == parent,
        files=len(files),
        uploaded_files=len(changed),
        uploaded_bytes=sum(file.size_bytes for file in changed),
    )


def _measured(root: Path, shown: bool) -> list[LocalFile]:
    """The files of the folder with their digests."""
    paths = list_files(root)
    with output.byte_progress("Hashing", sum(path.stat().st_size for path in paths), shown) as done:
        return measure(root, paths, done)


def _branch_head(hub: Hub, repo: RepoId, branch: Revision, *, private: bool) -> tuple[CommitId | None, bool]:
    """Where the branch stands, after making what was not there; and whether the repo is new."""
    try:
        return hub.head(repo, branch), False
    except RepoNotFound:
        hub.create_repo(repo, private=private)
        created = True
    except RevisionNotFound:
        created = False
    if branch != MAIN:
        hub.create_branch(repo, branch)
    try:
        return hub.head(repo, branch), created
    except RevisionNotFound:
        return None, created  # main of a repo without commits


def _changed(to: Connection, repo: RepoId, parent: CommitId | None, files: Sequence[LocalFile]) -> list[LocalFile]:
    """The files that `parent` does not hold as they are here; all of them where there is no manifest."""
    if parent is None:
        return list(files)
    try:
        with Remote(to.endpoint, to.token) as remote:
            files_there = remote.manifest(repo, parent).files
    except NotFound:
        return list(files)
    held = {file.path: file.digest for file in files_there if file.fault is None}
    return [file for file in files if held.get(file.path) != file.digest]
