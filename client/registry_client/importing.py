"""A footprint card from a file of another tool, and a card in the words of others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

from registry_client.card_file import read_file
from registry_client.folder import CARD_NAME
from registry_client.writing import rewrite
from registry_core.card import Card, parse_card
from registry_core.errors import AlreadyExists, Invalid, InvalidReadme
from registry_core.imports import Form, Said, import_card
from registry_core.imports.phases import Device
from registry_core.imports.reading import checked_year

Target = Literal["boamps", "csv", "front-matter", "eval-results"]
TARGETS: tuple[Target, ...] = get_args(Target)

_SUBJECT = {"files": [{"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 0}]}
"""Stands in for the subject of a card that was not pushed yet; no export speaks of it."""


@dataclass(frozen=True)
class CardImport:
    """A card that was made of another tool's file, and where both lie now."""

    path: str
    evidence: str  # the file as it is kept beside the card
    phases: int
    notes: list[str]  # what its author should know


def import_file(
    file: Path,
    form: Form,
    output: Path,
    *,
    task: str | None = None,
    license: str | None = None,
    country: str | None = None,
    stage: str | None = None,
    started_at: str | None = None,
    hours: float | None = None,
    devices: Sequence[str] = (),
    base_models: Sequence[str] | None = None,
) -> CardImport:
    """Write the card that `file` makes to `output`, and keep the file in `footprint/` beside it.

    `devices` are texts like `gpu:A100:8`; `base_models` is empty for a model from scratch. A push takes coordinates
    and names out of what is kept. Raises InvalidImport with everything that is wrong or missing, and AlreadyExists
    rather than writing over a card.
    """
    bases = None if base_models is None else tuple(base_models)
    said = Said(task, license, country, stage, _moment(started_at), hours, tuple(map(_device, devices)), bases)
    if output.exists():
        raise AlreadyExists(f"{output} is there already.", hint="Remove it, or name another file with --output.")
    data = read_file(file)
    imported = import_card(form, data, said)
    place = f"footprint/import-{re.sub('[^A-Za-z0-9._-]', '-', file.name)}"
    evidence = output.parent / place
    evidence.parent.mkdir(parents=True, exist_ok=True)
    rewrite(evidence, data.decode("utf-8-sig"))
    document = {**_head(), **imported.document}
    for index, row in enumerate(imported.rows):
        if row is not None:
            name = f"tool-row-{index}-{document['phases'][index]['stage']}.json"
            rewrite(evidence.parent / name, _json(row))
            document["evidence"].setdefault("row", f"footprint/{name}")
    rewrite(output, _json(document))
    return CardImport(str(output), str(evidence), len(document["phases"]), list(imported.notes))


def export(file: Path, target: Target) -> str:
    """The card in `file`, or in the folder `file`, as text of the other form. Raises Invalid and InvalidCard."""
    path = file / CARD_NAME if file.is_dir() else file
    card = _card(path)
    if target == "csv":
        from registry_core.exports.table import phases_table

        return phases_table(card)
    if target == "boamps":
        from registry_core.exports.boamps import boamps_report

        return _json(boamps_report(card))
    if target == "eval-results":
        from registry_core.eval_results import eval_results

        return eval_results(card)
    from registry_core.exports.front_matter import front_matter
    from registry_core.readme import dump_readme

    return dump_readme(front_matter(card, path.resolve().parent.name), "")


def export_into(file: Path, readme: Path) -> None:
    """Put the fields that a card speaks of into the head of a README; its other fields and its text stay."""
    from registry_core.readme import dump_readme, parse_readme

    head = parse_readme(export(file, "front-matter")).front_matter
    try:
        before = parse_readme(readme.read_text(encoding="utf-8")) if readme.exists() else parse_readme("")
    except UnicodeDecodeError as error:
        raise InvalidReadme(f"{readme} is not UTF-8 text.", hint="Save it as UTF-8.") from error
    rewrite(readme, dump_readme({**before.front_matter, **head}, before.body))


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _head() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "schema": "footprint-card/1.0",
        "created_at": now,
        "generator": {"name": "model-commons", "version": version("model-commons")},
    }


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return checked_year(found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{text[:80]!r} is not a moment.", hint="Write it like 2026-11-21T08:00:00Z.") from error


def _device(text: str) -> Device:
    kind, _, rest = text.partition(":")
    model, _, count = rest.rpartition(":")
    if not kind or not model or not re.fullmatch("[1-9][0-9]{0,5}", count):
        raise Invalid(f"{text[:80]!r} is not a device.", hint="Write kind, model and count, like gpu:A100:8.")
    return Device(kind, model, int(count))


def _card(path: Path) -> Card:
    data = read_file(path)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return parse_card(data)  # raises, and says it best
    has_none = isinstance(document, dict) and "subject" not in document
    return parse_card({**document, "subject": _SUBJECT} if has_none else data)
