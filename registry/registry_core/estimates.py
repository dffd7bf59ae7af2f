"""Estimates of the server where a card has no energy: beside the card, never in it.

    device hours x TDP x 0.70 ─► energy_devices ─ x 1.4 when the hosts are missing ─► energy_it ─► CO2e
    FLOP / (FLOP per joule)   ─► energy_it

Each number is an interval, and wide: a device draws between 0.25 and 1.15 of its TDP, hosts add between 0.1
and 0.9 of what their accelerators take, and a count of operations is good to a factor of three. A device
that nobody knows has no estimate; there is no default device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from registry_core.errors import Invalid
from registry_core.footprint import facility_co2e, facility_energy, phase_footprint
from registry_core.intensity import Intensity
from registry_core.phase import Group, Phase
from registry_core.quantity import Amount, amount, default_interval, exact, product, total
from registry_core.tables import table
from registry_core.units import GRAMS_PER_KG, WATTS_PER_KILOWATT

DEVICES = "device-power-2026.csv"
TYPICAL_LOAD = 0.70
"""Mean power / TDP of an accelerator in training."""
HOST_FACTOR = 1.4
"""Energy of accelerators and their hosts / energy of the accelerators."""
JOULES_PER_KWH = 3.6e6

Basis = Literal["device_hours", "host_share", "flop"]
_HOST_KINDS = frozenset({"cpu", "server", "host"})


@dataclass(frozen=True)
class DevicePower:
    """What a device is built to draw. `meaning` is tdp, or mean where its maker publishes none."""

    names: tuple[str, ...]
    kind: str
    power_w: float
    meaning: str
    year: int
    source: str


@dataclass(frozen=True)
class Estimate:
    """What the server thinks that a phase took, and how it came to that."""

    basis: Basis
    energy_devices_kwh: Amount | None  # of the accelerators, or processors, alone
    energy_it_kwh: Amount
    energy_facility_kwh: Amount
    co2e_location_kg: Amount | None  # None without a location-based intensity
    says: str


@dataclass(frozen=True)
class Recomputed:
    """CO2e with another factor table. The old value stays what the card says."""

    co2e_location_kg: Amount
    intensity: Intensity
    old: Amount | None


def device_power(device_model: str) -> DevicePower:
    """The row of a device. Raises Invalid for one that the table does not have."""
    found = _devices().get(_plain(device_model))
    if found is None:
        raise Invalid(
            f"The power of {device_model[:80]!r} is not known.",
            hint="Add tdp_w, from the maker's data sheet, to the group of the card.",
        )
    return found


def from_device_hours(groups: Sequence[Group], *, load: float | None = None) -> Amount:
    """Energy of devices in kWh: count x hours x power x load.

    Without a `load` it is 0.70 of the TDP, between 0.25 and 1.15; a given one stands as it is. Raises Invalid
    when the power of a device is not known.
    """
    return total([_of_group(group, load) for group in groups])


def with_hosts(devices_kwh: Amount) -> Amount:
    """Energy of accelerators and of the hosts nobody counted, in kWh: x 1.4, between x 1.1 and x 1.9."""
    return product(devices_kwh, Amount(HOST_FACTOR, *default_interval(HOST_FACTOR, "host_share"), source="estimated"))


def from_flop(operations: float, flop_per_joule: float) -> Amount:
    """Energy in kWh of this many operations on hardware that does `flop_per_joule`, as somebody states."""
    if flop_per_joule <= 0:
        raise Invalid(f"An efficiency of {flop_per_joule:g} FLOP/J is none.", hint="Give FLOP per joule, e.g. 4e11.")
    value = operations / flop_per_joule / JOULES_PER_KWH
    return Amount(value, *default_interval(value, "flop_model"), source="estimated")


def estimate(phase: Phase, *, flop_per_joule: float | None = None) -> Estimate | None:
    """What stands beside a phase that measured nothing, or whose accelerators were measured without hosts.

    None when the phase needs no estimate. Raises Invalid when it needs one and says too little for it.
    """
    if lacks_hosts(phase) and phase.energy_gpu is not None:
        devices = amount(phase.energy_gpu, window_seconds=phase.wall_time.value)
        return _estimate(phase, "host_share", devices, with_hosts(devices), "energy of the accelerators")
    if has_energy(phase):
        return None
    if phase.compute_flop is not None and flop_per_joule is not None:
        energy = from_flop(phase.compute_flop.value, flop_per_joule)
        return _estimate(phase, "flop", None, energy, f"{phase.compute_flop.value:.3g} FLOP at {flop_per_joule:.3g}/J")
    devices = from_device_hours(phase.groups)
    hours = sum(group.device_count * group.hours for group in phase.groups)
    energy = devices if _has_host_groups(phase) else with_hosts(devices)
    return _estimate(phase, "device_hours", devices, energy, f"{hours:,.6g} device hours at a typical load")


def recomputed(phase: Phase, intensity: Intensity) -> Recomputed | None:
    """CO2e of a phase with another intensity; None without energy."""
    facility = phase_footprint(phase).energy_facility_kwh
    if facility is None:
        return None
    new = product(facility, _amount_of(intensity), exact(1 / GRAMS_PER_KG))
    return Recomputed(new, intensity, phase_footprint(phase).co2e_location_kg)


def has_energy(phase: Phase) -> bool:
    """Whether the phase says, above zero, what energy it took."""
    energy = phase_footprint(phase).energy_it_kwh
    return energy is not None and energy.value > 0


def lacks_hosts(phase: Phase) -> bool:
    """Whether the energy is that of accelerators alone, though a host must have run them."""
    energy = phase_footprint(phase).energy_it_kwh
    if phase.energy_gpu is None or energy is None or phase.coverage.cpu or phase.coverage.host_rest:
        return False
    return 0 < energy.value <= phase.energy_gpu.value * 1.005


def is_accelerator(group: Group) -> bool:
    return group.device_kind.lower() not in _HOST_KINDS


def _estimate(phase: Phase, basis: Basis, devices: Amount | None, energy: Amount, inputs: str) -> Estimate:
    facility = facility_energy(phase, energy)
    hosts = "" if devices is None or devices == energy else f", x {HOST_FACTOR} for the hosts"
    return Estimate(
        basis=basis,
        energy_devices_kwh=devices,
        energy_it_kwh=energy,
        energy_facility_kwh=facility,
        co2e_location_kg=facility_co2e(phase, facility),
        says=f"a server estimate from {inputs}{hosts}",
    )


def _of_group(group: Group, load: float | None) -> Amount:
    watts, typical_load = _power(group)
    full_kwh = group.device_count * group.hours * watts / WATTS_PER_KILOWATT
    if load is not None:
        return exact(full_kwh * load, "estimated")
    value = full_kwh * typical_load
    return Amount(value, *default_interval(value, "device_hours_tdp"), source="estimated")


def _power(group: Group) -> tuple[float, float]:
    """Power in watts, and the share of it that training takes: all of it where the table has a measured mean."""
    if group.tdp_w is not None:
        return group.tdp_w, TYPICAL_LOAD
    device = device_power(group.device_model)
    return device.power_w, 1.0 if device.meaning == "mean" else TYPICAL_LOAD


def _has_host_groups(phase: Phase) -> bool:
    return any(not is_accelerator(group) for group in phase.groups)


def _amount_of(intensity: Intensity) -> Amount:
    return Amount(intensity.value, *default_interval(intensity.value, "intensity_annual"), source="estimated")


@cache
def _devices() -> Mapping[str, DevicePower]:
    found: dict[str, DevicePower] = {}
    for row in table(DEVICES).rows:
        names = tuple(row["device"].split("|"))
        device = DevicePower(names, row["kind"], float(row["power_w"]), row["meaning"], int(row["year"]), row["source"])
        found |= {_plain(name): device for name in names}
    return found


def _plain(name: str) -> str:
    """Makers and drivers write one name in many ways: NVIDIA A100-SXM4-80GB, A100 SXM4 80 GB."""
    words = name.lower().replace("nvidia", " ").replace("-", " ").replace("_", " ").split()
    return "".join(words)
