"""Pull requests, which on the Hub are a kind of discussion. Other discussions and merging are not offered."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from pydantic import TypeAdapter

from registry_core.errors import Invalid, Unsupported
from registry_core.ids import RepoKind
from registry_server.catalog.history import CommitEntry
from registry_server.catalog.pulls import Pull
from registry_server.catalog.repos import Repo
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import Body, Words, as_json, body, caller, registry, repo_id, whole_number
from registry_server.usecases import pulls

_PAGE = 50
_TITLE_CHARACTERS = 200


class _DiscussionBody(Body):
    title: Words
    description: Words = ""
    pullRequest: bool = False


_DISCUSSION = TypeAdapter(_DiscussionBody)


@blueprint.post("/api/<kind:kind>/<owner>/<name>/discussions")
def open_discussion(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with the number of a new, still empty pull request; 501 for a discussion that is none."""
    given = body(_DISCUSSION)
    if not given.pullRequest:
        raise Unsupported("Discussions are not offered here.", hint="Pull requests are.")
    title = given.title.strip()
    if not 3 <= len(title) <= _TITLE_CHARACTERS:
        raise Invalid(f"A title has 3 to {_TITLE_CHARACTERS} characters.")
    number = pulls.open_empty(registry(), caller(), kind, repo_id(owner, name), title, given.description)
    return as_json({"num": number, "pullRequest": True})


@blueprint.get("/api/<kind:kind>/<owner>/<name>/discussions")
def list_discussions(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with a page of pull requests, newest first."""
    repo, found = pulls.listed(registry(), caller(), kind, repo_id(owner, name))
    author, start = request.args.get("author"), _PAGE * whole_number("p", 0)
    if request.args.get("type") == "discussion" or request.args.get("status") == "closed":
        found = []
    if author is not None:
        found = [pull for pull in found if pull.author == author]
    page = [_shape(repo, pull) for pull in found[start : start + _PAGE]]
    return as_json({"discussions": page, "count": len(found), "start": start})


@blueprint.get("/api/<kind:kind>/<owner>/<name>/discussions/<int:number>")
def discussion(kind: RepoKind, owner: str, name: str, number: int) -> Response:
    """200 with one pull request, its description and its commits."""
    found = pulls.detail(registry(), caller(), kind, repo_id(owner, name), number)
    document = _shape(found.repo, found.pull) | {
        "events": [_comment(found.pull), *(_commit(entry) for entry in found.commits)],
        "changes": {"base": found.pull.base},
        "filesWithConflicts": [],
        "diff": "",
    }
    return as_json(document)


@blueprint.get("/<one>/<two>/discussions/<int:number>")
@blueprint.get("/<any(datasets):prefix>/<one>/<two>/discussions/<int:number>")
def discussion_page(one: str, two: str, number: int, prefix: str = "") -> Response:
    """302 to the files of a pull request, whether there is one or not: clients print this address."""
    page = url_for("web.dataset_page" if prefix else "web.model_page", owner=one, name=two)
    response = redirect(f"{page}/tree/refs%2Fpr%2F{number}")
    assert isinstance(response, Response)
    return response


def _shape(repo: Repo, pull: Pull) -> dict[str, object]:
    return {
        "num": pull.number,
        "title": pull.title,
        "status": pull.status,
        "isPullRequest": True,
        "createdAt": pull.created_at,
        "author": {"name": pull.author, "type": "user"},
        "repo": {"name": repo.id, "type": repo.kind},
    }


def _comment(pull: Pull) -> dict[str, object]:
    author = {"name": pull.author, "type": "user"}
    latest = {"raw": pull.description, "html": "", "updatedAt": pull.created_at, "author": author}
    return {
        "id": f"{pull.number:024x}",
        "type": "comment",
        "createdAt": pull.created_at,
        "author": author,
        "data": {"edited": False, "hidden": False, "latest": latest, "history": [latest]},
    }


def _commit(entry: CommitEntry) -> dict[str, object]:
    return {
        "id": entry.oid.hex()[:24],
        "type": "commit",
        "createdAt": entry.created_at,
        "author": {"name": entry.author, "type": "user"},
        "data": {"subject": entry.title, "oid": entry.oid.hex()},
    }
