"""A card as an energy report of BoAmps 0.1, with the tracking modes that CodeCarbon's own export has to leave out.

The report is of one task: its stages are those of all phases, and each phase with a known energy is one measure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from registry_core.card import Card, card_digest
from registry_core.card_rules import moment
from registry_core.errors import Invalid
from registry_core.footprint import phase_footprint
from registry_core.phase import Phase
from registry_core.quantity import Amount

FORMAT_VERSION = "0.1"
FORMAT_URI = "https://github.com/Boavizta/BoAmps/tree/main/model"
_DATA_TYPES = ("tabular", "audio", "boolean", "image", "video", "object", "text", "token", "word")


def boamps_report(card: Card) -> dict[str, Any]:
    """The report as JSON. Raises Invalid when no phase has an energy, which is what a report is about."""
    measures = [_measure(card, phase) for phase in card.phases if phase_footprint(phase).energy_it_kwh is not None]
    if not measures:
        raise Invalid("The card knows no energy, and a BoAmps report is about energy.", hint="Measure or estimate it.")
    quality = _quality(amount for phase in card.phases if (amount := phase_footprint(phase).energy_it_kwh))
    return {
        "header": {
            "formatVersion": FORMAT_VERSION,
            "formatVersionSpecificationUri": FORMAT_URI,
            "reportId": str(uuid5(NAMESPACE_URL, f"urn:sha256:{card_digest(card)}")),
            "reportDatetime": _datetime(card.created_at),
            "reportStatus": "final",
        },
        "task": _task(card),
        "measures": measures,
        "infrastructure": _infrastructure(card),
        "environment": _environment(card),
        "quality": quality,
    }


def _task(card: Card) -> dict[str, Any]:
    total, bases = card.model.parameters_total, card.model.base_models or ()
    algorithm = {
        "algorithmName": card.model.architecture,
        "foundationModelName": bases[0].repo_id if bases else None,
        "parametersNumber": total / 1e9 if total is not None else None,
        "quantization": card.model.precision,
    }
    kinds = [kind if kind in _DATA_TYPES else "other" for kind in card.model.modalities_in or ("other",)]
    return {
        "taskStage": "+".join(dict.fromkeys(phase.stage for phase in card.phases)),
        "taskFamily": card.model.task,
        "algorithms": [_told(algorithm)],
        "dataset": [{"dataUsage": "input", "dataType": kind} for kind in dict.fromkeys(kinds)],
    }


def _measure(card: Card, phase: Phase) -> dict[str, Any]:
    energy = phase_footprint(phase).energy_it_kwh
    return _told(
        {
            "measurementMethod": card.evidence.tool,
            "version": card.evidence.tool_version,
            "cpuTrackingMode": phase.energy_cpu.method if phase.energy_cpu else None,
            "gpuTrackingMode": phase.energy_gpu.method if phase.energy_gpu else None,
            "averageUtilizationCpu": phase.utilisation_cpu.value if phase.utilisation_cpu else None,
            "averageUtilizationGpu": phase.utilisation_gpu.value if phase.utilisation_gpu else None,
            "powerConsumption": energy.value if energy else None,  # the format's name for kWh
            "measurementDuration": phase.wall_time.value,
            "measurementDateTime": _datetime(phase.started_at),
        }
    )


def _infrastructure(card: Card) -> dict[str, Any]:
    provider = next((phase.site.cloud_provider for phase in card.phases if phase.site.cloud_provider), None)
    components = {
        (group.device_kind, group.device_model): {
            "componentName": group.device_model,
            "componentType": group.device_kind,
            "nbComponent": group.device_count,
        }
        for phase in card.phases
        for group in phase.groups
    }
    kind = "other" if provider is None else "publicCloud"
    return _told({"infraType": kind, "cloudProvider": provider, "components": list(components.values())})


def _environment(card: Card) -> dict[str, Any]:
    countries = dict.fromkeys(phase.site.country for phase in card.phases)
    values = {phase.intensity.value for phase in card.phases if phase.intensity is not None}
    intensity = values.pop() if len(values) == 1 else None
    return _told({"country": ", ".join(countries), "powerSourceCarbonIntensity": intensity})


def _quality(energies: Iterable[Amount]) -> str:
    """The class whose error holds every interval: 10 %, 25 %, or more."""
    shares = [max(energy.high - energy.value, energy.value - energy.low) / (energy.value or 1) for energy in energies]
    worst = max(shares)
    return "high" if worst <= 0.1000001 else "medium" if worst <= 0.2500001 else "low"


def _datetime(text: str) -> str:
    return moment(text).strftime("%Y-%m-%d %H:%M:%S")


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
