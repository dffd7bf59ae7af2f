"""Which energies of a phase can be computed again from what came with the card, within 1 %.

By the tool's row, by the samples, or by device hours x TDP. What none of them backs is a number and a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from registry_core.errors import Invalid
from registry_core.estimates import HOST_FACTOR, JOULES_PER_KWH, from_device_hours, is_accelerator, with_hosts
from registry_core.evidence import ToolRow
from registry_core.findings.subject import Subject
from registry_core.phase import Phase
from registry_core.quantity import NEGLIGIBLE_SHARE, Quantity
from registry_core.sampling import samplings

TOLERANCE = 0.01

_ROW_NAMES = {
    "energy_gpu": "gpu_energy",
    "energy_cpu": "cpu_energy",
    "energy_ram": "ram_energy",
    "energy_it": "energy_consumed",
}


def given_parts(phase: Phase) -> dict[str, Quantity]:
    """The energies that the card rests on, by field: one meter's for all, or the parts that matter."""
    if phase.energy_it is not None and phase.energy_it.source != "derived":
        return {"energy_it": phase.energy_it}
    parts = {field: getattr(phase, field) for field in ("energy_gpu", "energy_cpu", "energy_ram", "energy_other")}
    known = {field: part for field, part in parts.items() if part is not None}
    least = NEGLIGIBLE_SHARE * math.fsum(part.value for part in known.values())
    return {field: part for field, part in known.items() if part.value >= least}


def measured_kwh(phase: Phase) -> float:
    """The energy that an instrument or a counter saw."""
    return math.fsum(part.value for part in given_parts(phase).values() if part.source == "measured")


def backed_parts(subject: Subject) -> set[str]:
    """The fields of `given_parts` that the server gets again."""
    given = given_parts(subject.phase)
    integral = math.fsum(sampling.energy_kwh for sampling in samplings(subject.evidence.series))
    by_samples = integral > 0 and _is_near(measured_kwh(subject.phase), integral)
    return {
        field
        for field, part in given.items()
        if _is_backed(subject, field, part, by_samples=by_samples and part.source == "measured")
    }


def _is_backed(subject: Subject, field: str, part: Quantity, *, by_samples: bool) -> bool:
    rows = subject.evidence.rows
    energies = [energy for row in rows if (energy := row_energy_kwh(row, field))]
    if not energies:  # a part that the tool says nothing of
        return by_samples or any(_is_near(part.value, kwh) for kwh in _computed(subject.phase, field, part))
    seen = subject.phase.coverage
    rows_kwh = math.fsum(energies)
    # Hosts that wrote nothing were either left out, or taken to have used the mean.
    all_hosts = seen.hosts_total / seen.hosts_measured if seen.hosts_measured else 1.0
    fits = any(_is_near(part.value, rows_kwh * hosts) for hosts in (1.0, all_hosts))
    # Processes that measured one host at the same time were merged to less than their sum; samples tell how much.
    # A single row that says something else than the card is not outvoted.
    were_merged = len(rows) > 1 and part.value < rows_kwh
    return fits or (were_merged and by_samples)


def row_energy_kwh(row: ToolRow, field: str) -> float | None:
    """What a row says of a field of the card, before PUE: CodeCarbon writes kWh, Zeus joules by device.

    CodeCarbon multiplies every energy by the PUE it is given, and the card does so again: it is taken out. Where
    Zeus measured the GPUs its window stands in the row, and what CodeCarbon says of them does not count.
    """
    name = _ROW_NAMES.get(field, "")
    window = row.fields.get("zeus")
    by_device = window.get(name) if isinstance(window, dict) else row.fields.get(name)
    if isinstance(by_device, dict):
        joules = [ToolRow(by_device).number(device) for device in by_device]
        return math.fsum(value for value in joules if value is not None) / JOULES_PER_KWH
    energy, pue = row.number(name), row.number("pue")
    return energy if energy is None or pue is None or pue < 1 else energy / pue


def _computed(phase: Phase, field: str, part: Quantity) -> Iterator[float]:
    """What the server gets for an estimate whose method it knows."""
    if part.method == "host_share" and field == "energy_other" and phase.energy_gpu is not None:
        yield phase.energy_gpu.value * (HOST_FACTOR - 1)
    if part.method not in ("device_hours_tdp", "host_share"):
        return
    is_gpu = field == "energy_gpu"
    groups = [group for group in phase.groups if field == "energy_it" or is_accelerator(group) == is_gpu]
    try:
        devices = from_device_hours(groups) if groups else None
    except Invalid:
        return
    if devices is not None:
        yield devices.value
        yield with_hosts(devices).value


def _is_near(value: float, computed: float) -> bool:
    return abs(value - computed) <= TOLERANCE * abs(computed)
