"""Zeus beside CodeCarbon. The windows are made up in the shape of Zeus 0.16; no GPU is needed."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from tests.client.meters import save_weights, tracker, work
from zeus.monitor.energy import Measurement

from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_client.tracking.meter import Device, PartEnergy, Reading
from registry_client.tracking.zeus_meter import ZeusMeter
from registry_core.card import parse_card

GPU_IDS = ("GPU-3a1f77be-5b4a-11ee-8c99-0242ac120002", "GPU-7b2a77be-5b4a-11ee-8c99-0242ac120003")


class NVIDIAGPUs:
    """Named as in Zeus, which tells the counters of NVIDIA and AMD apart by this class."""


class Monitor:
    """A ZeusMonitor whose windows end as they are told to."""

    def __init__(self, answer: Any) -> None:
        self.gpus = NVIDIAGPUs()
        self.answer = answer
        self.calls: list[tuple[str, bool]] = []

    def begin_window(self, key: str, sync_execution: bool = True) -> None:
        self.calls.append(("begin", sync_execution))

    def end_window(self, key: str, sync_execution: bool = True) -> Any:
        self.calls.append(("end", sync_execution))
        if isinstance(self.answer, Exception):
            raise self.answer
        if 0.0 in self.answer.gpu_energy.values():
            warnings.warn("The energy consumption of one or more GPUs was measured as zero.", stacklevel=1)
        return self.answer


class Host:
    """What CodeCarbon would say of a machine with two GPUs, and say wrongly of these."""

    def prepare(self) -> None:
        pass

    def start(self) -> None:
        self.started = time.monotonic()

    def stop(self) -> Reading:
        parts = {
            "cpu": PartEnergy(1e-6, "rapl_package"),
            "gpu": PartEnergy(99.0, "nvml_counter"),
            "ram": PartEnergy(2e-6, "ram_dimm_model"),
        }
        devices = (Device("cpu", "Quiet CPU", 1), Device("gpu", "Fast GPU", 2, 700.0, GPU_IDS))
        seconds = time.monotonic() - self.started
        return Reading(seconds, parts, devices, "codecarbon", "3.3.2", row={"duration": seconds})  # type: ignore[arg-type]


def reading_of(answer: Any) -> Reading:
    monitor = Monitor(answer)
    meter = ZeusMeter(Host(), monitor=lambda: monitor)  # type: ignore[arg-type]
    meter.prepare()
    meter.start()
    found = meter.stop()
    assert [call for call, _ in monitor.calls] == ["begin", "end"]
    assert monitor.calls[0] == ("begin", False)  # a training is not held up to see where it begins
    return found


def test_gpus_are_those_of_zeus_and_the_rest_is_codecarbons() -> None:
    found = reading_of(Measurement(time=10.0, gpu_energy={0: 3.6e6, 1: 7.2e6}))
    assert found.parts["gpu"] == PartEnergy(3.0, "nvml_counter", {GPU_IDS[0]: 1.0, GPU_IDS[1]: 2.0})
    assert found.parts["cpu"].energy_kwh == 1e-6
    assert found.parts["ram"].energy_kwh == 2e-6
    assert found.source == "measured"
    assert found.row["zeus"]["gpu_energy"] == {0: 3.6e6, 1: 7.2e6}
    assert "gpu: by Zeus" in found.notes[-1]


@pytest.mark.parametrize(
    "answer",
    [
        Measurement(time=10.0, gpu_energy={}),
        Measurement(time=10.0, gpu_energy={0: None, 1: 5.0}),  # type: ignore[dict-item]
        Measurement(time=10.0, gpu_energy={0: 0.0, 1: 0.0}),
        RuntimeError("NVML says no"),
    ],
)
def test_what_zeus_does_not_answer_is_not_covered_and_never_zero(answer: Any) -> None:
    found = reading_of(answer)
    assert "gpu" not in found.parts
    assert "gpu: not covered" in found.notes[-1]


def test_ids_of_gpus_are_hashed_in_the_card(tmp_path: Path) -> None:
    save_weights(tmp_path)
    monitor = Monitor(Measurement(time=10.0, gpu_energy={0: 3.6e6, 1: 7.2e6}))
    with tracker(meter=ZeusMeter(Host(), monitor=lambda: monitor)) as run:  # type: ignore[arg-type]
        work(0.1)
    phase = parse_card(run.save(tmp_path).read_bytes()).phases[0]
    assert phase.energy_gpu
    assert phase.energy_gpu.value == pytest.approx(3.0)
    assert phase.energy_gpu.source == "measured"
    assert [(group.device_kind, group.device_count) for group in phase.groups] == [("cpu", 1), ("gpu", 2)]
    assert phase.device_time.value == pytest.approx(2 * phase.wall_time.value / 3600)
    written = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert not any(id in written for id in GPU_IDS)


def test_without_a_gpu_nothing_is_invented(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("registry_client.tracking.zeus_meter.has_nvml", lambda: False)
    meter = ZeusMeter(CodeCarbonMeter("FRA"))
    meter.prepare()
    meter.start()
    work(0.3)
    found = meter.stop()
    assert found.parts.keys() <= {"cpu", "ram"}
    assert "zeus" not in found.row
    assert capfd.readouterr() == ("", "")
