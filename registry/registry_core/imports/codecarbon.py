"""`emissions.csv` of CodeCarbon: energies are taken over, and nothing that it computed from a place.

What its rows do not show, and is put right here:

- An online tracker without a network says Canada, Quebec; an unknown place becomes 475 g/kWh under whatever code was
  given. Neither place is believed unless a person names it.
- `pue` is in the energies already, and in the water where it does not belong: energies are divided by it, and the
  water is left to the WUE.
- RAM is always modelled; how the CPU was read is not in the row. A zero is something not measured.
- A run that was flushed leaves several rows, each with all of the run so far: the longest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from registry_core.imports.phases import MAX_SECONDS, Device, Run, Said, Source, energy, invalid
from registry_core.imports.reading import Fields, counted, csv_rows

FORM = "codecarbon"
WORLD_G_PER_KWH = 475.0
OFFLINE_G_PER_KWH = 10.0  # Quebec is 3.94; nothing else that CodeCarbon knows of Canada is below this
_TEXTS = ("timestamp", "run_id", "codecarbon_version", "cpu_model", "gpu_model", "tracking_mode")
_NUMBERS = (
    *("duration", "cpu_power", "gpu_power", "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed"),
    *("cpu_count", "gpu_count", "ram_total_size", "cpu_utilization_percent", "gpu_utilization_percent", "pue", "wue"),
)
_NEEDED = ("timestamp", "duration", "emissions", "energy_consumed", "cpu_energy", "gpu_energy", "ram_energy")


def read(data: bytes, said: Said) -> Source:
    """The runs of an emissions.csv. Raises InvalidImport."""
    rows = csv_rows(data, FORM)
    absent = [name for name in _NEEDED if name not in rows[0]]
    if absent:
        raise invalid(FORM, [f"the column {name} is missing" for name in absent])
    faults: list[str] = []
    notes = ["the rows name no time zone; their times were taken for UTC"]
    runs = []
    kept = _longest_of_each_run(rows, faults)
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} earlier rows of the same runs were left out")
    for number, row in kept:
        where = f"row {number}: "
        run, remarks = _run(Fields(row, faults, where), said)
        runs.append(run)
        notes += [f"{where if len(rows) > 1 else ''}{remark}" for remark in remarks]
    if faults:
        raise invalid(FORM, faults)
    runs = _unrounded(runs)
    if _overlaps([run for run in runs if run.scope == "machine"]):
        notes.append("runs overlap in time; on one host, each would have counted the whole machine")
    versions = sorted({row["codecarbon_version"] for row in rows if row.get("codecarbon_version")})
    version = {"tool_version": ", ".join(versions)} if versions else {}
    return Source(runs, {"tool": FORM, **version}, notes)


def _longest_of_each_run(rows: Sequence[dict[str, str]], faults: list[str]) -> list[tuple[int, dict[str, str]]]:
    longest: dict[str, tuple[float, int]] = {}
    for index, row in enumerate(rows):
        seconds = Fields(row, faults, f"row {index + 1}: ").number("duration", required=True) or 0.0
        key = row.get("run_id") or f"row {index}"
        longest[key] = max(longest.get(key, (-1.0, 0)), (seconds, index))
    return [(index + 1, rows[index]) for _, index in sorted(longest.values(), key=lambda found: found[1])]


def _run(row: Fields, said: Said) -> tuple[Run, list[str]]:
    notes: list[str] = []
    seconds = row.number("duration")
    ended_at = row.moment("timestamp")
    if seconds is not None and seconds > MAX_SECONDS:
        row.fault("duration", f"is {seconds:g} s, which cannot be")
        seconds = None
    mode = row.text("tracking_mode") or "machine"
    if mode not in ("machine", "process"):
        row.fault("tracking_mode", f"expected machine or process, got {mode[:40]!r}")
    devices = _devices(row)
    return Run(
        started_at=ended_at - timedelta(seconds=seconds) if ended_at and seconds else ended_at,
        wall_seconds=seconds,
        devices=devices,
        scope=mode,
        energies=_energies(row, devices, seconds, notes),
        country=row.text("country_iso_code"),
        knows_place=_knows_place(row, said, notes),
        site=_cloud(row),
        more=_more(row),
        row=_taken(row),
    ), notes


def _devices(row: Fields) -> tuple[Device, ...]:
    cpu = Device("cpu", row.text("cpu_model") or "unknown", 1)  # cpu_count counts threads
    count, model = row.number("gpu_count"), row.text("gpu_model")
    if not count:
        return (cpu,)
    return (counted(model or "unknown", "gpu", int(min(count, 1e6))), cpu)


def _energies(
    row: Fields, devices: Sequence[Device], seconds: float | None, notes: list[str]
) -> dict[str, dict[str, Any]]:
    pue = _pue(row)
    if pue != 1:
        notes.append(f"the energies had the PUE {pue:g} in them already and were divided by it")
    found = {}
    for part in ("gpu", "cpu", "ram"):
        value = row.number(f"{part}_energy")
        is_there = part != "gpu" or any(device.kind == "gpu" for device in devices)
        if value:
            found[f"energy_{part}"] = energy(value / pue, *_origin(part, devices), window_seconds=seconds)
        elif is_there:
            notes.append(f"{part}_energy is zero, which is a {part} that was not measured: it is left out")
    _check_sum(row, notes)
    return found


def _pue(row: Fields) -> float:
    pue = row.number("pue") or 1.0
    if pue < 1:
        row.fault("pue", f"is {pue:g}, below 1")
        return 1.0
    return pue


def _origin(part: str, devices: Sequence[Device]) -> tuple[str, str]:
    """Source and method, as far as the row and the ways of the tool tell."""
    if part == "ram":
        return "estimated", "ram_dimm_model"
    if part == "cpu":
        return "estimated", "unknown"
    models = " ".join(device.model.lower() for device in devices if device.kind == "gpu")
    if "nvidia" in models or "tesla" in models:
        return "measured", "nvml_counter"
    return "measured", "amdsmi_counter" if "amd" in models else "unknown"


def _check_sum(row: Fields, notes: list[str]) -> None:
    parts = [row.number(f"{part}_energy") or 0.0 for part in ("cpu", "gpu", "ram")]
    told = row.number("energy_consumed")
    if told is not None and abs(told - sum(parts)) > 0.005 * sum(parts):
        notes.append(f"energy_consumed is {told:g} kWh and the parts sum to {sum(parts):g} kWh: the parts were taken")


def _knows_place(row: Fields, said: Said, notes: list[str]) -> bool:
    """Whether the row's country is one that somebody said."""
    kg, kwh = row.number("emissions"), row.number("energy_consumed")
    if not kg or not kwh or said.country:
        return True
    g_per_kwh = kg * 1000 / kwh
    if abs(g_per_kwh - WORLD_G_PER_KWH) <= 0.005 * WORLD_G_PER_KWH:
        notes.append("its intensity is 475 g/kWh, CodeCarbon's answer to a place it does not know")
        return False
    if row.text("country_iso_code") == "CAN" and g_per_kwh < OFFLINE_G_PER_KWH:
        notes.append("its place is Quebec at 3.94 g/kWh, which CodeCarbon also says wherever there is no network")
        return False
    return True


def _cloud(row: Fields) -> dict[str, str]:
    if row.text("on_cloud") != "Y":
        return {}
    names = {name: row.text(name) for name in ("cloud_provider", "cloud_region")}
    return {name: text for name, text in names.items() if text}


def _more(row: Fields) -> dict[str, Any]:
    """PUE and WUE where they were set (1 and 0 are what CodeCarbon has otherwise), and how busy the devices were."""
    found: dict[str, Any] = {}
    pue, wue = _pue(row), row.number("wue")
    if pue > 1:
        found["pue"] = {"value": pue, "unit": "1", "source": "declared"}
    if wue:
        found["wue_on"] = {"value": wue, "unit": "L/kWh", "source": "declared"}
    for part in ("cpu", "gpu"):
        percent = row.number(f"{part}_utilization_percent")
        if percent and percent <= 100:
            found[f"utilisation_{part}"] = {"value": percent / 100, "unit": "1", "source": "measured"}
    return found


def _taken(row: Fields) -> dict[str, Any]:
    """The row without what was not believed: emissions, water and place."""
    numbers = {name: row.number(name) for name in _NUMBERS}
    texts = {name: row.text(name) for name in _TEXTS}
    return {name: value for name, value in {**texts, **numbers}.items() if value is not None}


def _end(run: Run) -> datetime | None:
    return run.started_at + timedelta(seconds=run.wall_seconds or 0) if run.started_at else None


def _unrounded(runs: Sequence[Run]) -> list[Run]:
    """The runs in their order; one that seems to begin up to a second before the last one ended began then.

    Timestamps are whole seconds, so that runs one after the other seem to overlap.
    """
    found: list[Run] = []
    for run in runs:
        last = _end(found[-1]) if found else None
        if run.started_at and last and timedelta(0) < last - run.started_at <= timedelta(seconds=1):
            found.append(replace(run, started_at=last))
        else:
            found.append(run)
    return found


def _overlaps(runs: Sequence[Run]) -> bool:
    spans = sorted((run.started_at, end) for run in runs if run.started_at and (end := _end(run)))
    return any(after[0] < before[1] for before, after in pairwise(spans))
