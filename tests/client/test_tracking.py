"""Measuring a training: what stands in the card, and what happens when measuring fails."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_client import cli, track
from registry_client.tracking.codecarbon_meter import SHARED, CodeCarbonMeter, _method
from registry_client.tracking.evidence import without_names
from registry_client.tracking.meter import Device, PartEnergy, Reading
from registry_client.tracking.overlap import FILE_NAME, Overlap
from registry_client.tracking.tracker import Tracker
from registry_core.card import Card, parse_card
from registry_core.errors import Invalid, InvalidCard, MeasurementFailed

WATTS = 36.0
FORCED = {"force_cpu_power": "1000", "force_ram_power": "1000", "pue": "9", "tracking_mode": "process"}
CALLS = {"emissions_endpoint": "http://127.0.0.1:9", "co2_signal_api_token": "a-token", "output_methods": "csv,api"}


class ConstantMeter:
    """A machine that always draws 36 W, by its counter. `ready` lets the meter find its sensors late."""

    def __init__(self, ready: threading.Event | None = None) -> None:
        self.ready = ready
        self.started = 0.0

    def prepare(self) -> None:
        if self.ready:
            self.ready.wait(10)

    def start(self) -> None:
        self.started = time.monotonic()

    def stop(self) -> Reading:
        seconds = time.monotonic() - self.started
        parts = {"cpu": PartEnergy(WATTS * seconds / 3.6e6, "rapl_package")}
        return Reading(seconds, parts, (Device("cpu", "Quiet CPU", 2, 18.0),), "constant", "1")  # type: ignore[arg-type]


class BrokenMeter(ConstantMeter):
    """A meter that fails at one of its three calls."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def prepare(self) -> None:
        self._fail("prepare")

    def start(self) -> None:
        self._fail("start")

    def stop(self) -> Reading:
        self._fail("stop")
        return super().stop()

    def _fail(self, call: str) -> None:
        if call == self.at:
            raise MeasurementFailed(f"No sensor at {call}.")


def tracker(**changes: Any) -> Tracker:
    given = {"task": "image-classification", "license": "Apache-2.0", "country": "FRA", "meter": ConstantMeter()}
    return track(**{**given, **changes})


def save_weights(folder: Path) -> None:
    """The smallest safetensors file with a tensor in it: two numbers of 32 bits."""
    header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))


def work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


@pytest.fixture(scope="module")
def real_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Card]:
    """The folder and the card of a training of 2.2 s under CodeCarbon."""
    folder = tmp_path_factory.mktemp("model")
    save_weights(folder)
    with tracker(meter=None, data_sources=["scikit-learn/digits"]) as run:
        work(2.2)
    run.quality("accuracy", 0.97, dataset="scikit-learn/digits", split="test", n=450, seed=0)
    return folder, parse_card(run.save(folder).read_bytes())


def test_card_of_a_real_run_says_what_was_used_and_how_it_is_known(real_run: tuple[Path, Card]) -> None:
    phase = real_run[1].phases[0]
    assert 2.2 <= phase.wall_time.value < 4
    assert phase.energy_cpu
    assert phase.energy_cpu.method in ("cpu_load_model", "rapl_package", "tdp_constant")
    assert phase.energy_cpu.source == ("measured" if phase.energy_cpu.method == "rapl_package" else "estimated")
    assert phase.energy_ram
    assert phase.energy_ram.method == "ram_dimm_model"
    assert phase.energy_it
    assert phase.energy_it.source == "derived"
    assert phase.energy_it.value > 0
    assert phase.coverage.cpu
    assert phase.coverage.ram
    assert not phase.coverage.host_rest
    assert phase.pue is None
    assert phase.intensity_meta
    assert phase.intensity_meta.zone == "FRA"
    assert phase.groups[0].hours == pytest.approx(phase.wall_time.value / 3600)


def test_card_of_a_real_run_describes_the_weights_beside_it(real_run: tuple[Path, Card]) -> None:
    card = real_run[1]
    assert [file.path for file in card.subject.files] == ["model.safetensors"]
    assert card.model.parameters_total == 2
    assert card.model.base_models == ()
    assert card.quality
    assert card.quality[0].value == 0.97


def test_evidence_has_the_tools_row_without_place_and_names(real_run: tuple[Path, Card]) -> None:
    folder, card = real_run
    assert card.evidence.tool_version
    assert card.evidence.tool_version.startswith("3.3")
    evidence = json.loads((folder / str(card.evidence.row)).read_text())
    assert {"row.latitude", "row.longitude"} <= set(evidence["removed"])
    assert evidence["row"]["duration"] == pytest.approx(evidence["wall_seconds"], rel=0.1)
    assert str(Path.home()) not in json.dumps(evidence)
    assert evidence["row"]["pue"] == 1.0


def test_names_are_found_as_words() -> None:
    row = {"os": "Linux on box-7", "user": "ann", "model": "annotator", "latitude": 1.0, "cpu": 2}
    assert without_names(row, {"box-7", "ann"}) == (
        {"model": "annotator", "cpu": 2},
        ["latitude", "os", "user"],
    )


def test_configuration_files_and_variables_change_nothing_and_nothing_is_sent(
    real_run: tuple[Path, Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{name} = {value}" for name, value in (FORCED | CALLS).items()]
    (tmp_path / ".codecarbon.config").write_text("\n".join(["[codecarbon]", *lines]))
    for name, value in FORCED.items():
        monkeypatch.setenv(f"CODECARBON_{name.upper()}", value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    attempts = without_network(monkeypatch)
    reading = measured_by(CodeCarbonMeter("FRA"), seconds=1.2)
    usual = json.loads((real_run[0] / "footprint/tool-row-pretraining.json").read_text())
    assert dict(reading.settings) == usual["settings"]
    assert reading.row["ram_power"] == usual["row"]["ram_power"]
    assert reading.methods == usual["methods"]
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


def measured_by(meter: CodeCarbonMeter, seconds: float) -> Reading:
    meter.prepare()
    meter.start()
    work(seconds)
    return meter.stop()


def test_without_codecarbon_the_extra_is_named_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Invalid) as caught:
        tracker(meter=None)
    assert "model-commons[track]" in caught.value.hint


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
def test_two_runs_at_once_are_warned_of_and_say_so_in_their_cards(
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


def test_process_scope_is_told_and_covers_this_process() -> None:
    reading = measured_by(CodeCarbonMeter("FRA", scope="process"), seconds=1.2)
    assert reading.row["tracking_mode"] == "process"
    assert reading.parts["cpu"].energy_kwh > 0


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "no energy of any part"), (0.1, "no result")])
def test_a_tool_that_lost_its_sensors_gives_no_number(seconds: float, told: str) -> None:
    meter = CodeCarbonMeter("FRA")
    meter.prepare()
    meter._tracker._hardware = [object()]
    meter.start()
    work(seconds)
    with pytest.raises(MeasurementFailed, match=told):
        meter.stop()


def test_a_tool_whose_time_is_not_ours_gives_no_number() -> None:
    meter = CodeCarbonMeter("FRA", clock=lambda: 3 * time.monotonic())
    with pytest.raises(MeasurementFailed, match=r"of a span of"):
        measured_by(meter, seconds=0.5)


def test_each_of_the_tools_modes_has_a_method() -> None:
    from codecarbon.external.hardware import CPU
    from codecarbon.external.ram import RAM

    methods = {mode: _method(CPU(".", mode, "a CPU", 10)) for mode in ("cpu_load", "constant", "something_new")}
    assert methods == {"cpu_load": "cpu_load_model", "constant": "tdp_constant", "something_new": "unknown"}
    assert _method(RAM()) == "ram_dimm_model"


@pytest.mark.parametrize("at", ["prepare", "start", "stop"])
def test_a_failed_measurement_leaves_time_and_no_energy(at: str, tmp_path: Path) -> None:
    save_weights(tmp_path)
    with tracker(meter=BrokenMeter(at)) as run:
        work(0.05)
    card = parse_card(run.save(tmp_path).read_bytes())
    phase = card.phases[0]
    assert phase.energy_it is None
    assert phase.energy_cpu is None
    assert phase.device_time.value > 0
    assert phase.wall_time.value >= 0.05
    covered = phase.coverage
    assert not any([covered.cpu, covered.gpu, covered.ram, covered.host_rest, covered.network])
    assert card.narrative == {"energy": f"Energy was not measured: No sensor at {at}."}
    assert run.summary().energy_kwh is None
    assert run.summary().reason == f"No sensor at {at}."


def test_energy_of_a_counter_is_measured(tmp_path: Path) -> None:
    save_weights(tmp_path)
    with tracker(pue=1.2, pue_origin="operator_report") as run:
        work(0.2)
    phase = parse_card(run.save(tmp_path).read_bytes()).phases[0]
    assert phase.energy_cpu
    assert phase.energy_cpu.source == "measured"
    assert phase.energy_cpu.value == pytest.approx(WATTS * phase.wall_time.value / 3.6e6, rel=0.2)
    assert phase.device_time.value == pytest.approx(2 * phase.wall_time.value / 3600)
    assert phase.co2e_location
    assert phase.energy_it
    assert phase.intensity
    assert phase.co2e_location.value == pytest.approx(phase.energy_it.value * 1.2 * phase.intensity.value / 1000)


def test_what_passed_before_the_first_sample_is_named(tmp_path: Path) -> None:
    save_weights(tmp_path)
    ready = threading.Event()
    with tracker(meter=ConstantMeter(ready), patience_seconds=0.0) as run:
        work(0.2)
        ready.set()
        work(0.2)
    assert run.summary().uncovered_seconds == pytest.approx(0.2, abs=0.1)
    card = parse_card(run.save(tmp_path).read_bytes())
    assert card.narrative
    assert "before the first sample" in card.narrative["energy"]


def test_a_run_that_is_over_before_the_meter_is_ready_has_no_energy() -> None:
    with tracker(meter=ConstantMeter(threading.Event()), patience_seconds=0.0) as run:
        pass
    assert run.summary().reason == "The run ended before the meter was ready."


def test_the_training_does_not_wait_when_the_meter_had_time_to_prepare() -> None:
    is_prepared = threading.Event()

    class ToldMeter(CodeCarbonMeter):
        def prepare(self) -> None:
            super().prepare()
            is_prepared.set()

    prepared = tracker(meter=ToldMeter("FRA"))
    assert is_prepared.wait(30)
    started = time.monotonic()
    with prepared:
        waited = time.monotonic() - started
    assert waited < 0.3


@pytest.mark.parametrize("country", [None, "XXX", "fr"])
def test_without_a_known_country_nothing_starts(country: str | None) -> None:
    with pytest.raises(Invalid) as caught:
        tracker(country=country, environ={})
    assert "FRA" in caught.value.hint


def test_country_comes_from_the_environment() -> None:
    with tracker(country=None, environ={"REGISTRY_COUNTRY": "DEU"}) as run:
        pass
    assert run._declared.country == "DEU"


@pytest.mark.parametrize("change", [{"license": "no licence"}, {"task": "Two Words"}, {"stage": "guessing"}])
def test_what_no_card_could_hold_is_refused_before_training(change: dict[str, str]) -> None:
    with pytest.raises(InvalidCard):
        tracker(**change)


@pytest.mark.parametrize("given", [{"pue": 0.9}, {"pue": float("nan")}, {"pue_origin": "default"}])
def test_a_pue_that_cannot_be_or_is_missing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="pue"):
        tracker(**given)


def test_an_exception_passes_and_nothing_is_written(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        tracker(output=tmp_path / "footprint.json"),
    ):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_output_is_written_when_the_block_ends(tmp_path: Path) -> None:
    save_weights(tmp_path)
    with tracker(output=tmp_path / "footprint.json"):
        pass
    assert parse_card((tmp_path / "footprint.json").read_bytes()).subject.files[0].path == "model.safetensors"


def test_a_decorated_function_receives_its_run_each_time(tmp_path: Path) -> None:
    @tracker(output=tmp_path / "footprint.json")
    def training(seconds: float, run: Any = None) -> float:
        run.quality("accuracy", seconds, dataset="a/b", split="test", n=10)
        return 2 * seconds

    assert training(0.25) == 0.5
    assert training(0.5) == 1.0
    card = json.loads((tmp_path / "footprint.json").read_text())
    assert [entry["value"] for entry in card["quality"]] == [0.5]


def test_save_needs_weights_and_an_ended_run(tmp_path: Path) -> None:
    with tracker() as run:
        save_weights(tmp_path / "model")
        with pytest.raises(Invalid, match="still measured"):
            run.save(tmp_path / "model")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing to see")
    with pytest.raises(Invalid, match="no weights"):
        run.save(tmp_path / "empty")


def test_a_result_without_sense_is_refused() -> None:
    with tracker() as run:
        pass
    with pytest.raises(InvalidCard, match="cannot stand"):
        run.quality("accuracy", float("nan"), dataset="a/b", split="test", n=0)


Command = Callable[..., int]


@pytest.fixture
def track_command(tmp_path: Path) -> Command:
    def run(*command: str, options: tuple[str, ...] = ()) -> int:
        declared = ("--task", "image-classification", "--license", "MIT", "--country", "FRA")
        output = ("--output", str(tmp_path / "footprint.json"))
        return cli.run(["track", *declared, *output, *options, "--", *command])

    return run


def test_track_command_writes_a_card(track_command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    save_weights(tmp_path)
    assert track_command(sys.executable, "-c", "print('trained')", options=("--json",)) == 0
    printed = capfd.readouterr()
    assert "trained" in printed.err
    record = json.loads(printed.out)
    card = parse_card((tmp_path / "footprint.json").read_bytes())
    assert record["path"] == str(tmp_path / "footprint.json")
    assert record["duration_seconds"] == card.phases[0].wall_time.value


def test_track_command_declares_scope_and_pue(track_command: Command, tmp_path: Path) -> None:
    save_weights(tmp_path)
    options = ("--scope", "process", "--pue", "1.2", "--pue-origin", "operator_report")
    assert track_command(sys.executable, "-c", "pass", options=options) == 0
    phase = parse_card((tmp_path / "footprint.json").read_bytes()).phases[0]
    assert phase.pue
    assert (phase.scope, phase.pue.value, phase.pue_origin) == ("process", 1.2, "operator_report")


def test_track_command_passes_a_failure_on_and_writes_no_card(
    track_command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert track_command(sys.executable, "-c", "raise SystemExit(7)") == 7
    assert "no card was written" in capfd.readouterr().err
    assert not (tmp_path / "footprint.json").exists()


def test_track_command_names_a_command_that_is_not_there(
    track_command: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    assert track_command("no-such-command-here") == 2
    assert "cannot be run" in capfd.readouterr().err
