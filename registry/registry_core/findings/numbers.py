"""F4, F5, F6, F7, F9, F14, F17: numbers that cannot be, or that cannot be true together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from registry_core.card_rules import moment
from registry_core.errors import Invalid
from registry_core.estimates import device_power, has_energy, is_accelerator
from registry_core.findings.subject import Subject
from registry_core.grades import Finding
from registry_core.phase import Group
from registry_core.tables import table
from registry_core.units import GRAMS_PER_KG, SECONDS_PER_HOUR, WATTS_PER_KILOWATT

CLEAN_ZONES = "clean-zones-2026.csv"
_SUM_TOLERANCE = 0.005
_TIME_TOLERANCE = 0.01


def power_implausible(subject: Subject) -> Iterator[Finding]:
    """F4: the energy implies a mean power outside 5 % to 120 % of what the devices are built for."""
    phase = subject.phase
    accelerators = [group for group in phase.groups if is_accelerator(group)]
    hosts = [group for group in phase.groups if not is_accelerator(group)]
    # Beside accelerators a processor may well idle; and a node's energy has more in it than its devices.
    if phase.energy_gpu is not None:
        yield from _power(subject, "energy_gpu", phase.energy_gpu.value, accelerators, lowest=0.05, highest=1.2)
    if phase.energy_cpu is not None:
        lowest = 0.0 if accelerators else 0.05
        yield from _power(subject, "energy_cpu", phase.energy_cpu.value, hosts, lowest=lowest, highest=1.2)
    if phase.energy_it is not None and not phase.energy_parts:
        highest = 1.2 if phase.scope == "device" else math.inf
        yield from _power(subject, "energy_it", phase.energy_it.value, phase.groups, lowest=0.05, highest=highest)


def intensity_implausible(subject: Subject) -> Iterator[Finding]:
    """F5: no grid is like that, or only few are."""
    phase = subject.phase
    implied = _implied_intensity(subject)
    if implied is None:
        return
    field = "intensity" if phase.intensity else "co2e_location"
    meta = phase.intensity_meta
    zones = {meta.zone if meta else "", phase.site.country, phase.site.subdivision or ""}
    is_clean = bool(zones & {row["zone"] for row in table(CLEAN_ZONES).rows})
    is_location = meta is None or meta.basis == "location"
    if not 1 <= implied <= 1500:
        yield subject.finding(
            "F5",
            "warn",
            field,
            f"{implied:.3g} g CO2e per kWh is outside 1 to 1500, where grids are. Check the unit: kg, g and lb are "
            "easily mixed up.",
        )
    elif implied < 10 and is_location and not is_clean:
        yield subject.finding(
            "F5",
            "warn",
            field,
            f"{implied:.3g} g CO2e per kWh is below 10, and no grid here is known for that. Contracts for green power "
            "belong into co2e_market.",
        )


def parts_do_not_sum(subject: Subject) -> Iterator[Finding]:
    """F6: parts are more than their total, in the card or in the tool's row."""
    phase = subject.phase
    parts = math.fsum(part.value for part in phase.energy_parts)
    if phase.energy_it is not None and parts > phase.energy_it.value * (1 + _SUM_TOLERANCE):
        yield subject.finding(
            "F6",
            "warn",
            "energy_it",
            f"The parts add up to {parts:.4g} kWh, more than energy_it, {phase.energy_it.value:.4g}. "
            "Correct one of them.",
        )
    yield from _row_parts(subject)


def pue_implausible(subject: Subject) -> Iterator[Finding]:
    """F7: no facility is like that."""
    phase = subject.phase
    if phase.pue is None:
        return
    pue = phase.pue.value
    if not 1.0 <= pue <= 3.0:
        yield subject.finding(
            "F7", "error", "pue", f"A PUE of {pue:g} is outside 1.0 to 3.0. Take the operator's annual figure."
        )
    elif pue == 1.0 and phase.scope != "facility" and _is_data_centre(subject):
        yield subject.finding(
            "F7",
            "warn",
            "pue",
            "A PUE of exactly 1.0 means a data centre without cooling. Take the operator's figure, or leave it out.",
        )


def energy_missing(subject: Subject) -> Iterator[Finding]:
    """F9: devices worked, and no energy is told."""
    phase = subject.phase
    if phase.device_time.value > 0 and not has_energy(phase):
        said = "zero" if subject.footprint.energy_it_kwh is not None else "missing"
        yield subject.finding(
            "F9",
            "error",
            "energy_it",
            f"Devices worked for {phase.device_time.value:.4g} hours and the energy is {said}. Measure again, or "
            "estimate it from device hours and say so.",
        )


def wall_time_differs(subject: Subject) -> Iterator[Finding]:
    """F14: the wall time is not what lies between start and end. Several runs in a phase may leave pauses."""
    phase = subject.phase
    if (phase.included_runs or 1) > 1:
        return
    span = (moment(phase.ended_at) - moment(phase.started_at)).total_seconds()
    rounding = 0.0 if "." in phase.started_at + phase.ended_at else 1.0  # stamps in whole seconds
    if abs(phase.wall_time.value - span) > _TIME_TOLERANCE * span + rounding:
        yield subject.finding(
            "F14",
            "warn",
            "wall_time",
            f"The wall time is {phase.wall_time.value:.6g} s, and from start to end are {span:.6g} s. "
            "Correct one of them.",
        )


def too_many_device_hours(subject: Subject) -> Iterator[Finding]:
    """F17: more device hours than the devices had."""
    phase = subject.phase
    devices = sum(group.device_count for group in phase.groups)
    most = devices * phase.wall_time.value / SECONDS_PER_HOUR
    grouped = math.fsum(group.device_count * group.hours for group in phase.groups)
    for field, hours in (("device_time", phase.device_time.value), ("groups", grouped)):
        if hours > most * (1 + _TIME_TOLERANCE):
            yield subject.finding(
                "F17",
                "error",
                field,
                f"{hours:.6g} device hours are more than {devices} devices have in {phase.wall_time.value:.6g} s, "
                f"{most:.6g}. Correct the hours, the devices or the wall time.",
            )
            return


def _power(
    subject: Subject, field: str, energy_kwh: float, groups: Sequence[Group], *, lowest: float, highest: float
) -> Iterator[Finding]:
    full_kwh = _energy_at_tdp(groups)
    if full_kwh is None or energy_kwh <= 0:  # zero is F9
        return
    share = energy_kwh / full_kwh
    if not lowest <= share <= highest:
        yield subject.finding(
            "F4",
            "error",
            field,
            f"{energy_kwh:.4g} kWh is {share:.3g} times what the devices draw at their TDP; 0.05 to 1.2 can be. Check "
            "the unit, the hours and the number of devices.",
        )


def _energy_at_tdp(groups: Sequence[Group]) -> float | None:
    """kWh of these devices at full power; None when that is not known, or nothing."""
    energies = [_watts(group) for group in groups]
    if None in energies:
        return None
    hours = [group.device_count * group.hours for group in groups]
    watt_hours = math.fsum(watts * time for watts, time in zip(energies, hours, strict=True) if watts is not None)
    return watt_hours / WATTS_PER_KILOWATT or None


def _watts(group: Group) -> float | None:
    if group.tdp_w is not None or not is_accelerator(group):  # a virtual machine has a part of a processor
        return group.tdp_w
    try:
        return device_power(group.device_model).power_w
    except Invalid:
        return None


def _implied_intensity(subject: Subject) -> float | None:
    phase, facility = subject.phase, subject.footprint.energy_facility_kwh
    if phase.intensity is not None:
        return phase.intensity.value
    if phase.co2e_location is None or facility is None or facility.value <= 0:
        return None
    return phase.co2e_location.value / facility.value * GRAMS_PER_KG


def _row_parts(subject: Subject) -> Iterator[Finding]:
    for row in subject.evidence.rows:
        total = row.number("energy_consumed")
        parts = [row.number(name) for name in ("cpu_energy", "gpu_energy", "ram_energy")]
        known = math.fsum(part for part in parts if part is not None)
        if total is not None and any(parts) and abs(known - total) > _SUM_TOLERANCE * abs(total):
            yield subject.finding(
                "F6",
                "warn",
                "",
                f"The parts of the tool's row add up to {known:.4g} kWh, and its total is {total:.4g}. Attach the row "
                "as the tool wrote it.",
            )
            return


def _is_data_centre(subject: Subject) -> bool:
    phase = subject.phase
    hosts = max(phase.coverage.hosts_total, *(group.hosts or 0 for group in phase.groups))
    return (
        phase.site.cloud_provider is not None
        or hosts > 1
        or phase.pue_origin in ("operator_report", "regulation_database")
    )
