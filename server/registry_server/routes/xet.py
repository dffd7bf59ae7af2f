"""The Xet store over HTTP, for Hub clients' transfer library.

Addresses begin with `/xet/GENERATION`; older generations stay readable. A client takes 404 as "not offered" where it
may, and any other refusal of an offer as the end of its upload, so what is not served here answers 404.
"""

from __future__ import annotations

import json
import re

from flask import Blueprint, Response, request

from registry_core.errors import EntryNotFound, Forbidden, Invalid, RegistryError, Unavailable
from registry_server.blobs.store import xorb_key
from registry_server.routes.bytes_out import file_body
from registry_server.routes.requests import as_json, base_url, body_chunks, registry
from registry_server.usecases import xet_access, xet_checking, xet_download, xet_upload
from registry_server.usecases.xet_access import Scope, Session
from registry_server.xet.hashing import XetHash
from registry_server.xet.plan import Fetch, Plan, as_json_v1
from registry_server.xet.plan import as_json as plan_json
from registry_server.xet.shard import MAX_SHARD_BYTES

blueprint = Blueprint("xet", __name__)

_RANGE = re.compile(r"bytes=([0-9]{1,20})-([0-9]{0,20})")


@blueprint.post("/xet/<int:generation>/v1/xorbs/<prefix>/<xorb>")
def upload_xorb(generation: int, prefix: str, xorb: str) -> Response:  # noqa: ARG001
    """200 once the xorb is verified and stored; 400 for other bytes than its hash says."""
    session = _session("write")
    size_bytes = request.content_length
    if size_bytes is None:
        raise Invalid("A xorb is sent with its Content-Length.")
    inserted = xet_upload.store_xorb(registry(), session, XetHash.parse(xorb), body_chunks(), size_bytes)
    return as_json({"was_inserted": inserted})


@blueprint.post("/xet/<int:generation>/v1/shards")
def register_v1(generation: int) -> Response:  # noqa: ARG001
    """200 with 1 when a file of the shard was new to the caller, else 0."""
    return as_json({"result": int(_register())})


@blueprint.post("/xet/<int:generation>/v2/shards")
def register_v2(generation: int) -> Response:  # noqa: ARG001
    """200 with a line of JSON that says how it ended; its text reaches the user, which a status would not."""
    session = _session("write")
    try:
        line: dict[str, object] = {"type": "result", "result": int(_register(session))}
    except RegistryError as error:
        message = f"{error.message} {error.hint}".strip()
        line = {"type": "error", "message": message, "retryable": isinstance(error, Unavailable)}
    return Response(json.dumps(line) + "\n", mimetype="application/x-ndjson")


@blueprint.get("/xet/<int:generation>/v1/chunks/<prefix>/<chunk>")
def chunks(generation: int, prefix: str, chunk: str) -> Response:  # noqa: ARG001
    """200 with a shard of chunks that the caller can build on; 404 when there are none."""
    answer = xet_upload.dedup_answer(registry(), _session("read"), XetHash.parse(chunk))
    if answer is None:
        raise EntryNotFound("No such chunk.")
    return Response(answer, mimetype="application/octet-stream")


@blueprint.get("/xet/<int:generation>/v2/reconstructions/<file>")
def reconstruction(generation: int, file: str) -> Response:
    """200 with the plan for a file, or for a range of it; 416 for a range past its end."""
    return _plan(generation, file, version=2)


@blueprint.get("/xet/<int:generation>/v1/reconstructions/<file>")
def reconstruction_v1(generation: int, file: str) -> Response:
    """The same in the older form."""
    return _plan(generation, file, version=1)


@blueprint.get("/xet/<int:generation>/data/<address>")
def data(generation: int, address: str) -> Response:  # noqa: ARG001
    """206 with bytes of a xorb, inside the part that the address was signed for; 403 outside, or when it is too old."""
    part = xet_access.read_part(registry(), address)
    start, stop = _asked_range()
    start, stop = (part.first_byte, part.last_byte + 1) if start is None else (start, stop or part.last_byte + 1)
    if not part.first_byte <= start < stop <= part.last_byte + 1:
        raise Forbidden("This address is for another part of the xorb.", hint="Ask for the reconstruction again.")
    stored = registry().blobs.open(xorb_key(part.xorb), start)
    response = Response(file_body(stored, stop - start), 206, mimetype="application/octet-stream")
    response.direct_passthrough = True
    response.headers["Content-Length"] = str(stop - start)
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/*"
    return response


@blueprint.post("/v1/telemetry")
@blueprint.post("/xet/<int:generation>/v1/telemetry")
def telemetry(generation: int = 0) -> Response:  # noqa: ARG001
    """200: heard, and forgotten."""
    return as_json({})


@blueprint.route("/xet/<path:rest>", methods=["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"])
def not_offered(rest: str) -> Response:  # noqa: ARG001
    """404 for every other call of the protocol, grants among them."""
    raise EntryNotFound("This call is not offered here.")


def _session(scope: Scope) -> Session:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return xet_access.open_token(registry(), token if scheme.lower() == "bearer" else None, scope)


def _register(session: Session | None = None) -> bool:
    session = session or _session("write")
    shard = request.stream.read(MAX_SHARD_BYTES + 1)
    new = xet_upload.register(registry(), session, shard)
    # Beside the request: the client commits meanwhile; until this is done the file counts for its own repo only.
    xet_checking.check_soon(registry())
    return new


def _plan(generation: int, file: str, *, version: int) -> Response:
    session = _session("read")
    start, stop = _asked_range()
    found, plan = xet_download.reconstruction(registry(), session, XetHash.parse(file), start or 0, stop)
    if start is not None and start >= found.size_bytes:
        response = as_json({"error": "The range begins past the end of the file."}, 416)
        response.headers["Content-Range"] = f"bytes */{found.size_bytes}"
        return response
    return as_json(_shape(plan, generation, version))


def _shape(plan: Plan, generation: int, version: int) -> dict[str, object]:
    def url_of(fetch: Fetch) -> str:
        return f"{base_url()}/xet/{generation}/data/{xet_access.sign_part(registry(), fetch)}"

    return (plan_json if version == 2 else as_json_v1)(plan, url_of)


def _asked_range() -> tuple[int | None, int | None]:
    """Start and stop of a `Range: bytes=a-b`; clients that do not know a file's size ask for an enormous end."""
    header = request.headers.get("Range")
    if header is None:
        return None, None
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        raise Invalid(f"The range {header[:80]!r} is not understood.", hint="Ask for one range, bytes=FIRST-LAST.")
    return int(found[1]), int(found[2]) + 1 if found[2] else None
