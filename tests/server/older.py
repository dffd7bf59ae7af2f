"""Catalogs as an older version of the server left them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from registry_server.catalog import migrations

SCHEMA = Path(migrations.__file__).parent / "schema"


def take_back_to(step: int, path: Path) -> None:
    """Give the catalog at `path`, which nobody has open, the schema of `step`; what that schema knows is kept."""
    newer = path.with_name("newer.sqlite3")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    path.rename(newer)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for file in sorted(SCHEMA.iterdir())[:step]:
            db.executescript(file.read_text(encoding="utf-8"))
        db.execute("attach :newer as newer", {"newer": str(newer)})
        for (table,) in db.execute(
            "select name from main.sqlite_schema where type = 'table'"
            " and name not like 'sqlite_%' and name not like 'card_text_%' and name != 'xet_store'"
        ).fetchall():
            columns = ", ".join(_columns(db, "main", table) & _columns(db, "newer", table))
            rowid = "rowid, " if table == "card_text" else ""
            db.execute(f"insert into main.{table} ({rowid}{columns}) select {rowid}{columns} from newer.{table}")
        done = "select * from newer._sqlite_migrations order by name limit ?"
        db.execute(f"create table _sqlite_migrations as {done}", [step])
        db.execute(f"pragma main.user_version = {step}")
        db.execute("detach newer")
    newer.unlink()


def _columns(db: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {name for _, name, *_ in db.execute(f"pragma {schema}.table_info({table})")}
