"""What a meter is: the records it gives, and the interface that the measuring tools are fitted to.

    prepare()   find the sensors; may take seconds
    start()     take the first sample; quick once prepared
    stop()      take the last sample and say what was used in between

Energy is that of the devices (the computer's own parts, before the data centre's overhead).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Part = Literal["cpu", "gpu", "ram"]
Scope = Literal["machine", "process"]

COUNTERS = frozenset({"rapl_package", "nvml_counter", "amdsmi_counter"})
"""Methods that read a hardware counter; energy by any other method is an estimate."""


@dataclass(frozen=True)
class PartEnergy:
    """Energy in kWh that one part used, and the method that says so; `by_device` splits it where that is known."""

    energy_kwh: float
    method: str
    by_device: Mapping[str, float] = field(default_factory=dict)  # id as in `Device.ids` -> kWh

    @property
    def source(self) -> Literal["measured", "estimated"]:
        return "measured" if self.method in COUNTERS else "estimated"


@dataclass(frozen=True)
class Device:
    """Devices of one model; each is rated for `tdp_w` watts, None when that is not known."""

    kind: Literal["cpu", "gpu"]
    model: str
    count: int
    tdp_w: float | None = None
    ids: tuple[str, ...] = ()  # of each, where the hardware tells; never written down as they are


@dataclass(frozen=True)
class Setting:
    """One configuration value of a measuring tool, and the layer it came from."""

    value: Any
    layer: Literal["explicit", "file", "environment", "default"]


@dataclass(frozen=True)
class Reading:
    """What a meter saw between start and stop. A part that is not among `parts` was not covered."""

    duration_seconds: float
    parts: Mapping[Part, PartEnergy]
    devices: tuple[Device, ...]
    tool: str
    tool_version: str
    configuration: Mapping[str, Setting] = field(default_factory=dict)  # of the tool, as it was in force
    row: Mapping[str, Any] = field(default_factory=dict)  # the tool's own output
    notes: tuple[str, ...] = ()  # what a reader of the numbers should know

    @property
    def energy_kwh(self) -> float | None:
        """Energy of all covered parts in kWh; None when no part was covered."""
        return sum(part.energy_kwh for part in self.parts.values()) if self.parts else None

    @property
    def source(self) -> Literal["measured", "estimated"] | None:
        """`measured` when counters gave all of the energy but 2 %, else `estimated`."""
        if self.energy_kwh is None:
            return None
        guessed = sum(part.energy_kwh for part in self.parts.values() if part.source == "estimated")
        return "measured" if guessed < 0.02 * self.energy_kwh else "estimated"

    @property
    def methods(self) -> dict[str, str]:
        return {part: energy.method for part, energy in sorted(self.parts.items())}


class Meter(Protocol):
    """Measures the energy of one span of time, once."""

    def prepare(self) -> None:
        """Find the sensors, so that `start` is quick. Raises MeasurementFailed when there are none."""

    def start(self) -> None:
        """Return after the first sample. Raises MeasurementFailed when none could be taken."""

    def stop(self) -> Reading:
        """What was used since `start`; never zero for what was not seen.

        Raises MeasurementFailed when the numbers cannot be trusted.
        """


def this_machine() -> tuple[Device, ...]:
    """The processor as the operating system names it, for a run that no meter could describe."""
    return (Device("cpu", platform.processor() or platform.machine() or f"{os.name} processor", 1),)
