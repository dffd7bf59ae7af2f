"""C. Coverage of the life cycle, in the rows and columns that ITU-T L.1801 and ISO/IEC TR 20226 speak of.

The names of the impact categories are ours; whoever reports by L.1801 checks them against a copy of the text.
"""

from __future__ import annotations

from registry_core.quantity import Amount
from registry_core.reports import line
from registry_core.reports.line import Body, Line, Table
from registry_core.reports.subject import Subject

_NOT_COVERED = "not covered"


def body(subject: Subject) -> Body:
    """Goal and scope in words, and a matrix of stages by impacts."""
    return Body(
        title="Life-cycle coverage of an AI system (ITU-T L.1801, ISO/IEC TR 20226)",
        lines=tuple(_scope(subject) + _quality(subject) + _elsewhere()),
        tables=(_matrix(subject),),
    )


def _scope(subject: Subject) -> list[Line]:
    uses = ", ".join(use.unit_of_work for use in subject.card.use_phase or ()) or None
    return [
        line.text(subject, "lca.goal", "Goal and scope of the assessment"),
        line.text(subject, "lca.functional_unit", "Functional unit", drafted=uses),
        line.known(
            "lca.allocation",
            "Rule by which the making is shared among uses",
            "reuse",
            "All of it stays with the producer; per-use figures are divided by the verified distinct uses",
        ),
    ]


def _quality(subject: Subject) -> list[Line]:
    level = subject.grade.level if subject.grade else None
    utilisation = [
        f"{phase.stage}: {name} {line.plain(share.value)}"
        for phase in subject.card.phases
        for name, share in (("GPU", phase.utilisation_gpu), ("CPU", phase.utilisation_cpu))
        if share
    ]
    places = ", ".join(dict.fromkeys(phase.site.country for phase in subject.card.phases))
    avoided = f"{len(subject.avoided)} reuse events, see the ledger" if subject.avoided else None
    return [
        line.known(
            "lca.quality",
            "Quality of the data: evidence level of the card",
            "evidence",
            level,
            supplier="the registry, at a push",
        ),
        line.known(
            "lca.second_order",
            "Second-order effects: what reuse avoided and induced",
            "reuse",
            avoided,
            partly=True,
            supplier="organisations that reuse the model",
        ),
        line.known(
            "lca.utilisation",
            "Utilisation of the resources",
            "phases[].utilisation_*",
            "; ".join(utilisation),
            source="measured",
        ),
        line.known("lca.location", "Where it took place", "phases[].site", places),
    ]


def _elsewhere() -> list[Line]:
    return [
        line.outside("lca.transport", "Transport of the hardware", "the maker of the hardware"),
        line.outside("lca.waste", "Waste and end of life of the hardware", "the operator of the site"),
        line.outside(
            "lca.third_order", "Effects of a higher order: rebound, changes of behaviour", "whoever studies the use"
        ),
    ]


def _matrix(subject: Subject) -> Table:
    sums = subject.totals.all
    use = [
        f"{line.plain(entry.energy_per_unit.value)} kWh per {entry.unit_of_work}, {entry.energy_per_unit.source}"
        for entry in subject.card.use_phase or ()
    ]
    nothing = (_NOT_COVERED,) * 5
    return Table(
        "Stages of the life cycle by impact",
        ("stage", "energy", "climate", "water", "abiotic resources", "other"),
        (
            ("manufacture of hardware", _NOT_COVERED, _cell(sums.co2e_embodied_kg, "kgCO2e"), *nothing[:3]),
            (
                "build and train",
                _cell(sums.energy_facility_kwh, "kWh"),
                _cell(sums.co2e_location_kg, "kgCO2e"),
                _cell(sums.water_litres, "L"),
                *nothing[:2],
            ),
            ("use", "; ".join(use) or _NOT_COVERED, *nothing[:4]),
            ("end of life", *nothing),
        ),
    )


def _cell(found: Amount | None, unit: str) -> str:
    return f"{line.with_interval(found)} {unit}, {found.source}" if found else _NOT_COVERED
