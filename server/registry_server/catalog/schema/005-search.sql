alter table repos add column gated text;
drop index cards_by_energy;
drop index cards_by_co2e;
drop index cards_by_duration;
drop index cards_by_energy_alone;
drop index metrics_by_value;
drop index metrics_leading_model;
drop index tags_of_repo;
alter table cards rename to old_cards;
alter table metrics rename to old_metrics;
alter table tags rename to old_tags;
alter table card_text rename to old_card_text;

create table labels (
    id integer primary key,
    name text not null unique
);
create table cards (
    repo_id integer primary key references repos(id) on delete cascade,
    commit_oid blob not null,
    is_model integer not null,
    private_to integer,
    task_id integer,
    library_id integer,
    license_id integer,
    currency_id integer,
    energy_source_id integer,
    footprint_status_id integer not null,
    level integer,
    parameters integer,
    size_bytes integer,
    energy_kwh real,
    energy_low_kwh real,
    energy_high_kwh real,
    co2e_kg real,
    water_litres real,
    cost real,
    duration_seconds real,
    metrics text
);
create table card_heads (
    repo_id integer primary key references repos(id) on delete cascade,
    card_data text not null,
    safetensors text,
    config text,
    files blob
);
create table comparison_groups (
    id integer primary key,
    metric_id integer not null,
    task_id integer not null,
    dataset text not null,
    config text,
    split text,
    revision text
);
create unique index comparison_groups_by_what on comparison_groups (
    metric_id, task_id, dataset, coalesce(config, ''), coalesce(split, ''), coalesce(revision, '')
);
create table metrics (
    repo_id integer not null references repos(id) on delete cascade,
    metric_id integer not null,
    position integer not null,
    group_id integer not null references comparison_groups(id),
    task_id integer not null,
    value real not null,
    stderr real,
    higher_is_better integer,
    leads_task integer not null,
    leads_model integer not null,
    counted_for integer not null,
    of_task_id integer,
    library_id integer,
    license_id integer,
    energy_kwh real,
    private_to integer,
    primary key (repo_id, metric_id, position)
) without rowid;
create table tags (
    tag_id integer not null,
    repo_id integer not null references repos(id) on delete cascade,
    primary key (tag_id, repo_id)
) without rowid;
create table card_words (
    repo_id integer primary key references repos(id) on delete cascade,
    name text not null,
    words text not null
);
create virtual table card_text using fts5 (
    name, words, content = 'card_words', content_rowid = 'repo_id', detail = none, columnsize = 0, tokenize = 'ascii'
);
create virtual table card_vocabulary using fts5vocab (card_text, row);
create table cards_version (number integer not null);
insert into cards_version (number) values (1);

insert into labels (name)
    select task from old_cards where task is not null
    union select library from old_cards where library is not null
    union select license from old_cards where license is not null
    union select currency from old_cards where currency is not null
    union select energy_source from old_cards where energy_source is not null
    union select footprint_status from old_cards
    union select task from old_metrics
    union select metric from old_metrics
    union select tag from old_tags;
insert into cards (
    repo_id, commit_oid, is_model, private_to, task_id, library_id, license_id, currency_id, energy_source_id,
    footprint_status_id, parameters, size_bytes, energy_kwh, co2e_kg, water_litres, cost, duration_seconds,
    metrics
)
    select o.repo_id, o.commit_oid, r.kind = 'model', case r.private when 0 then null else r.owner_id end,
        (select id from labels where name = o.task), (select id from labels where name = o.library),
        (select id from labels where name = o.license), (select id from labels where name = o.currency),
        (select id from labels where name = o.energy_source), (select id from labels where name = o.footprint_status),
        o.parameters, o.size_bytes, o.energy_kwh, o.co2e_kg, o.water_litres, o.cost, o.duration_seconds,
        nullif(o.metrics, '{}')
    from old_cards o join repos r on r.id = o.repo_id;
insert into card_heads (repo_id, card_data, safetensors) select repo_id, card_data, safetensors from old_cards;
insert into comparison_groups (metric_id, task_id, dataset, split)
    select distinct m.id, t.id, o.dataset, nullif(o.split, '')
    from old_metrics o join labels m on m.name = o.metric join labels t on t.name = o.task;
insert into metrics (
    repo_id, metric_id, position, group_id, task_id, value, leads_task, leads_model, counted_for,
    of_task_id, library_id, license_id, energy_kwh, private_to
)
    select o.repo_id, m.id, o.position, g.id, t.id, o.value, o.leads_task, o.leads_model,
        c.is_model * (o.leads_model + 2 * (o.leads_task and coalesce(t.id = c.task_id, 0))),
        c.task_id, c.library_id, c.license_id, c.energy_kwh, c.private_to
    from old_metrics o join labels m on m.name = o.metric join labels t on t.name = o.task
    join cards c on c.repo_id = o.repo_id
    join comparison_groups g on g.metric_id = m.id and g.task_id = t.id and g.dataset = o.dataset
        and coalesce(g.split, '') = coalesce(o.split, '');
insert into tags (tag_id, repo_id) select l.id, o.repo_id from old_tags o join labels l on l.name = o.tag;

create index cards_by_energy on cards (task_id, energy_kwh);
create index cards_by_co2e on cards (task_id, co2e_kg);
create index cards_by_duration on cards (task_id, duration_seconds);
create index cards_by_energy_alone on cards (energy_kwh);
create index cards_counted on cards (is_model, task_id, library_id, license_id, energy_kwh, private_to);
create index metrics_by_value on metrics (metric_id, task_id, value, leads_task) where leads_task = 1;
create index metrics_leading_model on metrics (metric_id, value, leads_model) where leads_model = 1;
create index metrics_counted on metrics (
    metric_id, of_task_id, library_id, license_id, value, energy_kwh, private_to, counted_for
) where counted_for > 0;
create index metrics_of_group on metrics (group_id);
create index tags_of_repo on tags (repo_id);

create trigger card_words_added after insert on card_words begin
    insert into card_text (rowid, name, words) values (new.repo_id, new.name, new.words);
end;
create trigger card_words_removed after delete on card_words begin
    insert into card_text (card_text, rowid, name, words) values ('delete', old.repo_id, old.name, old.words);
end;
create trigger card_words_changed after update on card_words begin
    insert into card_text (card_text, rowid, name, words) values ('delete', old.repo_id, old.name, old.words);
    insert into card_text (rowid, name, words) values (new.repo_id, new.name, new.words);
end;
create trigger repos_seen_by_others after update of private, owner_id, name on repos begin
    update cards set private_to = case new.private when 0 then null else new.owner_id end where repo_id = new.id;
    update metrics set private_to = case new.private when 0 then null else new.owner_id end where repo_id = new.id;
end;
create trigger cards_added after insert on cards begin
    update cards_version set number = number + 1;
end;
create trigger cards_removed after delete on cards begin
    update cards_version set number = number + 1;
end;
create trigger cards_seen_by_others after update of private_to on cards begin
    update cards_version set number = number + 1;
end;

drop table old_cards;
drop table old_metrics;
drop table old_tags;
