"""The head of a README from a card: what hubs read of it. The card is the source, and never the other way round."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from registry_core.card import Card, Score
from registry_core.footprint import totals
from registry_core.units import grams_from_kg


def front_matter(card: Card, name: str) -> dict[str, Any]:
    """The fields of the head for the model `name`; what the card does not say is left out."""
    head = {
        "license": hub_license(card.model.license),
        "pipeline_tag": card.model.task,
        "tags": list(card.model.tags or ()),
        "base_model": [base.repo_id for base in card.model.base_models or ()],
        "co2_eq_emissions": _emissions(card),
        "model-index": _model_index(card, name),
    }
    return {field: value for field, value in head.items() if value}


def hub_license(expression: str) -> str:
    """The name that hubs have for a licence: they know single ones, in lower case."""
    return expression.lower() if " " not in expression else "other"


def plain_number(value: float) -> float | str:
    """A number written without exponent: in `5.8e-06`, hubs take the first decimal number, 5.8."""
    return value if "e" not in repr(value) else format(Decimal(repr(value)), "f")


def _emissions(card: Card) -> dict[str, Any] | None:
    """The block `co2_eq_emissions`, in grams; None when the card does not say enough to compute it."""
    co2e_kg = totals(card).all.co2e_location_kg
    if co2e_kg is None:
        return None
    tuned = any(phase.stage in ("finetuning", "rl", "distillation", "compression") for phase in card.phases)
    groups = {f"{group.device_count} x {group.device_model}": None for phase in card.phases for group in phase.groups}
    return {
        "emissions": plain_number(float(f"{grams_from_kg(co2e_kg.value):.12g}")),
        "source": " ".join(filter(None, [card.evidence.tool, card.evidence.tool_version])),
        "training_type": "fine-tuning" if tuned else "pre-training",
        "geographical_location": ", ".join(sorted({phase.site.country for phase in card.phases})),
        "hardware_used": ", ".join(groups),
    }


def _model_index(card: Card, name: str) -> list[dict[str, Any]] | None:
    results = [_result(score) for score in card.quality or ()]
    return [{"name": name, "results": results}] if results else None


def _result(score: Score) -> dict[str, Any]:
    dataset = {"type": score.dataset, "name": score.dataset, "split": score.split}
    extra = {"config": score.config, "revision": score.revision}
    return {
        "task": {"type": score.task},
        "dataset": {**dataset, **{name: value for name, value in extra.items() if value}},
        "metrics": [{"type": score.metric, "value": score.value}],
    }
