"""Writing a card and its evidence into the folder of a model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from registry_client.completing import complete
from registry_client.folder import CARD_NAME, WEIGHT_SUFFIXES, LocalFile, list_files, measure, safetensors_headers
from registry_client.reuse_check import with_reuse_check
from registry_client.tracking.document import Recorded, card_of, phase_name
from registry_client.tracking.evidence import write_evidence
from registry_client.writing import rewrite
from registry_core.card import card_document, parse_card
from registry_core.errors import Invalid


def save_with_weights(folder: str | Path, recorded: Recorded, before: Mapping[str, Any] | None) -> Path:
    """Write `footprint.json` into the folder of the weights; its path. Raises Invalid when there are none."""
    root = Path(folder)
    weights = _weights_among(root, list_files(root))
    if not weights:
        raise Invalid(f"{root} holds no weights.", hint="Save the model there, then save the run.")
    return _save(root / CARD_NAME, recorded, before, weights)


def save_card(path: Path, recorded: Recorded, before: Mapping[str, Any] | None) -> Path:
    """Write the card to `path`; without weights beside it, it is a draft that a push completes."""
    folder = path.parent
    # Only what lies right there: the folder may well be that of a whole project.
    beside = sorted(folder.resolve().iterdir()) if folder.is_dir() else []
    return _save(path, recorded, before, _weights_among(folder, beside))


def card_before(path: Path) -> dict[str, Any] | None:
    """The card at `path`, to add a phase to it; None when there is none. Raises InvalidCard when it has faults."""
    if not path.exists():
        return None
    document = json.loads(path.read_bytes())
    check_draft(document)
    return dict(document)


def check_draft(document: Mapping[str, Any]) -> None:
    """Raises InvalidCard for any fault but a missing `subject`, which only weights can give."""
    weights = {"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 0}
    parse_card({"subject": {"files": [weights]}, **document})


def _save(path: Path, recorded: Recorded, before: Mapping[str, Any] | None, weights: list[LocalFile]) -> Path:
    text = _card_text(with_reuse_check(card_of(recorded, before), path.parent), weights)
    # The card last: when it is there, what it points to is there.
    files = recorded.evidence.files(phase_name(recorded, before))
    write_evidence(path.parent, files, replacing=before is None)
    rewrite(path, text)
    return path


def _weights_among(folder: Path, files: Iterable[Path]) -> list[LocalFile]:
    return measure(folder, [file for file in files if file.suffix.lower() in WEIGHT_SUFFIXES and file.is_file()])


def _card_text(document: dict[str, Any], weights: list[LocalFile]) -> str:
    if weights:
        card, _ = complete(_json_text(document).encode(), weights, safetensors_headers(weights).values())
        return _json_text(card_document(card))
    check_draft(document)
    return _json_text(document)


def _json_text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
