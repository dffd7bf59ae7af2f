create table audit (
    id integer primary key,
    at text not null,
    account text,
    action text not null,
    repo_kind text,
    repo text,
    repo_key text,
    subject text not null,
    detail text not null
);
create index audit_of_repo on audit (repo_key, id);
create index audit_by_moment on audit (at, id);
