"""Errors become statuses here, and nowhere else.

Hub clients read the kind of an error from `X-Error-Code` and its text from `X-Error-Message`; our own client reads the
body.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import quote, unquote, urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from registry_core import errors
from registry_core.errors import RegistryError
from registry_server.routes.requests import as_json, is_anonymous
from registry_server.usecases.access import RepoMoved

_STATUS: dict[type[RegistryError], int] = {
    errors.InvalidPath: 422,
    errors.Invalid: 400,
    errors.NotFound: 404,
    errors.Unauthenticated: 401,
    errors.NotAllowed: 403,
    errors.AlreadyExists: 409,
    errors.ContentDiffers: 409,
    errors.StaleParent: 412,
    errors.Unsupported: 501,
    errors.Refused: 400,
    errors.StorageFull: 507,
    errors.Unavailable: 503,
    RegistryError: 500,
}
_HUB_CODES: dict[type[RegistryError], str] = {
    errors.RepoNotFound: "RepoNotFound",
    errors.RevisionNotFound: "RevisionNotFound",
    errors.InvalidRevision: "RevisionNotFound",
    errors.EntryNotFound: "EntryNotFound",
    errors.Gated: "GatedRepo",
}

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
"""What a header cannot carry: it may come back to us in a name that we refuse."""

_QUERY = "/%:@!$&'()*+,;=~?"

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Answer our errors, Flask's own, and faults of ours, each in one form."""
    app.register_error_handler(RegistryError, answer)
    app.register_error_handler(HTTPException, _http_answer)
    app.register_error_handler(Exception, _fault_answer)


def answer(error: RegistryError) -> Response:
    """The answer to one of our errors."""
    if isinstance(error, RepoMoved) and (redirect := moved_answer(error)):
        return redirect
    if request.blueprint == "web":
        from registry_server.routes import web

        return web.error_page(error, status_of(error))
    response = as_json(
        {"error": error.message, "code": error.code, "hint": error.hint, "faults": list(error.faults)},
        status_of(error),
    )
    response.headers["X-Registry-Code"] = error.code
    if request.blueprint in ("hub", "lfs"):
        _add_hub_headers(response, error)
    return response


def status_of(error: RegistryError) -> int:
    """The status for an error; for Hub clients without a token, 401 for a repo that they cannot see, or not read."""
    if isinstance(error, errors.RepoNotFound | errors.Gated) and is_anonymous() and request.blueprint in ("hub", "lfs"):
        return 401
    if isinstance(error, errors.InvalidRevision) and request.method in ("GET", "HEAD"):
        return 404
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def moved_answer(error: RepoMoved) -> Response | None:
    """307 to this same address with the repo's new name; None when the address does not name the repo.

    The location has no host: Hub clients follow such a one in every call.
    """
    raw, _, query = request.environ.get("RAW_URI", request.full_path).partition("?")
    segments = (urlsplit(raw).path if "://" in raw[:10] else raw).strip("/").split("/")
    old, new = error.old.key.split("/"), error.new.split("/")
    for i in range(len(segments) - 1):
        owner, name = (unquote(segment).lower() for segment in segments[i : i + 2])
        if [owner, name.removesuffix(".git")] == old:
            segments[i : i + 2] = [new[0], new[1] + (".git" if name.endswith(".git") else "")]
            break
    else:
        return None
    path = quote("/" + "/".join(segments), safe="/%:@!$&'()*+,;=~")
    prefix = "" if path.startswith(f"{request.script_root}/") else request.script_root
    response = as_json({"error": error.message, "code": error.code, "hint": error.hint, "faults": []}, 307)
    response.headers["Location"] = prefix + path + (f"?{quote(query, safe=_QUERY)}" if query else "")
    return response


def _add_hub_headers(response: Response, error: RegistryError) -> None:
    code = next((_HUB_CODES[kind] for kind in type(error).__mro__ if kind in _HUB_CODES), None)
    if code is not None:
        response.headers["X-Error-Code"] = code
    message = " ".join([error.message, *error.faults])
    response.headers["X-Error-Message"] = _UNPRINTABLE.sub("?", message.replace("\n", " "))[:1000]
    if isinstance(error, errors.EntryNotFound) and error.commit_id:
        response.headers["X-Repo-Commit"] = error.commit_id


def _http_answer(error: HTTPException) -> Response:
    """Flask's own refusals: no such address, no such method, a malformed header."""
    status = error.code or 500
    # No page for a bad request: its Host header may be one that no address can be made of.
    if status == 400 or request.path.startswith(("/api/", "/lfs/")) or request.method not in ("GET", "HEAD"):
        response = as_json({"error": error.description or error.name, "code": "http", "hint": "", "faults": []}, status)
        response.headers.extend(header for header in error.get_headers() if header[0] in ("Allow", "Retry-After"))
        return response
    from registry_server.routes import web

    return web.error_page(RegistryError(error.description or error.name), status)


def _fault_answer(error: Exception) -> Response:
    log.exception("A fault of ours answering %s %s", request.method, request.path, exc_info=error)
    return as_json(
        {
            "error": "The server failed to answer.",
            "code": "fault",
            "hint": "Its log says why; please report it.",
            "faults": [],
        },
        500,
    )
