"""What takes room in a repo's history, and getting rid of it."""

from __future__ import annotations

from flask import Response, request
from pydantic import Field, TypeAdapter

from registry_core.errors import Invalid
from registry_core.ids import Digest, RepoKind
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import Body, as_json, body, caller, link_to_next, registry, repo_id
from registry_server.usecases import large_files, purging


class _Deletions(Body):
    sha: list[str] = Field(max_length=1000)
    rewriteHistory: bool = True


class _BatchBody(Body):
    deletions: _Deletions


_BATCH = TypeAdapter(_BatchBody)


@blueprint.get("/api/<kind:kind>/<owner>/<name>/lfs-files")
def list_large_files(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with a page of the large files of the whole history; the next page by an absolute Link."""
    cursor = request.args.get("cursor")
    after = Digest(cursor) if cursor else None
    files = large_files.listed(registry(), caller(), kind, repo_id(owner, name), after)
    page = files[: large_files.PAGE]
    response = as_json(
        [
            {
                "fileOid": file.digest,
                "oid": file.digest,
                "filename": file.path,
                "size": file.size_bytes,
                "pushedAt": file.stored_at,
                "ref": file.ref,
            }
            for file in page
        ]
    )
    if len(files) > len(page):
        link_to_next(response, page[-1].digest)
    return response


@blueprint.post("/api/<kind:kind>/<owner>/<name>/lfs-files/batch")
def delete_large_files(kind: RepoKind, owner: str, name: str) -> Response:
    """200 when the repo holds none of the named files any more."""
    given = body(_BATCH).deletions
    digests = [Digest(text) for text in given.sha]
    if not digests:
        raise Invalid("No file is named.", hint="List their SHA-256 under deletions.sha.")
    wanted = repo_id(owner, name)
    purging.purge(registry(), caller(), kind, wanted, digests, rewrite_history=given.rewriteHistory)
    return as_json({"success": True})
