"""The fuzz targets read their own seeds, and what stays JSON under change, without the fuzzer."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import pytest

from registry_core.errors import Invalid

TARGETS = sorted(path.stem for path in (Path(__file__).parents[2] / "fuzz" / "targets").glob("[a-z]*.py"))


def is_read(target: str, data: bytes) -> bool:
    try:
        importlib.import_module(f"fuzz.targets.{target}").read(data)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("target", TARGETS)
def test_the_first_seed_is_read_and_its_cut_ends_are_read_or_refused(target: str) -> None:
    seeds = importlib.import_module(f"fuzz.targets.{target}").SEEDS
    assert is_read(target, seeds[0])
    for seed in seeds:
        for end in range(0, len(seed), 1 + len(seed) // 9):
            is_read(target, seed[:end])


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("attributes", "shard", "where", "xorb")])
def test_changed_seeds_are_read_or_refused(target: str) -> None:
    module, source = importlib.import_module(f"fuzz.targets.{target}"), random.Random(target)
    outcomes = {is_read(target, module.change(module.SEEDS[0], source)) for _ in range(60)}
    assert outcomes == {True, False}
