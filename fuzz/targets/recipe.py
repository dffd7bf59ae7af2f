"""`evaluation.yaml`: how a claim can be checked."""

from __future__ import annotations

import json
import random

from fuzz.documents import change_json

from registry_core import plain_yaml
from registry_core.recipe import parse_recipe

SEEDS = [
    b"task: image-classification\ndataset: {package: scikit-learn, name: digits}\n"
    b"split: {seed: 0, test_fraction: 0.25}\nmetric: accuracy\nn: 450\ntolerance: 0.02\n",
    b"dataset:\n  package: x\n  name: 'y'\nsplit:\n  seed: 4294967295\n  test_fraction: 1e-9\nmetric: \"loss\"\nn: 1\n",
    b"a: &a [*a]\n",
    b"? !!python/object:x\n: |\n  text\n",
]


def change(data: bytes, source: random.Random) -> bytes:
    """JSON is YAML too."""
    return change_json(json.dumps(plain_yaml.load(data.decode())).encode(), source)


def read(data: bytes) -> None:
    recipe = parse_recipe(data)
    assert parse_recipe(json.dumps(recipe.model_dump(exclude_none=True))) == recipe
