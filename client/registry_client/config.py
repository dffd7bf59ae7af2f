"""Which server to talk to, and with which token.

Each comes from the first place that has it:

    argument  ►  REGISTRY_ENDPOINT, REGISTRY_TOKEN  ►  HF_ENDPOINT, HF_TOKEN  ►  `registry login`  ►
    http://127.0.0.1:8000

What `registry login` stores is one JSON file that only its owner can read: the endpoint of the last login,
and one token for each endpoint. A stored token is only ever sent to the endpoint it was stored for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry_client.writing import rewrite
from registry_core.errors import Invalid

DEFAULT_ENDPOINT = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Connection:
    """A server's address, and the token to show there; None speaks as nobody in particular."""

    endpoint: str
    token: str | None = field(repr=False)


def connection(
    endpoint: str | None = None, token: str | None = None, *, environ: Mapping[str, str] | None = None
) -> Connection:
    """Where to go and with which token, in the order drawn above. Raises Invalid for a faulty endpoint."""
    environ = os.environ if environ is None else environ
    stored = _read(login_path(environ))
    address = checked_endpoint(
        endpoint
        or environ.get("REGISTRY_ENDPOINT")
        or environ.get("HF_ENDPOINT")
        or stored.get("endpoint")
        or DEFAULT_ENDPOINT
    )
    given = token or environ.get("REGISTRY_TOKEN") or environ.get("HF_TOKEN")
    return Connection(address, _checked_token(given or stored.get("tokens", {}).get(address)))


def checked_endpoint(text: str) -> str:
    """`text` without a trailing slash. Raises Invalid unless it is an http(s) address, without a login."""
    try:
        parts = urlsplit(text.strip())
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_valid = urlsplit(""), False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain or not port_is_valid:
        raise Invalid(
            f"{text!r} is not the address of a server.",
            hint=f"An endpoint is an http or https address, for example {DEFAULT_ENDPOINT}.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def store_login(endpoint: str, token: str, *, environ: Mapping[str, str] | None = None) -> Path:
    """Remember `token` for `endpoint`, and `endpoint` as the one to use by default; the file it went to."""
    path = login_path(os.environ if environ is None else environ)
    stored = _read(path)
    tokens = {**stored.get("tokens", {}), endpoint: token}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    rewrite(path, json.dumps({"endpoint": endpoint, "tokens": tokens}, indent=2) + "\n", private=True)
    return path


def login_path(environ: Mapping[str, str]) -> Path:
    """The file of `registry login`, whether it is there or not."""
    folder = environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "model-commons" / "login.json"


def _checked_token(token: str | None) -> str | None:
    if token is None:
        return None
    token = token.strip()  # files and shells like to add a line break
    if token.isascii() and token.isprintable() and " " not in token:  # nothing else can travel in a header
        return token
    raise Invalid("The token contains characters that no token has.", hint="Copy it again, without spaces or quotes.")


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unreadable(path) from error
    if not isinstance(stored, dict) or not isinstance(stored.get("tokens", {}), dict):
        raise _unreadable(path)
    return stored


def _unreadable(path: Path) -> Invalid:
    return Invalid(f"The stored login {path} cannot be read.", hint="Remove the file and run `registry login` again.")
