"""The results CSV of the Green Algorithms calculator: one row of inputs, from which its formula is computed again.

    kWh = hours x devices x W per device x usage / 1000, and 0.3725 W for each GB of memory, before PUE

Everything in it is an estimate. Its `energy_needed` has the PUE in it and is only compared.
"""

from __future__ import annotations

from typing import Any

from registry_core.imports.phases import Device, Run, Said, Source, energy, invalid
from registry_core.imports.reading import Fields, csv_rows

FORM = "green-algorithms"
MEMORY_WATTS_PER_GB = 0.3725


def read(data: bytes, said: Said) -> Source:  # noqa: ARG001, every reader is told
    """The calculation of an exported file. Raises InvalidImport."""
    rows = csv_rows(data, FORM, delimiter=";")
    if len(rows) != 1:
        raise invalid(FORM, [f"the file has {len(rows)} rows, and one calculation has one"])
    faults: list[str] = []
    row = Fields(rows[0], faults)
    notes = ["Green Algorithms names places in a way of its own; the country is the one you named"]
    hours = (row.number("runTime_hour") or 0.0) + (row.number("runTime_min") or 0.0) / 60
    if not hours:
        row.fault("runTime_hour", "is missing")
    repeats = row.number("mult_factor") or 1.0
    parts = _watts(row)
    energies = {
        f"energy_{part}": energy(
            hours * repeats * watts / 1000, "estimated", "ram_dimm_model" if part == "ram" else "tdp_constant"
        )
        for part, watts in parts.items()
        if watts
    }
    run = Run(
        wall_seconds=hours * repeats * 3600,
        time_source="estimated",
        devices=_devices(row),
        energies=energies,
        more=_more(row, repeats),
    )
    _compare(row, sum(part["value"] for part in energies.values()), notes)
    if faults:
        raise invalid(FORM, faults)
    version = row.text("appVersion")
    return Source([run], {"tool": FORM, **({"tool_version": version} if version else {})}, notes)


def _watts(row: Fields) -> dict[str, float]:
    """Power by part, before PUE."""
    found = {"ram": (row.number("memory") or 0.0) * MEMORY_WATTS_PER_GB}
    kinds = row.text("coreType")
    if kinds not in ("CPU", "GPU", "Both"):
        row.fault("coreType", f"expected CPU, GPU or Both, got {(kinds or 'nothing')[:40]!r}")
    if kinds in ("CPU", "Both"):
        cores_per_cpu = row.number("CPU_model_n_cores") or 1.0  # before version 3, tdpCPU was that of one core
        found["cpu"] = _product(row, "numberCPUs", "tdpCPU", "usageCPU") / cores_per_cpu
    if kinds in ("GPU", "Both"):
        found["gpu"] = _product(row, "numberGPUs", "tdpGPU", "usageGPU")
    return found


def _product(row: Fields, count: str, watts: str, usage: str) -> float:
    share = row.number(usage)
    return (
        (row.number(count, required=True) or 0.0)
        * (row.number(watts, required=True) or 0.0)
        * (1.0 if share is None else share)
    )


def _devices(row: Fields) -> tuple[Device, ...]:
    kinds = row.text("coreType") or ""
    found = []
    if kinds in ("GPU", "Both"):
        found.append(Device("gpu", row.text("GPUmodel") or "unknown", _count(row, "numberGPUs")))
    if kinds in ("CPU", "Both"):
        found.append(Device("cpu", row.text("CPUmodel") or "unknown", 1))  # numberCPUs counts cores
    return tuple(found)


def _count(row: Fields, name: str) -> int:
    return max(1, int(min(row.number(name) or 1, 1e6)))


def _more(row: Fields, repeats: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    pue = row.number("PUE")
    if pue is not None and pue >= 1:
        is_theirs = row.text("PUEradio") == "Yes"
        found["pue"] = {"value": pue, "unit": "1", "source": "declared" if is_theirs else "estimated"}
        if not is_theirs:
            found["pue_origin"] = "default"
    if repeats == int(repeats):
        found["included_runs"] = int(min(repeats, 1e9))
    return found


def _compare(row: Fields, computed_kwh: float, notes: list[str]) -> None:
    told, pue = row.number("energy_needed"), row.number("PUE") or 1.0
    if told and abs(told - computed_kwh * pue) > 0.01 * told:
        notes.append(f"energy_needed is {told:g} kWh; its inputs make {computed_kwh * pue:g} kWh, which was taken")
