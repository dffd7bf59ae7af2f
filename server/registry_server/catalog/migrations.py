"""The schema of the catalog, step by step.

    accounts ── members            who; which users belong to which organisation
       │  └──── tokens, uploads    proofs; which bytes an account sent lately
       │
     repos ──── refs, commits      names that point to commits; the log
       │  └──── git_repo_objects ── git_objects ── lfs_pointers     blobs, trees, commits, tags; what pointers mean
       │  └──── repo_blobs ─────── blobs                            large files; who holds which
       │
       ├─────── chains, folders, touches            which commit last touched a path
       ├─────── old_names, pulls                    names before a move; pull requests
       ├─────── cards, card_heads, metrics, tags, card_words        the head of main, indexed: see cards.py
       ├─────── publications, reruns
       └─────── reuses ── reuse_repos               statements of reuse, and which repos each tells of: see reuses.py
    weights ─── tensors            headers of safetensors files, by digest

    xorbs ──── xet_chunks          stored xorbs; which chunks are worth asking for
       └────── xet_file_xorbs ──── xet_files      files as lists of terms; blobs and repo_blobs name them by xet_file
    xet_uploads                    which xorbs and files an account sent lately

git ids are 20 raw bytes, SHA-256 digests 32, moments RFC 3339 UTC texts. The SQL of each step stands in `schema/`.
A step once released is never changed: a later step changes what it made.
"""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from typing import TYPE_CHECKING

from registry_core.errors import Unavailable
from registry_server.catalog import touches

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS = 6
"""How many steps there are; kept in SQLite's `user_version`, so that a start on a current schema reads one number and
does not import sqlite_utils (0.2 s)."""


def apply(connection: sqlite3.Connection) -> None:
    """Bring the schema on `connection` up to date."""
    (done,) = connection.execute("pragma user_version").fetchone()
    if done == STEPS:
        return
    if done > STEPS:
        raise Unavailable(
            f"The catalog has schema {done}, and this version of the server knows {STEPS}.",
            hint="Install the newer version again, or restore the backup made before the upgrade.",
        )
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    connection.execute("pragma journal_mode = wal")
    steps = Migrations("catalog")
    for step in (_001_the_first_schema, _002_xet, _003_hub, _004_audit, _005_search, _006_governance):
        steps()(step)
    steps.apply(Database(connection))
    connection.execute(f"pragma user_version = {STEPS}")


def _001_the_first_schema(db: Database) -> None:
    _run(db, "001-first.sql")


def _002_xet(db: Database) -> None:
    _run(db, "002-xet.sql")


def _003_hub(db: Database) -> None:
    from registry_server.catalog.engine import transaction_on

    _run(db, "003-hub.sql")
    tx = transaction_on(db.conn)
    for row in tx.execute("select id from repos"):
        touches.rebuild(tx, row["id"])


def _004_audit(db: Database) -> None:
    _run(db, "004-audit.sql")


def _005_search(db: Database) -> None:
    """What older cards did not say, such as intervals and standard errors, comes with their next commit, or reindex."""
    from registry_server.catalog.cards import add_words
    from registry_server.catalog.engine import transaction_on

    _run(db, "005-search.sql")
    tx = transaction_on(db.conn)
    page = "select rowid as repo, name, tags, body from old_card_text where rowid > :after order by rowid limit 500"
    after = 0
    while rows := tx.execute(page, {"after": after}):
        for row in rows:
            add_words(tx, row["repo"], row["name"], [row["tags"]], row["body"])
        after = rows[-1]["repo"]
    db.execute("drop table old_card_text")


def _006_governance(db: Database) -> None:
    _run(db, "006-governance.sql")


def _run(db: Database, name: str) -> None:
    """Execute the statements of a file in `schema/`, each of which ends where a line does."""
    statement = ""
    for line in (files("registry_server.catalog") / "schema" / name).read_text(encoding="utf-8").splitlines(True):
        statement += line
        if sqlite3.complete_statement(statement):  # also of a trigger, which holds statements itself
            db.execute(statement)
            statement = ""
