"""Small model folders to push."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any


def safetensors_bytes(values: list[float], name: str = "weight") -> bytes:
    """A safetensors file with one F32 tensor of these values."""
    data = struct.pack(f"<{len(values)}f", *values)
    header = {name: {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(data)]}}
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


def quantity(value: float, unit: str, source: str = "declared") -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": source}


def card(**changes: Any) -> dict[str, Any]:
    """A card as training leaves it: it does not know the files yet. `changes` replace top-level fields."""
    phase = {
        "stage": "finetuning",
        "started_at": "2026-11-21T08:00:00Z",
        "ended_at": "2026-11-21T09:00:00Z",
        "wall_time": quantity(3600, "s"),
        "device_time": quantity(1, "device_hour"),
        "groups": [{"device_kind": "cpu", "device_model": "AMD EPYC", "device_count": 1, "hours": 1}],
        "scope": "machine",
        "energy_it": quantity(0.01, "kWh"),
        "coverage": {
            **dict.fromkeys(("gpu", "ram", "host_rest", "network"), False),
            "cpu": True,
            "hosts_measured": 1,
            "hosts_total": 1,
        },
        "site": {"country": "FRA"},
        "pue": quantity(1.0, "1"),
        "intensity": quantity(50, "gCO2e/kWh"),
        "intensity_meta": {
            "dataset": "national mix",
            "year": 2024,
            "zone": "FRA",
            "resolution": "annual",
            "basis": "location",
            "kind": "average",
            "gases": "co2e",
        },
    }
    score = {"task": "image-classification", "dataset": "digits", "split": "test", "metric": "accuracy"}
    return {
        "schema": "footprint-card/1.0",
        "created_at": "2026-11-21T09:00:00Z",
        "generator": {"name": "model-commons", "version": "0.1.0"},
        "model": {"task": "image-classification", "license": "Apache-2.0", "tags": ["digits"], "base_models": []},
        "phases": [phase],
        "quality": [{**score, "value": 0.975, "higher_is_better": True, "n": 450}],
        "evidence": {"tool": "codecarbon", "tool_version": "3.3.2"},
        **changes,
    }


def write_model(folder: Path, *, values: list[float] | None = None, footprint: dict[str, Any] | None = None) -> Path:
    """A folder with weights, a configuration and, when given, a footprint card."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(safetensors_bytes(values or [0.5, -1.0, 2.0]))
    (folder / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    if footprint is not None:
        (folder / "footprint.json").write_text(json.dumps(footprint))
    return folder
