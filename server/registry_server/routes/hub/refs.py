"""Branches, tags and the log."""

from __future__ import annotations

from flask import Response, request
from pydantic import TypeAdapter

from registry_core.ids import RepoKind, Revision
from registry_server.catalog.history import CommitEntry, Ref
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import Body, Words, as_json, body, caller, flag, link_to_next, registry, repo_id
from registry_server.usecases import access, reading, repos

_LOG_PAGE = 50


class _BranchBody(Body):
    startingPoint: str | None = None


class _TagBody(Body):
    tag: str
    message: Words | None = None


_BRANCH = TypeAdapter(_BranchBody)
_TAG = TypeAdapter(_TagBody)


@blueprint.get("/api/<kind:kind>/<owner>/<name>/refs")
def list_refs(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with branches, tags and, when asked for, pull requests."""
    with registry().engine.read() as tx:
        repo = access.open_repo(tx, caller(), kind, repo_id(owner, name), "see")
        refs = reading.refs(tx, repo)
    document = {
        "branches": _named(refs, "refs/heads/"),
        "converts": _named(refs, "refs/convert/"),
        "tags": _named(refs, "refs/tags/"),
    }
    if flag("include_prs"):
        document["pullRequests"] = _named(refs, "refs/pr/")
    return as_json(document)


@blueprint.get("/api/<kind:kind>/<owner>/<name>/commits/<text:revision>")
def list_commits(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with a page of the log, newest first; the next page by an absolute Link."""
    with registry().engine.read() as tx:
        repo = access.open_repo(tx, caller(), kind, repo_id(owner, name), "see")
        start = reading.resolve(tx, repo, Revision(request.args.get("cursor") or revision))
        entries = reading.log(tx, repo, start, _LOG_PAGE + 1)
    formatted = "formatted" in request.args.getlist("expand[]") + request.args.getlist("expand")
    response = as_json([_commit(entry, formatted=formatted) for entry in entries[:_LOG_PAGE]])
    if len(entries) > _LOG_PAGE:
        link_to_next(response, entries[_LOG_PAGE].oid.hex())
    return response


@blueprint.post("/api/<kind:kind>/<owner>/<name>/branch/<text:branch>")
def create_branch(kind: RepoKind, owner: str, name: str, branch: str) -> Response:
    """200; 409 when the branch exists."""
    start = Revision(body(_BRANCH).startingPoint or "main")
    repos.create_branch(registry(), caller(), kind, repo_id(owner, name), branch, start)
    return as_json({})


@blueprint.delete("/api/<kind:kind>/<owner>/<name>/branch/<text:branch>")
def delete_branch(kind: RepoKind, owner: str, name: str, branch: str) -> Response:
    """200; 403 for main."""
    repos.delete_branch(registry(), caller(), kind, repo_id(owner, name), Revision(branch))
    return as_json({})


@blueprint.post("/api/<kind:kind>/<owner>/<name>/tag/<text:revision>")
def create_tag(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200; 409 when the tag exists."""
    given = body(_TAG)
    wanted = repo_id(owner, name)
    repos.create_tag(registry(), caller(), kind, wanted, given.tag, Revision(revision), given.message or "")
    return as_json({})


@blueprint.delete("/api/<kind:kind>/<owner>/<name>/tag/<text:tag>")
def delete_tag(kind: RepoKind, owner: str, name: str, tag: str) -> Response:
    """200; 404 when there is no such tag."""
    repos.delete_tag(registry(), caller(), kind, repo_id(owner, name), Revision(tag))
    return as_json({})


def _named(refs: list[Ref], prefix: str) -> list[dict[str, str]]:
    return [
        {"name": ref.name.removeprefix(prefix), "ref": ref.name, "targetCommit": ref.commit_oid.hex()}
        for ref in refs
        if ref.name.startswith(prefix)
    ]


def _commit(entry: CommitEntry, *, formatted: bool) -> dict[str, object]:
    document: dict[str, object] = {
        "id": entry.oid.hex(),
        "title": entry.title,
        "message": entry.message,
        "authors": [{"user": entry.author, "avatar": ""}],
        "date": entry.created_at,
    }
    if formatted:
        document["formatted"] = {"title": entry.title, "message": entry.message}
    return document
