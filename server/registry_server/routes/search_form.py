"""The form above the list of models: what its fields ask for, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from registry_core.errors import Invalid, RegistryError
from registry_core.records import Facets
from registry_core.sorting import parse_sort
from registry_core.where import parse_where
from registry_server.catalog.counting import Facet
from registry_server.catalog.queries import BY_UPDATE, Query
from registry_server.usecases import models

SORTS = {
    "": "last updated",
    "energy": "energy, least first",
    "co2e": "CO2e, least first",
    "duration": "time, least first",
    "parameters": "parameters, fewest first",
    "size": "size, smallest first",
    "-accuracy": "accuracy, best first",
    "name": "name",
}
"""The orders that the form offers; an address may name any other."""

MOST_VALUES = 8
_HEADINGS: dict[Facet, str] = {"task": "Task", "library": "Library", "license": "Licence"}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Search:
    """What the list's form holds, and what is wrong with it, by field."""

    query: Query
    values: dict[str, str]
    faults: dict[str, RegistryError]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for: every model is meant."""
        return not any(self.values[name] for name in self.values if name != "sort")


@dataclass(frozen=True)
class Choice:
    """One value that some of the models found state, and the parameters that ask for those alone."""

    value: str
    number: int
    args: dict[str, str] | None  # None: nothing can ask for it


def choices(search: Search, facets: Facets) -> dict[str, list[Choice]]:
    """What the models found may be narrowed down to, by heading, the most frequent first."""
    return {
        _HEADINGS[facet]: [
            Choice(value, number, _narrowed(search, facet, value))
            for value, number in list(facets.counts[facet].items())[:MOST_VALUES]
        ]
        for facet in _HEADINGS
        if any(number < facets.total for number in facets.counts[facet].values())
    }


def _narrowed(search: Search, facet: Facet, value: str) -> dict[str, str] | None:
    values = {name: text for name, text in search.values.items() if text}
    if facet == "task":
        return values | {"task": value}
    quote = next((quote for quote in ('"', "'") if quote not in value), None)
    if quote is None:
        return None
    asked = f"{facet} == {quote}{value}{quote}"
    where = f"({values['where']}) and {asked}" if "where" in values else asked
    try:
        parse_where(where)
    except Invalid:  # too long, or a text that the language cannot write
        return None
    return values | {"where": where}


def read_search(args: MultiDict[str, str]) -> Search:
    """The form as it was sent in an address. A field that makes no sense is a fault beside it, and asks for nothing."""
    faults: dict[str, RegistryError] = {}

    def read(field: str, parse: Callable[[str], Value], text: str | None) -> Value | None:
        try:
            return parse(text) if text else None
        except Invalid as error:
            faults[field] = error
            return None

    values = {name: args.get(name, "").strip() for name in ("q", "task", "author", "tag", "sort")}
    conditions = [text for text in args.getlist("where") if text.strip()]
    values["where"] = conditions[0] if len(conditions) == 1 else " and ".join(f"({text})" for text in conditions)
    condition = read("where", parse_where, values["where"])
    query = Query(
        text=values["q"] or None,
        task=values["task"] or None,
        author=values["author"] or None,
        tags=[tag.strip() for tag in args.getlist("tag") if tag.strip()],
        conditions=[condition] if condition else [],
        sort=read("sort", parse_sort, values["sort"]) or BY_UPDATE,
        offset=read("cursor", models.offset_of, args.get("cursor")) or 0,
    )
    return Search(query, values, faults)
