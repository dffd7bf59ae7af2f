"""The small tables inside the package: lines `# name: note`, a header, rows."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Table(NamedTuple):
    notes: dict[str, str]
    rows: tuple[dict[str, str], ...]


@cache
def table(name: str) -> Table:
    """The table in data/`name`."""
    lines = (files("registry_core") / "data" / name).read_text(encoding="utf-8").splitlines()
    notes = dict(line.removeprefix("# ").split(": ", 1) for line in lines if line.startswith("#"))
    return Table(notes, tuple(csv.DictReader(line for line in lines if not line.startswith("#"))))
