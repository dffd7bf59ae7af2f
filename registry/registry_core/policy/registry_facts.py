"""The facts that only a server has: what else is in the registry, and what happened there.

registry.base_models        [{repo_id, external, resolves, licence_compatible}], one for each base of the card
registry.ancestors          [{repo_id, external, has_card, has_estimate}]
registry.rerun              {within_tolerance, age_days}: the newest rerun of a declared evaluation
registry.spent_co2e_kg      of the organisation in the running period of its budget
group.candidates            repo ids of the comparison group that could be reused, best first
group.dominated_by          those of the same licence class that are at least as good for less energy
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry_core.card import BaseModelUsed, Card, Score
from registry_core.compression import Compression
from registry_core.policy.licences import licence_compatible
from registry_core.recipe import is_proportion, verdict
from registry_core.records import Rerun

ESTIMATES = "org.external_estimates"
"""The narrative that names external ancestors with an estimate of their footprint."""


@dataclass(frozen=True)
class KnownModel:
    """Another model, as far as a registry knows it."""

    repo_id: str
    resolves: bool  # the revision that the card lists, or any when it lists none
    licence: str | None
    has_card: bool
    external: bool = False


def registry_facts(
    card: Card | None,
    *,
    moment: datetime,
    known: Mapping[str, KnownModel],
    ancestors: Sequence[KnownModel] = (),
    reruns: Sequence[Rerun] = (),
    spent_co2e_kg: float | None = None,
) -> dict[str, Any]:
    """The variable `registry`. `known` maps the repo ids of the card's bases, `reruns` are newest first."""
    if card is None:
        return {}
    bases = card.model.base_models
    estimates = (card.narrative or {}).get(ESTIMATES, "")
    return {
        # A card that is silent about its bases is not one without any.
        "base_models": None
        if bases is None
        else [_base(card, base, known.get(base.repo_id)) for base in bases if base.relation != "none"],
        "ancestors": [
            {
                "repo_id": ancestor.repo_id,
                "external": ancestor.external,
                "has_card": ancestor.has_card,
                "has_estimate": ancestor.repo_id in estimates,
            }
            for ancestor in ancestors
        ],
        "rerun": _rerun(card, reruns, moment),
        "spent_co2e_kg": spent_co2e_kg,
    }


def group_facts(candidates: Sequence[str], dominated_by: Sequence[str]) -> dict[str, Any]:
    """The variable `group`."""
    return {"candidates": list(candidates[:100]), "dominated_by": list(dominated_by[:100])}


def parent_facts(compression: Compression) -> dict[str, Any]:
    """The variable `parent`: a compressed model beside the one it was made from."""
    ratio = compression.energy_ratio
    return {
        "rate_bytes": compression.rate_bytes,
        "score_retention": compression.score_retention,
        "energy_ratio": ratio.value if ratio else None,
    }


def _base(card: Card, base: BaseModelUsed, found: KnownModel | None) -> dict[str, Any]:
    licence = found.licence if found else None
    return {
        "repo_id": base.repo_id,
        "external": bool(base.external),
        "resolves": found is not None and found.resolves,
        "licence_compatible": None if licence is None else licence_compatible(card.model.license, licence),
    }


def _rerun(card: Card, reruns: Sequence[Rerun], moment: datetime) -> dict[str, Any] | None:
    """The newest rerun of what the card declares; a rerun of something else says nothing about it."""
    for rerun in reruns:
        for score in card.quality or ():
            if _declared(rerun, score):
                age = moment - datetime.fromisoformat(rerun.created_at)
                return {"within_tolerance": _within(rerun, score), "age_days": age.total_seconds() / 86_400}
    return None


def _declared(rerun: Rerun, score: Score) -> bool:
    found = rerun.report
    return (found.dataset, found.split, found.metric) == (score.dataset, score.split, score.metric)


def _within(rerun: Rerun, score: Score) -> bool:
    share = is_proportion(score.metric) and 0 <= score.value <= 1
    return (
        verdict(
            score.value,
            rerun.report.observed,
            n=max(1, rerun.report.n),
            declared_tolerance=score.tolerance,
            is_proportion=share,
        )
        == "pass"
    )
