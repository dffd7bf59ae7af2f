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
       ├─────── cards, metrics, tags, card_text     the head of main, indexed
       └─────── publications, reruns
    weights ─── tensors            headers of safetensors files, by digest

    xorbs ──── xet_chunks          stored xorbs; which chunks are worth asking for
       └────── xet_file_xorbs ──── xet_files      files as lists of terms; blobs and repo_blobs name them by xet_file
    xet_uploads                    which xorbs and files an account sent lately

git ids are 20 raw bytes, SHA-256 digests 32, moments RFC 3339 UTC texts. A step once released is never changed: a later
step changes what it made.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from registry_core.errors import Unavailable
from registry_server.catalog import touches

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS = 3
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
    steps()(_001_the_first_schema)
    steps()(_002_xet)
    steps()(_003_hub)
    steps.apply(Database(connection))
    connection.execute(f"pragma user_version = {STEPS}")


def _001_the_first_schema(db: Database) -> None:
    _run(db, _FIRST_SCHEMA)


def _002_xet(db: Database) -> None:
    _run(db, _XET)


def _003_hub(db: Database) -> None:
    from registry_server.catalog.engine import transaction_on

    _run(db, _HUB)
    tx = transaction_on(db.conn)
    for row in tx.execute("select id from repos"):
        touches.rebuild(tx, row["id"])


def _run(db: Database, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            db.execute(statement)


_FIRST_SCHEMA = """
create table accounts (
    id integer primary key,
    name text not null,
    key text not null unique,
    kind text not null check (kind in ('user', 'org')),
    is_admin integer not null default 0,
    created_at text not null
);
create table members (
    org_id integer not null references accounts(id),
    user_id integer not null references accounts(id),
    role text not null check (role in ('read', 'write', 'admin')),
    primary key (org_id, user_id)
) without rowid;
create index members_of_user on members (user_id, org_id);
create table tokens (
    id integer primary key,
    account_id integer not null references accounts(id),
    digest blob not null unique,
    name text not null,
    role text not null check (role in ('read', 'write')),
    created_at text not null
);

create table repos (
    id integer primary key,
    kind text not null check (kind in ('model', 'dataset')),
    owner_id integer not null references accounts(id),
    name text not null,
    key text not null,
    private integer not null,
    created_at text not null,
    updated_at text not null,
    unique (kind, key)
);
create index repos_by_owner on repos (owner_id, kind);
create index repos_by_update on repos (kind, updated_at);
create table git_objects (
    id integer primary key,
    oid blob not null unique,
    type integer not null,
    size integer not null,
    sha256 blob not null,
    data blob
);
create table git_repo_objects (
    repo_id integer not null references repos(id) on delete cascade,
    object_id integer not null references git_objects(id),
    primary key (repo_id, object_id)
) without rowid;
create index git_object_owners on git_repo_objects (object_id, repo_id);
create table lfs_pointers (
    oid blob primary key,
    digest blob not null,
    size integer not null
) without rowid;
create table refs (
    repo_id integer not null references repos(id) on delete cascade,
    name text not null,
    oid blob not null,
    commit_oid blob not null,
    primary key (repo_id, name)
) without rowid;
create table commits (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    oid blob not null,
    parent blob,
    created_at text not null,
    author text not null,
    title text not null,
    message text not null,
    unique (repo_id, oid)
);

create table blobs (
    digest blob primary key,
    size integer not null,
    stored_at text not null,
    seen_at text not null
) without rowid;
create table repo_blobs (
    repo_id integer not null references repos(id) on delete cascade,
    digest blob not null,
    primary key (repo_id, digest)
) without rowid;
create index blob_holders on repo_blobs (digest, repo_id);
create table uploads (
    account_id integer not null references accounts(id),
    digest blob not null references blobs(digest),
    uploaded_at text not null,
    primary key (account_id, digest)
) without rowid;

create table weights (
    digest blob primary key,
    fault text,
    parameters integer not null,
    parameters_by_dtype text not null,
    metadata text not null
) without rowid;
create table tensors (
    digest blob not null references weights(digest) on delete cascade,
    position integer not null,
    name text not null,
    dtype text not null,
    shape text not null,
    primary key (digest, position)
) without rowid;

create table cards (
    repo_id integer primary key references repos(id) on delete cascade,
    commit_oid blob not null,
    task text,
    library text,
    license text,
    parameters integer,
    size_bytes integer,
    energy_kwh real,
    co2e_kg real,
    water_litres real,
    cost real,
    currency text,
    duration_seconds real,
    energy_source text,
    footprint_status text not null,
    card_data text not null,
    safetensors text,
    metrics text not null
);
create index cards_by_energy on cards (task, energy_kwh);
create index cards_by_co2e on cards (task, co2e_kg);
create index cards_by_duration on cards (task, duration_seconds);
create index cards_by_energy_alone on cards (energy_kwh);
create table metrics (
    repo_id integer not null references repos(id) on delete cascade,
    position integer not null,
    task text not null,
    metric text not null,
    dataset text not null,
    split text,
    value real not null,
    leads_task integer not null,
    leads_model integer not null,
    primary key (repo_id, position)
) without rowid;
create index metrics_by_value on metrics (metric, task, value) where leads_task = 1;
create index metrics_leading_model on metrics (metric, value) where leads_model = 1;
create table tags (
    tag text not null,
    repo_id integer not null references repos(id) on delete cascade,
    primary key (tag, repo_id)
) without rowid;
create index tags_of_repo on tags (repo_id);
create virtual table card_text using fts5 (name, tags, body, tokenize = 'porter unicode61');

create table publications (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    commit_oid blob not null,
    account_id integer not null references accounts(id),
    published_at text not null
);
create index publications_of_repo on publications (repo_id, id);
create table reruns (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    commit_oid blob not null,
    account_id integer not null references accounts(id),
    created_at text not null,
    verdict text not null,
    report text not null
);
create index reruns_of_repo on reruns (repo_id, commit_oid, id)
"""

_XET = """
alter table blobs add column xet_file blob;
alter table repo_blobs add column xet_file blob;
create index repo_blobs_by_xet_file on repo_blobs (xet_file, repo_id) where xet_file is not null;
create table xorbs (
    id integer primary key,
    hash blob not null unique,
    size integer not null,
    chunk_index blob not null,
    stored_at text not null,
    seen_at text not null
);
create table xet_files (
    id integer primary key,
    hash blob not null,
    digest blob not null,
    size integer not null,
    terms blob not null,
    stored_at text not null,
    checked_at text,
    fault text,
    unique (digest, hash)
);
create index xet_files_by_hash on xet_files (hash);
create index xet_files_unchecked on xet_files (id) where checked_at is null;
create table xet_file_xorbs (
    xorb_hash blob not null,
    file_hash blob not null,
    primary key (xorb_hash, file_hash)
) without rowid;
create index xorbs_of_xet_file on xet_file_xorbs (file_hash, xorb_hash);
create table xet_chunks (
    chunk_hash blob not null,
    xorb_hash blob not null,
    primary key (chunk_hash, xorb_hash)
) without rowid;
create table xet_uploads (
    account_id integer not null references accounts(id),
    hash blob not null,
    uploaded_at text not null,
    primary key (account_id, hash)
) without rowid;
create table xet_store (
    generation integer not null
);
insert into xet_store (generation) values (1)
"""

_HUB = """
alter table repos add column downloads integer not null default 0;
alter table commits add column chain integer;
alter table commits add column generation integer;
create unique index commits_by_chain on commits (chain, generation) where chain is not null;
create table chains (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    parent integer,
    fork integer not null,
    tip integer not null
);
create index chains_of_repo on chains (repo_id);
create table folders (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    path text not null,
    unique (repo_id, path)
);
create table touches (
    folder_id integer not null references folders(id) on delete cascade,
    name text not null,
    chain integer not null,
    generation integer not null,
    primary key (folder_id, name, chain, generation)
) without rowid;
create table old_names (
    kind text not null,
    key text not null,
    repo_id integer not null references repos(id) on delete cascade,
    primary key (kind, key)
) without rowid;
create index old_names_of_repo on old_names (repo_id);
create table pulls (
    repo_id integer not null references repos(id) on delete cascade,
    number integer not null,
    account_id integer not null references accounts(id),
    base text not null,
    start blob not null,
    status text not null,
    title text not null,
    description text not null,
    created_at text not null,
    primary key (repo_id, number)
) without rowid
"""
