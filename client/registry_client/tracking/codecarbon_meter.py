"""CodeCarbon behind our interface: the only module that imports it, fitted to versions 3.3.x.

We take energy from it and nothing else. It is always the offline tracker, since the online one without a
network reports Quebec. Every parameter is passed, since each one left out could be set by a
`.codecarbon.config` or an environment variable. It swallows its own exceptions, so its answer counts only
when there is a row whose duration agrees with our clock. By which method it got a number stands in private
attributes alone, and is read here.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import time
from collections.abc import Callable
from typing import Any

from registry_client.tracking.meter import Device, Part, PartEnergy, Reading, Scope
from registry_client.tracking.overlap import Overlap
from registry_core.errors import Invalid, MeasurementFailed

logger = logging.getLogger(__name__)

CLOCK_TOLERANCE = 0.02
"""Share by which the tool's duration may differ from ours."""

SHARED = "another measurement of this computer ran at the same time, and the energy of both is included"
"""The note of a reading that overlaps with another one."""

_CPU_METHODS = {
    "intel_rapl": "rapl_package",
    "windows_emi": "rapl_package",  # Windows offers the same counters under another name
    "cpu_load": "cpu_load_model",
    "constant": "tdp_constant",
}
_WATTS_PER_THREAD = 4  # what the tool assumes for a processor that its table does not know


def require_codecarbon() -> None:
    """Raises Invalid, naming the extra that brings it, when codecarbon is not installed."""
    if not _is_installed():
        raise Invalid(
            "Measuring energy needs codecarbon, which is not installed.",
            hint="Run pip install 'model-commons[track]'.",
        )


class CodeCarbonMeter:
    """Energy of CPU, GPU and RAM of the whole machine, or of this process and its children.

    `sample_seconds` lie between two samples; `country` (ISO 3166-1 alpha-3) only keeps the tool from
    guessing one.
    """

    def __init__(
        self,
        country: str | None = None,
        *,
        scope: Scope = "machine",
        sample_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._country = country
        self._scope = scope
        self._sample_seconds = sample_seconds
        self._clock = clock
        self._overlap = Overlap()
        self._is_shared = False
        self._tracker: Any = None
        self._started: tuple[float, float] | None = None

    def prepare(self) -> None:
        """Import the tool and let it find the sensors: 1 to 2 s."""
        if not _is_installed():
            raise MeasurementFailed("codecarbon is not installed; pip install 'model-commons[track]' brings it.")
        settings = _settings(self._country, self._scope, self._sample_seconds)
        self._tracker = _tracker(settings)
        try:
            self._tracker.get_detected_hardware()
        except Exception as error:
            raise MeasurementFailed(f"CodeCarbon could not look at the hardware: {error!r}.") from error
        _refuse_foreign_settings(self._tracker, settings)

    def start(self) -> None:
        if self._tracker is None:
            self.prepare()
        before = self._clock()
        self._tracker.start()
        self._started = (before, self._clock())
        self._look_for_others(self._overlap.start)

    def stop(self) -> Reading:
        if self._started is None:
            raise MeasurementFailed("CodeCarbon was stopped before it was started.")
        self._look_for_others(self._overlap.stop)
        before = self._clock()
        emissions_kg = self._tracker.stop()
        shortest, longest = before - self._started[1], self._clock() - self._started[0]
        row = getattr(self._tracker, "final_emissions_data", None)
        if emissions_kg is None or row is None:
            raise MeasurementFailed("CodeCarbon gave no result.")
        if not shortest * (1 - CLOCK_TOLERANCE) <= row.duration <= longest * (1 + CLOCK_TOLERANCE):
            raise MeasurementFailed(f"CodeCarbon measured {row.duration:.2f} s of a span of {longest:.2f} s.")
        return self._reading(row)

    def _look_for_others(self, are_there: Callable[[], bool]) -> None:
        """Two measurements of the whole machine at once both count what either used: say so, once."""
        if self._scope == "machine" and are_there() and not self._is_shared:
            self._is_shared = True
            logger.warning(
                "This computer is being measured more than once at the same time, and each measurement counts the"
                " energy of all. Measure one after the other, or with scope process."
            )

    def _reading(self, row: Any) -> Reading:
        hardware = self._tracker._hardware
        parts, notes = _parts(row, hardware)
        if not parts:
            raise MeasurementFailed("CodeCarbon saw no energy of any part.")
        if self._scope == "process":
            # Only its models of CPU and RAM know of processes.
            whole = [part for part, energy in parts.items() if part == "gpu" or energy.method == "rapl_package"]
            notes += [f"{part}: the whole device, also in process scope" for part in whole]
        if self._is_shared:
            notes.append(SHARED)
        return Reading(
            duration_seconds=row.duration,
            parts=parts,
            devices=_devices(row, self._tracker._conf, hardware),
            tool="codecarbon",
            tool_version=row.codecarbon_version,
            settings=_effective(self._tracker),
            row=dataclasses.asdict(row),
            notes=tuple(notes),
        )


def _is_installed() -> bool:
    return importlib.util.find_spec("codecarbon") is not None


def _tracker(settings: dict[str, Any]) -> Any:
    from codecarbon import OfflineEmissionsTracker
    from codecarbon.external.logger import set_logger_level

    # The tool speaks while it is built, before it has looked at its log_level.
    set_logger_level("error")
    return OfflineEmissionsTracker(**settings)


def _settings(country: str | None, scope: Scope, sample_seconds: float) -> dict[str, Any]:
    """Every parameter of the tool, apart from the deprecated ones, which `output_methods` puts out of use."""
    places = {"country_iso_code": country, "region": None, "cloud_provider": None, "cloud_region": None}
    outputs: dict[str, Any] = {
        "output_methods": [],
        "output_handlers": [],
        "emissions_endpoint": None,
        "logging_logger": None,
    }
    unused = {"api_endpoint": "", "api_key": "", "prometheus_url": "", "output_file": "", "metadata": None}
    forced = {"force_cpu_power": None, "force_ram_power": None, "force_carbon_intensity_g_co2e_kwh": None}
    return {
        **places,
        **outputs,
        **unused,
        **forced,
        "country_2letter_iso_code": None,
        "electricitymaps_api_token": "",  # with None the tool looks for its older name in files
        "project_name": "model-commons",
        "experiment_name": "model-commons",
        "experiment_id": "model-commons",
        "tracking_mode": scope,
        "measure_power_secs": sample_seconds,
        "api_call_interval": -1,
        "output_dir": ".",
        "on_csv_write": "append",
        "gpu_ids": None,
        "pue": 1.0,
        "wue": 0.0,
        "force_mode_cpu_load": False,
        "allow_multiple_runs": True,
        "rapl_include_dram": False,  # the tool adds its model of RAM anyway
        "rapl_prefer_psys": False,
        "log_level": "error",
        "logger_preamble": "",
    }


def _refuse_foreign_settings(tracker: Any, settings: dict[str, Any]) -> None:
    """Raises MeasurementFailed when the tool runs with other settings than ours, apart from what CUDA shows."""
    effective = _effective(tracker)
    foreign = sorted(key for key in settings if key != "gpu_ids" and effective.get(key) != settings[key])
    if foreign:
        raise MeasurementFailed("CodeCarbon did not take these settings: " + ", ".join(foreign) + ".")


def _effective(tracker: Any) -> dict[str, Any]:
    return {key: tracker._conf[key] for key in _settings(None, "machine", 1.0) if key in tracker._conf}


def _parts(row: Any, hardware: list[Any]) -> tuple[dict[Part, PartEnergy], list[str]]:
    """Energy and method of each part that the tool saw, and remarks. An exact zero means a lost sensor."""
    parts: dict[Part, PartEnergy] = {}
    notes = []
    energies: dict[Part, float] = {"cpu": row.cpu_energy, "gpu": row.gpu_energy, "ram": row.ram_energy}
    for part, energy_kwh in energies.items():
        methods = [_method(item) for item in hardware if _part(item) == part]
        if methods and energy_kwh > 0:
            parts[part] = PartEnergy(energy_kwh, methods[0])
        elif methods:
            notes.append(f"{part}: the tool reported no energy, so it is not covered")
    return parts, notes


def _part(item: Any) -> str:
    kinds = {"CPU": "cpu", "GPU": "gpu", "RAM": "ram"}
    return kinds.get(type(item).__name__, str(getattr(item, "chip_part", "")).lower())


def _method(item: Any) -> str:
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


def _devices(row: Any, conf: dict[str, Any], hardware: list[Any]) -> tuple[Device, ...]:
    """The processors, and the GPUs by model. Rated power is that of the tool's table, when it is in it."""
    sockets = int(conf.get("cpu_physical_count") or 1)
    rated = next((item._tdp for item in hardware if type(item).__name__ == "CPU" and not item._is_generic_tdp), None)
    known = rated and rated != _WATTS_PER_THREAD * (row.cpu_count or 0) * sockets
    found = [Device("cpu", row.cpu_model or "unknown", sockets, rated / sockets if rated and known else None)]
    gpus = [detail for item in hardware if type(item).__name__ == "GPU" for detail in _static(item)]
    for model in sorted({gpu["name"] for gpu in gpus}):
        alike = [gpu for gpu in gpus if gpu["name"] == model]
        found.append(Device("gpu", model, len(alike), alike[0].get("power_limit")))
    return tuple(found)


def _static(item: Any) -> list[dict[str, Any]]:
    tracked = item._get_gpu_ids()
    return [detail for detail in item.devices.get_gpu_static_info() if detail["gpu_index"] in tracked]
