"""Counts of what matches, remembered for as long as they are true.

Only those for strangers, which everybody asks for again and again; the catalog says which version of it they count.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from registry_server.catalog.counting import Tally
from registry_server.catalog.queries import BY_UPDATE, Query

_MOST = 256


class Tallies:
    """The last tallies, by what was asked for."""

    def __init__(self) -> None:
        self._found: OrderedDict[Query, Tally] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, query: Query) -> Tally | None:
        """What was counted last for the query, on whichever page and in whichever order."""
        with self._lock:
            return self._found.get(_key(query))

    def put(self, query: Query, tally: Tally) -> None:
        """Remember a tally, and forget what was not asked for in a long time."""
        with self._lock:
            self._found[_key(query)] = tally
            self._found.move_to_end(_key(query))
            while len(self._found) > _MOST:
                self._found.popitem(last=False)


def _key(query: Query) -> Query:
    return replace(
        query,
        tags=tuple(query.tags),
        name_parts=tuple(query.name_parts),
        conditions=tuple(query.conditions),
        sort=BY_UPDATE,
        limit=0,
        offset=0,
    )
