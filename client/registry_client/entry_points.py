"""Entry points of the installed distributions, read straight from their text files.

`importlib.metadata` offers the same and more, and importing it takes about 50 ms: as long as all the rest of
`registry --help`.
"""

# ruff: noqa: PTH123, PTH208 -- pathlib would be another 4 ms
from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator


def entry_points(group: str, path: Iterable[str] | None = None) -> dict[str, str]:
    """`{name: "module:attribute"}` of one group; the first distribution on `path` wins a name."""
    found: dict[str, str] = {}
    for text in _texts(sys.path if path is None else path):
        for name, target in _section(text, group):
            found.setdefault(name, target)
    return found


def _texts(path: Iterable[str]) -> Iterator[str]:
    for folder in dict.fromkeys(path):
        try:
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith(".dist-info"))
        except OSError:  # a zip archive, or a folder that is not there
            continue
        for name in names:
            try:
                with open(f"{folder or '.'}/{name}/entry_points.txt", encoding="utf-8") as stream:
                    yield stream.read()
            except OSError:  # most distributions have none
                continue


def _section(text: str, group: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{group}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield name.strip(), target.partition("[")[0].strip()  # without the extras of `target [extra]`
