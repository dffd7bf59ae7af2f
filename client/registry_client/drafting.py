"""A first README for a model that has none: the head that hubs read, drawn from the footprint card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from registry_client.folder import LocalFile
from registry_client.rerun import MODEL_TYPES
from registry_core.card import Card, Score
from registry_core.footprint import totals
from registry_core.ids import RepoId
from registry_core.readme import dump_readme
from registry_core.units import grams_from_kg


def draft_readme(card: Card, repo: RepoId, files: Mapping[str, LocalFile]) -> str:
    """The text of a README.md; what the card does not say is left out."""
    head = {
        "license": hub_license(card.model.license),
        "pipeline_tag": card.model.task,
        "tags": list(card.model.tags or ()),
        "library_name": _library(files),
        "base_model": [base.repo_id for base in card.model.base_models or ()],
        "co2_eq_emissions": _emissions(card),
        "model-index": _model_index(card, repo),
    }
    written = {name: value for name, value in head.items() if value}
    body = f"\n# {repo.name}\n\nWhat this model cost to make stands in `footprint.json`.\n"
    return dump_readme(written, body)


def hub_license(expression: str) -> str:
    """The name that hubs have for a licence: they know single ones, in lower case."""
    return expression.lower() if " " not in expression else "other"


def plain_number(value: float) -> float | str:
    """A number written without exponent: in `5.8e-06`, hubs take the first decimal number, 5.8."""
    if "e" not in repr(value):
        return value
    return f"{value:.20f}".rstrip("0").rstrip(".")


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


def _emissions(card: Card) -> dict[str, Any] | None:
    """The block `co2_eq_emissions`, in grams; None when the card does not say enough to compute it."""
    co2e_kg = totals(card).all.co2e_location_kg
    if co2e_kg is None:
        return None
    tuned = any(phase.stage in ("finetuning", "rl", "distillation", "compression") for phase in card.phases)
    groups = {f"{group.device_count} x {group.device_model}": None for phase in card.phases for group in phase.groups}
    return {
        "emissions": plain_number(float(f"{grams_from_kg(co2e_kg.value):.6g}")),
        "source": " ".join(filter(None, [card.evidence.tool, card.evidence.tool_version])),
        "training_type": "fine-tuning" if tuned else "pre-training",
        "geographical_location": ", ".join(sorted({phase.site.country for phase in card.phases})),
        "hardware_used": ", ".join(groups),
    }


def _model_index(card: Card, repo: RepoId) -> list[dict[str, Any]] | None:
    results = [_result(score) for score in card.quality or ()]
    return [{"name": repo.name, "results": results}] if results else None


def _result(score: Score) -> dict[str, Any]:
    dataset = {"type": score.dataset, "name": score.dataset, "split": score.split}
    extra = {"config": score.config, "revision": score.revision}
    return {
        "task": {"type": score.task},
        "dataset": {**dataset, **{name: value for name, value in extra.items() if value}},
        "metrics": [{"type": score.metric, "value": score.value}],
    }
