"""The traps of CodeCarbon, T1 to T12: what it does, and that a card does not repeat it."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.client.meters import ConstantMeter, measured_by, save_weights, tracker, work

from registry_client.drafting import draft_readme
from registry_client.tracking.codecarbon_hardware import method_of
from registry_client.tracking.codecarbon_meter import PROCESSORS, SHARED, CodeCarbonMeter, _settings, _tracker
from registry_client.tracking.counters import rapl_sources
from registry_client.tracking.document import scope_of
from registry_client.tracking.meter import PartEnergy, Reading
from registry_client.tracking.overlap import FILE_NAME, Overlap
from registry_core.card import parse_card
from registry_core.errors import Invalid, MeasurementFailed
from registry_core.ids import RepoId

FORCED = {"force_cpu_power": "1000", "force_ram_power": "1000", "pue": "9", "tracking_mode": "process"}
CALLS = {"emissions_endpoint": "http://127.0.0.1:9", "co2_signal_api_token": "a-token", "output_methods": "csv,api"}


@pytest.fixture(scope="module")
def usual() -> Reading:
    """What CodeCarbon says of 1.2 s of work, with nothing set by anybody but us."""
    return measured_by(CodeCarbonMeter("FRA"), seconds=1.2)


def test_t1_the_tracker_is_the_offline_one_so_no_place_is_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = without_network(monkeypatch)
    found = _tracker(_settings("FRA", "machine", 1.0))
    assert type(found).__name__ == "OfflineEmissionsTracker"
    assert measured_by(CodeCarbonMeter("FRA"), seconds=0.2).row["country_iso_code"] == "FRA"
    assert attempts == []


@pytest.mark.parametrize("country", [None, "XXX", "CAN-QC", "fr"])
def test_t2_an_unknown_country_is_an_error_and_not_the_world(country: str | None) -> None:
    with pytest.raises(Invalid):
        tracker(country=country, environ={})


def test_t2_emissions_are_ours_whatever_the_tool_says(tmp_path: Path) -> None:
    class Imagining(ConstantMeter):
        def stop(self) -> Reading:
            return dataclasses.replace(super().stop(), row={"country_iso_code": "ZZZ", "emissions": 475.0})

    save_weights(tmp_path)
    with tracker(meter=Imagining(), pue=1.0) as run:
        work(0.1)
    phase = parse_card(run.save(tmp_path).read_bytes()).phases[0]
    assert phase.intensity
    assert phase.energy_it
    assert phase.co2e_location
    assert phase.intensity.value == 56.039
    assert phase.co2e_location.value == pytest.approx(phase.energy_it.value * 56.039 / 1000)


def test_t3_configuration_files_and_variables_change_nothing_and_nothing_is_sent(
    usual: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{name} = {value}" for name, value in (FORCED | CALLS).items()]
    (tmp_path / ".codecarbon.config").write_text("\n".join(["[codecarbon]", *lines]))
    for name, value in FORCED.items():
        monkeypatch.setenv(f"CODECARBON_{name.upper()}", value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    attempts = without_network(monkeypatch)
    reading = measured_by(CodeCarbonMeter("FRA"), seconds=1.2)
    assert reading.configuration == usual.configuration
    assert {setting.layer for setting in reading.configuration.values()} == {"explicit"}
    assert reading.row["ram_power"] == usual.row["ram_power"]
    assert reading.methods == usual.methods
    assert "overruled: co2_signal_api_token, emissions_endpoint, force_cpu_power" in reading.notes[0]
    assert attempts == []
    assert [path.name for path in tmp_path.iterdir()] == [".codecarbon.config"]
    assert capfd.readouterr() == ("", "")


def without_network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let every attempt to reach another computer fail, and list them."""
    attempts: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        attempts.append(arguments)
        raise OSError("no network here")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return attempts


@pytest.fixture
def own_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if nothing else were measured on this host; the file that measurements share."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / FILE_NAME


@pytest.mark.usefixtures("own_host")
def test_one_measurement_after_the_other_is_alone() -> None:
    for _ in range(2):
        overlap = Overlap()
        assert (overlap.start(), overlap.stop()) == (False, False)


@pytest.mark.usefixtures("own_host")
def test_measurements_at_the_same_time_see_each_other() -> None:
    first, second, third = Overlap(), Overlap(), Overlap()
    assert not first.start()
    assert second.start()
    assert first.stop()
    assert third.start()
    assert third.stop() is False
    assert second.stop()


def test_a_measurement_of_another_process_is_seen_until_it_ends(own_host: Path) -> None:
    program = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from registry_client.tracking.overlap import Overlap\n"
        "overlap = Overlap(); print(overlap.start(), flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(own_host.parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "False\n"
        mine = Overlap()
        assert mine.start()
        assert not mine.stop()
        other.kill()
    again = Overlap()
    assert (again.start(), again.stop()) == (False, False)


def test_a_host_that_lets_nobody_look_measures_all_the_same(own_host: Path) -> None:
    own_host.mkdir()
    overlap = Overlap()
    assert (overlap.start(), overlap.stop()) == (False, False)


@pytest.mark.usefixtures("own_host")
def test_t4_two_runs_at_once_are_warned_of_and_say_so_in_their_cards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_weights(tmp_path / "model")
    with tracker(meter=None) as first, tracker(meter=None) as second:
        work(0.3)
    for run in (first, second):
        card = parse_card(run.save(tmp_path / "model").read_bytes())
        assert card.narrative
        assert SHARED in card.narrative["energy"]
    assert caplog.text.count("measured more than once") == 2
    with tracker(meter=None, scope="process") as alone, tracker(meter=None):
        work(0.3)
    assert SHARED not in str(parse_card(alone.save(tmp_path / "model").read_bytes()).narrative)


def test_t5_t6_energy_is_that_of_the_devices_and_water_is_not_the_tools(tmp_path: Path, usual: Reading) -> None:
    assert (usual.row["pue"], usual.row["wue"], usual.row["water_consumed"]) == (1.0, 0.0, 0.0)
    assert usual.energy_kwh == pytest.approx(usual.row["energy_consumed"])
    save_weights(tmp_path)
    energies = []
    for pue in (1.0, 2.0):
        with tracker(pue=pue) as run:
            work(0.1)
        phase = parse_card(run.save(tmp_path).read_bytes()).phases[0]
        assert phase.energy_it
        energies.append(phase.energy_it.value / phase.wall_time.value)
        assert phase.water_onsite is None
        assert phase.water_offsite is None
    assert energies[0] == pytest.approx(energies[1], rel=0.2)


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "no energy of any part"), (0.1, "no result")])
def test_t7_a_tool_that_lost_its_sensors_gives_no_number(seconds: float, told: str) -> None:
    meter = CodeCarbonMeter("FRA")
    meter.prepare()
    meter._tracker._hardware = [object()]
    meter.start()
    work(seconds)
    with pytest.raises(MeasurementFailed, match=told):
        meter.stop()


def test_t7_a_tool_whose_time_is_not_ours_gives_no_number() -> None:
    meter = CodeCarbonMeter("FRA", clock=lambda: 3 * time.monotonic())
    with pytest.raises(MeasurementFailed, match=r"of a span of"):
        measured_by(meter, seconds=0.5)


def test_t8_each_of_the_tools_modes_has_amethod_of() -> None:
    from codecarbon.external.hardware import CPU
    from codecarbon.external.ram import RAM

    methods = {mode: method_of(CPU(".", mode, "a CPU", 10)) for mode in ("cpu_load", "constant", "something_new")}
    assert methods == {"cpu_load": "cpu_load_model", "constant": "tdp_constant", "something_new": "unknown"}
    assert method_of(RAM()) == "ram_dimm_model"


@pytest.mark.skipif(not PROCESSORS.exists(), reason="only Linux tells the name of its processor in a file")
def test_the_processor_has_the_name_that_linux_gives_it(usual: Reading) -> None:
    names = [line.partition(":")[2].strip() for line in PROCESSORS.read_text().splitlines() if "model name" in line]
    assert usual.row["cpu_model"] in names
    assert usual.devices[0].model in names


def test_t9_process_scope_is_told_and_covers_this_process() -> None:
    reading = measured_by(CodeCarbonMeter("FRA", scope="process"), seconds=1.2)
    assert reading.row["tracking_mode"] == "process"
    assert reading.parts["cpu"].energy_kwh > 0


def test_t9_whole_devices_are_told_in_process_scope() -> None:
    assert scope_of("gpu", PartEnergy(1.0, "nvml_counter"), "process") == "device"
    assert scope_of("cpu", PartEnergy(1.0, "rapl_package"), "process") == "machine"
    assert scope_of("cpu", PartEnergy(1.0, "cpu_load_model"), "process") == "process"


def test_t10_the_readme_says_grams_and_the_card_kilograms(tmp_path: Path) -> None:
    save_weights(tmp_path)
    with tracker(pue=1.5, pue_origin="operator_report") as run:
        work(0.1)
    card = parse_card(run.save(tmp_path).read_bytes())
    co2e = card.phases[0].co2e_location
    assert co2e
    head = yaml.safe_load(draft_readme(card, RepoId("alice/small"), {}).split("---")[1])
    grams = float(head["co2_eq_emissions"]["emissions"])
    assert grams == pytest.approx(co2e.value * 1000, rel=1e-3)


def test_t11_memory_is_counted_by_the_model_alone(usual: Reading) -> None:
    assert usual.configuration["rapl_include_dram"].value is False
    assert usual.configuration["rapl_prefer_psys"].value is False
    assert usual.parts["ram"].method == "ram_dimm_model"


def test_t12_a_counter_that_is_shown_twice_is_read_once(tmp_path: Path) -> None:
    powercap(tmp_path, {"intel-rapl:0": 7_000_000_000, "intel-rapl:1": 7_000_400_000, "intel-rapl:2": 9_000_000_000})
    assert [source.name for source in rapl_sources(tmp_path)] == ["intel-rapl:0", "intel-rapl:2"]


def powercap(root: Path, counters: dict[str, int]) -> None:
    """Folders of RAPL counters as Linux shows them, one with a part of a package."""
    for name, microjoules in counters.items():
        (root / name).mkdir()
        (root / name / "name").write_text(f"package-{name[-1]}\n")
        (root / name / "energy_uj").write_text(f"{microjoules}\n")
        (root / name / "max_energy_range_uj").write_text("262143328850\n")
    (root / "intel-rapl:0:0").mkdir()
    (root / "intel-rapl:0:0" / "name").write_text("dram\n")
    (root / "intel-rapl:0:0" / "energy_uj").write_text("5\n")
