"""Inputs that stay JSON while they change: bytes flipped at random hardly ever get past the reader of the syntax."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**40, 0.5, -0.0, 1e308, 5e-324),
    *("", " ", "a", "x" * 600, "\0", "\ud800", "é", "\U0001f40d", "..", "/", "a/../b", "main", "null", "1e999"),
    *("2026-02-30T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+23:59", "FRA", "measured", "kWh"),
    *([], {}, [[]], [None], {"": ""}, {"value": 1}, ["a"] * 300),
]


def change_json(data: bytes, source: random.Random) -> bytes:
    """The document with some of its values replaced, taken out, doubled or moved. Raises ValueError for no JSON."""
    whole = [json.loads(data)]
    for _ in range(source.choice((1, 1, 2, 5))):
        holder, key = source.choice(list(_places(whole)))
        _change(holder, key, whole, source)
    return json.dumps(whole[0] if whole else None).encode()


def _change(holder: Any, key: Any, whole: Any, source: random.Random) -> None:
    match source.randrange(5):
        case 0 if holder is not whole:
            del holder[key]
        case 1 if isinstance(holder, list) and holder is not whole:
            holder += [holder[key]] * source.choice((1, 2, 30))
        case 2 if isinstance(holder, dict):
            holder[source.choice([*map(str, ODD[16:30]), f"{key}x"])] = holder.pop(key)
        case 3:
            other, place = source.choice(list(_places(whole)))
            holder[key] = copy.deepcopy(other[place])
        case _:
            holder[key] = copy.deepcopy(source.choice(ODD))


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in the document, by what holds it and where."""
    for key in range(len(holder)) if isinstance(holder, list) else list(holder):
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])
