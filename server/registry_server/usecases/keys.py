"""Keys that accounts sign with: filed once, known again in every signature."""

from __future__ import annotations

import re
from collections.abc import Iterable

from registry_core.errors import AlreadyExists, NotFound
from registry_core.records import PublicKey
from registry_core.signing import key_id
from registry_server.catalog import audit, keys
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.keys import Key
from registry_server.usecases import access
from registry_server.usecases.context import Registry


def register(registry: Registry, caller: Caller, public: str, name: str) -> PublicKey:
    """File a public key under the caller's account; the same one twice changes nothing.

    Raises Invalid for what is no key, and AlreadyExists for one that another account filed or that was revoked.
    """
    access.require_writing_token(caller, "register keys")
    wanted = bytes.fromhex(key_id(public))
    at = registry.stamp()
    with registry.engine.write() as tx:
        if keys.add(tx, caller.account_id, wanted, bytes.fromhex(public), name, at):
            audit.note(tx, at, caller, "key.register", subject=wanted.hex())
        found = keys.known(tx, [wanted])[wanted]
    if found.account != caller.name or found.revoked_at is not None:
        raise AlreadyExists(
            "This key was filed before, by another account or to be revoked.",
            hint="Make a new one with `registry keys new`.",
        )
    return _record(found)


def listed(registry: Registry, caller: Caller) -> list[PublicKey]:
    """The caller's keys that are good, oldest first."""
    access.require_account(caller)
    with registry.engine.read() as tx:
        found = keys.of_account(tx, caller.account_id)
    return [_record(key) for key in found if key.revoked_at is None]


def revoke(registry: Registry, caller: Caller, wanted: str) -> None:
    """From now on, nothing that the caller's key signed counts. Raises NotFound when they have no such key."""
    access.require_writing_token(caller, "revoke keys")
    at = registry.stamp()
    with registry.engine.write() as tx:
        is_id = re.fullmatch("[0-9a-f]{64}", wanted) is not None
        if not is_id or not keys.revoke(tx, caller.account_id, bytes.fromhex(wanted), at):
            raise NotFound("You have no such key.", hint="`registry keys list` shows the keys of this computer.")
        audit.note(tx, at, caller, "key.revoke", subject=wanted)


def known(tx: Transaction, ids: Iterable[str]) -> dict[str, PublicKey]:
    """Those of the keys that are filed and good, by id."""
    found = keys.known(tx, [bytes.fromhex(name) for name in ids])
    return {key.key_id.hex(): _record(key) for key in found.values() if key.revoked_at is None}


def _record(key: Key) -> PublicKey:
    return PublicKey(key.key_id.hex(), key.public_key.hex(), key.name, key.account, key.created_at)
