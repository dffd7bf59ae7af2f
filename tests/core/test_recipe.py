"""A recipe is read strictly, and a rerun is judged by it."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import Invalid, InvalidRecipe
from registry_core.recipe import (
    Dataset,
    Recipe,
    Split,
    allowed_difference,
    is_proportion,
    parse_recipe,
    verdict,
)

DIGITS = """
task: image-classification
dataset: {package: scikit-learn, name: digits}
split: {seed: 0, test_fraction: 0.25}
metric: accuracy
n: 450
tolerance: 0.02
"""

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._/@-]{0,30}", fullmatch=True)
recipes = st.builds(
    Recipe,
    dataset=st.builds(Dataset, package=names, name=names),
    split=st.builds(
        Split,
        seed=st.integers(0, 2**32 - 1),
        test_fraction=st.floats(0, 1, exclude_min=True, exclude_max=True),
    ),
    metric=names,
    n=st.integers(1, 2**53 - 1),
    tolerance=st.none() | st.floats(0, 1e9),
    task=st.none() | st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
)


def faults(text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe(text)
    return caught.value.faults


def test_digits() -> None:
    recipe = parse_recipe(DIGITS)
    assert recipe.dataset == Dataset(package="scikit-learn", name="digits")
    assert recipe.split == Split(seed=0, test_fraction=0.25)
    assert (recipe.metric, recipe.n, recipe.tolerance, recipe.task) == (
        "accuracy", 450, 0.02, "image-classification"
    )  # fmt: skip
    assert parse_recipe(DIGITS.encode()) == recipe


def test_task_and_tolerance_may_be_left_out() -> None:
    text = "\n".join(line for line in DIGITS.splitlines() if line[:4] not in ("task", "tole"))
    recipe = parse_recipe(text)
    assert (recipe.task, recipe.tolerance) == (None, None)


@given(recipes)
def test_a_recipe_survives_writing_and_reading(recipe: Recipe) -> None:
    assert parse_recipe(yaml.safe_dump(recipe.model_dump(exclude_none=True))) == recipe


def test_all_faults_are_named_at_once() -> None:
    text = """
dataset: {package: scikit-learn, nam: digits}
split: {seed: -1, test_fraction: 1.0}
metric: 5
n: "450"
tolerance: 2 %
command: rm
"""
    found = faults(text)
    assert {line.partition(":")[0] for line in found} == {
        "dataset.name", "dataset.nam", "split.seed", "split.test_fraction", "metric", "n",
        "tolerance", "command",
    }  # fmt: skip
    assert "n: expected a whole number, got '450'" in found
    assert "dataset.name: is required" in found
    assert "command: unknown field" in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "[]",
        "a: [",
        DIGITS + "n: 451",
        DIGITS.replace("450", "true"),
        DIGITS.replace("450", "0"),
        DIGITS.replace("450", "450.0"),
        DIGITS.replace("0.02", ".nan"),
        DIGITS.replace("0.02", ".inf"),
        DIGITS.replace("0.02", "1e999"),
        DIGITS.replace("0.02", "-0.1"),
        DIGITS.replace("450", "9" * 5000),
        DIGITS.replace("digits", "$(reboot)"),
        DIGITS.replace("digits", '"a\\nb"'),
        DIGITS.replace("image-classification", "Image Classification"),
        DIGITS.replace("digits}", "&a digits}"),
        DIGITS.replace("450", "!!python/object/apply:os.system ['true']"),
        "a: &a [1]\nb: *a\n",
        "[" * 5000,
        "x: " + "y" * 70_000,
        b"\xff\xfe\x00",
        "metric: \x00",
        "metric: \ud800",
    ],
)
def test_what_is_no_recipe_is_refused(text: str | bytes) -> None:
    assert faults(text)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_input_is_read_or_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidRecipe):
        parse_recipe(text)


def test_the_digits_example_may_differ_by_its_sampling_error() -> None:
    assert allowed_difference(0.9778, 450, None, True) == pytest.approx(0.018, abs=5e-4)
    assert allowed_difference(0.9778, 450, 0.02, True) == 0.02
    assert allowed_difference(0.9778, 450, 0.001, True) == pytest.approx(0.018, abs=5e-4)


def test_other_metrics_may_differ_by_what_is_declared_or_one_percent() -> None:
    assert allowed_difference(-12.0, 450, None, False) == pytest.approx(0.12)
    assert allowed_difference(12.0, 450, 0.5, False) == 0.5


@pytest.mark.parametrize(("claimed", "n"), [(97.78, 450), (-0.1, 450), (math.nan, 450), (0.9, 0)])
def test_what_is_no_proportion_is_refused(claimed: float, n: int) -> None:
    with pytest.raises(Invalid):
        allowed_difference(claimed, n, None, True)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (0.9778, "pass"),
        (0.96, "pass"),
        (0.9957, "pass"),
        (0.958, "fail"),
        (0.997, "fail"),
        (math.nan, "fail"),
    ],
)
def test_verdict(observed: float, expected: str) -> None:
    assert verdict(0.9778, observed, n=450, declared_tolerance=None, is_proportion=True) == expected


def test_a_difference_of_exactly_the_tolerance_passes() -> None:
    assert verdict(0.96, 0.98, n=10**9, declared_tolerance=0.02, is_proportion=True) == "pass"


def test_accuracy_is_a_proportion_and_perplexity_is_not() -> None:
    assert is_proportion("accuracy")
    assert not is_proportion("perplexity")


@given(st.floats(0, 1), st.integers(1, 10**6), st.floats(0, 1))
def test_a_perfect_rerun_always_passes(claimed: float, n: int, tolerance: float) -> None:
    assert verdict(claimed, claimed, n=n, declared_tolerance=tolerance, is_proportion=True) == "pass"
