"""Reading addresses in which a slash may be part of a name.

Hub clients send a revision such as `refs/pr/1` as one segment, `refs%2Fpr%2F1`; WSGI has turned that into slashes
before a route sees it. `KeepEncodedSlashes` goes back to the raw address and puts a control character, which no name
may contain, in the place of each encoded slash; the converters turn it back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from werkzeug.routing import AnyConverter, BaseConverter

from registry_core.ids import RepoKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASH = "\x1f"
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
_KINDS: dict[str, RepoKind] = {"models": "model", "datasets": "dataset"}


class KeepEncodedSlashes:
    """WSGI middleware that keeps `%2F` apart from `/`."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raw = environ.get("RAW_URI", "")
        if _ENCODED_SLASH.search(raw):
            path = urlsplit(raw).path if "://" in raw[:10] else raw.partition("?")[0]
            kept = unquote_to_bytes(_ENCODED_SLASH.sub("%1F", path)).decode("latin-1")
            environ["PATH_INFO"] = kept.removeprefix(environ.get("SCRIPT_NAME", ""))
        return self._app(environ, start_response)


class TextConverter(BaseConverter):
    """One segment, in which an encoded slash is a slash."""

    regex = "[^/]+"
    part_isolating = True

    def to_python(self, value: str) -> str:
        return value.replace(_SLASH, "/")

    @staticmethod
    def of_paths() -> type[TextConverter]:
        """The converter for the rest of an address, slashes included."""
        return _RestConverter


class _RestConverter(TextConverter):
    regex = ".+?"
    part_isolating = False
    weight = 200


class LateConverter(AnyConverter):
    """One of some words, looked at after everything else: a repo may be called like a part of an address."""

    weight = 1000


class RepoKindConverter(BaseConverter):
    """`models` or `datasets`, as the kind of repo."""

    regex = "|".join(_KINDS)

    def to_python(self, value: str) -> RepoKind:
        return _KINDS[value]

    def to_url(self, value: str) -> str:
        return f"{value}s"
