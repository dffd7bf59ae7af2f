"""Counting what a query matches, by task, library and licence.

under conditions on energy and one metric    every match, along an index that holds all of these
else                                         matches up to a bound, wherever they are found first
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from registry_core.where import names
from registry_server.catalog.accounts import Caller
from registry_server.catalog.cards import LABEL, LABEL_ID
from registry_server.catalog.conditions import Sql, condition_sql, is_metric, of_card
from registry_server.catalog.queries import Query, Start, where_sql
from registry_server.catalog.repos import VISIBLE_CARD, seen_by

MOST_COUNTED = 5000
"""How many matches are counted where no index holds all that is asked for."""

Facet = Literal["task", "library", "license"]
FACETS: tuple[Facet, ...] = ("task", "library", "license")


@dataclass(frozen=True)
class Tally:
    """How many cards match, by what they state; true of the index as of `version`."""

    version: int
    numbers: Mapping[tuple[str | None, str | None, str | None], int]  # by task, library and licence together
    is_exact: bool = True  # else counting ended at MOST_COUNTED

    @property
    def total(self) -> int:
        return sum(self.numbers.values())

    def by(self, facet: Facet) -> dict[str, int]:
        """How many state each value, most first."""
        place = FACETS.index(facet)
        found: dict[str, int] = {}
        for values, number in self.numbers.items():
            value = values[place]
            if value is not None:
                found[value] = found.get(value, 0) + number
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @classmethod
    def of_nothing(cls) -> Tally:
        return cls(0, {})


def counts_sql(caller: Caller, query: Query, start: Start) -> Sql:
    """A JSON list of [task, library, licence, number]. Counting begins at `start` where no index holds all."""
    metric = _metric_of_index(query)
    if metric is None:
        where, params = where_sql(query, caller, of_card(query.task), start)
        counted = (
            f"select c.task_id, c.library_id, c.license_id from {start.tables_for(query)}"
            f" where {start.where} and {where} limit {MOST_COUNTED}"
        )
        return _as_json(
            f"select task_id, library_id, license_id, count(*) as n from ({counted}) group by 1, 2, 3"
        ), params
    where, params = _where_of_index(caller, query, metric)
    task = "of_task_id" if metric else "task_id"
    return _as_json(
        f"select c.{task} as task_id, c.library_id, c.license_id, count(*) as n"
        f" from {'metrics' if metric else 'cards'} c where {where} group by 1, 2, 3"
    ), params


def tally_of(query: Query, version: int, counts: str) -> Tally:
    """The tally that a statement of `counts_sql` answered."""
    rows: list[tuple[str | None, str | None, str | None, int]] = json.loads(counts)
    numbers = {(task, library, license_): number for task, library, license_, number in rows}
    is_bounded = _metric_of_index(query) is None
    return Tally(version, numbers, is_exact=not is_bounded or sum(numbers.values()) < MOST_COUNTED)


def _metric_of_index(query: Query) -> str | None:
    """The one metric that is asked for, "" for none; None when an index does not hold all that is asked for."""
    asked = set().union(*(names(condition) for condition in query.conditions)) - {"energy_kwh"}
    has_more = query.text is not None or query.restricts_repo or query.tags or query.at_least
    if has_more or query.kind != "model" or len(asked) > 1:
        return None
    metric = next(iter(asked), "")
    return metric if not metric or (is_metric(metric) and query.requires(metric)) else None


def _where_of_index(caller: Caller, query: Query, metric: str) -> Sql:
    """What must hold of a row `c` of metrics, or for no metric of cards, in columns that they share."""

    def value_sql(name: str, _: str) -> Sql:
        return ("c.energy_kwh" if name == "energy_kwh" else "c.value"), {}

    params: dict[str, object] = {**seen_by(caller), "task": query.task, "metric": metric}
    where = [VISIBLE_CARD, "c.is_model = 1"]
    if metric:
        # The first of these says no more than the second, but by it SQLite knows that the index has all these rows.
        leads = f"c.counted_for > 0 and c.counted_for in {'(1, 3)' if query.task is None else '(2, 3)'}"
        where = [VISIBLE_CARD, f"c.metric_id = {LABEL_ID.format('metric')}", leads]
    if query.task is not None:
        where.append(f"c.{'of_' if metric else ''}task_id = {LABEL_ID.format('task')}")
    for i, condition in enumerate(query.conditions):
        sql, more = condition_sql(condition, f"k{i}_", value_sql)
        where.append(sql)
        params.update(more)
    return " and ".join(where), params


def _as_json(counts: str) -> str:
    named = ", ".join(LABEL.format(f"k.{facet}_id") for facet in FACETS)
    return f"select json_group_array(json_array({named}, k.n)) from ({counts}) k"
