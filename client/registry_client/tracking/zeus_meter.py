"""Zeus behind our interface: the only module that imports it.

Where there are GPUs with an energy counter, Zeus opens a window on each; processors and memory stay with
CodeCarbon, whose own figure for GPUs is dropped. What Zeus does not answer is not covered, and never zero. GPUs
without a counter are left to CodeCarbon, since Zeus would start processes of its own that import the user's
program again.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any

from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_client.tracking.counters import has_nvml
from registry_client.tracking.meter import Device, Part, PartEnergy, Reading
from registry_client.tracking.stand_ins import AMD_DRIVER, without_amd

JOULES_PER_KWH = 3.6e6
_WINDOW = "training"


def is_installed() -> bool:
    return importlib.util.find_spec("zeus") is not None


class ZeusMeter:
    """GPUs by Zeus, the rest by `host`; all by `host` where Zeus finds no GPU with a counter."""

    def __init__(self, host: CodeCarbonMeter, *, monitor: Callable[[], Any] | None = None) -> None:
        self._host = host
        self._new_monitor = monitor or _monitor
        self._monitor: Any = None

    def prepare(self) -> None:
        self._host.prepare()
        self._monitor = self._new_monitor()

    def start(self) -> None:
        self._host.start()
        if self._monitor is not None:
            self._monitor.begin_window(_WINDOW, sync_execution=False)

    def stop(self) -> Reading:
        window = None if self._monitor is None else _closed(self._monitor)
        reading = self._host.stop()
        return reading if self._monitor is None else _with_gpus(reading, window, _method(self._monitor))


def _monitor() -> Any:
    """A monitor of all GPUs that this process may use; None when there are none, or one has no counter."""
    if not has_nvml() and not AMD_DRIVER.exists():
        return None  # without a driver Zeus finds nothing, and takes its time
    with without_amd():
        from zeus.device import get_gpus
        from zeus.device.gpu.common import ZeusGPUInitError
        from zeus.monitor import ZeusMonitor

        try:
            gpus = get_gpus()
        except ZeusGPUInitError:
            return None
    indices = list(range(len(gpus)))
    if not indices or not all(gpus.supports_get_total_energy_consumption(index) for index in indices):
        return None
    return ZeusMonitor(gpu_indices=indices, cpu_indices=[])


def _closed(monitor: Any) -> Any:
    """The measurement of the window, or the exception that came in its place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a counter did not move is seen below
        try:
            # Work that was sent to a GPU counts when it is done; in a program without torch nobody sent any.
            return monitor.end_window(_WINDOW, sync_execution="torch" in sys.modules)
        except Exception as error:
            return error


def _method(monitor: Any) -> str:
    return {"NVIDIAGPUs": "nvml_counter", "AMDGPUs": "amdsmi_counter"}.get(type(monitor.gpus).__name__, "unknown")


def _with_gpus(reading: Reading, window: Any, method: str) -> Reading:
    parts: dict[Part, PartEnergy] = {part: energy for part, energy in reading.parts.items() if part != "gpu"}
    name = f"Zeus {version('zeus')}"
    if isinstance(window, Exception):
        return replace(reading, parts=parts, notes=(*reading.notes, f"gpu: not covered, {name} failed: {window!r}"))
    energies: Mapping[int, float | None] = window.gpu_energy or {}
    if not energies or not all(energies.values()):
        return replace(reading, parts=parts, notes=(*reading.notes, f"gpu: not covered, {name} gave no energy"))
    joules = {index: joule for index, joule in energies.items() if joule}
    ids = _ids(reading.devices, len(joules))
    by_device = {ids[index]: joule / JOULES_PER_KWH for index, joule in joules.items()}
    gpu = PartEnergy(sum(by_device.values()), method, by_device)
    return replace(
        reading,
        parts={**parts, "gpu": gpu},
        row={**reading.row, "zeus": asdict(window)},
        notes=(*reading.notes, f"gpu: by {name}"),
    )


def _ids(devices: tuple[Device, ...], count: int) -> list[str]:
    """Ids of the GPUs in the order of their indices, as far as the hardware tells."""
    ids = [id for device in devices if device.kind == "gpu" for id in device.ids]
    return ids if len(ids) == count else [f"gpu {index}" for index in range(count)]
