"""`registry card`: sums of a card, and its faults."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
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

UNMEASURED: dict[str, Any] = {
    **{name: value for name, value in PHASE.items() if name != "energy_gpu"},
    "coverage": {**PHASE["coverage"], "gpu": False},
}
RECORDED = Path(__file__).parents[1] / "core" / "recorded"


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


def test_compute_tells_findings_grade_and_sentences_beside_the_totals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["card", "compute", str(written(tmp_path, CARD)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(finding["code"], finding["severity"]) for finding in found["findings"]] == [("F10", "warn")]
    assert found["grade"]["level"] == "E0"
    assert found["grade"]["missing"]
    assert found["sentences"] == ["measured by hand (NVML counter) on 2026-11-21, GPU only, ±10 %"]
    assert [(one["phase"], one["basis"]) for one in found["estimates"]] == [(0, "host_share")]


def test_compute_reads_the_evidence_and_the_readme_beside_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copytree(RECORDED / "nvml", tmp_path, dirs_exist_ok=True)
    (tmp_path / "README.md").write_text("---\nco2_eq_emissions: 99\n---\n")
    assert cli.run(["card", "compute", str(tmp_path / "footprint.json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [finding["code"] for finding in found["findings"]] == ["F16"]
    assert found["grade"]["level"] == "E1"  # E2, less one for the warning
    (tmp_path / "README.md").unlink()
    assert cli.run(["card", "compute", str(tmp_path / "footprint.json")]) == 0
    shown = capsys.readouterr().out
    assert "evidence level E2" in shown
    assert "for the next: Sign the card" in shown


def test_compute_estimates_what_was_not_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group = {**PHASE["groups"][0], "tdp_w": 400.0}
    path = written(tmp_path, {"phases": [{**UNMEASURED, "groups": [group]}]})
    assert cli.run(["card", "compute", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["all"]["energy_it_kwh"] is None
    (estimate,) = found["estimates"]
    assert estimate["energy_it_kwh"]["value"] == pytest.approx(32 * 0.4 * 0.7 * 1.4)
    assert cli.run(["card", "compute", str(path)]) == 0
    assert "12.5 kWh (3.52 kWh to 28 kWh), a server estimate from" in capsys.readouterr().out


def test_compute_estimates_from_operations_with_a_stated_efficiency(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operations = {"value": 3.6e18, "unit": "FLOP", "source": "estimated"}
    path = written(tmp_path, {"phases": [{**UNMEASURED, "compute_flop": operations}]})
    assert cli.run(["card", "compute", str(path), "--flop-per-joule", "1e12", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["estimates"][0]["energy_it_kwh"]["value"] == pytest.approx(1.0)
    assert cli.run(["card", "compute", str(path), "--json"]) == 0
    assert "Fast GPU" in json.loads(capsys.readouterr().out)["estimates"][0]["reason"]


def test_check_finds_nothing_in_a_good_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copytree(RECORDED / "nvml", tmp_path, dirs_exist_ok=True)
    assert cli.run(["card", "check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'footprint.json'}: no faults\n"


def test_check_shows_warnings_and_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, CARD)
    assert cli.run(["card", "check", str(tmp_path)]) == 0
    assert "no faults\n  - warning F10: phases[0].coverage: " in capsys.readouterr().out


def test_check_fails_on_a_finding_of_severity_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, {**CARD, "phases": [UNMEASURED]})
    assert cli.run(["card", "check", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is True
    assert [finding["code"] for finding in found["findings"]] == ["F9"]


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
