"""Rerun: pull a model, evaluate it as its recipe says, and compare with what its card claims.

pull ─► evaluation.yaml, footprint.json ─► load ─► evaluate under a meter ─► verdict ─► post
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import torch

from registry_client.config import connection
from registry_client.folder import CARD_NAME, RECIPE_NAME
from registry_client.remote import Remote
from registry_client.rerun import datasets, devices, evaluation
from registry_client.rerun.loading import Pulled, pulled_model, required
from registry_client.rerun.weights import load_network
from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_client.tracking.meter import Meter
from registry_core.card import Score, parse_card
from registry_core.errors import NotFound
from registry_core.ids import RepoId
from registry_core.recipe import Recipe, allowed_difference, is_proportion, parse_recipe, verdict
from registry_core.records import Rerun, RerunReport

_RECIPE_HINT = (
    "Add evaluation.yaml with `dataset: {package: scikit-learn, name: digits}`,"
    " `split: {seed: 0, test_fraction: 0.25}`, `metric: accuracy` and `n: 450`, and push again."
)
_CARD_HINT = "Train it under `registry track` or track(), state the result with run.quality(), and push again."


@dataclass(frozen=True)
class RerunResult:
    """What a rerun found; `posted` is what the server stored, None when nothing was sent."""

    id: str
    revision: str
    report: RerunReport
    repeats: int  # evaluations measured; duration and energy of the report are those of one
    posted: Rerun | None


def rerun(
    spec: str,
    *,
    device: str = "auto",
    endpoint: str | None = None,
    token: str | None = None,
    post: bool = True,
    meter: Meter | None = None,
) -> RerunResult:
    """Evaluate `OWNER/NAME[@REVISION]` here and compare with its card; with `post` the server keeps the verdict.

    The energy is that of the whole machine during one evaluation, None with a `reason` when it could not be
    measured, as without codecarbon. Raises NotFound without a recipe or a claim, Invalid for a device or a
    family that is not there, InvalidWeights for weights that do not fit, and the errors of a server.
    """
    chosen = devices.choose(device)
    pulled = pulled_model(spec, endpoint=endpoint, token=token)
    report, repeats = evaluated(pulled, chosen, meter or CodeCarbonMeter())
    posted = _post(RepoId(pulled.result.id), report, endpoint, token) if post else None
    return RerunResult(pulled.result.id, pulled.result.revision, report, repeats, posted)


def evaluated(pulled: Pulled, device: torch.device, meter: Meter) -> tuple[RerunReport, int]:
    """What a snapshot does on `device`, beside what its card claims; and how many evaluations were measured."""
    recipe = parse_recipe(required(pulled.folder, RECIPE_NAME, _RECIPE_HINT))
    claim = claimed(pulled, recipe)
    _, test = datasets.held_out(recipe)
    network = load_network(pulled.config, pulled.folder, device)
    found = evaluation.measured(lambda: evaluation.evaluate(network, test, recipe.metric, device), meter, device)
    return _report(pulled, recipe, claim, found, device), found.repeats


def claimed(pulled: Pulled, recipe: Recipe) -> Score:
    """What the card claims for the recipe's metric on its data. Raises NotFound when it claims nothing."""
    card = parse_card(required(pulled.folder, CARD_NAME, _CARD_HINT))
    if not card.quality:
        raise NotFound("The card of this model claims no result, so there is nothing to check.", hint=_CARD_HINT)
    dataset = datasets.dataset_id(recipe)
    for score in card.quality:
        if (score.metric, score.dataset, score.split) == (recipe.metric, dataset, datasets.SPLIT):
            return score
    raise NotFound(
        f"The card claims no {recipe.metric} on {dataset}, split {datasets.SPLIT}.",
        hint=f"Make {RECIPE_NAME} and the card speak of the same result, and push again.",
        faults=[f"it claims {score.metric} on {score.dataset}, split {score.split}" for score in card.quality],
    )


def _report(
    pulled: Pulled, recipe: Recipe, claim: Score, found: evaluation.Evaluation, device: torch.device
) -> RerunReport:
    proportion = is_proportion(recipe.metric)
    declared = _widest(claim.tolerance, recipe.tolerance)
    allowed = allowed_difference(claim.value, recipe.n, declared, proportion)
    outcome = verdict(claim.value, found.value, n=recipe.n, declared_tolerance=declared, is_proportion=proportion)
    reading = found.span.reading
    return RerunReport(
        commit_id=pulled.result.commit_id,
        task=claim.task,
        dataset=claim.dataset,
        split=claim.split,
        metric=claim.metric,
        claimed=claim.value,
        observed=found.value,
        tolerance=allowed,
        n=recipe.n,
        verdict=outcome,
        duration_seconds=found.duration_seconds,
        energy_kwh=found.energy_kwh,
        energy_source=reading.source if reading else None,
        energy_methods=reading.methods if reading else {},
        device=device.type,
        device_name=_device_name(device, found),
        software={name: version(name) for name in ("model-commons", "torch", "scikit-learn", "numpy")},
        reason=_reason(outcome, claim.value, found, allowed),
    )


def _device_name(device: torch.device, found: evaluation.Evaluation) -> str:
    """What the meter calls the processor is more than what Python knows of it."""
    seen = found.span.reading.devices if found.span.reading and device.type == "cpu" else ()
    return next((processor.model for processor in seen if processor.kind == "cpu"), devices.device_name(device))


def _reason(outcome: str, claim: float, found: evaluation.Evaluation, allowed: float) -> str | None:
    """Why the verdict is a fail, and why the energy is absent, when they are."""
    reasons = []
    if outcome == "fail":
        difference = abs(found.value - claim)
        reasons.append(f"differs from the claim by {difference:.4f}, and {allowed:.4f} is allowed")
    if found.energy_kwh is None:
        reasons.append(f"no energy: {found.span.reason or 'no part of the machine was covered'}")
    return "; ".join(reasons) or None


def _widest(*tolerances: float | None) -> float | None:
    given = [tolerance for tolerance in tolerances if tolerance is not None]
    return max(given) if given else None


def _post(repo: RepoId, report: RerunReport, endpoint: str | None, token: str | None) -> Rerun:
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.post_rerun(repo, report)
