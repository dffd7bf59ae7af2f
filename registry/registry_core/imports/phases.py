"""What every reader of a foreign file hands over, and the phase of a card that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from registry_core.card_rules import COUNTRIES
from registry_core.errors import Invalid, InvalidImport
from registry_core.intensity import intensity
from registry_core.quantity import default_interval
from registry_core.units import GRAMS_PER_KG, hours_from_seconds

DEFAULT_STAGE = "pretraining"  # as `registry track` has it
MAX_SECONDS = 1e9  # 31 years; a longer run is a wrong unit


@dataclass(frozen=True)
class Device:
    """Equal devices: `gpu`, `A100`, 8."""

    kind: str
    model: str
    count: int


@dataclass(frozen=True)
class Said:
    """What a person says beside the file; it counts more than what the file says."""

    task: str | None = None
    license: str | None = None
    country: str | None = None  # ISO 3166-1 alpha-3
    stage: str | None = None
    started_at: datetime | None = None  # of the only run, in UTC
    hours: float | None = None  # of the only run, by the clock on the wall
    devices: tuple[Device, ...] = ()
    base_models: tuple[str, ...] | None = None  # repo ids; empty for a model from scratch


@dataclass(frozen=True)
class Run:
    """One run as a file tells it; None where it says nothing."""

    stage: str | None = None
    started_at: datetime | None = None
    wall_seconds: float | None = None
    time_source: str = "measured"
    devices: tuple[Device, ...] = ()
    scope: str = "machine"
    energies: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # energy_gpu, energy_cpu ... -> quantity
    country: str | None = None
    knows_place: bool = True  # False: its country may be an accident, and no intensity follows from it
    site: Mapping[str, str] = field(default_factory=dict)  # beside the country
    more: Mapping[str, Any] = field(default_factory=dict)  # further fields of the phase, ready to use
    row: Mapping[str, Any] | None = None  # what the tool said, as far as it was taken over: evidence of the phase


@dataclass(frozen=True)
class Source:
    """All that was read of a file."""

    runs: Sequence[Run]
    evidence: dict[str, Any]
    notes: Sequence[str] = ()
    task: str | None = None
    license: str | None = None
    model: dict[str, Any] = field(default_factory=dict)
    quality: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """A card without `created_at`, `generator` and `subject`, and what its author should know about it."""

    document: dict[str, Any]
    notes: tuple[str, ...]
    rows: tuple[Mapping[str, Any] | None, ...]  # of each phase, what the tool said, to be kept as evidence


def invalid(form: str, faults: Sequence[str]) -> InvalidImport:
    """The error that lists what is wrong with a file of this form."""
    return InvalidImport(
        f"This makes no footprint card by the rules of {form}.",
        hint="Say what is missing, or correct the file. What a file does not say is never guessed.",
        faults=list(dict.fromkeys(faults))[:100],
    )


def energy(value_kwh: float, source: str, method: str, *, window_seconds: float | None = None) -> dict[str, Any]:
    """An energy of the card with the interval that its method deserves."""
    low, high = default_interval(value_kwh, method, window_seconds=window_seconds)
    return {"value": value_kwh, "unit": "kWh", "source": source, "method": method, "low": low, "high": high}


def phase_of(run: Run, said: Said) -> tuple[dict[str, Any], list[str], list[str]]:
    """The phase, what is missing in it, and what to tell about it."""
    stage = said.stage or run.stage or DEFAULT_STAGE
    started_at = said.started_at or run.started_at
    seconds = said.hours * 3600 if said.hours is not None else run.wall_seconds
    devices = said.devices or run.devices
    country = said.country or (run.country if run.knows_place else None)
    faults = _missing(started_at, seconds, devices, country)
    if started_at is None or seconds is None or faults:
        return {}, faults, []
    time_source = "declared" if said.hours is not None else run.time_source
    hours = hours_from_seconds(seconds)
    workers = [device for device in devices if device.kind == "gpu"] or list(devices)
    phase: dict[str, Any] = {
        "stage": stage,
        "started_at": _text(started_at),
        "ended_at": _text(started_at + timedelta(seconds=seconds)),
        "wall_time": {"value": seconds, "unit": "s", "source": time_source},
        "device_time": {
            "value": hours * sum(device.count for device in workers),
            "unit": "device_hour",
            "source": "measured" if time_source == "measured" else "estimated",
        },
        "groups": [_group(device, hours) for device in devices],
        "scope": run.scope,
        **_energies(run.energies),
        "coverage": _coverage(run.energies),
        "site": {"country": country, **run.site},
        **run.more,
    }
    notes = []
    if said.country and run.country and said.country != run.country:
        notes.append(f"the file says {run.country[:40]!r}; the country you named, {said.country}, was taken")
    return phase | _grid(phase, country or "", started_at.year, notes), [], notes


def _missing(
    started_at: datetime | None, seconds: float | None, devices: Sequence[Device], country: str | None
) -> list[str]:
    faults = []
    if started_at is None:
        faults.append("the start is not said; use --started-at, for example 2026-11-21T08:00:00Z")
    if seconds is None:
        faults.append("the duration is not said; use --hours")
    elif not 0 < seconds <= MAX_SECONDS:
        faults.append(f"a duration of {seconds:g} s cannot be")
    if not devices:
        faults.append("the hardware is not said; use --device, for example --device gpu:A100:8")
    if country is None:
        faults.append("the country is not said, or cannot be trusted; use --country, for example --country FRA")
    elif country not in COUNTRIES:
        faults.append(f"{country[:80]!r} is not an ISO 3166-1 alpha-3 country like FRA; use --country")
    return faults


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _group(device: Device, hours: float) -> dict[str, Any]:
    return {"device_kind": device.kind, "device_model": device.model, "device_count": device.count, "hours": hours}


def _energies(energies: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The energies, and their sum where they are parts."""
    if not energies or "energy_it" in energies:
        return dict(energies)
    sums = {edge: sum(part[edge] for part in energies.values()) for edge in ("value", "low", "high")}
    return {**energies, "energy_it": {**sums, "unit": "kWh", "source": "derived"}}


def _coverage(energies: Mapping[str, Any]) -> dict[str, Any]:
    covered = {part: f"energy_{part}" in energies for part in ("gpu", "cpu", "ram")}
    hosts = {"hosts_total": 1, "hosts_measured": 1 if energies else 0}
    return {**covered, "host_rest": False, "network": False, **hosts}


def _grid(phase: Mapping[str, Any], country: str, year: int, notes: list[str]) -> dict[str, Any]:
    """The intensity of the country's grid from our own table, and the emissions where everything is known."""
    if "co2e_location" in phase:
        return {}
    try:
        grid = intensity(country, year)
    except Invalid as error:
        notes.append(f"{error.message} CO2e stays unknown")
        return {}
    found: dict[str, Any] = {"intensity": grid.quantity(), "intensity_meta": grid.meta()}
    if "pue" in phase and "energy_it" in phase:
        mass = phase["energy_it"]["value"] * phase["pue"]["value"] * grid.value / GRAMS_PER_KG
        found["co2e_location"] = {"value": mass, "unit": "kgCO2e", "source": "derived"}
    return found
