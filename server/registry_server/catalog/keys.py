"""Public keys that accounts registered, to know again who signed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry_server.catalog.engine import Row, Transaction, in_list


@dataclass(frozen=True)
class Key:
    """A registered Ed25519 key. One that was revoked signs nothing any more, and its number stays."""

    key_id: bytes  # SHA-256 of the public key
    public_key: bytes  # 32 raw bytes
    account: str
    name: str
    created_at: str
    revoked_at: str | None


_SELECT = (
    "select k.key_id, k.public_key, a.name as account, k.name, k.created_at, k.revoked_at"
    " from keys k join accounts a on a.id = k.account_id"
)


def add(tx: Transaction, account_id: int, key_id: bytes, public_key: bytes, name: str, at: str) -> bool:
    """Register a key; False when somebody did already."""
    changed = tx.changed(
        "insert into keys (account_id, key_id, public_key, name, created_at)"
        " values (:account, :key_id, :public_key, :name, :at) on conflict (key_id) do nothing",
        {"account": account_id, "key_id": key_id, "public_key": public_key, "name": name, "at": at},
    )
    return changed > 0


def of_account(tx: Transaction, account_id: int) -> list[Key]:
    """The keys of one account, oldest first."""
    return [_key(row) for row in tx.execute(f"{_SELECT} where k.account_id = :id order by k.id", {"id": account_id})]


def known(tx: Transaction, key_ids: Iterable[bytes]) -> dict[bytes, Key]:
    """Those of the keys that are registered, by their id."""
    listed, params = in_list("k", key_ids)
    return {row["key_id"]: _key(row) for row in tx.execute(f"{_SELECT} where k.key_id in {listed}", params)}


def revoke(tx: Transaction, account_id: int, key_id: bytes, at: str) -> bool:
    """Mark a key of the account as revoked; False when the account has no such key that is still good."""
    changed = tx.changed(
        "update keys set revoked_at = :at where account_id = :account and key_id = :key_id and revoked_at is null",
        {"account": account_id, "key_id": key_id, "at": at},
    )
    return changed > 0


def _key(row: Row) -> Key:
    return Key(row["key_id"], row["public_key"], row["account"], row["name"], row["created_at"], row["revoked_at"])
