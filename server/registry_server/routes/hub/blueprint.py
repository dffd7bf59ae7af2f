"""The blueprint that all modules of the Hub protocol add their routes to."""

from __future__ import annotations

from flask import Blueprint

from registry_core.errors import Invalid
from registry_core.ids import CommitId, RepoKind, Revision
from registry_server.catalog.repos import Repo
from registry_server.routes.requests import base_url, is_anonymous
from registry_server.usecases.context import moment

blueprint = Blueprint("hub", __name__)

MAIN = Revision("main")

__all__ = ["MAIN", "blueprint", "is_anonymous", "kind_of", "moment", "repo_url"]


def xet_token_url(repo: Repo, commit: CommitId, scope: str) -> str:
    """Where a client gets a token for the Xet store."""
    return f"{base_url()}/api/{repo.kind}s/{repo.id}/xet-{scope}-token/{commit}"


def repo_url(kind: RepoKind, repo_id: str) -> str:
    """Where a person finds the repo; clients cut their endpoint off it and read the rest as an id."""
    return f"{base_url()}/{'datasets/' if kind == 'dataset' else ''}{repo_id}"


def kind_of(text: str | None) -> RepoKind:
    """The kind that a body names. Raises Invalid for one that is not offered."""
    if text in (None, "model"):
        return "model"
    if text == "dataset":
        return "dataset"
    raise Invalid(f"Repos of type {text!r} are not offered here.", hint="Use model or dataset.")
