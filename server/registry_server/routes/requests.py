"""What every route needs of a request: the registry, the caller, checked names, a checked body."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from flask import Response, current_app, g, request
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from registry_core.errors import Invalid, InvalidName, RepoNotFound, Unauthenticated
from registry_core.ids import RepoId
from registry_server.catalog.accounts import Caller
from registry_server.usecases import accounts
from registry_server.usecases.context import Registry

READ_BYTES = 1 << 20

_BODY_BYTES = 16 << 20
_NUMBER = re.compile("[0-9]{1,9}")

Model = TypeVar("Model")


Words = Annotated[str, AfterValidator(lambda text: text.replace("\0", ""))]
"""What a person says of a commit or a tag, as git can keep it: without NUL."""


class Body(BaseModel):
    """Base of request bodies: strict, frozen, and open to keys of newer clients."""

    model_config = ConfigDict(defer_build=True, strict=True, frozen=True, extra="ignore")


def registry() -> Registry:
    """The registry behind this application."""
    found: Registry = current_app.extensions["registry"]
    return found


def caller() -> Caller:
    """Who asks. Raises Unauthenticated for credentials that we do not know."""
    if "caller" not in g:
        g.caller = accounts.authenticate(registry(), _token())
    found: Caller = g.caller
    return found


def is_anonymous() -> bool:
    """Whether the request carried no credentials at all."""
    return "Authorization" not in request.headers


def repo_id(owner: str, name: str) -> RepoId:
    """The id in an address. One that nobody could ever have made is simply not found."""
    try:
        return RepoId(f"{owner}/{name}")
    except InvalidName as error:
        raise RepoNotFound("Repository not found", hint=error.hint) from error


def base_url() -> str:
    """How the client reaches us, without a slash at the end: clients parse our answers against their own endpoint."""
    return registry().settings.public_url or request.host_url.rstrip("/") + request.script_root


def link_to_next(response: Response, cursor: str) -> None:
    """Announce the next page: this same address with another cursor, absolute, since clients refuse a relative one."""
    raw = request.environ.get("RAW_URI", "").partition("?")[0]
    path = urlsplit(raw).path if "://" in raw[:10] else raw or quote(request.path)
    args = [
        *((key, value) for key, value in request.args.items(multi=True) if key != "cursor"),
        ("cursor", cursor),
    ]
    host = registry().settings.public_url or request.host_url.rstrip("/")
    response.headers["Link"] = f'<{host}{path}?{urlencode(args)}>; rel="next"'


def flag(name: str) -> bool:
    """A yes-or-no parameter: newer clients write `true`, older ones `True`."""
    return request.args.get(name, "").lower() in ("true", "1")


def whole_number(name: str, default: int) -> int:
    """A parameter that is a whole number. Raises Invalid."""
    text = request.args.get(name) or str(default)
    if not _NUMBER.fullmatch(text):
        raise Invalid(f"{name} is {text[:20]!r}.", hint="It is a whole number of at most nine digits.")
    return int(text)


def body(adapter: TypeAdapter[Model]) -> Model:
    """The JSON body as a checked value. Raises Invalid, naming every fault."""
    data = bytearray()
    for piece in body_chunks():
        data += piece
        if len(data) > _BODY_BYTES:
            raise Invalid(f"The body is larger than {_BODY_BYTES >> 20} MiB.")
    return checked(adapter, bytes(data) or b"{}")


def checked(adapter: TypeAdapter[Model], data: bytes) -> Model:
    """JSON bytes as a checked value. Raises Invalid, naming every fault."""
    try:
        # pydantic's own reader, since Python's lets lone surrogates in, which no other text of ours could hold.
        return adapter.validate_json(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in found]
        is_json = found[0]["type"] != "json_invalid"
        what = "what was expected" if is_json else "JSON"
        raise Invalid(f"The body of the request is not {what}.", faults=faults[:50]) from None


def from_base64(text: str, what: str) -> bytes:
    """The bytes that `text` writes. Raises Invalid, naming `what`."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:  # also for a text that is not ASCII
        raise Invalid(f"{what} is not base64.") from error


def body_chunks() -> Iterator[bytes]:
    """The raw body in pieces.

    Raises Invalid when it ends before its announced end: a client that vanished must not look like one that is done.
    """
    # The server's own stream where the length is known: Flask's copies every piece three times more.
    length = request.content_length
    stream = request.stream if length is None else request.environ["wsgi.input"]
    left = READ_BYTES if length is None else length
    try:
        while left and (piece := stream.read(min(READ_BYTES, left))):
            left -= 0 if length is None else len(piece)
            yield piece
    except OSError as error:
        raise _cut() from error
    if length is not None and left:
        raise _cut()


def _cut() -> Invalid:
    return Invalid("The body of the request ended early.", hint="Send it again.")


def finish_response(response: Response) -> Response:
    """What every answer carries: the client's own request id, and headers that keep a browser from guessing."""
    request_id = request.headers.get("X-Request-Id") or request.headers.get("X-Amzn-Trace-Id")
    if request_id:
        response.headers["X-Request-Id"] = request_id
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    return response


def as_json(document: Any, status: int = 200) -> Response:
    """`document`, in which dataclasses may stand for maps, as a compact JSON answer."""
    # `vars` of a frozen record is its map already; `dataclasses.asdict` copies every value, which took half a request.
    return Response(json.dumps(document, separators=(",", ":"), default=vars), status, mimetype="application/json")


def _token() -> str | None:
    """The token of a Bearer header, or the password of a Basic one, as git and git-lfs send it."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().partition(":")[2]
        except ValueError:
            pass
    raise Unauthenticated("Invalid credentials in Authorization header", hint="Send Authorization: Bearer TOKEN.")
