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
create index reruns_of_repo on reruns (repo_id, commit_oid, id);
