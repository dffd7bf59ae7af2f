"""A measurement window of Zeus as JSON: `{"time": s, "gpu_energy": {"0": J}, "cpu_energy": …, "dram_energy": …}`.

One window, a list of windows, or windows by name. None and `{}` mean not covered, which is how Zeus says that it was
not allowed to read a counter; a zero is treated alike. When and where is not in a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry_core.imports.phases import Device, Run, Said, Source, energy, invalid
from registry_core.imports.reading import MAX_ROWS, Fields, json_of, number

FORM = "zeus"
JOULES_PER_KWH = 3.6e6
# What Zeus does on the GPUs that have no counter; a window does not say, so it is trusted like that.
_GPU_METHOD = "nvml_power_polled"


def read(data: bytes, said: Said) -> Source:
    """The windows of a file. Raises InvalidImport."""
    windows = _windows(json_of(data, FORM))
    faults: list[str] = []
    if len(windows) > 1 and (said.started_at or said.hours):
        faults.append(f"the file has {len(windows)} windows; --started-at and --hours speak of one")
    runs = [_run(Fields(window, faults, f"{name}: " if name else ""), window) for name, window in windows]
    if faults:
        raise invalid(FORM, faults)
    notes = ["a window of Zeus does not say whether a counter was read or power was polled; it was taken for polled"]
    if any(window.get("soc_energy") for _, window in windows):
        notes.append("soc_energy was not read")
    return Source(runs, {"tool": FORM}, notes)


def _windows(document: Any) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(document, dict) and "time" in document:
        found = [("", document)]
    elif isinstance(document, dict):
        found = [(name[:80], window) for name, window in document.items()]
    else:
        listed = document if isinstance(document, list) else []
        found = [(f"window {number}", window) for number, window in enumerate(listed, 1)]
    if not 0 < len(found) <= MAX_ROWS or not all(isinstance(window, dict) for _, window in found):
        raise invalid(FORM, ['expected a window like {"time": 60.0, "gpu_energy": {"0": 9000.0}}'])
    return found


def _run(fields: Fields, window: Mapping[str, Any]) -> Run:
    seconds = fields.number("time", required=True)
    gpu_joules = _joules(fields, window, "gpu_energy")
    cpu_joules = _joules(fields, window, "cpu_energy")
    dram_joules = _joules(fields, window, "dram_energy")
    energies = {}
    if gpu_joules:
        energies["energy_gpu"] = energy(sum(gpu_joules) / JOULES_PER_KWH, "measured", _GPU_METHOD)
    if cpu_joules:
        energies["energy_cpu"] = energy(sum(cpu_joules) / JOULES_PER_KWH, "measured", "rapl_package")
    if dram_joules:
        energies["energy_ram"] = energy(sum(dram_joules) / JOULES_PER_KWH, "measured", "rapl_package")
    gpus = (Device("gpu", "unknown", len(gpu_joules)),) if gpu_joules else ()
    cpus = (Device("cpu", "unknown", len(cpu_joules)),) if cpu_joules else ()
    scope = "machine" if cpu_joules else "device"
    row = {name: window[name] for name in ("time", "gpu_energy", "cpu_energy", "dram_energy") if window.get(name)}
    return Run(wall_seconds=seconds, devices=(*gpus, *cpus), scope=scope, energies=energies, row=row)


def _joules(fields: Fields, window: Mapping[str, Any], name: str) -> list[float]:
    """The energy of each device; empty when the window does not cover them."""
    by_device = window.get(name)
    if by_device is None:
        return []
    if not isinstance(by_device, dict):
        fields.fault(name, "expected joules by device")
        return []
    try:
        found = [number(value) for value in by_device.values()]
    except ValueError as error:
        fields.fault(name, str(error))
        return []
    joules = [value for value in found if value is not None]
    if any(value < 0 for value in joules):
        fields.fault(name, "is below zero")
    return joules if all(value > 0 for value in joules) else []
