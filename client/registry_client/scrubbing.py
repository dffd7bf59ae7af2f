"""Evidence files lose who and where before they are sent, whichever tool wrote them.

What was taken out is listed in `footprint/removed.json`: path of the file -> places in it.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from registry_client.folder import LocalFile, measure, measured_again
from registry_client.privacy import Private, is_private_column
from registry_client.writing import rewrite

logger = logging.getLogger(__name__)

FOLDER = "footprint/"
LIST_NAME = "footprint/removed.json"


def without_names(root: Path, files: Sequence[LocalFile]) -> list[LocalFile]:
    """The files; those among the evidence that told who or where are rewritten in the folder."""
    private = Private()
    removed: dict[str, list[str]] = {}
    kept: list[LocalFile] = []
    for file in files:
        places = _scrub(file.local, private) if file.path.startswith(FOLDER) and file.path != LIST_NAME else []
        if places:
            removed[str(file.path)] = places
        kept.append(measured_again(file) if places else file)
    if not removed:
        return kept
    logger.warning("Took out of the evidence who and where: %s lists it.", LIST_NAME)
    return [*(file for file in kept if file.path != LIST_NAME), _listed(root, removed)]


def _scrub(file: Path, private: Private) -> list[str]:
    """What was taken out of the file, as places; files that are no text are left alone."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    clean, places = _clean(text, file.suffix.lower(), private)
    if places:
        rewrite(file, clean)
    return places


def _clean(text: str, suffix: str, private: Private) -> tuple[str, list[str]]:
    if suffix == ".json":
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return _clean_text(text, private)
        found, places = private.removed_from({"": document})
        return json.dumps(found.get("", {}), indent=2, ensure_ascii=False) + "\n", [p.removeprefix(".") for p in places]
    return _clean_table(text, private) if suffix == ".csv" else _clean_text(text, private)


def _clean_table(text: str, private: Private) -> tuple[str, list[str]]:
    """Private columns are emptied, and cells that tell too much."""
    header = next(csv.reader(io.StringIO(text)), [])
    columns = {number for number, name in enumerate(header) if is_private_column(name)}
    if not columns and not private.pattern.search(text):
        return text, []
    rows = list(csv.reader(io.StringIO(text)))
    places: dict[str, None] = {}
    for row in rows[1:]:
        for number, cell in enumerate(row):
            if cell and (number in columns or private.pattern.search(cell)):
                row[number] = ""
                places[f"column {header[number] if number < len(header) else number}"] = None
    clean = io.StringIO()
    csv.writer(clean, lineterminator="\n").writerows(rows)
    return clean.getvalue(), list(places)


def _clean_text(text: str, private: Private) -> tuple[str, list[str]]:
    clean, count = private.pattern.subn("[removed]", text)
    return clean, [f"{count} text{'s' if count > 1 else ''}"] if count else []


def _listed(root: Path, removed: dict[str, list[str]]) -> LocalFile:
    file = root.resolve() / LIST_NAME
    before = json.loads(file.read_text()) if file.exists() else {}
    merged = {path: sorted({*before.get(path, []), *removed.get(path, [])}) for path in sorted({*before, *removed})}
    rewrite(file, json.dumps(merged, indent=2, ensure_ascii=False) + "\n")
    return measure(root, [file])[0]
