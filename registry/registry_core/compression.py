"""The CompressionRate family: a compressed model beside the parent it was made from.

It means something only for a declared parent revision. Sizes are of the weights as their safetensors headers
say, never as the author says.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry_core import formulas
from registry_core.card import BaseModelUsed, Card, Score, Use
from registry_core.groups import GroupKey, group_of
from registry_core.quantity import Amount, amount, quotient

_COMPRESSING = ("quantized", "pruned", "distilled")


@dataclass(frozen=True)
class Weights:
    """The weights of one revision, all files together."""

    size_bytes: int
    parameters: int


@dataclass(frozen=True)
class Retention:
    """What is left of the parent's score in one comparison group: 1 is all of it, above 1 is better than it."""

    group: GroupKey
    rate: float


@dataclass(frozen=True)
class UseRatio:
    """Energy per unit of work beside the parent's, on the same hardware with the same batch: below 1 is less."""

    unit_of_work: str
    hardware: str
    batch: int | None
    rate: Amount


@dataclass(frozen=True)
class Compression:
    """How much smaller a model is than its parent, and what that cost in quality."""

    rate_bytes: float
    rate_params: float
    bits_per_parameter: float
    parent_bits_per_parameter: float
    size_reduction: float  # of bytes: 0.4 is 40 % smaller
    retentions: tuple[Retention, ...]  # of the groups that both have a score in
    use_ratios: tuple[UseRatio, ...]

    @property
    def score_retention(self) -> float | None:
        """The least retention over all groups; None without a group in common."""
        return min((retention.rate for retention in self.retentions), default=None)

    @property
    def energy_ratio(self) -> Amount | None:
        """The worst ratio of use-phase energy; None when nothing was measured on the same hardware."""
        return max((ratio.rate for ratio in self.use_ratios), key=lambda rate: rate.value, default=None)


def compressed_parent(card: Card) -> BaseModelUsed | None:
    """The one base model that the card says it is a compressed form of, with its revision; None if it is unclear."""
    found = [base for base in card.model.base_models or () if base.relation in _COMPRESSING and base.revision]
    return found[0] if len(found) == 1 else None


def compression(card: Card, weights: Weights, parent: Card, parent_weights: Weights) -> Compression:
    """The card's model beside `parent`, the card of the revision that `compressed_parent` names.

    Raises Invalid for weights without bytes or parameters.
    """
    rate = formulas.rate_bytes(parent_weights.size_bytes, weights.size_bytes)
    return Compression(
        rate_bytes=rate,
        rate_params=formulas.rate_params(parent_weights.parameters, weights.parameters),
        bits_per_parameter=formulas.bits_per_parameter(weights.size_bytes, weights.parameters),
        parent_bits_per_parameter=formulas.bits_per_parameter(parent_weights.size_bytes, parent_weights.parameters),
        size_reduction=formulas.size_reduction(rate),
        retentions=_retentions(card, parent),
        use_ratios=_use_ratios(card, parent),
    )


def _retentions(card: Card, parent: Card) -> tuple[Retention, ...]:
    scores = {group_of(score): score for score in reversed(parent.quality or ())}
    found: dict[GroupKey, Retention] = {}
    for score in card.quality or ():
        group = group_of(score)
        if group in scores and group not in found and (rate := _retention(score, scores[group])) is not None:
            found[group] = Retention(group, rate)
    return tuple(found.values())


def _retention(score: Score, original: Score) -> float | None:
    """Scores divided so that 1 keeps everything; a ratio of scores that are not both positive says nothing."""
    if score.value <= 0 or original.value <= 0 or score.higher_is_better != original.higher_is_better:
        return None
    if score.higher_is_better:
        return formulas.score_retention(score.value, original.value)
    return formulas.score_retention(original.value, score.value)


def _use_ratios(card: Card, parent: Card) -> tuple[UseRatio, ...]:
    originals = {_work(use): use for use in reversed(parent.use_phase or ())}
    found: dict[tuple[str, str, int | None], UseRatio] = {}
    for use in card.use_phase or ():
        original = originals.get(_work(use))
        if use.hardware is None or original is None or _work(use) in found:
            continue
        per_unit, original_per_unit = amount(use.energy_per_unit), amount(original.energy_per_unit)
        if original_per_unit.low > 0:
            rate = quotient(per_unit, original_per_unit)
            found[_work(use)] = UseRatio(use.unit_of_work, use.hardware, use.batch, rate)
    return tuple(found.values())


def _work(use: Use) -> tuple[str, str, int | None]:
    return use.unit_of_work, use.hardware or "", use.batch
