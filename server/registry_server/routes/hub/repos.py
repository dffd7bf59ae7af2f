"""Creating, hiding and removing repos."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response
from pydantic import TypeAdapter

from registry_core.errors import AlreadyExists
from registry_core.ids import RepoId, RepoKind
from registry_server.routes.hub.blueprint import blueprint, kind_of, repo_url
from registry_server.routes.requests import Body, as_json, body, caller, registry, repo_id
from registry_server.usecases import access, repos


class _RepoBody(Body):
    name: str
    organization: str | None = None
    type: str | None = None
    visibility: Literal["public", "private"] | None = None
    private: bool | None = None

    @property
    def is_private(self) -> bool:
        return self.visibility == "private" or bool(self.private)


class _MoveBody(Body):
    fromRepo: str
    toRepo: str
    type: str | None = None


class _SettingsBody(Body):
    visibility: Literal["public", "private"] | None = None
    private: bool | None = None
    gated: Literal["auto", "manual", False] | None = None


class _YamlBody(Body):
    content: str
    repoType: str | None = None


_REPO = TypeAdapter(_RepoBody)
_MOVE = TypeAdapter(_MoveBody)
_SETTINGS = TypeAdapter(_SettingsBody)
_YAML = TypeAdapter(_YamlBody)


@blueprint.post("/api/repos/create")
def create() -> Response:
    """200 with the address; 409 with the same address when it exists, from which `exist_ok` clients go on."""
    given = body(_REPO)
    kind, wanted = kind_of(given.type), _named(given)
    try:
        made = repos.create(registry(), caller(), kind, wanted, private=given.is_private)
    except AlreadyExists as error:
        url = repo_url(kind, wanted)
        return as_json({"error": error.message, "url": url, "name": wanted, "code": error.code}, 409)
    return as_json({"url": repo_url(kind, made.id), "name": made.id, "id": f"{made.row_id:024x}"})


@blueprint.delete("/api/repos/delete")
def delete() -> Response:
    """200 when the repo is gone, with the bytes that the collector frees, and from when on it frees all of them."""
    given = body(_REPO)
    return as_json(repos.delete(registry(), caller(), kind_of(given.type), _named(given)))


@blueprint.post("/api/repos/move")
def move() -> Response:
    """200 when the repo has its new name; 409 when somebody else has it. The old one answers 307 from now on."""
    given = body(_MOVE)
    kind = kind_of(given.type)
    moved = repos.move(registry(), caller(), kind, RepoId(given.fromRepo), RepoId(given.toRepo))
    return as_json({"url": repo_url(kind, moved.id)})


@blueprint.put("/api/<kind:kind>/<owner>/<name>/settings")
def settings(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with what holds now."""
    given = body(_SETTINGS)
    private = given.private if given.visibility is None else given.visibility == "private"
    repo = repos.set_access(registry(), caller(), kind, repo_id(owner, name), private, given.gated)
    return as_json({"private": repo.private, "gated": repo.gated or False})


@blueprint.get("/api/<kind:kind>/<owner>/<name>/auth-check")
@blueprint.get("/api/<kind:kind>/<owner>/<name>/auth-check/<any(write):write>")
def auth_check(kind: RepoKind, owner: str, name: str, write: str | None = None) -> Response:
    """200 when the caller may read, or write, the repo."""
    with registry().engine.read() as tx:
        access.open_repo(tx, caller(), kind, repo_id(owner, name), "write" if write else "read")
    return as_json({"ok": True})


@blueprint.post("/api/validate-yaml")
def validate_yaml() -> Response:
    """200, or 400 when the head of the README has errors; always with both lists."""
    from registry_core.errors import InvalidReadme
    from registry_core.readme import parse_readme, validate

    given = body(_YAML)
    try:
        readme = parse_readme(given.content)
    except InvalidReadme as error:
        errors = [" ".join([error.message, *error.faults])]
        warnings: list[str] = []
    else:
        errors, warnings = validate(readme.front_matter, "dataset" if given.repoType == "dataset" else "model")
    document: dict[str, Any] = {
        "errors": [{"message": text} for text in errors],
        "warnings": [{"message": text} for text in warnings],
    }
    return as_json(document, 400 if errors else 200)


def _named(given: _RepoBody) -> RepoId:
    if "/" in given.name:
        return RepoId(given.name)
    me = caller()
    owner = given.organization or me.name
    if not owner:
        access.require_writing_token(me, "create repos")
    return RepoId(f"{owner}/{given.name}")
