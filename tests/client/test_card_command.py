"""`registry card`: sums of a card, and its faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from registry_client import cli

PHASE: dict[str, Any] = {
    "stage": "pretraining",
    "started_at": "2026-11-21T08:00:00Z",
    "ended_at": "2026-11-21T16:00:00Z",
    "wall_time": {"value": 28800.0, "unit": "s", "source": "measured"},
    "device_time": {"value": 32.0, "unit": "device_hour", "source": "measured"},
    "groups": [{"device_kind": "gpu", "device_model": "Fast GPU", "device_count": 4, "hours": 8.0}],
    "scope": "device",
    "energy_gpu": {"value": 9.6, "unit": "kWh", "source": "measured", "method": "nvml_counter"},
    "coverage": {
        "gpu": True,
        "cpu": False,
        "ram": False,
        "host_rest": False,
        "network": False,
        "hosts_total": 1,
        "hosts_measured": 1,
    },
    "site": {"country": "FRA"},
    "pue": {"value": 1.2, "unit": "1", "source": "declared"},
    "intensity": {"value": 56.039, "unit": "gCO2e/kWh", "source": "estimated"},
    "intensity_meta": {
        "dataset": "a table",
        "year": 2023,
        "zone": "FRA",
        "resolution": "annual",
        "basis": "location",
        "kind": "average",
        "gases": "co2e",
    },
}
CARD: dict[str, Any] = {
    "schema": "footprint-card/1.0",
    "created_at": "2026-11-21T17:00:00Z",
    "generator": {"name": "somebody", "version": "1"},
    "subject": {"files": [{"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 8}]},
    "model": {"task": "image-classification", "license": "MIT"},
    "phases": [PHASE],
    "evidence": {"tool": "by hand"},
}


def written(folder: Path, document: Any) -> Path:
    path = folder / "footprint.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("document", [CARD, {"phases": [PHASE]}], ids=["card", "phases alone"])
def test_compute_adds_up_a_card_or_its_phases(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["card", "compute", str(written(tmp_path, document)), "--json"]) == 0
    sums = json.loads(capsys.readouterr().out)
    assert sums["all"]["energy_facility_kwh"]["value"] == pytest.approx(11.52)
    assert sums["all"]["co2e_location_kg"]["value"] == pytest.approx(0.64556928)
    assert sums["development"] is None


def test_compute_shows_units_intervals_and_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["card", "compute", str(written(tmp_path, CARD))]) == 0
    shown = capsys.readouterr().out
    assert "9.6 kWh (8.64 kWh to 10.6 kWh), measured" in shown
    assert "646 g CO2e" in shown
    assert "8 h 00 min, measured" in shown
    assert "development" not in shown


def test_check_finds_nothing_in_a_valid_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, CARD)
    assert cli.run(["card", "check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{path}: no faults\n"


def test_check_lists_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty = {**CARD, "created_at": "yesterday", "phases": [{**PHASE, "scope": "garage"}]}
    assert cli.run(["card", "check", str(written(tmp_path, faulty)), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is False
    places = {fault.partition(":")[0] for fault in found["faults"]}
    assert {"created_at", "phases[0].scope"} <= places


def test_compute_refuses_a_faulty_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["card", "compute", str(written(tmp_path, {**CARD, "phases": []}))]) == 1
    assert "phases" in capsys.readouterr().err


def test_what_is_not_json_is_one_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "footprint.json"
    path.write_text("{half a card")
    assert cli.run(["card", "check", str(path)]) == 1
    assert "JSON" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["compute", "check"])
def test_a_file_that_is_not_there_is_not_found(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["card", verb, str(tmp_path / "nothing.json")]) == 3
    assert "There is no file" in capsys.readouterr().err
