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
) without rowid;
