"""Conditions and sort keys, from the core's small trees into parameterised SQL.

Names become columns of a fixed table or parameters, values always parameters: nothing a person typed is pasted.
A metric becomes a scalar sub-query that is null where the model has no such metric, so that SQL's three-valued logic
gives the answer the language promises: what is missing matches neither a comparison nor its negation.
"""

from __future__ import annotations

from collections.abc import Callable

from registry_core.where import And, Comparison, Condition, In, Not, Or
from registry_server.catalog.cards import LABEL, LABEL_ID

Sql = tuple[str, dict[str, object]]
ValueSql = Callable[[str, str], Sql]
"""What gives the value of a name: an expression, whose parameters start with the prefix."""

_OF_CARD = {
    **{
        name: f"c.{name}"
        for name in "energy_kwh co2e_kg water_litres cost duration_seconds parameters size_bytes".split()
    },
    **{name: LABEL.format(f"c.{name}_id") for name in ("task", "library", "license", "currency")},
}
OF_REPO = {
    "author": "(select a.name from accounts a where a.id = r.owner_id)",
    "name": "r.key",
    "created_at": "r.created_at",
    "updated_at": "r.updated_at",
    "downloads": "r.downloads",
}
"""The names whose values stand in `r` (repos) and not in `c` (cards)."""
SIGNS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}


def condition_sql(condition: Condition, prefix: str, value_sql: ValueSql) -> Sql:
    """The condition as SQL; its parameters start with `prefix`."""
    match condition:
        case And(parts):
            return _joined(" and ", parts, prefix, value_sql)
        case Or(parts):
            return _joined(" or ", parts, prefix, value_sql)
        case Not(inner):
            sql, params = condition_sql(inner, f"{prefix}n_", value_sql)
            return f"(not {sql})", params
        case Comparison(name, operator, value):
            sql, params = value_sql(name, prefix)
            return f"({sql} {SIGNS[operator]} :{prefix}v)", {**params, f"{prefix}v": value}
        case In(name, values):
            sql, params = value_sql(name, prefix)
            given = {f"{prefix}v{i}": value for i, value in enumerate(values)}
            return f"({sql} in ({', '.join(f':{key}' for key in given)}))", {**params, **given}


def of_card(task: str | None) -> ValueSql:
    """Values over `c` (cards) and `r` (repos); a metric is the first for the parameter `task`, or for None of all."""

    def value_sql(name: str, prefix: str) -> Sql:
        if (column := _OF_CARD.get(name) or OF_REPO.get(name)) is not None:
            return column, {}
        leads, params = leads_sql("m", name, prefix, task)
        return f"(select m.value from metrics m where m.repo_id = c.repo_id and {leads})", params

    return value_sql


def leads_sql(table: str, metric: str, prefix: str, task: str | None) -> Sql:
    """Whether a row of `table` (metrics) is the one that the name of the metric means."""
    # Of one card, `m`, a plus keeps SQLite from the indexes that hold this metric of all cards.
    column = f"+{table}" if table == "m" else table
    sql = f"{table}.metric_id = {LABEL_ID.format(f'{prefix}m')}"
    if task is None:
        return f"{sql} and {column}.leads_model = 1", {f"{prefix}m": metric}
    return f"{sql} and {column}.task_id = {LABEL_ID.format('task')} and {column}.leads_task = 1", {f"{prefix}m": metric}


def is_metric(name: str) -> bool:
    """Whether a name means no column."""
    return name not in _OF_CARD and name not in OF_REPO


def _joined(word: str, parts: tuple[Condition, ...], prefix: str, value_sql: ValueSql) -> Sql:
    pieces = [condition_sql(part, f"{prefix}{i}_", value_sql) for i, part in enumerate(parts)]
    params = {name: value for _, given in pieces for name, value in given.items()}
    return f"({word.join(sql for sql, _ in pieces)})", params
