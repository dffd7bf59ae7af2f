"""Meters that need no sensors, and runs under them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from registry_client import track
from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_client.tracking.meter import Device, PartEnergy, Reading
from registry_client.tracking.tracker import Tracker
from registry_core.errors import MeasurementFailed

WATTS = 36.0


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
    """A tracker whose block starts with the first sample, so that the short work of a test is covered."""
    given = {"task": "image-classification", "license": "Apache-2.0", "country": "FRA", "meter": ConstantMeter()}
    return track(**{**given, "patience_seconds": None, **changes})


def save_weights(folder: Path) -> None:
    """The smallest safetensors file with a tensor in it: two numbers of 32 bits."""
    header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))


def work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def measured_by(meter: CodeCarbonMeter, seconds: float) -> Reading:
    meter.prepare()
    meter.start()
    work(seconds)
    return meter.stop()
