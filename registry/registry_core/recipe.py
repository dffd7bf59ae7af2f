"""`evaluation.yaml`: how a claimed score can be checked, and whether a rerun came close enough.

    task: image-classification             # optional: the task the claim is made for
    dataset: {package: scikit-learn, name: digits}
    split: {seed: 0, test_fraction: 0.25}
    metric: accuracy
    n: 450                                 # samples in the test part
    tolerance: 0.02                        # optional: allowed difference, in the unit of the metric

Nothing in a recipe is ever executed: the package and the name choose among data sets that a rerun knows.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, ValidationError

from registry_core.card_rules import Task
from registry_core.errors import Invalid, InvalidRecipe
from registry_core.plain_yaml import YamlFault, load
from registry_core.records import Verdict
from registry_core.strict import Count, Faults, Number, Strict, fault_lines, faults_of

MAX_RECIPE_BYTES = 64 * 1024
DEFAULT_RELATIVE_TOLERANCE = 0.01
Z_99_PERCENT = 2.58  # of a two-sided interval of the normal distribution

PROPORTIONS = frozenset(
    {"accuracy", "balanced_accuracy", "error_rate", "exact_match", "top_1_accuracy", "top_5_accuracy"}
)
"""Metrics that are a share of the samples, so that their sampling error follows from n."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/@-]*$", max_length=200)]


class Dataset(Strict):
    """A data set by the package that brings it and its name there."""

    package: Name
    name: Name


class Split(Strict):
    """How the test part was drawn."""

    seed: Annotated[Count, Field(le=2**32 - 1)]
    test_fraction: Annotated[float, Field(gt=0, lt=1)]


class Recipe(Strict):
    """What was evaluated, on what, by which metric."""

    dataset: Dataset
    split: Split
    metric: Name
    n: Annotated[Count, Field(ge=1)]
    tolerance: Number | None = None
    task: Task | None = None


def parse_recipe(text: str | bytes) -> Recipe:
    """The recipe in `text`: YAML of at most 64 KiB, without anchors, aliases and tags.

    Raises InvalidRecipe, whose `faults` name every fault at once, each as `place: what is wrong`.
    """
    try:
        return Recipe.model_validate(_read(text))
    except ValidationError as error:
        raise _invalid(faults_of(error)) from error
    except ValueError as error:  # UnicodeDecodeError and YamlFault among them
        raise _invalid({"": str(error)}) from error


def _read(text: str | bytes) -> object:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_RECIPE_BYTES:
        raise YamlFault(f"is larger than {MAX_RECIPE_BYTES} bytes")
    return load(raw.decode())


def _invalid(faults: Faults) -> InvalidRecipe:
    lines = fault_lines(faults)
    return InvalidRecipe(
        f"The evaluation recipe has {len(lines)} fault{'s' if len(lines) > 1 else ''}.",
        hint="Correct evaluation.yaml and check it again.",
        faults=lines,
    )


def is_proportion(metric: str) -> bool:
    """Whether `metric` is a share of the samples, between 0 and 1."""
    return metric in PROPORTIONS


def allowed_difference(claimed: float, n: int, declared_tolerance: float | None, is_proportion: bool) -> float:
    """How far a rerun may be from the claimed score, in the unit of the metric.

    A proportion p of n samples may differ by the declared tolerance, or by its own sampling error where
    that is larger: 2.58 x sqrt(p (1 - p) / n), the 99 % interval of the normal approximation. Any other
    metric may differ by the declared tolerance, or by 1 % of the claim when none is declared. Raises
    Invalid for a proportion outside 0 to 1, and for n below 1.
    """
    if not is_proportion:
        return abs(claimed) * DEFAULT_RELATIVE_TOLERANCE if declared_tolerance is None else declared_tolerance
    if not 0 <= claimed <= 1 or n < 1:
        raise Invalid(
            f"{claimed:g} of {n} samples is not a proportion.",
            hint="A proportion is between 0 and 1 of at least one sample; is it in percent?",
        )
    return max(declared_tolerance or 0.0, Z_99_PERCENT * math.sqrt(claimed * (1 - claimed) / n))


def verdict(
    claimed: float, observed: float, *, n: int, declared_tolerance: float | None, is_proportion: bool
) -> Verdict:
    """`pass` when the rerun is within the allowed difference, else `fail`; a NaN never passes."""
    allowed = allowed_difference(claimed, n, declared_tolerance, is_proportion)
    # A hair's breadth of rounding, so that 0.98 may be 0.02 from 0.96.
    return "pass" if abs(claimed - observed) <= allowed + 1e-12 else "fail"
