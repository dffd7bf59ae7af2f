"""What is in a repo at a revision: folders, paths, and whether a push would change them."""

from __future__ import annotations

from flask import Response, request
from pydantic import Field, TypeAdapter

from registry_core.errors import EntryNotFound, Invalid, InvalidPath
from registry_core.ids import RepoKind, RepoPath, Revision
from registry_server.catalog.history import CommitEntry
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import (
    Body,
    as_json,
    body,
    caller,
    flag,
    from_base64,
    link_to_next,
    registry,
    repo_id,
)
from registry_server.usecases import access, preuploads, reading, shards
from registry_server.usecases.reading import File, Folder
from registry_server.xet.hashing import XetHash

_TREE_PAGE = 1000
_MOST_PATHS = 1000


class _PathsBody(Body):
    paths: list[str]
    expand: bool = False


class _AnnouncedFile(Body):
    path: str
    size: int
    sample: str = ""


class _PreuploadBody(Body):
    files: list[_AnnouncedFile] = Field(max_length=1000)
    gitIgnore: str | None = None


_PATHS = TypeAdapter(_PathsBody)
_PREUPLOAD = TypeAdapter(_PreuploadBody)


@blueprint.get("/api/<kind:kind>/<owner>/<name>/tree/<text:revision>")
@blueprint.get("/api/<kind:kind>/<owner>/<name>/tree/<text:revision>/<rest:path>")
def tree(kind: RepoKind, owner: str, name: str, revision: str, path: str | None = None) -> Response:
    """200 with files and folders by path; 404 EntryNotFound when `path` is no folder of the revision."""
    after = request.args.get("cursor", "")
    last: dict[str, CommitEntry] = {}
    with registry().engine.read() as tx:
        repo = access.open_repo(tx, caller(), kind, repo_id(owner, name), "see")
        commit = reading.resolve(tx, repo, Revision(revision))
        items = reading.listing(tx, repo, commit, _path(path, commit) if path else None, recursive=flag("recursive"))
        rest = [item for item in items if item.path > after]
        if flag("expand"):
            last = reading.last_commits(tx, repo, commit, rest[:_TREE_PAGE])
    response = as_json([_item(item, last.get(item.path)) for item in rest[:_TREE_PAGE]])
    if len(rest) > _TREE_PAGE:
        link_to_next(response, rest[_TREE_PAGE - 1].path)
    return response


@blueprint.post("/api/<kind:kind>/<owner>/<name>/paths-info/<text:revision>")
def paths_info(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with those of the paths that exist; the others are left out."""
    request.max_form_parts = request.max_form_memory_size = None
    request.max_content_length = 4 << 20
    given = body(_PATHS) if request.is_json else _PathsBody(paths=request.form.getlist("paths"), expand=_form_expand())
    wanted = given.paths
    if len(wanted) > _MOST_PATHS:
        raise Invalid(f"At most {_MOST_PATHS} paths can be asked for at once.", hint="Ask in several calls.")
    with registry().engine.read() as tx:
        repo = access.open_repo(tx, caller(), kind, repo_id(owner, name), "see")
        commit = reading.resolve(tx, repo, Revision(revision))
        found = []
        for text in wanted:
            try:
                found.append(reading.entry(tx, repo, commit, RepoPath(text.rstrip("/"))))
            except (EntryNotFound, InvalidPath):
                continue
        last = reading.last_commits(tx, repo, commit, found) if given.expand else {}
    return as_json([_item(item, last.get(item.path)) for item in found])


@blueprint.get("/api/<kind:kind>/<owner>/<name>/safetensors-metadata/<rest:path>")
def safetensors_metadata(kind: RepoKind, owner: str, name: str, path: str) -> Response:
    """200 with the headers of all shards that an index at main names; 400 for a file that is no index."""
    index, headers = shards.headers(registry(), caller(), kind, repo_id(owner, name), RepoPath(path))
    return as_json({"index": index, "headers": headers})


@blueprint.post("/api/<kind:kind>/<owner>/<name>/preupload/<text:revision>")
def preupload(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with how each file is to travel: inline, or uploaded before."""
    given = body(_PREUPLOAD)
    announced = [
        preuploads.Announced(RepoPath(file.path), file.size, from_base64(file.sample, "A sample"))
        for file in given.files
    ]
    ignore = None if given.gitIgnore is None else given.gitIgnore.encode()
    commit, answers = preuploads.preupload(
        registry(),
        caller(),
        kind,
        repo_id(owner, name),
        Revision(revision),
        announced,
        ignore,
        is_proposal=flag("create_pr"),
    )
    files = [
        {
            "path": answer.path,
            "uploadMode": "lfs" if answer.is_lfs else "regular",
            "shouldIgnore": answer.is_ignored,
            **({"oid": answer.held} if answer.held else {}),
        }
        for answer in answers
    ]
    return as_json({"files": files, "commitOid": commit})


def _path(text: str, commit: str) -> RepoPath:
    """A path in an address. One that no repo could hold is simply not found."""
    try:
        return RepoPath(text.rstrip("/"))
    except InvalidPath as error:
        raise EntryNotFound("Entry not found", commit_id=commit) from error


def _form_expand() -> bool:
    return request.form.get("expand", "").lower() in ("true", "1")


def _item(item: File | Folder, last: CommitEntry | None) -> dict[str, object]:
    document: dict[str, object] = {
        "type": "directory" if isinstance(item, Folder) else "file",
        "oid": item.oid.hex(),
        "size": 0 if isinstance(item, Folder) else item.size_bytes,
        "path": item.path,
    }
    if last is not None:
        document["lastCommit"] = {"id": last.oid.hex(), "title": last.title, "date": last.created_at}
    if isinstance(item, Folder):
        return document
    if item.facts.is_lfs:
        document["lfs"] = {"oid": item.digest, "size": item.size_bytes, "pointerSize": item.facts.pointer_bytes}
    if item.facts.xet_file is not None:
        document["xetHash"] = str(XetHash(item.facts.xet_file))
    return document
