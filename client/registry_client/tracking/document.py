"""The card of a run: what people declared about it and what was measured, as `footprint-card/1.0`.

Numbers come with their origin. What was not measured is left out, and `coverage` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from registry_client.tracking.evidence import evidence_path, moment, settings_digest
from registry_client.tracking.measurement import Span
from registry_client.tracking.meter import Device, Part, Reading, Scope, this_machine
from registry_core.intensity import Intensity
from registry_core.quantity import default_interval
from registry_core.units import GRAMS_PER_KG, hours_from_seconds

Named = str | Mapping[str, Any]
"""A base model or a data set: its id alone, or the fields that the card has for it."""

NOTEWORTHY_SHARE = 0.02
"""Share of a run that may pass before the first sample without a word about it."""


@dataclass(frozen=True)
class Declared:
    """What a person says about a run; no meter could."""

    task: str
    license: str
    country: str
    subdivision: str | None
    stage: str
    scope: Scope
    intensity: Intensity
    tags: Sequence[str] = ()
    base_models: Sequence[Named] = ()
    data_sources: Sequence[Named] = ()
    personal_data: str | None = None
    pue: float | None = None
    pue_origin: str | None = None


def card_of(declared: Declared, span: Span, quality: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The card as plain JSON values, apart from `subject`, which is filled in when the weights are there."""
    card = {
        "schema": "footprint-card/1.0",
        "created_at": moment(datetime.now(UTC)),
        "generator": {"name": "model-commons", "version": version("model-commons")},
        "model": _model(declared),
        "data": _data(declared),
        "phases": [phase_of(declared, span)],
        "quality": [dict(entry) for entry in quality],
        "evidence": _evidence(declared.stage, span),
        "narrative": _narrative(span),
    }
    return {name: value for name, value in card.items() if value}


def phase_of(declared: Declared, span: Span) -> dict[str, Any]:
    """The one phase of a run."""
    devices = span.reading.devices if span.reading else this_machine()
    hours = hours_from_seconds(span.wall_seconds)
    phase: dict[str, Any] = {
        "stage": declared.stage,
        "included_runs": 1,
        "started_at": moment(span.started_at),
        "ended_at": moment(span.ended_at),
        "wall_time": _measured(span.wall_seconds, "s"),
        "device_time": _measured(hours * sum(device.count for device in _workers(devices)), "device_hour"),
        "groups": [_group(device, hours) for device in devices],
        "scope": declared.scope,
        **(_energies(span.reading) if span.reading else {}),
        "coverage": _coverage(span.reading),
        "site": {"country": declared.country},
    }
    if declared.subdivision:
        phase["site"]["subdivision"] = declared.subdivision
    phase |= _surroundings(declared)
    if "pue" in phase and "energy_it" in phase:
        phase["co2e_location"] = _co2e(phase)
    return phase


def _workers(devices: Sequence[Device]) -> list[Device]:
    """The devices whose hours count: accelerators where there are any, else the processors."""
    return [device for device in devices if device.kind == "gpu"] or list(devices)


def _group(device: Device, hours: float) -> dict[str, Any]:
    group: dict[str, Any] = {
        "device_kind": device.kind,
        "device_model": device.model,
        "device_count": device.count,
        "hosts": 1,
        "hours": hours,
    }
    return group if device.tdp_w is None else {**group, "tdp_w": float(device.tdp_w)}


def _energies(reading: Reading) -> dict[str, Any]:
    """`energy_cpu`, `energy_ram` and so on as far as covered, and `energy_it`, their sum."""
    parts = {f"energy_{part}": _energy(reading, part) for part in sorted(reading.parts)}
    if not parts:
        return {}
    bounds = {edge: sum(part[edge] for part in parts.values()) for edge in ("value", "low", "high")}
    return {**parts, "energy_it": {**bounds, "unit": "kWh", "source": "derived"}}


def _energy(reading: Reading, part: Part) -> dict[str, Any]:
    energy = reading.parts[part]
    low, high = default_interval(energy.energy_kwh, energy.method, window_seconds=reading.duration_seconds)
    return {
        "value": energy.energy_kwh,
        "unit": "kWh",
        "source": energy.source,
        "method": energy.method,
        "low": low,
        "high": high,
    }


def _coverage(reading: Reading | None) -> dict[str, Any]:
    parts = reading.parts if reading else {}
    return {
        **{part: part in parts for part in ("gpu", "cpu", "ram")},
        "host_rest": False,
        "network": False,
        "hosts_total": 1,
        "hosts_measured": 1 if parts else 0,
    }


def _surroundings(declared: Declared) -> dict[str, Any]:
    """What lies between the devices and the air: the data centre's overhead, when told, and the grid."""
    found: dict[str, Any] = {
        "intensity": declared.intensity.quantity(),
        "intensity_meta": declared.intensity.meta(),
    }
    if declared.pue is not None:
        found["pue"] = {"value": float(declared.pue), "unit": "1", "source": "declared"}
    if declared.pue_origin is not None:
        found["pue_origin"] = declared.pue_origin
    return found


def _co2e(phase: Mapping[str, Any]) -> dict[str, Any]:
    value = phase["energy_it"]["value"] * phase["pue"]["value"] * phase["intensity"]["value"] / GRAMS_PER_KG
    return {"value": value, "unit": "kgCO2e", "source": "derived"}


def _model(declared: Declared) -> dict[str, Any]:
    return {
        "task": declared.task,
        "license": declared.license,
        "tags": list(declared.tags),
        "base_models": [_named(model, "repo_id", {"relation": "finetune"}) for model in declared.base_models],
    }


def _data(declared: Declared) -> dict[str, Any]:
    sources = [_named(source, "id", {"role": "training"}) for source in declared.data_sources]
    found = {"sources": sources, "personal_data": declared.personal_data}
    return {name: value for name, value in found.items() if value}


def _named(item: Named, name: str, otherwise: Mapping[str, str]) -> dict[str, Any]:
    """`owner/name@revision` as the card's fields; fields that are given as such stay as they are."""
    if not isinstance(item, str):
        return dict(item)
    text, _, revision = item.partition("@")
    return {name: text, **({"revision": revision} if revision else {}), **otherwise}


def _evidence(stage: str, span: Span) -> dict[str, Any]:
    if span.reading is None:
        return {"tool": "none", "row": evidence_path(stage)}
    return {
        "tool": span.reading.tool,
        "tool_version": span.reading.tool_version,
        "tool_config_digest": settings_digest(span.reading),
        "row": evidence_path(stage),
    }


def _narrative(span: Span) -> dict[str, str]:
    """What a reader of the energy should know."""
    if span.reading is None:
        return {"energy": f"Energy was not measured: {span.reason}"}
    remarks = list(span.reading.notes)
    if span.uncovered_seconds > NOTEWORTHY_SHARE * span.wall_seconds:
        remarks.append(
            f"the first {span.uncovered_seconds:.1f} s of {span.wall_seconds:.1f} s passed before the"
            " first sample, and their energy is not included"
        )
    return {"energy": "; ".join(remarks)} if remarks else {}


def _measured(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": "measured", "method": "monotonic_clock"}
