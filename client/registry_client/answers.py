"""From what a server said, or did not say, to one of our errors.

The server's own code decides when there is one, then the code of the Hub protocol, then the status.
"""

from __future__ import annotations

from typing import Any

import httpx2

from registry_core.errors import (
    BY_CODE,
    AlreadyExists,
    EntryNotFound,
    Forbidden,
    Gated,
    Invalid,
    NotFound,
    Refused,
    RegistryError,
    RemoteFailed,
    RepoNotFound,
    RevisionNotFound,
    StaleParent,
    StorageFull,
    Unauthenticated,
    Unavailable,
)

_BY_HUB_CODE: dict[str, type[RegistryError]] = {
    "RepoNotFound": RepoNotFound,
    "RevisionNotFound": RevisionNotFound,
    "EntryNotFound": EntryNotFound,
    "GatedRepo": Gated,
}
_BY_STATUS: dict[int, type[RegistryError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: AlreadyExists,
    412: StaleParent,
    422: Invalid,
    507: StorageFull,
}
_HINTS: dict[type[RegistryError], str] = {
    RepoNotFound: "Check the name; for a private one, run `registry login` or pass --token.",
    Unauthenticated: "Run `registry login`, or pass --token.",
    Forbidden: "Ask an owner for the right, or use a token that has it.",
    StaleParent: "Somebody else pushed meanwhile. Run the push again; finished uploads are kept.",
}


def error_from(response: httpx2.Response, endpoint: str) -> RegistryError:
    """The error that an answer other than success stands for, with the server's message, faults and hint."""
    body = _json_object(response)
    kind = (
        BY_CODE.get(response.headers.get("X-Registry-Code") or str(body.get("code", "")))
        or _BY_HUB_CODE.get(response.headers.get("X-Error-Code", ""))
        or _by_status(response.status_code)
    )
    said = body.get("error") or response.headers.get("X-Error-Message")
    message = str(said or f"{endpoint} answered {response.status_code} {response.reason_phrase}.")
    error = kind(message, hint=str(body.get("hint") or _HINTS.get(kind, "")))
    faults = body.get("faults")
    error.faults = tuple(map(str, faults)) if isinstance(faults, list) else ()
    return error


def unreachable(endpoint: str, error: Exception) -> RemoteFailed:
    """The error for a server that could not be reached, or went away in the middle."""
    words = " ".join(str(error).split()) or type(error).__name__
    return RemoteFailed(
        f"{endpoint} cannot be reached: {words}",
        hint="Is the server running? `registry serve --data DIR` starts one; --endpoint names another.",
    )


def _by_status(status: int) -> type[RegistryError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Unavailable if status >= 500 else Refused if status >= 400 else RemoteFailed


def _json_object(response: httpx2.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RuntimeError):  # not JSON, or a stream that nobody read
        return {}
    return body if isinstance(body, dict) else {}
