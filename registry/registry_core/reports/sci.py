"""B. Software Carbon Intensity (ISO/IEC 21031) and SCI for AI: SCI = (E x I + M) / R."""

from __future__ import annotations

import math

from registry_core.footprint import Footprint
from registry_core.phase import Phase
from registry_core.quantity import Amount, exact, product, total
from registry_core.reports import line
from registry_core.reports.line import Body, Line, Table
from registry_core.reports.subject import Subject
from registry_core.units import GRAMS_PER_KG


def body(subject: Subject) -> Body:
    """Score of the provider: its inputs, the exclusions and the comparison with a baseline."""
    return Body(
        title="Software Carbon Intensity, score of the provider",
        lines=tuple(_boundary(subject) + _inputs(subject) + _scores(subject) + _rest(subject)),
        tables=(_hardware(subject), _electricity(subject)),
    )


def _boundary(subject: Subject) -> list[Line]:
    covered = sorted({name for phase in subject.card.phases for name in _covered(phase)})
    stages = ", ".join(dict.fromkeys(phase.stage for phase in subject.card.phases))
    return [
        line.text(
            subject,
            "sci.boundary",
            "Software boundary: what is inside and what is not",
            drafted=f"Stages {stages}; energy of {', '.join(covered)}" if covered else None,
        ),
        line.known(
            "sci.development",
            "All runs counted, those that were thrown away too",
            "phases[].stage",
            _runs(subject),
            partly=subject.totals.development is None,
        ),
    ]


def _covered(phase: Phase) -> list[str]:
    named = {"gpu": "GPU", "cpu": "CPU", "ram": "memory", "host_rest": "rest of the host", "network": "network"}
    return [words for name, words in named.items() if getattr(phase.coverage, name)]


def _runs(subject: Subject) -> str:
    if subject.totals.development is None:
        return "Development was not reported"
    runs = sum(phase.included_runs or 1 for phase in subject.card.phases)
    return f"{runs} runs, development among them"


def _inputs(subject: Subject) -> list[Line]:
    sums = subject.totals.all
    return [
        line.amount(
            "sci.e",
            "E: energy that the software used",
            "totals.all.energy_facility",
            sums.energy_facility_kwh,
            "kWh",
            subject,
        ),
        line.known(
            "sci.i",
            "I: location-based carbon intensity, without market instruments",
            "phases[].intensity",
            _intensities(subject.card.phases),
            source="estimated",
        ),
        line.amount(
            "sci.o",
            "O = E x I: emissions of operation",
            "totals.all.co2e_location",
            sums.co2e_location_kg,
            "kgCO2e",
            subject,
        ),
        line.amount(
            "sci.m",
            "M: embodied emissions, the share of the hardware's life",
            "totals.all.co2e_embodied",
            sums.co2e_embodied_kg,
            "kgCO2e",
            subject,
        ),
        line.known(
            "sci.exclusions",
            "No offsets and no market-based instruments in the score",
            "phases[].intensity_meta.basis",
            _exclusions(subject),
        ),
    ]


def _intensities(phases: tuple[Phase, ...]) -> str | None:
    if not all(phase.intensity and phase.intensity_meta for phase in phases):
        return None
    texts = [
        f"{line.plain(phase.intensity.value)} g/kWh ({phase.intensity_meta.zone}, {phase.intensity_meta.year},"
        f" {phase.intensity_meta.kind}, {phase.intensity_meta.dataset})"
        for phase in phases
        if phase.intensity and phase.intensity_meta
    ]
    return "; ".join(dict.fromkeys(texts))


def _exclusions(subject: Subject) -> str | None:
    bases = {phase.intensity_meta.basis for phase in subject.card.phases if phase.intensity_meta}
    if "market" in bases or not bases:
        return None
    return "Only location-based intensities enter; offsets and market figures are shown elsewhere, if at all"


def _scores(subject: Subject) -> list[Line]:
    """SCI = (E x I + M) / R in g per unit, for each functional unit that the card can give."""
    phases = subject.card.phases
    units = (
        ("parameter", "sci.per_parameter", _count(subject.card.model.parameters_total)),
        ("token", "sci.per_token", _sum([phase.tokens.value if phase.tokens else None for phase in phases])),
        ("FLOP", "sci.per_flop", _sum([phase.compute_flop.value if phase.compute_flop else None for phase in phases])),
    )
    carbon = _carbon(subject.totals.all)
    return [
        line.amount(
            line_id,
            f"SCI per training {unit}" if unit != "parameter" else "SCI per parameter",
            "totals.all",
            None if carbon is None or not r else _per(carbon, r),
            f"gCO2e/{unit}",
            subject,
        )
        for unit, line_id, r in units
    ] + [
        line.text(
            subject,
            "sci.functional_unit",
            "Functional unit R, why it was chosen, gross or effective",
            drafted=_flop_kinds(phases),
        ),
    ]


def _carbon(sums: Footprint) -> Amount | None:
    if sums.co2e_location_kg is None or sums.co2e_embodied_kg is None:
        return None
    return total([sums.co2e_location_kg, sums.co2e_embodied_kg])


def _per(carbon_kg: Amount, r: float) -> Amount:
    return product(carbon_kg, exact(GRAMS_PER_KG / r))


def _count(number: int | None) -> float | None:
    return None if number is None else float(number)


def _sum(parts: list[float | None]) -> float | None:
    return None if None in parts else math.fsum(part for part in parts if part is not None)


def _flop_kinds(phases: tuple[Phase, ...]) -> str | None:
    kinds = {phase.compute_flop_kind for phase in phases if phase.compute_flop_kind}
    return f"FLOP are {', '.join(sorted(kinds))}" if kinds else None


def _rest(subject: Subject) -> list[Line]:
    return [
        _baseline(subject),
        line.known(
            "sci.persona",
            "Persona and stages of the life cycle",
            "phases[].stage",
            "Provider: " + ", ".join(dict.fromkeys(phase.stage for phase in subject.card.phases)),
        ),
        line.text(subject, "sci.strategies", "Strategies to lower the score, and assumptions"),
    ]


def _baseline(subject: Subject) -> Line:
    requirement = "Score of the baseline, by the same method"
    if subject.parent is None:
        if subject.card.model.base_models:
            return line.known("sci.baseline", requirement, "model.base_models", None)
        return line.not_applicable("sci.baseline", requirement, "The model was not made from another one")
    from registry_core.footprint import totals

    theirs = totals(subject.parent).all.co2e_location_kg
    return line.amount(
        "sci.baseline", f"{requirement}: O of the parent", "model.base_models", theirs, "kgCO2e", subject
    )


def _hardware(subject: Subject) -> Table:
    rows = tuple(
        (
            phase.stage,
            group.device_model,
            group.factor_kg,
            group.device_count * group.hours,
            group.lifetime_h,
            group.utilisation,
        )
        for phase in subject.card.phases
        for group in phase.groups
    )
    columns = (
        "stage",
        "hardware",
        "TE: total embodied, kgCO2e each",
        "TiR: time reserved, device hours",
        "EL: expected life, hours",
        "RR: share of resources",
    )
    return Table("M: inputs by kind of hardware", columns, rows)


def _electricity(subject: Subject) -> Table:
    columns = ("stage", "energy at the devices, kWh", "PUE", "zone", "year", "data set")
    rows = tuple(
        (
            phase.stage,
            phase.energy_it.value if phase.energy_it else None,
            phase.pue.value if phase.pue else None,
            phase.intensity_meta.zone if phase.intensity_meta else None,
            float(phase.intensity_meta.year) if phase.intensity_meta else None,
            phase.intensity_meta.dataset if phase.intensity_meta else None,
        )
        for phase in subject.card.phases
    )
    return Table("E and I: inputs by phase", columns, rows)
