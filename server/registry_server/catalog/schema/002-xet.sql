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
insert into xet_store (generation) values (1);
