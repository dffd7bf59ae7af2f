"""Measuring a training: what stands in the card, and what happens when measuring fails."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.client.meters import WATTS, BrokenMeter, ConstantMeter, save_weights, tracker, work

from registry_client import cli
from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_core.card import Card, parse_card
from registry_core.errors import Invalid, InvalidCard


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


def test_without_codecarbon_the_extra_is_named_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Invalid) as caught:
        tracker(meter=None)
    assert "model-commons[track]" in caught.value.hint


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
    assert run.declared.country == "DEU"


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


def test_phases_of_one_model_stand_in_one_card(tmp_path: Path) -> None:
    save_weights(tmp_path)
    for stage, data in (("development", "a/small"), ("pretraining", "a/large"), ("finetuning", "a/small")):
        with tracker(stage=stage, data_sources=[data]) as run:
            work(0.05)
        run.quality("accuracy", 0.9, dataset=data, split="test", n=10)
        run.save(tmp_path, append=True)
        run.save(tmp_path, append=True)  # the same run again is no second phase
    card = parse_card((tmp_path / "footprint.json").read_bytes())
    assert [phase.stage for phase in card.phases] == ["development", "pretraining", "finetuning"]
    assert card.quality
    assert len(card.quality) == 3
    assert card.data
    assert card.data.sources
    assert [source.id for source in card.data.sources] == ["a/small", "a/large"]
    assert card.evidence.row == "footprint/tool-row-0-development.json"
    names = {path.name for path in (tmp_path / "footprint").iterdir()}
    assert {"env-0-development.json", "env-1-pretraining.json", "tool-row-2-finetuning.json"} <= names


def test_remarks_of_later_phases_say_which_phase_they_are_about(tmp_path: Path) -> None:
    for at in ("start", "stop"):
        with tracker(meter=BrokenMeter(at), output=tmp_path / "footprint.json", append=True):
            work(0.02)
    card = json.loads((tmp_path / "footprint.json").read_text())
    assert len(card["phases"]) == 2
    assert card["narrative"]["energy"] == (
        "Energy was not measured: No sensor at start.; Phase 1-pretraining: Energy was not measured: No sensor at stop."
    )


def test_without_append_a_card_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        with tracker(output=tmp_path / "footprint.json"):
            work(0.02)
    assert len(json.loads((tmp_path / "footprint.json").read_text())["phases"]) == 1


def test_nothing_is_added_to_a_card_with_faults(tmp_path: Path) -> None:
    (tmp_path / "footprint.json").write_text('{"schema": "footprint-card/1.0"}')
    with tracker() as run:
        work(0.02)
    with pytest.raises(InvalidCard):
        run.write(tmp_path / "footprint.json", append=True)
    assert (tmp_path / "footprint.json").read_text() == '{"schema": "footprint-card/1.0"}'


def test_a_phase_of_another_model_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    path = tmp_path / "footprint.json"
    with tracker(output=path, append=True):
        work(0.02)
    with pytest.raises(Invalid, match="'image-classification', and this phase 'other'"):
        tracker(task="other", output=path, append=True)
    assert len(json.loads(path.read_text())["phases"]) == 1


def test_what_was_computed_stands_in_the_card(tmp_path: Path) -> None:
    save_weights(tmp_path)
    with tracker() as run:
        work(0.02)
    run.work(tokens=2048, compute_flop=3e12, method="six_n_d", kind="effective")
    phase = parse_card(run.save(tmp_path).read_bytes()).phases[0]
    assert phase.tokens
    assert phase.compute_flop
    assert (phase.tokens.value, phase.compute_flop.value) == (2048, 3e12)
    assert (phase.compute_flop.method, phase.compute_flop_kind) == ("six_n_d", "effective")


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


def test_track_command_adds_a_phase(track_command: Command, tmp_path: Path) -> None:
    save_weights(tmp_path)
    for stage in ("pretraining", "finetuning"):
        assert track_command(sys.executable, "-c", "pass", options=("--append", "--stage", stage)) == 0
    phases = parse_card((tmp_path / "footprint.json").read_bytes()).phases
    assert [phase.stage for phase in phases] == ["pretraining", "finetuning"]


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
