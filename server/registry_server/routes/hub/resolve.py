"""The bytes of a file at a revision."""

from __future__ import annotations

from flask import Response
from werkzeug.datastructures import Headers

from registry_core.errors import EntryNotFound, InvalidPath
from registry_core.ids import CommitId, RepoKind, RepoPath, Revision
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.git.objects import pointer_text
from registry_server.routes.bytes_out import Span, headers_of, large_body
from registry_server.routes.hub.blueprint import blueprint, xet_token_url
from registry_server.routes.requests import caller, registry, repo_id
from registry_server.usecases import access, contents, reading
from registry_server.usecases.reading import File
from registry_server.xet.hashing import XetHash


@blueprint.get("/<owner>/<name>/resolve/<text:revision>/<rest:path>", defaults={"kind": "model"})
@blueprint.get("/datasets/<owner>/<name>/resolve/<text:revision>/<rest:path>", defaults={"kind": "dataset"})
def resolve(kind: RepoKind, owner: str, name: str, revision: str, path: str) -> Response:
    """200 with the bytes, 206 with a range of them, 304 when the client has them, 416 for a range past the end."""
    with registry().engine.read() as tx:
        repo, commit, file = _file(tx, kind, owner, name, revision, path)
        span = Span(file.size_bytes, file.etag)
        # Small files are read inside the snapshot; large ones stream after it, so that no slow reader holds it open.
        content = reading.content(registry(), tx, file) if span.has_body and file.facts.in_catalog else None
    if file.facts.xet_file is not None and not span.has_body:
        # What has a body is checked on the way out.
        contents.require_sound(registry(), file.digest, file.facts.xet_file)
    headers = _headers(repo, file, commit)
    if not span.has_body:
        return span.response(headers)
    if _is_download(span, file):
        registry().downloads.add(repo.row_id)
    if content is not None:
        return span.response(headers, [content[span.start : span.stop]])
    return span.response(headers, large_body(file.digest, file.facts.xet_file, span))


@blueprint.get("/<owner>/<name>/raw/<text:revision>/<rest:path>", defaults={"kind": "model"})
@blueprint.get("/datasets/<owner>/<name>/raw/<text:revision>/<rest:path>", defaults={"kind": "dataset"})
def raw(kind: RepoKind, owner: str, name: str, revision: str, path: str) -> Response:
    """200 with what stands in git: a small file's bytes, a large one's pointer."""
    with registry().engine.read() as tx:
        _, commit, file = _file(tx, kind, owner, name, revision, path)
        if file.facts.is_lfs:
            content = pointer_text(file.digest, file.size_bytes)
        else:
            content = reading.content(registry(), tx, file)
    span = Span(len(content), file.oid.hex())
    headers = headers_of(file.path.rpartition("/")[2], file.oid.hex())
    headers["X-Repo-Commit"] = commit
    return span.response(headers, [content[span.start : span.stop]] if span.has_body else [])


def _file(
    tx: Transaction, kind: RepoKind, owner: str, name: str, revision: str, path: str
) -> tuple[Repo, CommitId, File]:
    repo = access.open_repo(tx, caller(), kind, repo_id(owner, name))
    commit = reading.resolve(tx, repo, Revision(revision))
    try:
        return repo, commit, reading.file(tx, repo, commit, RepoPath(path))
    except InvalidPath as error:
        raise EntryNotFound("Entry not found", commit_id=commit) from error


def _is_download(span: Span, file: File) -> bool:
    """Whether somebody begins to fetch the file: a part from its start may be a look at a header only."""
    return span.start == 0 and (span.stop == file.size_bytes or not file.path.endswith(".safetensors"))


def _headers(repo: Repo, file: File, commit: CommitId) -> Headers:
    headers = headers_of(file.path.rpartition("/")[2], file.etag)
    headers["X-Repo-Commit"] = commit
    headers["X-Linked-Size"] = str(file.size_bytes)
    if file.facts.is_lfs:
        headers["X-Linked-Etag"] = f'"{file.digest}"'
    if file.facts.xet_file is not None:
        headers["X-Xet-Hash"] = str(XetHash(file.facts.xet_file))
        headers["Link"] = f'<{xet_token_url(repo, commit, "read")}>; rel="xet-auth"'
    return headers
