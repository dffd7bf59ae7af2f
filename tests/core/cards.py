"""Cards to test with: the smallest one, the worked example, and one with every field."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

DIGEST = "a" * 64


def quantity(value: float, unit: str, source: str = "measured", **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": source, **more}


def minimal_card(**changes: Any) -> dict[str, Any]:
    """A tracked run on one CPU: only what is required, and its energy. `changes` replace top-level fields."""
    card = {
        "schema": "footprint-card/1.0",
        "created_at": "2026-11-21T09:00:00Z",
        "generator": {"name": "model-commons", "version": "0.1.0"},
        "subject": {"files": [{"path": "model.safetensors", "sha256": DIGEST, "size_bytes": 1000}]},
        "model": {"task": "image-classification", "license": "Apache-2.0", "base_models": []},
        "phases": [minimal_phase()],
        "evidence": {"tool": "codecarbon", "tool_version": "3.3.2"},
    }
    return {**card, **changes}


def minimal_phase(**changes: Any) -> dict[str, Any]:
    """One minute on one CPU, 0.001 kWh; `changes` replace fields."""
    phase = {
        "stage": "finetuning",
        "started_at": "2026-11-21T08:00:00Z",
        "ended_at": "2026-11-21T08:01:00Z",
        "wall_time": quantity(60, "s"),
        "device_time": quantity(1 / 60, "device_hour"),
        "groups": [{"device_kind": "cpu", "device_model": "AMD EPYC", "device_count": 1, "hours": 1 / 60}],
        "scope": "machine",
        "energy_cpu": quantity(0.001, "kWh", "estimated", method="cpu_load_model"),
        "energy_it": quantity(0.001, "kWh", "derived"),
        "coverage": {
            "gpu": False,
            "cpu": True,
            "ram": False,
            "host_rest": False,
            "network": False,
            "hosts_measured": 1,
            "hosts_total": 1,
        },
        "site": {"country": "FRA"},
    }
    return {**phase, **changes}


def golden_card() -> dict[str, Any]:
    """Four devices of 300 W for 8 h, PUE 1.2, 56.039 g/kWh, 2.50 EUR per device-hour.

    energy_it 9.6 kWh, energy_facility 11.52 kWh, co2e 0.64556928 kg, cost 80.00 EUR.
    """
    phase = minimal_phase(
        stage="pretraining",
        ended_at="2026-11-21T16:00:00Z",
        wall_time=quantity(28800, "s"),
        device_time=quantity(32, "device_hour"),
        groups=[{"device_kind": "gpu", "device_model": "A100", "device_count": 4, "hours": 8, "tdp_w": 400}],
        scope="device",
        energy_gpu=quantity(9.6, "kWh", method="nvml_counter"),
        energy_it=quantity(9.6, "kWh", "derived"),
        pue=quantity(1.2, "1", "declared"),
        pue_origin="operator_report",
        intensity=quantity(56.039, "gCO2e/kWh", "estimated"),
        intensity_meta={
            "dataset": "national mix",
            "year": 2023,
            "zone": "FRA",
            "resolution": "annual",
            "basis": "location",
            "kind": "average",
            "gases": "co2e",
            "lifecycle": "lifecycle",
        },
        co2e_location=quantity(0.64556928, "kgCO2e", "derived"),
        cost={"amount": quantity(80, "EUR", "declared"), "currency": "EUR", "basis": "list_price"},
    )
    del phase["energy_cpu"]
    phase["coverage"] = {**phase["coverage"], "gpu": True, "cpu": False}
    return minimal_card(phases=[phase])


def full_card() -> dict[str, Any]:
    """Every field that a client may send."""
    card = deepcopy(golden_card())
    card["model"] |= {
        "parameters_total": 22_700_000,
        "parameters_active": 22_700_000,
        "precision": "F32",
        "architecture": "transformer encoder",
        "modalities_in": ["text"],
        "modalities_out": ["text"],
        "tags": ["compressed"],
        "base_models": [
            {"repo_id": "team/base", "revision": "main", "relation": "distilled", "external": True},
            {"repo_id": "elsewhere/base", "relation": "merge", "external": True},
        ],
    }
    card["data"] = {
        "sources": [{"id": "squad", "revision": "1.1", "role": "train", "licence": "CC-BY-SA-4.0"}],
        "personal_data": "none",
        "provenance": ["public", "synthetic"],
    }
    phase = card["phases"][0]
    phase["groups"][0] |= {"hosts": 1, "factor_kg": 300, "lifetime_h": 43800, "utilisation": 0.85}
    phase |= {
        "included_runs": 3,
        "failed_runs_included": True,
        "energy_cpu": quantity(0.5, "kWh", method="rapl_package"),
        "energy_ram": quantity(0.1, "kWh", "estimated", method="ram_dimm_model"),
        "energy_other": quantity(0.0, "kWh", "declared"),
        "energy_it": quantity(10.2, "kWh", "derived", low=9.0, high=11.4),
        "utilisation_gpu": quantity(0.9, "1"),
        "utilisation_cpu": quantity(0.2, "1"),
        "compute_flop": quantity(3e18, "FLOP", "estimated", method="flop_model"),
        "compute_flop_kind": "gross",
        "tokens": quantity(1_000_000, "token", "declared"),
        "site": {
            "country": "FRA",
            "subdivision": "FR-75",
            "cloud_provider": "own",
            "cloud_region": "paris",
        },
        "co2e_location": quantity(10.2 * 1.2 * 56.039 / 1000, "kgCO2e", "derived"),
        "co2e_market": quantity(0.0, "kgCO2e", "declared"),
        "co2e_market_instrument": "guarantees of origin",
        "co2e_embodied": quantity(0.26, "kgCO2e", "estimated", method="embodied_factor"),
        "water_onsite": quantity(1.0, "L", "declared"),
        "water_offsite": quantity(9.0, "L", "estimated"),
        "wue_on": quantity(0.1, "L/kWh", "declared"),
        "wue_off": quantity(0.9, "L/kWh", "estimated"),
        "electricity_price": quantity(0.2, "EUR/kWh", "declared"),
        "scheduler": {"kind": "slurm", "job_id": "42", "ranks": 4},
    }
    phase["coverage"] |= {"cpu": True, "ram": True}
    card["quality"] = [
        {
            "task": "image-classification",
            "dataset": "digits",
            "config": "default",
            "split": "test",
            "revision": "1",
            "metric": "accuracy",
            "value": 0.9778,
            "higher_is_better": True,
            "n": 450,
            "stderr": 0.007,
            "harness": "own",
            "harness_version": "1",
            "command": "registry rerun team/base",
            "seed": 0,
            "tolerance": 0.02,
        }
    ]
    card["use_phase"] = [
        {
            "unit_of_work": "image",
            "energy_per_unit": quantity(1e-7, "kWh per unit"),
            "batch": 32,
            "hardware": "AMD EPYC",
            "n": 450,
        }
    ]
    card["evidence"] |= {
        "tool_config_digest": DIGEST,
        "samples": ["footprint/samples-1-ab.csv"],
        "row": "footprint/tool-row-1.json",
        "signature": "footprint.att.json",
    }
    card["declarations"] = {
        "offsets": "none",
        "why_not_reuse": "no model of that task",
        "pre_estimate_kwh": 9,
    }
    card["narrative"] = {"SCI": "One unit is one image."}
    return card
