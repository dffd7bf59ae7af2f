"""Published training runs come out of the calculator as their publishers printed them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.core.cards import minimal_card, minimal_phase, quantity

from registry_core.card import parse_card
from registry_core.estimates import estimate, from_device_hours, recomputed
from registry_core.footprint import phase_footprint
from registry_core.intensity import intensity
from registry_core.phase import Group, Phase

TABLE = Path(__file__).with_name("data") / "published-runs.csv"
LINES = TABLE.read_text(encoding="utf-8").splitlines()
RUNS = list(csv.DictReader(line for line in LINES if not line.startswith("#")))
BY_MODEL = {run["model"]: run for run in RUNS}


def phase_of(run: dict[str, str], *, with_energy: bool = True) -> Phase:
    """The run as a phase of a card, with the energy that device hours and watts come to, or that was stated."""
    hours = float(run["device_hours"] or 1)
    group = {"device_kind": "gpu", "device_model": run["device"] or "unknown", "device_count": 1, "hours": hours}
    meta = {"dataset": run["source"], "year": 2023, "zone": "stated", "resolution": "annual", "kind": "average"}
    fields: dict[str, Any] = {
        "stage": "pretraining",
        "groups": [group],
        "device_time": quantity(hours, "device_hour", "declared"),
        "scope": "device",
        "intensity": quantity(float(run["intensity_g_per_kwh"]), "gCO2e/kWh", "declared"),
        "intensity_meta": {**meta, "basis": run["basis"], "gases": "co2e"},
        "pue": quantity(float(run["pue"] or 1), "1", "declared"),
    }
    if with_energy:
        source = "estimated" if run["device_hours"] else "declared"
        fields["energy_it"] = quantity(energy_it_kwh(run), "kWh", source)
    document = minimal_phase(**fields)
    del document["energy_cpu"]
    if not with_energy:
        del document["energy_it"]
        document["coverage"] = {**document["coverage"], "cpu": False}
    return parse_card(minimal_card(phases=[document])).phases[0]


def energy_it_kwh(run: dict[str, str]) -> float:
    if run["energy_it_mwh"]:
        return float(run["energy_it_mwh"]) * 1000
    device = Group(
        device_kind="gpu",
        device_model="stated",
        device_count=1,
        hours=float(run["device_hours"]),
        tdp_w=float(run["power_w"]),
    )
    return from_device_hours([device], load=1.0).value


@pytest.mark.parametrize("run", RUNS, ids=list(BY_MODEL))
def test_a_published_run_is_reproduced(run: dict[str, str]) -> None:
    found = phase_footprint(phase_of(run))
    tolerance = float(run["tolerance"])
    assert found.energy_facility_kwh is not None
    if run["reported_facility_mwh"]:
        reported_kwh = float(run["reported_facility_mwh"]) * 1000
        assert found.energy_facility_kwh.value == pytest.approx(reported_kwh, rel=tolerance)
    if run["basis"] == "market":
        assert found.co2e_location_kg is None
        return
    assert found.co2e_location_kg is not None
    assert found.co2e_location_kg.value == pytest.approx(float(run["reported_tco2e"]) * 1000, rel=tolerance)


@pytest.mark.parametrize("model", [run["model"] for run in RUNS if run["device"] and run["device_hours"]])
def test_an_estimate_from_device_hours_alone_holds_the_published_energy(model: str) -> None:
    run = BY_MODEL[model]
    found = estimate(phase_of(run, with_energy=False))
    assert found is not None
    assert found.basis == "device_hours"
    assert found.energy_it_kwh.low <= energy_it_kwh(run) <= found.energy_it_kwh.high


def test_there_are_enough_runs_and_each_has_a_source() -> None:
    assert len(RUNS) >= 20
    assert all(run["source"] and run["checked"] in ("text", "arithmetic") for run in RUNS)
    assert len(BY_MODEL) == len(RUNS)


def test_a_printed_figure_lies_between_its_two_powers() -> None:
    low, high = (
        phase_footprint(phase_of(BY_MODEL[f"Code Llama (all 12) at {watts} W"])).co2e_location_kg
        for watts in (350, 400)
    )
    assert low is not None
    assert high is not None
    assert low.value < 228_550 < high.value


def test_a_run_moves_to_another_grid_and_keeps_its_old_value() -> None:
    phase = phase_of(BY_MODEL["LLaMA 65B"])
    france = intensity("FRA")
    found = recomputed(phase, france)
    assert found is not None
    assert found.old is not None
    assert found.old.value == pytest.approx(1022362 * 0.4 * 1.1 * 0.385)
    assert found.co2e_location_kg.value == pytest.approx(1022362 * 0.4 * 1.1 * france.value / 1000)
    assert phase.intensity is not None
    assert phase.intensity.value == 385
