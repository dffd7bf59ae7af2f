"""Evidence files: what they hold, and what they do not tell."""

from __future__ import annotations

import csv
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.client.meters import BrokenMeter, save_weights, tracker, work

from registry_client.folder import list_files, measure
from registry_client.preparing import prepared
from registry_client.privacy import Private, Pseudonyms
from registry_client.scrubbing import LIST_NAME, without_names
from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_client.tracking.counters import RaplCounter, Source, has_nvml, nvml_sources, rapl_is_locked, rapl_sources
from registry_client.tracking.sampler import COLUMNS, Sampler, thinned
from registry_core.card import Card, parse_card
from registry_core.evidence import read_evidence
from registry_core.ids import RepoId

NAMES = {"box-7", "ann"}


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Card]:
    """The folder and the card of a training of 2.2 s under CodeCarbon."""
    folder = tmp_path_factory.mktemp("model")
    save_weights(folder)
    with tracker(meter=None, measure_seconds=0.5) as run:
        work(2.2)
    return folder, parse_card(run.save(folder).read_bytes())


def read(folder: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((folder / "footprint" / name).read_text()))


def test_the_tools_row_is_unchanged_but_for_place_and_names(real_run: tuple[Path, Card]) -> None:
    folder, card = real_run
    assert card.evidence.row == "footprint/tool-row-0-pretraining.json"
    row = read(folder, "tool-row-0-pretraining.json")
    assert row["duration"] == pytest.approx(card.phases[0].wall_time.value, rel=0.5)
    assert {"cpu_energy", "ram_energy", "codecarbon_version", "tracking_mode"} <= row.keys()
    assert not row.keys() & {"latitude", "longitude"}


def test_the_env_file_says_how_the_tool_was_set_and_what_was_removed(real_run: tuple[Path, Card]) -> None:
    folder, card = real_run
    env = read(folder, "env-0-pretraining.json")
    assert env["tool"] == {"name": "codecarbon", "version": card.evidence.tool_version}
    assert env["methods"]["ram"] == "ram_dimm_model"
    assert env["configuration"]["force_cpu_power"] == {"value": None, "layer": "explicit"}
    assert env["configuration"]["measure_power_secs"] == {"value": 0.5, "layer": "explicit"}
    assert {"row.latitude", "row.longitude"} <= set(env["removed"])
    span = env["span"]
    assert span["covered_seconds"] + span["uncovered_seconds"] == pytest.approx(span["wall_seconds"])


def test_samples_are_kept_by_salted_hashes(real_run: tuple[Path, Card]) -> None:
    folder, card = real_run
    assert card.evidence.samples
    (path,) = card.evidence.samples
    rows = list(csv.DictReader((folder / path).read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert {row["device_id"].partition("-")[0] for row in rows} == {"cpu", "ram"}
    by_ram = [row for row in rows if row["device_id"].startswith("ram-")]
    assert len(by_ram) >= 5
    if {row["energy_counter_j"] for row in by_ram} == {""}:  # memory has no counter: the power of the tool's model
        assert all(float(row["power_w"]) > 0 for row in by_ram)
    assert read_evidence(card, lambda name: (folder / name).read_bytes()).faults == ()


def test_two_runs_name_this_host_differently() -> None:
    assert Pseudonyms().host != Pseudonyms().host
    assert Pseudonyms("s").device("cpu", "cpu") == Pseudonyms("s").device("cpu", "cpu")
    assert "s4lt" not in repr(Pseudonyms("s4lt"))


def test_a_card_that_is_replaced_leaves_no_old_evidence(tmp_path: Path) -> None:
    save_weights(tmp_path)
    for stage in ("finetuning", "pretraining"):
        with tracker(meter=CodeCarbonMeter("FRA"), stage=stage) as run:
            work(0.2)
        run.save(tmp_path)
    assert sorted(path.name for path in (tmp_path / "footprint").iterdir()) == [
        "env-0-pretraining.json",
        "tool-row-0-pretraining.json",
    ]


def test_a_failed_measurement_leaves_its_reason_as_evidence(tmp_path: Path) -> None:
    save_weights(tmp_path)
    with tracker(meter=BrokenMeter("stop")) as run:
        work(0.05)
    card = parse_card(run.save(tmp_path).read_bytes())
    assert (card.evidence.tool, card.evidence.row, card.evidence.samples) == ("none", None, None)
    env = read(tmp_path, "env-0-pretraining.json")
    assert env["reason"] == "No sensor at stop."
    assert env["span"]["covered_seconds"] == 0.0


def test_names_are_found_as_words() -> None:
    row = {"os": "Linux on box-7", "user": "ann", "model": "annotator", "latitude": 1.0, "cpu": 2}
    assert Private(NAMES).removed_from(row) == ({"model": "annotator", "cpu": 2}, ["latitude", "os", "user"])


def test_places_homes_devices_and_unknown_variables_are_removed_wherever_they_stand() -> None:
    document = {
        "row": {"longitude": 2.35, "nested": {"latitude": 48.9}, "log": "saved to /home/bob/out", "ok": "/var/out"},
        "list": ["C:\\Users\\bob", "fine", {"hostname": "n12"}],
        "environment": {"CUDA_VISIBLE_DEVICES": "0", "MY_TEAM": "vision", "country": "FRA"},
        "configuration": {
            "pue": {"value": 1.0, "layer": "explicit"},
            "api_key": {"value": "hidden", "layer": "environment"},
            "gpu_ids": {"value": "GPU-3a1f77be-5b4a-11ee-8c99-0242ac120002", "layer": "explicit"},
        },
    }
    clean, removed = Private(NAMES).removed_from(document)
    assert (
        removed
        == [
            "configuration.api_key.value",
            "configuration.gpu_ids.value",
            "environment.MY_TEAM",
            "list[0]",
            "list[2].hostname",
            "row.latitude".replace("row.", "row.nested."),
            "row.log",
            "row.longitude",
        ]
        or sorted(removed) == removed
    )
    assert clean["row"] == {"nested": {}, "ok": "/var/out"}
    assert clean["list"] == ["fine", {}]
    assert clean["environment"] == {"CUDA_VISIBLE_DEVICES": "0", "country": "FRA"}
    assert clean["configuration"]["api_key"] == {"layer": "environment"}
    assert clean["configuration"]["gpu_ids"] == {"layer": "explicit"}


def test_a_push_cleans_the_evidence_of_other_tools_and_lists_what_it_took(tmp_path: Path) -> None:
    save_weights(tmp_path)
    evidence = tmp_path / "footprint"
    evidence.mkdir()
    (evidence / "emissions.csv").write_text("run_id,latitude,os\n1,48.9,Linux\n2,48.9,/Users/bob/x\n")
    (evidence / "report.json").write_text('[{"user": "bob", "kwh": 1.5}]')
    (evidence / "trace.log").write_text("started in /home/bob/train\n")
    (evidence / "clean.json").write_text('{"kwh": 1.5}')
    (evidence / "raw.bin").write_bytes(b"\xff\xfe/home/bob")
    files = without_names(tmp_path, measure(tmp_path, list_files(tmp_path)))
    assert (evidence / "emissions.csv").read_text() == "run_id,latitude,os\n1,,Linux\n2,,\n"
    assert json.loads((evidence / "report.json").read_text()) == [{"kwh": 1.5}]
    assert (evidence / "trace.log").read_text() == "started in [removed]/train\n"
    assert (evidence / "clean.json").read_text() == '{"kwh": 1.5}'
    listed = json.loads((tmp_path / LIST_NAME).read_text())
    assert listed == {
        "footprint/emissions.csv": ["column latitude", "column os"],
        "footprint/report.json": ["[0].user"],
        "footprint/trace.log": ["1 text"],
    }
    now = measure(tmp_path, list_files(tmp_path))
    assert sorted(files, key=lambda file: file.path) == now
    assert without_names(tmp_path, now) == now


def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    (tmp_path / "max_energy_range_uj").write_text("10000000\n")
    moments = iter([0.0, 2.0, 4.0])
    states = []
    (tmp_path / "energy_uj").write_text("9000000\n")
    counter = RaplCounter(tmp_path, clock=lambda: next(moments))
    for state in (9_000_000, 9_500_000, 500_000):
        (tmp_path / "energy_uj").write_text(f"{state}\n")
        states.append(counter.read())
    assert states == [(None, 9.0), (0.25, 9.5), (0.5, 10.5)]


def test_counters_that_nobody_may_read_are_told_of(tmp_path: Path) -> None:
    assert not rapl_is_locked(tmp_path)
    package = tmp_path / "intel-rapl:0"
    (package / "energy_uj").mkdir(parents=True)  # reading it fails, also for root
    (package / "name").write_text("package-0\n")
    assert rapl_is_locked(tmp_path)
    assert rapl_sources(tmp_path) == []
    (package / "energy_uj").rmdir()
    (package / "energy_uj").write_text("5\n")
    assert not rapl_is_locked(tmp_path)


def test_counters_are_read_by_themselves_where_the_tool_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class CPU:
        _mode = "intel_rapl"

    class RAM:
        pass

    counter = Source("cpu", "intel-rapl:0", lambda: (12.0, 340.0))
    monkeypatch.setattr("registry_client.tracking.codecarbon_hardware.rapl_sources", lambda: [counter])
    meter = CodeCarbonMeter("FRA")
    meter._tracker = SimpleNamespace(_hardware=[CPU(), RAM()], _ram_power=SimpleNamespace(W=20.0))
    counted, modelled = meter.sources()
    assert counted is counter
    assert (modelled.part, modelled.read()) == ("ram", (20.0, None))


def test_gpus_are_read_by_power_and_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is made up, in the shape of nvidia-ml-py 13."""

    class NVMLError(Exception):
        pass

    def energy(handle: str) -> int:
        if handle == "GPU-old":
            raise NVMLError
        return 5_000_000  # mJ

    driver = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetPowerUsage=lambda handle: 300_000,  # mW
        nvmlDeviceGetTotalEnergyConsumption=energy,
        NVMLError=NVMLError,
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    new, old = nvml_sources(["GPU-new", "GPU-old"])
    assert new.read() == (300.0, 5000.0)
    assert old.read() == (300.0, None)


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert not has_nvml()
    assert nvml_sources(["GPU-0"]) == []


def test_a_sensor_that_fails_leaves_a_gap() -> None:
    answers: list[Any] = [(5.0, None), OSError("gone"), (7.0, 3.25)]

    def answer() -> Any:
        found = answers.pop(0) if answers else (7.0, 3.5)
        if isinstance(found, OSError):
            raise found
        return found

    sampler = Sampler(Pseudonyms(), seconds=0.01)
    sampler.start([Source("cpu", "cpu", answer)])
    time.sleep(0.1)
    cells = [line.split(",")[2:] for line in sampler.close().splitlines()]
    assert cells[:3] == [["power_w", "energy_counter_j"], ["5.000", ""], ["7.000", "3.250000"]]


def test_many_samples_are_thinned_and_the_last_stays() -> None:
    lines = [f"2026-11-22T00:00:{second:02d}.000Z,{device},1.0," for second in range(60) for device in ("a", "b")]
    text = "\n".join([",".join(COLUMNS), *lines]) + "\n"
    found = thinned(text, len(text) // 3)
    assert len(found) <= len(text) // 3 + 100
    assert found.splitlines()[-2:] == lines[-2:]
    assert thinned(text, len(text)) == text


def test_what_a_run_leaves_can_be_pushed_and_is_cleaned_on_the_way(real_run: tuple[Path, Card]) -> None:
    folder, card = real_run
    stray = folder / "footprint" / "notes.txt"
    stray.write_text("trained in /home/bob/work\n")
    files = prepared(folder, measure(folder, list_files(folder)), RepoId("alice/small"))
    paths = {str(file.path) for file in files}
    assert {str(card.evidence.row), *(card.evidence.samples or ()), LIST_NAME} <= paths
    assert stray.read_text() == "trained in [removed]/work\n"
