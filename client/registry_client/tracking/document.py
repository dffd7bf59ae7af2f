"""The card of a run: what people declared about it and what was measured, as `footprint-card/1.0`.

Numbers come with their origin. What was not measured is left out, and `coverage` says so. A process writes down
what it saw as a fragment; the phase of a card is the merge of all fragments of its run, often of one alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from registry_client.privacy import Pseudonyms
from registry_client.tracking.evidence import PhaseEvidence, moment
from registry_client.tracking.launch import Launch
from registry_client.tracking.measurement import Span
from registry_client.tracking.meter import Device, Part, PartEnergy, Reading, Scope, this_machine
from registry_core.errors import Invalid
from registry_core.intensity import Intensity

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


@dataclass(frozen=True)
class Recorded:
    """Everything that one phase brings to a card."""

    facts: Mapping[str, Any]  # `model` and `data`
    phase: Mapping[str, Any]
    quality: Sequence[Mapping[str, Any]]
    remarks: Sequence[str]  # what a reader of the energy should know
    evidence: PhaseEvidence


def card_of(recorded: Recorded, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The card as plain JSON values; with `before`, that card and one phase more.

    A card without weights beside it lacks its `subject`. Raises Invalid when `before` is about another model.
    """
    before = before or {}
    phases = [*before.get("phases", []), recorded.phase]
    narrative = {**before.get("narrative", {}), **_narrative(recorded, before)}
    card = {
        **before,
        "schema": "footprint-card/1.0",
        "created_at": moment(datetime.now(UTC)),
        "generator": {"name": "model-commons", "version": version("model-commons")},
        **_facts(recorded.facts, before),
        "phases": phases,
        "quality": [*before.get("quality", []), *recorded.quality],
        "evidence": _evidence(recorded.evidence.in_card(phase_name(recorded, before)), before.get("evidence", {})),
        "narrative": narrative,
    }
    return {name: value for name, value in card.items() if value}


def phase_name(recorded: Recorded, before: Mapping[str, Any] | None = None) -> str:
    """Index and stage, as in the names of evidence files."""
    return f"{len((before or {}).get('phases', []))}-{recorded.phase['stage']}"


def facts_of(declared: Declared) -> dict[str, Any]:
    """`model` and `data` of the card."""
    sources = [_named(source, "id", {"role": "training"}) for source in declared.data_sources]
    data = {"sources": sources, "personal_data": declared.personal_data}
    model = {
        "task": declared.task,
        "license": declared.license,
        "tags": list(declared.tags),
        "base_models": [_named(model, "repo_id", {"relation": "finetune"}) for model in declared.base_models],
    }
    return {"model": model, "data": {name: value for name, value in data.items() if value}}


def fragment_of(
    declared: Declared, span: Span, pseudonyms: Pseudonyms, launch: Launch, *, family: str, outcome: str
) -> dict[str, Any]:
    """What this process saw, as plain JSON values."""
    found = {
        "schema": "footprint-fragment/1.0",
        "family": family,
        "host": pseudonyms.host,
        "outcome": outcome,
        "started_at": moment(span.started_at),
        "ended_at": moment(span.ended_at),
        "wall_seconds": span.wall_seconds,
        "devices": _devices(span.reading.devices if span.reading else this_machine(), pseudonyms),
        "measurements": _measurements(declared, span, pseudonyms) if span.reading else [],
        "phase": _declared_phase(declared),
        "rank": launch.rank,
        "world_size": launch.world_size,
        "hosts_total": launch.hosts_total,
        "scheduler": _scheduler(launch),
        "reason": span.reason,
    }
    return {name: value for name, value in found.items() if value is not None}


def uncovered_remark(uncovered_seconds: float, wall_seconds: float) -> list[str]:
    """What a reader of the energy should know, when a noteworthy share of the time is not in it."""
    if not NOTEWORTHY_SHARE * wall_seconds < uncovered_seconds < wall_seconds:
        return []
    return [
        f"the first {uncovered_seconds:.1f} s of {wall_seconds:.1f} s passed before the first sample,"
        " and their energy is not included"
    ]


def _declared_phase(declared: Declared) -> dict[str, Any]:
    """What lies between the devices and the air: place, grid, and the data centre's overhead, when told."""
    site = {"country": declared.country, "subdivision": declared.subdivision}
    found: dict[str, Any] = {
        "stage": declared.stage,
        "scope": declared.scope,
        "site": {name: value for name, value in site.items() if value},
        "intensity": declared.intensity.quantity(),
        "intensity_meta": declared.intensity.meta(),
    }
    if declared.pue is not None:
        found["pue"] = {"value": float(declared.pue), "unit": "1", "source": "declared"}
    if declared.pue_origin is not None:
        found["pue_origin"] = declared.pue_origin
    return found


def _devices(devices: Sequence[Device], pseudonyms: Pseudonyms) -> list[dict[str, Any]]:
    return [
        {
            "id": pseudonyms.device(device.kind, _device_name(device, number)),
            "kind": device.kind,
            "model": device.model,
            **({} if device.tdp_w is None else {"tdp_w": float(device.tdp_w)}),
        }
        for device in devices
        for number in range(device.count)
    ]


def _device_name(device: Device, number: int) -> str:
    return device.ids[number] if device.ids else f"{device.model}/{number}"


def _measurements(declared: Declared, span: Span, pseudonyms: Pseudonyms) -> list[dict[str, Any]]:
    assert span.reading is not None
    times = {
        "started_at": moment(span.started_at + timedelta(seconds=span.uncovered_seconds)),
        "ended_at": moment(span.ended_at),
    }
    return [
        {
            **times,
            "part": part,
            "device": pseudonyms.device(part, name),
            "scope": scope_of(part, energy, declared.scope),
            "energy_kwh": energy_kwh,
            "method": energy.method,
            "source": energy.source,
        }
        for part, energy in sorted(span.reading.parts.items())
        for name, energy_kwh in _by_device(part, energy, declared.scope, span.reading).items()
    ]


def scope_of(part: Part, energy: PartEnergy, scope: Scope) -> str:
    """GPUs are measured one by one, and counters of processors always count the whole machine."""
    if part == "gpu":
        return "device"
    return "machine" if energy.method == "rapl_package" else scope


def _by_device(part: Part, energy: PartEnergy, scope: Scope, reading: Reading) -> Mapping[str, float]:
    if energy.by_device:
        return energy.by_device
    if part == "gpu":  # of those seen together, as one
        return {"/".join(sorted(id for device in reading.devices for id in device.ids)) or part: energy.energy_kwh}
    is_shared = scope_of(part, energy, scope) == "machine"
    return {part if is_shared else f"{part} of process {os.getpid()}": energy.energy_kwh}


def _scheduler(launch: Launch) -> dict[str, Any] | None:
    if launch.kind is None:
        return None
    found = {"kind": launch.kind, "job_id": launch.job_id, "ranks": launch.world_size}
    return {name: value for name, value in found.items() if value is not None}


def _facts(facts: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`model` and `data`; what a card said before stays, and lists grow by what is new."""
    return {name: _grown(before.get(name, {}), values) for name, values in facts.items()}


def _grown(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    grown = {**values, **before}
    for name, value in values.items():
        if isinstance(value, list) and name in before:
            grown[name] = [*before[name], *(item for item in value if item not in before[name])]
        elif grown[name] != value:
            raise Invalid(
                f"The card says {name} {before[name]!r}, and this phase {value!r}.",
                hint="All phases of a card are about one model: declare the same, or write another card.",
            )
    return grown


def _evidence(new: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    samples = [*before.get("samples", []), *new.get("samples", [])]
    found = {**new, **before} if before.get("tool", "none") != "none" else {**before, **new}
    return {**found, **({"samples": samples} if samples else {})}


def _narrative(recorded: Recorded, before: Mapping[str, Any]) -> dict[str, str]:
    reason = recorded.evidence.env.get("reason") if "energy_it" not in recorded.phase else None
    text = f"Energy was not measured: {reason}" if reason else "; ".join(recorded.remarks)
    if not text:
        return {}
    said = before.get("narrative", {}).get("energy")
    if before.get("phases"):
        text = f"Phase {phase_name(recorded, before)}: {text}"
    return {"energy": f"{said}; {text}" if said else text}


def _named(item: Named, name: str, otherwise: Mapping[str, str]) -> dict[str, Any]:
    """`owner/name@revision` as the card's fields; fields that are given as such stay as they are."""
    if not isinstance(item, str):
        return dict(item)
    text, _, revision = item.partition("@")
    return {name: text, **({"revision": revision} if revision else {}), **otherwise}
