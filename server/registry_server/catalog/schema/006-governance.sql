create table admissions (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    account_id integer not null references accounts(id),
    status text not null check (status in ('pending', 'accepted', 'rejected')),
    reason text,
    asked_at text not null,
    unique (repo_id, account_id)
);

create table bases (
    repo_id integer not null references repos(id) on delete cascade,
    position integer not null,
    base_key text not null,
    revision text,
    relation text not null,
    primary key (repo_id, position)
) without rowid;
create index bases_by_key on bases (base_key, repo_id);

create table keys (
    id integer primary key,
    account_id integer not null references accounts(id),
    key_id blob not null unique,
    public_key blob not null,
    name text not null,
    created_at text not null,
    revoked_at text
);
create index keys_of_account on keys (account_id, id);

create table policies (
    id integer primary key,
    owner_id integer not null references accounts(id),
    act text not null,
    source text,
    account_id integer not null references accounts(id),
    created_at text not null
);
create index policies_of_owner on policies (owner_id, act, id);
create table waivers (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    waiver text not null,
    account_id integer not null references accounts(id),
    created_at text not null
);
create index waivers_of_repo on waivers (repo_id, id);
create table decisions (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    commit_oid blob not null,
    act text not null,
    allowed integer not null,
    co2e_kg real,
    decision text not null,
    account_id integer not null references accounts(id),
    decided_at text not null
);
create index decisions_of_commit on decisions (repo_id, commit_oid, id);

create table reuses (
    id integer primary key,
    repo_id integer not null references repos(id) on delete cascade,
    commit_oid blob not null,
    org_id integer not null references accounts(id),
    account_id integer not null references accounts(id),
    envelope text not null,
    stated_at text not null,
    ended_as text check (ended_as in ('withdrawn', 'disproved')),
    ended_at text,
    ended_because text,
    claim text,
    is_stale integer not null default 1
);
create index reuses_of_repo on reuses (repo_id, commit_oid, id);
create index reuses_of_org on reuses (org_id, id);
create index reuses_of_account on reuses (account_id, id);
create index reuses_to_work_out on reuses (id) where is_stale = 1;
create table reuse_repos (
    reuse_id integer not null references reuses(id) on delete cascade,
    repo_id integer not null references repos(id) on delete cascade,
    primary key (reuse_id, repo_id)
) without rowid;
create index reuse_repos_by_repo on reuse_repos (repo_id);
create table reuses_version (number integer not null);
insert into reuses_version (number) values (1);
create trigger reuses_added after insert on reuses begin
    update reuses_version set number = number + 1;
end;
create trigger reuses_changed after update on reuses begin
    update reuses_version set number = number + 1;
end;
create trigger reuses_removed after delete on reuses begin
    update reuses_version set number = number + 1;
end;
create trigger reuses_after_card after insert on cards begin
    update reuses set is_stale = 1 where org_id = (select owner_id from repos where id = new.repo_id);
    update reuses set is_stale = 1 where id in (select reuse_id from reuse_repos where repo_id = new.repo_id);
end;
create trigger reuses_after_rerun after insert on reruns begin
    update reuses set is_stale = 1 where repo_id = new.repo_id and commit_oid = new.commit_oid;
end;
create trigger reuses_after_repo after update of name, owner_id, private on repos begin
    update reuses set is_stale = 1 where id in (select reuse_id from reuse_repos where repo_id = new.id);
end;
create trigger reuses_without_repo after delete on reuse_repos begin
    update reuses set is_stale = 1 where id = old.reuse_id;
end;
create trigger reuses_after_key after update of revoked_at on keys begin
    update reuses set is_stale = 1 where account_id = new.account_id;
end;

create table class_snapshots (
    id integer primary key,
    taken_on text not null
);
create table classes (
    repo_id integer not null references repos(id) on delete cascade,
    snapshot_id integer not null references class_snapshots(id),
    group_id integer not null references comparison_groups(id),
    commit_oid blob not null,
    found text not null,
    primary key (repo_id, snapshot_id, group_id)
) without rowid;
