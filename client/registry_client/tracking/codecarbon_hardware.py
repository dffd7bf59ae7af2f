"""What CodeCarbon found of the hardware: its objects tell it in private attributes alone, fitted to versions 3.3.x."""

from __future__ import annotations

import sys
from typing import Any

from registry_client.tracking.counters import Source, nvml_sources, rapl_sources
from registry_client.tracking.meter import Device, Part, PartEnergy

_CPU_METHODS = {
    "intel_rapl": "rapl_package",
    "windows_emi": "rapl_package",  # Windows offers the same counters under another name
    "cpu_load": "cpu_load_model",
    "constant": "tdp_constant",
}
_WATTS_PER_THREAD = 4  # what the tool assumes for a processor that its table does not know


def parts_of(row: Any, hardware: list[Any]) -> tuple[dict[Part, PartEnergy], list[str]]:
    """Energy and method of each part that the tool saw, and remarks. An exact zero means a lost sensor."""
    parts: dict[Part, PartEnergy] = {}
    notes = []
    energies: dict[Part, float] = {"cpu": row.cpu_energy, "gpu": row.gpu_energy, "ram": row.ram_energy}
    for part, energy_kwh in energies.items():
        methods = [method_of(item) for item in hardware if part_of(item) == part]
        if methods and energy_kwh > 0:
            parts[part] = PartEnergy(energy_kwh, methods[0])
        elif methods:
            notes.append(f"{part}: the tool reported no energy, so it is not covered")
    return parts, notes


def part_of(item: Any) -> Part | None:
    """What a hardware object of the tool is; None when it cannot be told."""
    kinds: dict[str, Part] = {"CPU": "cpu", "GPU": "gpu", "RAM": "ram"}
    return kinds.get(type(item).__name__) or kinds.get(str(getattr(item, "chip_part", "")))


def method_of(item: Any) -> str:
    """The method behind one hardware object of the tool; `unknown` when it cannot be told."""
    match type(item).__name__:
        case "RAM":
            return "ram_dimm_model"
        case "CPU":
            return _CPU_METHODS.get(item._mode, "unknown")
        case "GPU":
            return _gpu_method(item.devices.devices)
    return "unknown"


def _gpu_method(devices: list[Any]) -> str:
    polled = any(getattr(device, "_use_power_fallback", True) for device in devices)
    if {type(device).__name__ for device in devices} == {"NvidiaGPUDevice"}:
        return "nvml_power_polled" if polled else "nvml_counter"
    return "unknown" if polled else "amdsmi_counter"


def devices_of(row: Any, conf: dict[str, Any], hardware: list[Any]) -> tuple[Device, ...]:
    """The processors, and the GPUs by model. Rated power is that of the tool's table, when it is in it."""
    sockets = int(conf.get("cpu_physical_count") or 1)
    rated = next((item._tdp for item in hardware if type(item).__name__ == "CPU" and not item._is_generic_tdp), None)
    known = rated and rated != _WATTS_PER_THREAD * (row.cpu_count or 0) * sockets
    found = [Device("cpu", row.cpu_model or "unknown", sockets, rated / sockets if rated and known else None)]
    gpus = [detail for item in hardware if type(item).__name__ == "GPU" for detail in _static(item)]
    for model in sorted({gpu["name"] for gpu in gpus}):
        alike = [gpu for gpu in gpus if gpu["name"] == model]
        ids = tuple(str(gpu["uuid"]) for gpu in alike)
        found.append(Device("gpu", model, len(alike), alike[0].get("power_limit"), ids))
    return tuple(found)


def counters_of(item: Any) -> list[Source]:
    """The counters that the tool reads for this hardware object, each by itself."""
    match method_of(item):
        case "rapl_package" if sys.platform == "linux":
            return rapl_sources()
        case "nvml_counter" | "nvml_power_polled":
            return nvml_sources(str(gpu["uuid"]) for gpu in _static(item))
    return []


def _static(item: Any) -> list[dict[str, Any]]:
    tracked = item._get_gpu_ids()
    return [detail for detail in item.devices.get_gpu_static_info() if detail["gpu_index"] in tracked]
