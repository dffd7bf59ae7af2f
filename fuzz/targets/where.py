"""Conditions of `--where`: one that was read can be evaluated on a model."""

from __future__ import annotations

from registry_core.where import evaluate, names, parse_where

SEEDS = [
    b"energy_kwh < 0.5 and accuracy >= 0.9",
    b'task in ("text-classification", "fill-mask") and not license == "other"',
    b'0.8 <= metric("rouge-l") < 1',
    b'(loss != -1e-3 or not parameters > 2) and author == "alice"',
    b"parameters == 9223372036854775807 or size_bytes < .5",
]
MODEL = {"accuracy": 0.9, "energy_kwh": 0.4, "task": "fill-mask", "parameters": 2**60}


def read(data: bytes) -> None:
    condition = parse_where(data.decode("utf-8", "surrogateescape"))
    assert names(condition)
    assert evaluate(condition, MODEL.get) in (True, False, None)
    assert evaluate(condition, {}.get) is None
