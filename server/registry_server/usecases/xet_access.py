"""Who may do what in the Xet store: short-lived tokens for the store, and addresses for parts of xorbs.

A token is for one repo and one account. An address is for one span of bytes in one xorb: another part of the same xorb
may belong to a file that the reader must not see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadSignature, URLSafeTimedSerializer

from registry_core.errors import Forbidden, Unauthenticated
from registry_core.ids import RepoId, RepoKind
from registry_server.catalog import accounts, xet
from registry_server.catalog.accounts import Caller
from registry_server.usecases import access
from registry_server.usecases.context import Registry, moment_before
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import XetHash
from registry_server.xet.plan import Fetch

TOKEN_SECONDS = 3600
_CLOCK_SKEW_SECONDS = 300
"""Clients renew a token by their own clock and give up when it is refused, so it lives a little longer than we say."""

_ADDRESS_SECONDS = 3600

XORB_GRACE_SECONDS = 22 * 24 * 3600
"""Clients believe for three weeks that what they sent is stored, and build on it without asking."""

Scope = Literal["read", "write"]


@dataclass(frozen=True)
class Token:
    """What a client shows to the store, and until when in Unix seconds; `generation` is part of the address."""

    text: str
    expires_at: int
    generation: int


@dataclass(frozen=True)
class Session:
    """A caller at work on one repo."""

    caller: Caller
    repo: int


@dataclass(frozen=True)
class Part:
    """The span of a stored xorb that an address is for; both ends count."""

    xorb: XetHash
    first_byte: int
    last_byte: int


def issue_token(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, scope: Scope, ref: str | None
) -> Token:
    """A token for the store, as far as the caller may read the repo or push to `ref`; None: to a new pull request."""
    with registry.engine.read() as tx:
        if scope == "write":
            repo = access.open_for_push(tx, caller, kind, repo_id, ref)
        else:
            repo = access.open_repo(tx, caller, kind, repo_id)
        generation = xet.generation(tx)
    text = _tokens(registry).dumps([scope, repo.row_id, caller.account_id])
    return Token(str(text), int(registry.now().timestamp()) + TOKEN_SECONDS, generation)


def open_token(registry: Registry, text: str | None, scope: Scope) -> Session:
    """The session that a token stands for. Raises Unauthenticated, or Forbidden for one that may only read.

    It ends with the caller's sight of the repo, and with the repo: the next one may get the same number.
    """
    try:
        granted, repo, account_id = _tokens(registry).loads(text or "", max_age=TOKEN_SECONDS + _CLOCK_SKEW_SECONDS)
    except (BadSignature, ValueError, TypeError) as error:
        raise _not_a_token() from error
    if scope == "write" and granted != "write":
        raise Forbidden("This token may only read.", hint="Ask for a write token.")
    with registry.engine.read() as tx:
        caller = accounts.caller_of_account(tx, account_id)
        if not xet.may_read(tx, caller, repo):
            raise _not_a_token()
    return Session(caller, repo)


def uploads_since(registry: Registry) -> str:
    """Xorbs sent after this moment may still be built on by who sent them."""
    return moment_before(registry.now(), XORB_GRACE_SECONDS)


def sign_part(registry: Registry, fetch: Fetch) -> str:
    """An address for one part of a xorb."""
    return str(_addresses(registry).dumps([str(fetch.xorb), fetch.first_byte, fetch.last_byte]))


def read_part(registry: Registry, text: str) -> Part:
    """The part that we signed as `text`. Raises Forbidden otherwise, upon which clients ask for a new plan."""
    try:
        xorb, first_byte, last_byte = _addresses(registry).loads(text, max_age=_ADDRESS_SECONDS)
        return Part(XetHash.parse(xorb), first_byte, last_byte)
    except (BadSignature, InvalidXet, ValueError, TypeError) as error:
        raise Forbidden("This address is not valid, or too old.", hint="Ask for the reconstruction again.") from error


def _not_a_token() -> Unauthenticated:
    return Unauthenticated("This is not a token of the store, or too old.", hint="Start the transfer again.")


def _tokens(registry: Registry) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(registry.settings.secret_key, salt="xet-token")


def _addresses(registry: Registry) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(registry.settings.secret_key, salt="xet-part")
