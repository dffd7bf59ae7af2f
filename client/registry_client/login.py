"""Check a token with a server, and remember it."""

from __future__ import annotations

from dataclasses import dataclass

from registry_client.config import connection, store_login
from registry_client.remote import Remote


@dataclass(frozen=True)
class Login:
    """Who is logged in where, and the file that says so."""

    endpoint: str
    account: str
    path: str


def login(endpoint: str | None, token: str) -> Login:
    """Remember `token` for the server. Raises Unauthenticated when the server does not know it."""
    to = connection(endpoint, token)
    assert to.token is not None
    with Remote(to.endpoint, to.token) as remote:
        account = remote.whoami().name
    return Login(to.endpoint, account, str(store_login(to.endpoint, to.token)))
