"""Conditions and sort keys, from the core's small trees into parameterised SQL.

Names become columns of a fixed table or parameters, values always parameters: nothing a person typed is pasted.
A metric becomes a scalar sub-query that is null where the model has no such metric, so that SQL's three-valued logic
gives the answer the language promises: what is missing matches neither a comparison nor its negation.
"""

from __future__ import annotations

from registry_core.sorting import Sort
from registry_core.where import And, Comparison, Condition, In, Not, Or

_COLUMNS = {
    **{
        name: f"c.{name}"
        for name in (
            "energy_kwh co2e_kg water_litres cost currency duration_seconds parameters size_bytes task library license"
        ).split()
    },
    "author": "(select a.name from accounts a where a.id = r.owner_id)",
    "name": "r.key",
    "created_at": "r.created_at",
    "updated_at": "r.updated_at",
    "downloads": "r.downloads",
}
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}

Sql = tuple[str, dict[str, object]]


def condition_sql(condition: Condition, prefix: str, task: str | None) -> Sql:
    """The condition over `c` (cards) and `r` (repos); parameter names start with `prefix`."""
    match condition:
        case And(parts):
            return _joined(" and ", parts, prefix, task)
        case Or(parts):
            return _joined(" or ", parts, prefix, task)
        case Not(inner):
            sql, params = condition_sql(inner, f"{prefix}n_", task)
            return f"(not {sql})", params
        case Comparison(name, operator, value):
            sql, params = _value_sql(name, prefix, task)
            return f"({sql} {_OPERATORS[operator]} :{prefix}v)", {**params, f"{prefix}v": value}
        case In(name, values):
            sql, params = _value_sql(name, prefix, task)
            given = {f"{prefix}v{i}": value for i, value in enumerate(values)}
            return f"({sql} in ({', '.join(f':{key}' for key in given)}))", {**params, **given}


def sort_sql(sort: Sort | None, task: str | None) -> Sql:
    """An `order by` list; unknown values come last; the repo's number breaks ties, so that pages never overlap."""
    if sort is None:
        return "r.updated_at desc, r.id desc", {}
    sql, params = _value_sql(sort.name, "s_", task)
    direction = "desc" if sort.descending else "asc"
    # The number of the same table, so that an index which ends in it gives the whole order.
    number = "r.id" if sql.startswith("r.") else "c.repo_id"
    return f"{sql} {direction} nulls last, {number} {direction}", params


def _joined(word: str, parts: tuple[Condition, ...], prefix: str, task: str | None) -> Sql:
    pieces = [condition_sql(part, f"{prefix}{i}_", task) for i, part in enumerate(parts)]
    params = {name: value for _, given in pieces for name, value in given.items()}
    return f"({word.join(sql for sql, _ in pieces)})", params


def _value_sql(name: str, prefix: str, task: str | None) -> Sql:
    if name in _COLUMNS:
        return _COLUMNS[name], {}
    metric = "select m.value from metrics m where m.repo_id = c.repo_id and m.metric = :"
    if task is None:
        return f"({metric}{prefix}m and m.leads_model = 1)", {f"{prefix}m": name}
    return f"({metric}{prefix}m and m.task = :{prefix}t and m.leads_task = 1)", {
        f"{prefix}m": name,
        f"{prefix}t": task,
    }
