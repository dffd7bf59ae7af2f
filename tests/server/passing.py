"""Time that passes for what is stored, and what is left of it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_server.usecases.context import Registry, moment_before

_MOMENTS = {
    "blobs": ["stored_at", "seen_at"],
    "uploads": ["uploaded_at"],
    "xorbs": ["stored_at", "seen_at"],
    "xet_files": ["stored_at"],
    "xet_uploads": ["uploaded_at"],
    "commits": ["created_at"],
}


def later(registry: Registry, **span: float) -> Registry:
    """The same registry so much later; its blob store goes by the clock of the disk, which has not moved."""
    return replace(registry, now=lambda: datetime.now(UTC) + timedelta(**span))


def age(registry: Registry, **span: float) -> None:
    """Everything that is stored was stored so much earlier."""
    seconds = timedelta(**span).total_seconds()
    at = moment_before(registry.now(), seconds)
    with registry.engine.write() as tx:
        for table, columns in _MOMENTS.items():
            for column in columns:
                tx.execute(f"update {table} set {column} = :at", {"at": at})
    for path in registry.settings.blobs_path.rglob("*"):
        if path.is_file():
            then = datetime.now(UTC).timestamp() - seconds
            os.utime(path, (then, then))


def dump(registry: Registry, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of those tables, or of all but the audit, without the numbers that only this copy gave them."""
    with registry.engine.read() as tx:
        names = tables or tuple(
            row["name"]
            for row in tx.execute(
                "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
                " and name not in ('audit', 'card_vocabulary', 'cards_version')"
                " and name not like 'card_text%' and name not like '\\_%' escape '\\'"
            )
        )
        found = {}
        for name in names:
            rows: list[Any] = tx.execute(f"select * from {name}")
            kept = [key for key in (rows[0].keys() if rows else []) if not (name == "commits" and key == "id")]
            found[name] = sorted((tuple(row[key] for key in kept) for row in rows), key=repr)
    return found


def stored(registry: Registry) -> dict[str, bytes]:
    """Everything in the blob store."""
    found = {}
    for key in registry.blobs.keys():  # noqa: SIM118 - no mapping
        with registry.blobs.open(key) as file:
            found[key] = file.read()
    return found
