"""A first README for a model that has none: the head that hubs read, drawn from the footprint card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from registry_client.folder import LocalFile
from registry_client.rerun import MODEL_TYPES
from registry_core.card import Card
from registry_core.exports.front_matter import front_matter
from registry_core.ids import RepoId
from registry_core.readme import dump_readme


def draft_readme(card: Card, repo: RepoId, files: Mapping[str, LocalFile]) -> str:
    """The text of a README.md; what the card does not say is left out."""
    head = front_matter(card, repo.name)
    library = _library(files)
    body = f"\n# {repo.name}\n\nWhat this model cost to make stands in `footprint.json`.\n"
    return dump_readme({**head, "library_name": library} if library else head, body)


def _library(files: Mapping[str, LocalFile]) -> str | None:
    if "modules.json" in files:
        return "sentence-transformers"
    config = _config(files)
    if config.get("model_type") in MODEL_TYPES:
        return "model-commons"
    return "transformers" if config.keys() & {"architectures", "transformers_version"} else None


def _config(files: Mapping[str, LocalFile]) -> dict[str, Any]:
    if "config.json" not in files:
        return {}
    try:
        config = json.loads(files["config.json"].local.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
