"""CodeCarbon behind our interface: the only module that imports it, fitted to versions 3.3.x.

We take energy from it and nothing else. It is always the offline tracker, since the online one without a
network reports Quebec. Every parameter is passed, since each one left out could be set by a
`.codecarbon.config` or an environment variable. It swallows its own exceptions, so its answer counts only
when there is a row whose duration agrees with our clock.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from registry_client.tracking.codecarbon_hardware import counters_of, devices_of, part_of, parts_of
from registry_client.tracking.counters import Sample, Source, rapl_is_locked
from registry_client.tracking.meter import Part, Reading, Scope, Setting
from registry_client.tracking.overlap import Overlap
from registry_client.tracking.sampler import Sampler
from registry_client.tracking.stand_ins import in_place_of, without_amd
from registry_core.errors import Invalid, MeasurementFailed

logger = logging.getLogger(__name__)

CLOCK_TOLERANCE = 0.02
"""Share by which the tool's duration may differ from ours."""

SHARED = "another measurement of this computer ran at the same time, and the energy of both is included"
"""The note of a reading that overlaps with another one."""

LOCKED = "cpu: this computer has energy counters, and its administrator lets nobody else read them"
"""The note of a reading that a permission would have made better."""

PROCESSORS = Path("/proc/cpuinfo")


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
    guessing one. A `sampler` keeps the raw samples. `is_alone` False says that other processes of the same run
    measure this machine, too, and that somebody will merge what they saw.
    """

    def __init__(
        self,
        country: str | None = None,
        *,
        scope: Scope = "machine",
        sample_seconds: float = 1.0,
        sampler: Sampler | None = None,
        is_alone: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._country = country
        self._scope = scope
        self._sample_seconds = sample_seconds
        self._clock = clock
        self._sampler = sampler
        self._watches_others = is_alone and scope == "machine"
        self._overlap = Overlap()
        self._is_shared = False
        self._tracker: Any = None
        self._started: tuple[float, float] | None = None

    def prepare(self) -> None:
        """Import the tool and let it find the sensors."""
        if not _is_installed():
            raise MeasurementFailed("codecarbon is not installed; pip install 'model-commons[track]' brings it.")
        settings = _settings(self._country, self._scope, self._sample_seconds)
        self._tracker = _tracker(settings)
        _name_the_processor()
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
        if self._sampler:
            self._sampler.start(self.sources())
        self._look_for_others(self._overlap.start)

    def stop(self) -> Reading:
        if self._started is None:
            raise MeasurementFailed("CodeCarbon was stopped before it was started.")
        self._look_for_others(self._overlap.stop)
        before = self._clock()
        emissions_kg = self._tracker.stop()
        if self._sampler:
            self._sampler.stop()
        shortest, longest = before - self._started[1], self._clock() - self._started[0]
        row = getattr(self._tracker, "final_emissions_data", None)
        if emissions_kg is None or row is None:
            raise MeasurementFailed("CodeCarbon gave no result.")
        if not shortest * (1 - CLOCK_TOLERANCE) <= row.duration <= longest * (1 + CLOCK_TOLERANCE):
            raise MeasurementFailed(f"CodeCarbon measured {row.duration:.2f} s of a span of {longest:.2f} s.")
        return self._reading(row)

    def sources(self) -> list[Source]:
        """What can be read beside the tool: counters where it uses them, else the power that it reckons with."""
        found: list[Source] = []
        for item in self._tracker._hardware:
            part = part_of(item)
            if part is not None:
                found += counters_of(item) or [Source(part, part, _power_reader(self._tracker, part))]
        return found

    def _look_for_others(self, are_there: Callable[[], bool]) -> None:
        """Two measurements of the whole machine at once both count what either used: say so, once."""
        if self._watches_others and are_there() and not self._is_shared:
            self._is_shared = True
            logger.warning(
                "This computer is being measured more than once at the same time, and each measurement counts the"
                " energy of all. Measure one after the other, or with scope process."
            )

    def _reading(self, row: Any) -> Reading:
        hardware = self._tracker._hardware
        parts, notes = parts_of(row, hardware)
        if not parts:
            raise MeasurementFailed("CodeCarbon saw no energy of any part.")
        if self._scope == "process":
            # Only its models of CPU and RAM know of processes.
            whole = [part for part, energy in parts.items() if part == "gpu" or energy.method == "rapl_package"]
            notes += [f"{part}: the whole device, also in process scope" for part in whole]
        if self._is_shared:
            notes.append(SHARED)
        if rapl_is_locked():
            notes.append(LOCKED)
        notes += _overruled()
        return Reading(
            duration_seconds=row.duration,
            parts=parts,
            devices=devices_of(row, self._tracker._conf, hardware),
            tool="codecarbon",
            tool_version=row.codecarbon_version,
            configuration=_configuration(self._tracker),
            row=dataclasses.asdict(row),
            notes=tuple(notes),
        )


def _is_installed() -> bool:
    return importlib.util.find_spec("codecarbon") is not None


def _name_the_processor() -> None:
    """Tell the tool what Linux calls the processor. By itself it asks py-cpuinfo, which takes 1.5 s for the same."""
    from codecarbon.core.util import detect_cpu_model

    with suppress(OSError):
        lines = PROCESSORS.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            with in_place_of("cpuinfo", SimpleNamespace(get_cpu_info=lambda: {"brand_raw": names[0]})):
                detect_cpu_model()  # it remembers its first answer


def _tracker(settings: dict[str, Any]) -> Any:
    with without_amd():
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
        "gpu_ids": _visible_gpus(),
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
    """Raises MeasurementFailed when the tool runs with other settings than ours; `gpu_ids` becomes a list."""
    foreign = sorted(key for key in settings.keys() - {"gpu_ids"} if tracker._conf.get(key) != settings[key])
    if foreign:
        raise MeasurementFailed("CodeCarbon did not take these settings: " + ", ".join(foreign) + ".")


def _configuration(tracker: Any) -> dict[str, Setting]:
    """The configuration in force: all of it is what we gave, since `_refuse_foreign_settings` let it pass."""
    ours = _settings(None, "machine", 1.0)
    return {key: Setting(value, "explicit") for key, value in tracker._conf.items() if key in ours}


def _overruled() -> list[str]:
    """A remark, when a configuration file or a variable wanted something else than we gave."""
    from codecarbon.core.config import get_hierarchical_config_with_sources

    names = sorted(get_hierarchical_config_with_sources()[1])
    return [f"configuration files or variables of the tool were overruled: {', '.join(names)}"] if names else []


def _visible_gpus() -> str | None:
    """The GPUs that this process may use; given by us, so that the tool need not take it from the environment."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") or os.environ.get("ROCR_VISIBLE_DEVICES") or None


def _power_reader(tracker: Any, part: Part) -> Callable[[], Sample]:
    return lambda: (getattr(tracker, f"_{part}_power").W, None)
