"""An energy report of BoAmps 0.1 as JSON: what somebody reports of one task, with the quality they give it.

Its energy is declared, between the bounds that its `quality` stands for. Its country is free text and counts when it
is an alpha-3 code; its `powerSourceCarbonIntensity` names no dataset and no year, and is not taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry_core.card_rules import COUNTRIES
from registry_core.imports.phases import Device, Run, Said, Source, invalid
from registry_core.imports.reading import Fields, json_of

FORM = "boamps"
STAGES = {
    "training": "pretraining",
    "pretraining": "pretraining",
    "finetuning": "finetuning",
    "retraining": "finetuning",
    "distillation": "distillation",
    "compression": "compression",
    "evaluation": "evaluation",
}
_SHARE_OF_ERROR = {"high": 0.10, "medium": 0.25, "low": 0.50}
_MAX_COMPONENTS = 100


def read(data: bytes, said: Said) -> Source:  # noqa: ARG001, every reader is told
    """The task of a report. Raises InvalidImport."""
    report = json_of(data, FORM)
    if not isinstance(report, dict) or not isinstance(report.get("measures"), list):
        raise invalid(FORM, ["expected a report with task, measures and infrastructure"])
    measures = report["measures"]
    if len(measures) != 1 or not isinstance(measures[0], dict):
        fault = f"measures: has {len(measures)} entries, which may count the same energy twice; keep one"
        raise invalid(FORM, [fault])
    faults: list[str] = []
    notes: list[str] = []
    measure = Fields(measures[0], faults, "measures[0].")
    task = Fields(_map(report.get("task")), faults, "task.")
    stage = (task.text("taskStage") or "").lower()
    if stage == "inference":
        task.fault("taskStage", "is inference, and the phases of a card are what it took to make a model")
    run = _run(report, measure, faults, STAGES.get(stage), notes)
    if faults:
        raise invalid(FORM, faults)
    tool, version = measure.text("measurementMethod") or "unknown", measure.text("version")
    return Source([run], {"tool": tool, **({"tool_version": version} if version else {})}, notes, model=_model(report))


def _run(report: Mapping[str, Any], measure: Fields, faults: list[str], stage: str | None, notes: list[str]) -> Run:
    place = Fields(_map(report.get("environment")), faults, "environment.")
    infrastructure = Fields(_map(report.get("infrastructure")), faults, "infrastructure.")
    if place.number("powerSourceCarbonIntensity") is not None:
        notes.append("its carbon intensity names no dataset and no year, and was not taken over")
    provider = infrastructure.text("cloudProvider")
    country = (place.text("country") or "").upper()
    return Run(
        stage=stage,
        started_at=measure.moment("measurementDateTime"),
        wall_seconds=measure.number("measurementDuration"),
        time_source="declared",
        devices=_devices(report, faults),
        energies=_energies(report, measure),
        country=country if country in COUNTRIES else None,
        site={"cloud_provider": provider} if provider else {},
        more=_utilisation(measure),
    )


def _energies(report: Mapping[str, Any], measure: Fields) -> dict[str, dict[str, Any]]:
    unit = measure.text("unit")  # older reports have one
    if unit not in (None, "kWh"):
        measure.fault("unit", f"expected kWh, got {unit[:40]!r}")
    value = measure.number("powerConsumption")
    if not value:
        return {}
    quality = report.get("quality")
    share = _SHARE_OF_ERROR.get(quality, 0.0) if isinstance(quality, str) else 0.0
    bounds = {"low": value * (1 - share), "high": value * (1 + share)} if share else {}
    return {"energy_it": {"value": value, "unit": "kWh", "source": "declared", **bounds}}


def _devices(report: Mapping[str, Any], faults: list[str]) -> tuple[Device, ...]:
    listed = _map(report.get("infrastructure")).get("components")
    components = listed[:_MAX_COMPONENTS] if isinstance(listed, list) else []
    devices = []
    for index, component in enumerate(components):
        fields = Fields(_map(component), faults, f"infrastructure.components[{index}].")
        kind, count = (fields.text("componentType") or "").lower(), fields.number("nbComponent")
        if kind not in ("ram", "hdd", "ssd", "sdd", ""):
            name = fields.text("componentName") or fields.text("series") or fields.text("family") or "unknown"
            devices.append(Device(kind, name, max(1, int(min(count or 1, 1e6)))))
    return tuple(devices)


def _utilisation(measure: Fields) -> dict[str, Any]:
    found = {part: measure.number(f"averageUtilization{part.title()}") for part in ("cpu", "gpu")}
    return {
        f"utilisation_{part}": {"value": share, "unit": "1", "source": "declared"}
        for part, share in found.items()
        if share is not None and share <= 1
    }


def _model(report: Mapping[str, Any]) -> dict[str, Any]:
    """The number of parameters, which BoAmps counts in billions."""
    algorithms = _map(report.get("task")).get("algorithms")
    first = _map(algorithms[0]) if isinstance(algorithms, list) and algorithms else {}
    billions = Fields(first, []).number("parametersNumber")
    return {"parameters_total": round(billions * 1e9)} if billions and billions < 1e6 else {}


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
