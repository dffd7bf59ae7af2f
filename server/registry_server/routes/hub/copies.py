"""Copies of repos and of large files, and giving up history."""

from __future__ import annotations

from typing import Literal

from flask import Response
from pydantic import Field, TypeAdapter

from registry_core.errors import AlreadyExists
from registry_core.ids import Digest, RepoId, RepoKind, Revision
from registry_server.routes.hub.blueprint import blueprint, kind_of, repo_url
from registry_server.routes.requests import Body, Words, as_json, body, caller, registry, repo_id
from registry_server.usecases import copying, squashing

_TITLE_CHARACTERS = 500


class _DuplicateBody(Body):
    repository: str
    visibility: Literal["public", "private"] | None = None
    private: bool | None = None


class _Target(Body):
    name: str
    type: str | None = None


class _CopiedFile(Body):
    sha256: str


class _CopyBody(Body):
    target: _Target
    files: list[_CopiedFile] = Field(max_length=1000)


class _SquashBody(Body):
    message: Words | None = None


_DUPLICATE = TypeAdapter(_DuplicateBody)
_COPY = TypeAdapter(_CopyBody)
_SQUASH = TypeAdapter(_SquashBody)


@blueprint.post("/api/<kind:kind>/<owner>/<name>/duplicate")
def duplicate(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with the address of the copy; 409 with the same address when there is such a repo already."""
    given = body(_DUPLICATE)
    target = RepoId(given.repository)
    private = given.private if given.visibility is None else given.visibility == "private"
    try:
        made = copying.duplicate(registry(), caller(), kind, repo_id(owner, name), target, private=private)
    except AlreadyExists as error:
        return as_json({"error": error.message, "url": repo_url(kind, target), "code": error.code}, 409)
    return as_json({"url": repo_url(kind, made.id), "name": made.id, "filesCopyPending": False})


@blueprint.post("/api/<kind:kind>/<owner>/<name>/lfs-files/duplicate")
def copy_files(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with the files that cannot be committed to the target, and why."""
    given = body(_COPY)
    target = kind_of(given.target.type), RepoId(given.target.name)
    digests = [Digest(file.sha256) for file in given.files]
    failed = copying.copy_files(registry(), caller(), (kind, repo_id(owner, name)), target, digests)
    return as_json({"failed": [{"sha256": digest, "error": why} for digest, why in failed.items()]})


@blueprint.post("/api/<kind:kind>/<owner>/<name>/super-squash/<text:branch>")
def super_squash(kind: RepoKind, owner: str, name: str, branch: str) -> Response:
    """200 when the branch is one commit; 404 for a tag or a commit id."""
    message = (body(_SQUASH).message or "").strip()
    title = message.splitlines()[0][:_TITLE_CHARACTERS] if message else f"Super-squash branch '{branch}'"
    wanted = repo_id(owner, name)
    made = squashing.squash(registry(), caller(), kind, wanted, Revision(branch), title)
    return as_json({"success": True, "commitOid": made})
