"""The order of a list of models: a column or a metric, upwards or, with a leading `-`, downwards."""

from __future__ import annotations

from dataclasses import dataclass

from registry_core.errors import InvalidWhere
from registry_core.where import COLUMNS, SHORT_NAMES, is_metric_name

SORT_COLUMNS = {
    **{name: name for name, kind in COLUMNS.items() if kind is float},
    **SHORT_NAMES,
    "updated": "updated_at",
    "updated_at": "updated_at",
    "created": "created_at",
    "created_at": "created_at",
    "name": "name",
}
"""The column of each key that is no metric, in its short and its full spelling."""


@dataclass(frozen=True)
class Sort:
    """`name` is a column of SORT_COLUMNS, or else a metric."""

    name: str
    descending: bool


def parse_sort(text: str) -> Sort:
    """The order that `text` names: `energy`, `-updated`, `-accuracy`. Raises InvalidWhere."""
    text = text.strip()
    key, descending = text.removeprefix("-"), text.startswith("-")
    if key in SORT_COLUMNS:
        return Sort(SORT_COLUMNS[key], descending)
    if key.startswith("-") or not is_metric_name(key):
        raise InvalidWhere(
            f"Models cannot be sorted by {key[:80]!r}.",
            hint=f"Sort by {', '.join(sorted(SORT_COLUMNS))} or a metric; - in front reverses: -accuracy.",
        )
    return Sort(key, descending)
