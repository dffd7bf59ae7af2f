"""What can be read while a training runs: the energy counters of this computer, and what a tool says of the rest.

A counter that starts again at its end (RAPL does, within minutes) is read as one that goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry_client.tracking.meter import Part

POWERCAP = Path("/sys/class/powercap")

_MIRROR_JOULES = 1.0  # two views of one counter differ by what is used between the two readings

Sample = tuple[float | None, float | None]
"""Power in W and the state of the energy counter in J, each None when there is none."""


@dataclass(frozen=True)
class Source:
    """One device, or part, and how to read it. `name` tells it from the others of this computer."""

    part: Part
    name: str
    read: Callable[[], Sample]


def rapl_sources(root: Path = POWERCAP) -> list[Source]:
    """The processor packages whose counters we may read, each once: some processors show one counter per die."""
    counters = [RaplCounter(folder) for folder in sorted(root.glob("intel-rapl:*")) if _is_package(folder)]
    return [Source("cpu", counter.folder.name, counter.read) for counter in _without_mirrors(counters)]


def rapl_is_locked(root: Path = POWERCAP) -> bool:
    """Whether the processor has counters, none of which this user may read."""
    return any(root.glob("intel-rapl:*")) and not any(map(_is_package, root.glob("intel-rapl:*")))


def has_nvml() -> bool:
    """Whether an NVIDIA driver answers here."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount()) > 0
    except Exception:  # no driver, or none that answers
        return False


def nvml_sources(uuids: Iterable[str]) -> list[Source]:
    """The NVIDIA GPUs of these ids, as far as the driver answers."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return [Source("gpu", uuid, _nvml_reader(pynvml, uuid)) for uuid in uuids]
    except Exception:  # no driver, or none that answers
        return []


class RaplCounter:
    """The energy counter of one processor package."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._range_uj = int((folder / "max_energy_range_uj").read_text())
        self._last_uj = self.first_uj = int((folder / "energy_uj").read_text())
        self._laps_uj = 0
        self._last: tuple[float, float] | None = None

    def read(self) -> Sample:
        """Mean power since the last reading, None at the first; and the counter, over all its laps."""
        raw_uj, now = int((self.folder / "energy_uj").read_text()), self._clock()
        self._laps_uj += self._range_uj if raw_uj < self._last_uj else 0
        self._last_uj = raw_uj
        joules = (raw_uj + self._laps_uj) / 1e6
        before, self._last = self._last, (now, joules)
        if before is None or now <= before[0]:
            return None, joules
        return (joules - before[1]) / (now - before[0]), joules


def _is_package(folder: Path) -> bool:
    try:
        (folder / "energy_uj").read_text()  # only root may, on most systems
        return folder.name.count(":") == 1 and (folder / "name").read_text().startswith("package")
    except OSError:
        return False


def _without_mirrors(counters: Iterable[RaplCounter]) -> list[RaplCounter]:
    kept: list[RaplCounter] = []
    for counter in counters:
        if not any(abs(counter.first_uj - other.first_uj) <= _MIRROR_JOULES * 1e6 for other in kept):
            kept.append(counter)
    return kept


def _nvml_reader(pynvml: Any, uuid: str) -> Callable[[], Sample]:
    handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)

    def read() -> Sample:
        watts = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
        try:
            return watts, pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
        except pynvml.NVMLError:  # before Volta there is no counter
            return watts, None

    return read
