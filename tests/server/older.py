"""Catalogs as an older version of the server left them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from registry_server.catalog import migrations

SCHEMA = Path(migrations.__file__).parent / "schema"

# Tables that step 005 changed, as they were.
BEFORE_005 = {
    "cards": "select c.repo_id, c.commit_oid, "
    + ", ".join(
        f"(select name from newer.labels where id = c.{name}_id) as {name}"
        for name in ("task", "library", "license", "currency", "energy_source", "footprint_status")
    )
    + ", c.parameters, c.size_bytes, c.energy_kwh, c.co2e_kg, c.water_litres, c.cost, c.duration_seconds, h.card_data,"
    " h.safetensors, coalesce(c.metrics, '{}') as metrics"
    " from newer.cards c join newer.card_heads h on h.repo_id = c.repo_id",
    "metrics": "select m.repo_id, m.position, t.name as task, l.name as metric, g.dataset, g.split, m.value,"
    " m.leads_task, m.leads_model from newer.metrics m join newer.comparison_groups g on g.id = m.group_id"
    " join newer.labels t on t.id = m.task_id join newer.labels l on l.id = m.metric_id",
    "tags": "select l.name as tag, t.repo_id from newer.tags t join newer.labels l on l.id = t.tag_id",
    "card_text": "select w.repo_id as rowid, r.name, '' as tags, w.words as body"
    " from newer.card_words w join newer.repos r on r.id = w.repo_id",
}


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
        filled_by_triggers = {"card_text", "card_vocabulary", "cards_version"} if step >= 5 else set()
        for (table,) in db.execute(
            "select name from main.sqlite_schema where type = 'table'"
            " and name not like 'sqlite_%' and name not like 'card_text_%' and name != 'xet_store'"
        ).fetchall():
            if table in filled_by_triggers:
                continue
            was = BEFORE_005.get(table) if step < 5 else None
            kept = _columns(db, "main", table) & _columns(db, "newer", table)
            select = was or f"select {', '.join(kept)} from newer.{table}"
            columns = ", ".join(name for name, *_ in db.execute(f"{select} limit 0").description)
            db.execute(f"insert into main.{table} ({columns}) {select}")
        done = "select * from newer._sqlite_migrations order by name limit ?"
        db.execute(f"create table _sqlite_migrations as {done}", [step])
        db.execute(f"pragma main.user_version = {step}")
        db.execute("detach newer")
    newer.unlink()


def _columns(db: sqlite3.Connection, schema: str, table: str) -> set[str]:
    return {name for _, name, *_ in db.execute(f"pragma {schema}.table_info({table})")}
