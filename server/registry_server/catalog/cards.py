"""The index over cards: one row for the head of main of each repo, with everything that can be filtered or sorted.

    labels            every name that recurs: tasks, libraries, licences, metrics, tags; rows elsewhere hold its number
    cards             what a list shows
    card_heads        what only the Hub's lists show: README head, parameters by dtype, config, names of files
    metrics           scores, each with what its card is counted by; comparison_groups says what a score is of
    tags              which repo has which
    card_words        words of name and README; card_text finds them
    cards_version     grows with each change that could change a count

Triggers of the schema keep card_text, cards_version and the copies of a repo's privacy in step.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry_core.grades import Level
from registry_core.records import FootprintStatus, ModelSummary
from registry_server.catalog import bases, words
from registry_server.catalog.bases import Base
from registry_server.catalog.engine import Row, Transaction
from registry_server.catalog.repos import COLUMNS, Repo, repo_of


@dataclass(frozen=True)
class MetricEntry:
    """One quality entry. `leads_task` marks the first of its metric for its task, `leads_model` the first of all.

    `higher_is_better` is None where nobody said so; such a score is compared with none.
    """

    task: str
    metric: str
    dataset: str
    split: str | None
    value: float
    leads_task: bool = False
    leads_model: bool = False
    config: str | None = None
    revision: str | None = None
    stderr: float | None = None
    higher_is_better: bool | None = None


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
    energy_low_kwh: float | None = None
    energy_high_kwh: float | None = None
    co2e_kg: float | None = None
    water_litres: float | None = None
    cost: float | None = None
    currency: str | None = None
    duration_seconds: float | None = None
    energy_source: str | None = None
    footprint_status: FootprintStatus = "none"
    level: Level | None = None  # None: nobody graded it
    card_data: dict[str, Any] = field(default_factory=dict)  # the README's structured head
    safetensors: dict[str, Any] | None = None  # {"parameters": {dtype: count}, "total": count}
    config: dict[str, Any] | None = None  # what Hub clients expect of config.json
    files: Sequence[str] | None = ()  # paths; None: an older server indexed it, and kept neither these nor config
    metrics: Sequence[MetricEntry] = ()
    tags: Sequence[str] = ()
    body: str = ""  # the README's text, for full-text search
    bases: Sequence[Base] = ()  # of this registry


@dataclass(frozen=True)
class Found:
    """One hit: the repo and its indexed card, without metrics and body, and without its head unless asked for."""

    repo: Repo
    card: CardIndex
    summary: ModelSummary
    used_bytes: int | None = None  # what the repo's history takes up; None unless asked for


LABELS: tuple[str, ...] = ("task", "library", "license", "currency", "energy_source", "footprint_status")
"""The columns of a card that hold the number of a label, under their names without `_id`."""
LEVELS: tuple[Level, ...] = ("E0", "E1", "E2", "E3", "E4")
_SCALARS = (
    "commit_oid parameters size_bytes energy_kwh energy_low_kwh energy_high_kwh co2e_kg water_litres cost"
    " duration_seconds"
).split()
_HEAD = "h.card_data, h.safetensors, h.config, h.files"

LABEL_ID = "(select id from labels where name = :{})"
"""The number of the label that a parameter names."""
LABEL = "(select l.name from labels l where l.id = {})"
"""The name of the label whose number is in a column."""

SHOWN = f"""{COLUMNS},
    c.level, c.metrics,
    {", ".join(f"c.{name}" for name in _SCALARS)},
    {", ".join(f"{LABEL.format(f'c.{name}_id')} as {name}" for name in LABELS)},
    (select json_group_array(l.name) from tags t join labels l on l.id = t.tag_id where t.repo_id = c.repo_id) as tags,
    (select p.commit_oid from publications p where p.repo_id = c.repo_id order by p.id desc limit 1) as published,
    (select v.verdict from reruns v where v.repo_id = c.repo_id and v.commit_oid = c.commit_oid
        order by v.id desc limit 1) as verdict"""
"""What is read of a card `c` and its repo `r`."""
SHOWN_WITH_HEAD = f"{SHOWN}, {_HEAD}"
"""The same with what is read of `h`, a row of card_heads."""


def index(tx: Transaction, repo_row_id: int, card: CardIndex) -> None:
    """Replace what is indexed of the repo."""
    repo = {"repo": repo_row_id}
    for table in ("cards", "card_heads", "metrics", "tags", "card_words"):
        tx.execute(f"delete from {table} where repo_id = :repo", repo)
    _add_labels(tx, card)
    _add_card(tx, repo, card)
    _add_metrics(tx, repo, card)
    tx.execute_many(
        f"insert into tags (tag_id, repo_id) values ({LABEL_ID.format('tag')}, :repo)",
        ({**repo, "tag": tag} for tag in dict.fromkeys(card.tags)),
    )
    name: str = tx.execute("select name from repos where id = :repo", repo)[0]["name"]
    add_words(tx, repo_row_id, name, card.tags, card.body)
    bases.replace(tx, repo_row_id, card.bases)


def add_words(tx: Transaction, repo_row_id: int, name: str, tags: Iterable[str], body: str) -> None:
    """Make a repo that has no words yet known by those of its name, its tags and its README."""
    tx.execute(
        "insert into card_words (repo_id, name, words) values (:repo, :name, :words)",
        {
            "repo": repo_row_id,
            "name": words.kept(words.folded(name)),
            "words": words.kept(words.folded(" ".join([*tags, body]))),
        },
    )


def of_repo(tx: Transaction, repo: Repo) -> Found | None:
    """What is indexed of one repo that the caller is known to see, with its head."""
    rows = tx.execute(
        f"select {SHOWN_WITH_HEAD} from cards c join repos r on r.id = c.repo_id"
        " join card_heads h on h.repo_id = c.repo_id where c.repo_id = :repo",
        {"repo": repo.row_id},
    )
    return found_of(rows[0], with_head=True) if rows else None


def found_of(row: Row, *, with_head: bool) -> Found:
    """A row that holds all columns of SHOWN, or of SHOWN_WITH_HEAD, as a hit."""
    card = CardIndex(
        **{name: row[name] for name in (*_SCALARS, *LABELS)},
        **(_head(row) if with_head else {}),
        level=None if row["level"] is None else LEVELS[row["level"]],
        tags=sorted(json.loads(row["tags"])),
    )
    repo = repo_of(row)
    return Found(repo, card, _summary(repo, card, json.loads(row["metrics"] or "{}"), row))


def _head(row: Row) -> dict[str, Any]:
    return {
        "card_data": json.loads(row["card_data"]),
        "safetensors": json.loads(row["safetensors"]) if row["safetensors"] else None,
        "config": json.loads(row["config"]) if row["config"] else None,
        "files": json.loads(zlib.decompress(row["files"])) if row["files"] else None,
    }


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
        level=card.level,
    )


# -- writing


def _add_labels(tx: Transaction, card: CardIndex) -> None:
    names = {getattr(card, name) for name in LABELS} | {*card.tags}
    names |= {name for entry in card.metrics for name in (entry.task, entry.metric)}
    tx.execute_many(
        "insert into labels (name) values (:name) on conflict (name) do nothing",
        ({"name": name} for name in sorted(names - {None})),
    )


def _add_card(tx: Transaction, repo: Mapping[str, int], card: CardIndex) -> None:
    ids = ", ".join(LABEL_ID.format(name) for name in LABELS)
    tx.execute(
        f"insert into cards (repo_id, is_model, private_to, level, metrics, {', '.join(_SCALARS)},"
        f" {', '.join(f'{name}_id' for name in LABELS)})"
        " select id, kind = 'model', case private when 0 then null else owner_id end, :level, :metrics,"
        f" {', '.join(f':{name}' for name in _SCALARS)}, {ids} from repos where id = :repo",
        {
            **repo,
            **{name: getattr(card, name) for name in (*_SCALARS, *LABELS)},
            "level": None if card.level is None else LEVELS.index(card.level),
            # As a list shows them: SQLite's own JSON would round them to 15 digits.
            "metrics": json.dumps({e.metric: e.value for e in card.metrics if e.leads_model}) if card.metrics else None,
        },
    )
    tx.execute(
        "insert into card_heads (repo_id, card_data, safetensors, config, files)"
        " values (:repo, :card_data, :safetensors, :config, :files)",
        {
            **repo,
            "card_data": json.dumps(card.card_data),
            "safetensors": json.dumps(card.safetensors) if card.safetensors else None,
            "config": json.dumps(card.config) if card.config else None,
            # A repo of ten thousand files is written anew with each commit; level 1 packs their names tenfold in 3 ms.
            "files": zlib.compress(json.dumps(list(card.files or ())).encode(), 1),
        },
    )


_GROUP = {
    "metric_id": LABEL_ID.format("metric"),
    "task_id": LABEL_ID.format("task"),
    "dataset": ":dataset",
    "coalesce(config, '')": "coalesce(:config, '')",
    "coalesce(split, '')": "coalesce(:split, '')",
    "coalesce(revision, '')": "coalesce(:revision, '')",
}
GROUP_ID = f"(select id from comparison_groups where {' and '.join(f'{what} = {how}' for what, how in _GROUP.items())})"
"""The number of the comparison group whose task, dataset, config, split, revision and metric are parameters."""


def _add_metrics(tx: Transaction, repo: Mapping[str, int], card: CardIndex) -> None:
    rows = [
        {
            **vars(entry),
            **repo,
            "split": entry.split or None,
            "position": position,
            # What `counting` reads: 1 for the first of all, 2 for the first of the card's own task, 3 for both.
            "counted_for": entry.leads_model + 2 * (entry.leads_task and entry.task == card.task),
        }
        for position, entry in enumerate(card.metrics)
    ]
    tx.execute_many(
        "insert into comparison_groups (metric_id, task_id, dataset, config, split, revision)"
        f" values ({LABEL_ID.format('metric')}, {LABEL_ID.format('task')}, :dataset, :config, :split, :revision)"
        " on conflict do nothing",
        rows,
    )
    tx.execute_many(
        "insert into metrics (repo_id, metric_id, position, group_id, task_id, value, stderr, higher_is_better,"
        " leads_task, leads_model, counted_for, of_task_id, library_id, license_id, energy_kwh, private_to)"
        f" select repo_id, {LABEL_ID.format('metric')}, :position, {GROUP_ID}, {LABEL_ID.format('task')}, :value,"
        " :stderr, :higher_is_better, :leads_task, :leads_model, is_model * :counted_for, task_id, library_id,"
        " license_id, energy_kwh, private_to from cards where repo_id = :repo",
        rows,
    )
