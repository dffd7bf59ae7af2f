"""Making accounts and knowing callers again."""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

from registry_core.errors import AccountNotFound, AlreadyExists, Unauthenticated
from registry_core.ids import Owner
from registry_server.catalog import accounts, audit
from registry_server.catalog.accounts import ANONYMOUS, Account, AccountKind, Caller, Role
from registry_server.catalog.engine import Transaction
from registry_server.settings import write_private
from registry_server.usecases.context import Registry

ADMIN = Owner("administrator")


def authenticate(registry: Registry, token: str | None) -> Caller:
    """Who holds `token`; the anonymous caller for none. Raises Unauthenticated for a token we do not know."""
    if token is None:
        return ANONYMOUS
    with registry.engine.read() as tx:
        caller = accounts.caller_of_token(tx, _digest(token))
    if caller is None:
        raise Unauthenticated(
            "Invalid credentials in Authorization header",
            hint="Run `registry login` with a token of this server.",
        )
    return caller


def add_user(registry: Registry, name: str, *, token_role: Literal["read", "write"] = "write") -> str:
    """A token for the user `name`, who is made when there is no such user.

    Raises InvalidName, and AlreadyExists when the name is an organisation's.
    """
    owner = Owner(name)
    with registry.engine.write() as tx:
        user = accounts.by_name(tx, owner) or _new_account(registry, tx, owner, "user")
        if user.kind != "user":
            raise AlreadyExists(f"{user.name} is an organisation.", hint="Choose another name.")
        return _new_token(registry, tx, user, name="cli", role=token_role)


def add_organisation(registry: Registry, name: str, members: list[tuple[str, Role]]) -> None:
    """The organisation `name` with those members; one that is there already gets them in addition.

    Raises InvalidName, AlreadyExists when the name is a user's, and AccountNotFound for an unknown member.
    """
    owner = Owner(name)
    with registry.engine.write() as tx:
        org = accounts.by_name(tx, owner) or _new_account(registry, tx, owner, "org")
        if org.kind != "org":
            raise AlreadyExists(f"{org.name} is a user.", hint="Choose another name for the organisation.")
        for member, role in members:
            user = accounts.by_name(tx, member)
            if user is None or user.kind != "user":
                raise AccountNotFound(
                    f"There is no user {member!r}.", hint=f"Run `registry admin user add {member}` first."
                )
            accounts.set_member(tx, org, user, role)
            detail = {"org": org.name, "role": role}
            audit.note(tx, registry.stamp(), None, "member.set", detail=detail, subject=user.name)


def ensure_admin(registry: Registry) -> None:
    """On the first start, make the administrator and write the token to `DATA/admin-token` (0600)."""
    if _has_admin_token(registry):
        return
    with registry.engine.write() as tx:
        admin = accounts.by_name(tx, ADMIN) or _new_account(registry, tx, ADMIN, "user", is_admin=True)
        token = _new_token(registry, tx, admin, name="first start", role="write")
        # Inside the transaction: a crash in between leaves at most a file whose token the next start replaces.
        write_private(registry.settings.admin_token_path, token + "\n")


def _has_admin_token(registry: Registry) -> bool:
    """Whether there is a token in the file, and one that works."""
    try:
        token = registry.settings.admin_token_path.read_text().strip()
    except FileNotFoundError:
        return False
    with registry.engine.read() as tx:
        return accounts.caller_of_token(tx, _digest(token)) is not None


def _new_account(
    registry: Registry, tx: Transaction, name: Owner, kind: AccountKind, *, is_admin: bool = False
) -> Account:
    at = registry.stamp()
    audit.note(tx, at, None, f"{kind}.create", subject=name)
    return accounts.add(tx, name, kind, is_admin=is_admin, at=at)


def _new_token(
    registry: Registry, tx: Transaction, account: Account, *, name: str, role: Literal["read", "write"]
) -> str:
    # The prefix is what Hub clients and secret scanners know.
    token = "hf_" + "".join(secrets.choice(_ALPHABET) for _ in range(34))
    at = registry.stamp()
    accounts.add_token(tx, account.id, _digest(token), name=name, role=role, at=at)
    audit.note(tx, at, None, "token.create", detail={"token": name, "role": role}, subject=account.name)
    return token


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _digest(token: str) -> bytes:
    """Tokens are 200 random bits, so a plain SHA-256 is as good as a slow hash and costs a microsecond."""
    return hashlib.sha256(token.encode()).digest()
