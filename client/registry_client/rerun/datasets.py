"""Data sets that a rerun can evaluate on: they come inside an installed package, so nothing is downloaded.

A held-out split is drawn by stratified sampling from a seed and a fraction, so every machine with the same
package holds out the same samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import datasets as packaged
from sklearn.model_selection import train_test_split

from registry_core.errors import Invalid
from registry_core.recipe import Recipe

SPLIT = "test"
"""What a card calls the held-out part."""

_DATASETS: dict[str, Callable[..., Any]] = {
    "scikit-learn/breast_cancer": packaged.load_breast_cancer,
    "scikit-learn/digits": packaged.load_digits,
    "scikit-learn/iris": packaged.load_iris,
    "scikit-learn/wine": packaged.load_wine,
}


@dataclass(frozen=True)
class Samples:
    """Rows of features and the class of each row."""

    features: npt.NDArray[np.float32]  # (samples, features)
    labels: npt.NDArray[np.int64]  # (samples,)

    def __len__(self) -> int:
        return len(self.labels)


def dataset_id(recipe: Recipe) -> str:
    """The data set as a card names it, for example `scikit-learn/digits`."""
    return f"{recipe.dataset.package}/{recipe.dataset.name}"


def held_out(recipe: Recipe) -> tuple[Samples, Samples]:
    """The samples to train on and the ones held out, `recipe.n` of them.

    Raises Invalid for a data set that is not known here, and when the split does not hold out n samples.
    """
    name = dataset_id(recipe)
    if name not in _DATASETS:
        raise Invalid(f"There is no data set {name!r} to evaluate on.", hint=f"Known: {', '.join(sorted(_DATASETS))}.")
    features, labels = _DATASETS[name](return_X_y=True)
    parts = _split(features.astype(np.float32), labels.astype(np.int64), recipe)
    if len(parts[1]) != recipe.n:
        raise Invalid(
            f"evaluation.yaml says n: {recipe.n}, and its split holds out {len(parts[1])} samples.",
            hint="Correct n or test_fraction.",
        )
    return parts


def _split(features: Any, labels: Any, recipe: Recipe) -> tuple[Samples, Samples]:
    seed, fraction = recipe.split.seed, recipe.split.test_fraction
    try:
        train, test, train_labels, test_labels = train_test_split(
            features, labels, test_size=fraction, random_state=seed, stratify=labels
        )
    except ValueError as error:
        raise Invalid(f"The data set cannot be split: {error}") from error
    return Samples(train, train_labels), Samples(test, test_labels)
