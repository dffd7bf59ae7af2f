"""`OWNER/NAME[@REVISION]`: how a person names a model, and one state of it."""

from __future__ import annotations

from registry_core.errors import InvalidRevision
from registry_core.ids import RepoId, Revision

MAIN = Revision("main")


def parse_spec(text: str) -> tuple[RepoId, Revision]:
    """The repo, and the revision or `main`. Raises InvalidName or InvalidRevision."""
    repo_id, revision = _parts(text)
    return repo_id, MAIN if revision is None else revision


def parse_pinned_spec(text: str) -> tuple[RepoId, Revision]:
    """The repo and the revision. Raises InvalidName, or InvalidRevision when none is named."""
    repo_id, revision = _parts(text)
    if revision is None:
        raise InvalidRevision(f"{text!r} names no revision.", hint=f"Name one, for example {repo_id}@main.")
    return repo_id, revision


def _parts(text: str) -> tuple[RepoId, Revision | None]:
    repo_id, at, revision = text.partition("@")
    return RepoId(repo_id), Revision(revision) if at else None
