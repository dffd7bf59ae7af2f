"""git-LFS: which large files to send, and the signed addresses they are sent to.

Clients send no token with the bytes themselves, so each address carries, signed, what may be done with it.
"""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint, Response
from pydantic import Field, TypeAdapter

from registry_core.errors import Unsupported
from registry_core.ids import Digest, RepoKind
from registry_server.routes.bytes_out import Span, headers_of, large_body
from registry_server.routes.requests import (
    Body,
    as_json,
    base_url,
    body,
    body_chunks,
    caller,
    registry,
    repo_id,
)
from registry_server.usecases import batches, grants, uploads
from registry_server.usecases.batches import BatchItem

blueprint = Blueprint("lfs", __name__)

_MEDIA_TYPE = "application/vnd.git-lfs+json"


class _Object(Body):
    oid: str
    size: int = Field(ge=0)


class _Ref(Body):
    name: str


class _BatchBody(Body):
    operation: Literal["upload", "download"]
    objects: list[_Object] = Field(max_length=1000)
    hash_algo: Literal["sha256"] = "sha256"
    ref: _Ref | None = None
    transfers: tuple[str, ...] = ()


_BATCH = TypeAdapter(_BatchBody)


@blueprint.post("/<owner>/<name>.git/info/lfs/objects/batch", defaults={"kind": "model"})
@blueprint.post("/datasets/<owner>/<name>.git/info/lfs/objects/batch", defaults={"kind": "dataset"})
def batch(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with an action for each object that is to be sent or can be fetched; stored ones have none to send."""
    given = body(_BATCH)
    wanted = [(Digest(item.oid), item.size) for item in given.objects]
    if given.operation == "upload":
        ref = given.ref.name if given.ref else None  # clients name none for a new pull request
        items = batches.upload(
            registry(), caller(), kind, repo_id(owner, name), wanted, ref, in_parts="multipart" in given.transfers
        )
        shape = _upload
    else:
        items = batches.download(registry(), caller(), kind, repo_id(owner, name), wanted)
        shape = _download
    transfer = "multipart" if any(item.part_grants for item in items) else "basic"
    response = as_json({"transfer": transfer, "objects": [shape(item) for item in items], "hash_algo": "sha256"})
    response.content_type = _MEDIA_TYPE
    return response


@blueprint.put("/lfs/upload/<token>")
def upload(token: str) -> Response:
    """200 once the announced bytes are stored for good; 400 for others."""
    uploads.receive(registry(), token, body_chunks())
    return as_json({})


@blueprint.put("/lfs/part/<token>")
def upload_part(token: str) -> Response:
    """200 with an ETag once one part of a file is stored; 400 for more or fewer bytes than it has."""
    etag = uploads.receive_part(registry(), token, body_chunks())
    response = as_json({})
    response.headers["ETag"] = f'"{etag}"'
    return response


@blueprint.post("/lfs/complete/<token>")
def complete(token: str) -> Response:
    """200 once the parts are put together and are the announced bytes; 400 when one is missing, or for others."""
    uploads.complete(registry(), token)
    return as_json({})


@blueprint.post("/lfs/verify/<token>")
def verify(token: str) -> Response:
    """200 when the upload was stored."""
    uploads.verify(registry(), token)
    return as_json({})


@blueprint.get("/lfs/download/<token>")
def download(token: str) -> Response:
    """200 with the bytes, or 206 with a range of them."""
    grant = grants.read(registry(), token, "download")
    digest = Digest(grant.digest)
    span = Span(grant.size_bytes, digest)
    headers = headers_of(digest, digest)
    if not span.has_body:
        return span.response(headers)
    xet_file = bytes.fromhex(grant.xet_file) if grant.xet_file else None
    return span.response(headers, large_body(digest, xet_file, span))


@blueprint.route("/<owner>/<name>.git/info/lfs/locks", methods=["GET", "POST"])
@blueprint.route("/<owner>/<name>.git/info/lfs/locks/verify", methods=["POST"])
def locks(owner: str, name: str) -> Response:  # noqa: ARG001
    """501: git-lfs then goes on without locking."""
    raise Unsupported("Locking files is not offered here.")


def _upload(item: BatchItem) -> dict[str, Any]:
    document: dict[str, Any] = {"oid": item.digest, "size": item.size_bytes}
    if item.grant is not None:
        document["actions"] = {
            "upload": _parts(item) if item.part_grants else {"href": f"{base_url()}/lfs/upload/{item.grant}"},
            "verify": {"href": f"{base_url()}/lfs/verify/{item.verify_grant}"},
        }
    return document


def _parts(item: BatchItem) -> dict[str, Any]:
    """Where each part goes, and where to say that all are there."""
    header = {str(number): f"{base_url()}/lfs/part/{part}" for number, part in enumerate(item.part_grants, start=1)}
    return {
        "href": f"{base_url()}/lfs/complete/{item.grant}",
        "header": {"chunk_size": str(item.part_bytes), **header},
    }


def _download(item: BatchItem) -> dict[str, Any]:
    document: dict[str, Any] = {"oid": item.digest, "size": item.size_bytes}
    if item.grant is None:
        document["error"] = {"code": 404, "message": "Object does not exist"}
    else:
        document["actions"] = {"download": {"href": f"{base_url()}/lfs/download/{item.grant}"}}
    return document
