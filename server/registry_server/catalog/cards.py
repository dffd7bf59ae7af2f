"""The index over cards: one row for the head of main of each repo, with everything that can be filtered or sorted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from registry_core.ids import RepoKind
from registry_core.records import FootprintStatus, ModelSummary
from registry_core.sorting import Sort
from registry_core.where import Condition
from registry_server.catalog.accounts import Caller
from registry_server.catalog.conditions import condition_sql, sort_sql
from registry_server.catalog.engine import Engine, Row, Transaction
from registry_server.catalog.repos import VISIBLE, Repo, repo_of, seen_by


@dataclass(frozen=True)
class MetricEntry:
    """One quality entry. `leads_task` marks the first of its metric for its task, `leads_model` the first of all."""

    task: str
    metric: str
    dataset: str
    split: str | None
    value: float
    leads_task: bool
    leads_model: bool


@dataclass(frozen=True)
class CardIndex:
    """What is indexed of one commit."""

    commit_oid: bytes
    task: str | None = None
    library: str | None = None
    license: str | None = None
    parameters: int | None = None
    size_bytes: int | None = None
    energy_kwh: float | None = None
    co2e_kg: float | None = None
    water_litres: float | None = None
    cost: float | None = None
    currency: str | None = None
    duration_seconds: float | None = None
    energy_source: str | None = None
    footprint_status: FootprintStatus = "none"
    card_data: dict[str, Any] = field(default_factory=dict)  # the README's structured head
    safetensors: dict[str, Any] | None = None  # {"parameters": {dtype: count}, "total": count}
    metrics: Sequence[MetricEntry] = ()
    tags: Sequence[str] = ()
    body: str = ""  # the README's text, for full-text search


@dataclass(frozen=True)
class Query:
    """What somebody looks for. Every given part must hold."""

    kind: RepoKind = "model"
    text: str | None = None
    task: str | None = None
    author: str | None = None
    tags: Sequence[str] = ()
    name_parts: Sequence[str] = ()  # substrings of the id
    conditions: Sequence[Condition] = ()
    sort: Sort | None = None  # None: last updated first
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True)
class Found:
    """One hit: the repo and its indexed card."""

    repo: Repo
    card: CardIndex
    summary: ModelSummary


_SCALARS = (
    "commit_oid task library license parameters size_bytes energy_kwh co2e_kg water_litres cost currency"
    " duration_seconds energy_source footprint_status"
).split()

_COLUMNS = f"""
select r.id, r.kind, r.owner_id, r.name, r.private, r.created_at, r.updated_at, r.downloads,
    {", ".join(f"c.{name}" for name in _SCALARS)}, c.card_data, c.safetensors, c.metrics,
    (select json_group_array(t.tag) from tags t where t.repo_id = r.id) as tags,
    (select p.commit_oid from publications p where p.repo_id = r.id order by p.id desc limit 1) as published,
    (select v.verdict from reruns v where v.repo_id = r.id and v.commit_oid = c.commit_oid order by v.id desc limit 1)
        as verdict"""
_SELECT = f"{_COLUMNS} from cards c join repos r on r.id = c.repo_id"
_SELECT_BY_CARD = f"{_COLUMNS} from cards c cross join repos r"


def index(tx: Transaction, repo_row_id: int, card: CardIndex) -> None:
    """Replace what is indexed of the repo."""
    repo = {"repo": repo_row_id}
    for statement in (
        "delete from cards where repo_id = :repo",
        "delete from metrics where repo_id = :repo",
        "delete from tags where repo_id = :repo",
        "delete from card_text where rowid = :repo",
    ):
        tx.execute(statement, repo)
    columns = [*_SCALARS, "card_data", "safetensors", "metrics"]
    tx.execute(
        f"insert into cards (repo_id, {', '.join(columns)})"
        f" values (:repo, {', '.join(f':{name}' for name in columns)})",
        {
            **repo,
            **{name: getattr(card, name) for name in _SCALARS},
            "card_data": json.dumps(card.card_data),
            "safetensors": json.dumps(card.safetensors) if card.safetensors else None,
            "metrics": json.dumps({entry.metric: entry.value for entry in card.metrics if entry.leads_model}),
        },
    )
    tx.execute_many(
        "insert into metrics (repo_id, position, task, metric, dataset, split, value, leads_task, leads_model)"
        " values (:repo, :position, :task, :metric, :dataset, :split, :value, :leads_task, :leads_model)",
        ({**repo, "position": position, **vars(entry)} for position, entry in enumerate(card.metrics)),
    )
    tx.execute_many(
        "insert into tags (tag, repo_id) values (:tag, :repo)",
        ({**repo, "tag": tag} for tag in dict.fromkeys(card.tags)),
    )
    tx.execute(
        "insert into card_text (rowid, name, tags, body) select :repo, name, :tags, :body from repos where id = :repo",
        {**repo, "tags": " ".join(card.tags), "body": card.body},
    )


def of_repo(tx: Transaction, repo: Repo) -> Found | None:
    """What is indexed of one repo that the caller is known to see."""
    rows = tx.execute(f"{_SELECT} where c.repo_id = :repo", {"repo": repo.row_id})
    return _found(rows[0]) if rows else None


def find(tx: Transaction, engine: Engine, caller: Caller, query: Query) -> list[Found]:
    """The hits from `query.offset` on, one more than `query.limit` when there are more."""
    where, params = _where(engine, caller, query)
    order, order_params = sort_sql(query.sort, query.task)
    select = _SELECT
    if "words" in params:
        select += " join card_text on card_text.rowid = c.repo_id"
    elif order.startswith("c.") and not query.author and not query.tags:
        # A cross join is read from left to right: cards by the index of what is sorted by, each with its repo, until
        # the page is full. Left alone, SQLite starts at the repos and sorts them all.
        select = _SELECT_BY_CARD
        where.append("r.id = c.repo_id")
    rows = tx.execute(
        f"{select} where {' and '.join(where)} order by {order} limit :limit offset :offset",
        {**params, **order_params, "limit": query.limit + 1, "offset": query.offset},
    )
    return [_found(row) for row in rows]


def _where(engine: Engine, caller: Caller, query: Query) -> tuple[list[str], dict[str, object]]:
    where = ["r.kind = :kind", VISIBLE]
    params: dict[str, object] = {"kind": query.kind, **seen_by(caller)}
    if query.task is not None:
        where.append("c.task = :task")
        params["task"] = query.task
    if query.author is not None:
        where.append("r.owner_id = (select a.id from accounts a where a.key = :author)")
        params["author"] = query.author.lower()
    if query.text and (words := _words(query.text)):
        where.append(engine.text_match("card_text", "words"))
        params["words"] = words
    for i, tag in enumerate(query.tags):
        where.append(f"c.repo_id in (select repo_id from tags where tag = :tag{i})")
        params[f"tag{i}"] = tag
    for i, part in enumerate(query.name_parts):
        where.append(f"instr(r.key, :part{i}) > 0")
        params[f"part{i}"] = part.lower()
    for i, condition in enumerate(query.conditions):
        sql, condition_params = condition_sql(condition, f"w{i}_", query.task)
        where.append(sql)
        params.update(condition_params)
    return where, params


def _words(text: str) -> str:
    """What a person typed, as a full-text query: every word must occur, each may be cut short."""
    words = "".join(char if char.isalnum() else " " for char in text).split()
    return " ".join(f'"{word}"*' for word in words[:16])


def _found(row: Row) -> Found:
    scalars = {name: row[name] for name in _SCALARS}
    metrics: dict[str, float] = json.loads(row["metrics"])
    card = CardIndex(
        **scalars,
        card_data=json.loads(row["card_data"]),
        safetensors=json.loads(row["safetensors"]) if row["safetensors"] else None,
        tags=json.loads(row["tags"]),
    )
    repo = repo_of(row)
    return Found(repo, card, _summary(repo, card, metrics, row))


def _summary(repo: Repo, card: CardIndex, metrics: dict[str, float], row: Row) -> ModelSummary:
    return ModelSummary(
        id=repo.id,
        commit_id=card.commit_oid.hex(),
        private=repo.private,
        task=card.task,
        library=card.library,
        license=card.license,
        tags=list(card.tags),
        parameters=card.parameters,
        size_bytes=card.size_bytes,
        energy_kwh=card.energy_kwh,
        co2e_kg=card.co2e_kg,
        water_litres=card.water_litres,
        cost=card.cost,
        currency=card.currency,
        duration_seconds=card.duration_seconds,
        footprint_status=card.footprint_status,
        energy_source=card.energy_source,
        metrics=metrics,
        published_commit_id=row["published"].hex() if row["published"] else None,
        last_verdict=row["verdict"],
        created_at=repo.created_at,
        updated_at=repo.updated_at,
    )
