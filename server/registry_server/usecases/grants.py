"""Signed addresses: what may be sent or fetched by them, since Hub clients send no token with the bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from itsdangerous import BadSignature, URLSafeTimedSerializer

from registry_core.errors import Forbidden
from registry_server.usecases.context import Registry

_ADDRESS_SECONDS = 24 * 3600
"""An upload must begin within a day of being announced."""

Direction = Literal["upload", "part", "complete", "verify", "download"]


@dataclass(frozen=True)
class Grant:
    """What a signed address allows: to send or to fetch these bytes, for this repo, as this account."""

    direction: Direction
    repo: int
    account: int
    digest: str
    size_bytes: int
    xet_file: str | None = None  # the Xet file to fetch the bytes from
    part: int = 0  # counted from 1
    part_bytes: int = 0


def sign(registry: Registry, grant: Grant) -> str:
    """The grant as a text for an address."""
    return str(_signer(registry).dumps(list(asdict(grant).values())))


def read(registry: Registry, token: str, direction: Direction) -> Grant:
    """The grant that we signed as `token`. Raises Forbidden for any other text, or after a day."""
    try:
        grant = Grant(*_signer(registry).loads(token, max_age=_ADDRESS_SECONDS))
    except (BadSignature, TypeError) as error:
        raise Forbidden("This address is not valid, or too old.", hint="Ask for a new one by pushing again.") from error
    if grant.direction != direction:
        raise Forbidden("This address is for something else.", hint="Ask for a new one by pushing again.")
    return grant


def _signer(registry: Registry) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(registry.settings.secret_key, salt="lfs")
