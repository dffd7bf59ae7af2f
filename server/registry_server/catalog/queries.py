"""What somebody looks for among the cards, and the conditions that it makes in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry_core.ids import RepoKind
from registry_core.reaching import AtLeast
from registry_core.sorting import Sort
from registry_core.where import And, Comparison, Condition, In, names
from registry_server.catalog import words
from registry_server.catalog.accounts import Caller
from registry_server.catalog.cards import LABEL_ID
from registry_server.catalog.conditions import OF_REPO, Sql, ValueSql, condition_sql, leads_sql
from registry_server.catalog.repos import VISIBLE_CARD, seen_by

BY_UPDATE = Sort("updated_at", descending=True)


@dataclass(frozen=True)
class Query:
    """What somebody looks for. Every given part must hold."""

    kind: RepoKind = "model"
    text: str | None = None  # one without any word matches nothing
    task: str | None = None
    author: str | None = None
    tags: Sequence[str] = ()
    name_parts: Sequence[str] = ()  # substrings of the id
    gated: bool | None = None
    conditions: Sequence[Condition] = ()
    at_least: AtLeast | None = None
    sort: Sort = BY_UPDATE
    limit: int = 20
    offset: int = 0
    with_head: bool = False  # whether hits carry what card_heads keeps
    with_used_bytes: bool = False

    @property
    def beginnings(self) -> list[str]:
        """How words must begin that a card must have."""
        return words.asked(self.text or "")

    @property
    def matches_nothing(self) -> bool:
        """Whether a text was given in which there is no word."""
        return self.text is not None and not self.beginnings

    @property
    def restricts_repo(self) -> bool:
        """Whether something is asked, beside conditions, of what stands with the repo and not with its card."""
        return bool(self.author is not None or self.gated is not None or self.name_parts)

    @property
    def needs_repo(self) -> bool:
        """Whether anything that is asked, or sorted by, stands with the repo and not with its card."""
        asked = {self.sort.name}.union(*(names(condition) for condition in self.conditions))
        return self.restricts_repo or bool(asked & OF_REPO.keys())

    @property
    def leaves(self) -> list[Condition]:
        """The conditions each of which must hold by itself."""
        return [leaf for condition in self.conditions for leaf in _leaves(condition)]

    def requires(self, name: str) -> bool:
        """Whether only cards match that have a value under that name."""
        return any(isinstance(leaf, Comparison | In) and leaf.name == name for leaf in self.leaves)


@dataclass(frozen=True)
class Start:
    """Where a statement begins: tables of which one is `c` (cards), and what it asks of them beside the query's own."""

    tables: str
    where: str = "1"
    reads_repo: bool = False  # whether one of the tables is `r`
    along_metric: bool = False  # whether one of them is `s` (metrics), the entry that is sorted by
    beginning: str | None = None  # which of the query's beginnings of words its cards have

    def tables_for(self, query: Query) -> str:
        """The tables, with the repo if the query needs it."""
        return self.tables if self.reads_repo or not query.needs_repo else f"{self.tables} {REPO_OF_CARD}"


REPO_OF_CARD = "cross join repos r on r.id = c.repo_id"
"""A cross join is read from left to right: SQLite would sometimes start at the repos, and sort them all."""


def where_sql(query: Query, caller: Caller, value_sql: ValueSql, start: Start) -> Sql:
    """What must hold of a card `c` from `start`, and of its repo `r` if the query needs it."""
    # A plus keeps SQLite from beginning at an index of that column.
    where = ["+c.is_model = :is_model", VISIBLE_CARD]
    params: dict[str, object] = {"is_model": int(query.kind == "model"), **seen_by(caller)}
    if query.task is not None:
        where.append(f"c.task_id = {LABEL_ID.format('task')}")
        params["task"] = query.task
    if query.author is not None:
        where.append("+r.owner_id = (select a.id from accounts a where a.key = :author)")
        params["author"] = query.author.lower()
    for i, beginning in enumerate(query.beginnings):
        if beginning != start.beginning:
            where.append(
                "exists (select 1 from card_words w where w.repo_id = c.repo_id"
                f" and (instr(w.name, :beginning{i}) > 0 or instr(w.words, :beginning{i}) > 0))"
            )
        params[f"beginning{i}"] = f" {beginning}"
    for i, tag in enumerate(query.tags):
        where.append(
            f"exists (select 1 from tags t where t.tag_id = {LABEL_ID.format(f'tag{i}')} and t.repo_id = c.repo_id)"
        )
        params[f"tag{i}"] = tag
    for i, part in enumerate(query.name_parts):
        where.append(f"instr(r.key, :part{i}) > 0")
        params[f"part{i}"] = part.lower()
    if query.gated is not None:
        where.append("r.gated is not null" if query.gated else "r.gated is null")
    for i, condition in enumerate(query.conditions):
        sql, condition_params = condition_sql(condition, f"w{i}_", value_sql)
        where.append(sql)
        params.update(condition_params)
    if query.at_least is not None:
        sql, reach_params = _reaches(query.at_least, query.task)
        where.append(sql)
        params.update(reach_params)
    return " and ".join(where), params


def _reaches(wanted: AtLeast, task: str | None) -> Sql:
    """Whether a card's score reaches the wanted one in its better direction, which is up unless the card says down."""
    leads, params = leads_sql("m", wanted.metric, "reach_", task)
    return (
        f"exists (select 1 from metrics m where m.repo_id = c.repo_id and {leads}"
        " and case m.higher_is_better when 0 then m.value + coalesce(m.stderr, 0) <= :reach"
        " else m.value - coalesce(m.stderr, 0) >= :reach end)"
    ), {**params, "reach": wanted.score}


def _leaves(condition: Condition) -> list[Condition]:
    if isinstance(condition, And):
        return [leaf for part in condition.conditions for leaf in _leaves(part)]
    return [condition]
