"""Requests to read the files of gated repos, as owners handle them."""

from __future__ import annotations

import re
from typing import Any, Literal

from flask import Response
from pydantic import TypeAdapter

from registry_core.errors import Invalid
from registry_core.ids import RepoKind
from registry_server.catalog.admissions import Admission, Status
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import Body, as_json, body, caller, registry, repo_id
from registry_server.usecases import admissions


class _HandleBody(Body):
    status: Literal["pending", "accepted", "rejected"]
    user: str | None = None
    requestId: str | None = None
    rejectionReason: str | None = None


class _GrantBody(Body):
    user: str


_REQUEST = re.compile("0{9}[0-9a-f]{15}")
_HANDLE = TypeAdapter(_HandleBody)
_GRANT = TypeAdapter(_GrantBody)


@blueprint.get("/api/<kind:kind>/<owner>/<name>/user-access-request/<any(pending, accepted, rejected):status>")
def access_requests(kind: RepoKind, owner: str, name: str, status: Status) -> Response:
    """200 with the requests that stand there, oldest first."""
    found = admissions.listed(registry(), caller(), kind, repo_id(owner, name), status)
    return as_json([_request(request) for request in found])


@blueprint.post("/api/<kind:kind>/<owner>/<name>/user-access-request/handle")
def handle_access_request(kind: RepoKind, owner: str, name: str) -> Response:
    """200 when the request stands where the owner wants it; 404 for somebody who never asked."""
    given = body(_HANDLE)
    wanted = repo_id(owner, name)
    admissions.settle(registry(), caller(), kind, wanted, _asked(given), given.status, given.rejectionReason)
    return as_json({})


@blueprint.post("/api/<kind:kind>/<owner>/<name>/user-access-request/grant")
def grant_access(kind: RepoKind, owner: str, name: str) -> Response:
    """200 when the user may read the files from now on."""
    admissions.grant(registry(), caller(), kind, repo_id(owner, name), body(_GRANT).user)
    return as_json({})


@blueprint.post("/api/<kind:kind>/<owner>/<name>/ask-access")
def ask_access(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with where the caller's request stands: `accepted`, `pending` or `rejected`."""
    return as_json({"status": admissions.ask(registry(), caller(), kind, repo_id(owner, name))})


def _asked(given: _HandleBody) -> str | int:
    """Who asked, or the number of the request."""
    if given.user is not None:
        return given.user
    if given.requestId is None or not _REQUEST.fullmatch(given.requestId):
        raise Invalid("The body names neither a user nor a request.", hint="Send user or requestId.")
    return int(given.requestId, 16)


def _request(request: Admission) -> dict[str, Any]:
    return {
        "requestId": f"{request.number:024x}",
        "user": {"user": request.account, "fullname": request.account},
        "status": request.status,
        "timestamp": request.asked_at,
    }
