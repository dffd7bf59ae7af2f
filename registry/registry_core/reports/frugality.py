"""F. A frugality sheet along the themes of AFNOR SPEC 2314; its practices are not reproduced."""

from __future__ import annotations

from registry_core.reports import line
from registry_core.reports.line import Body, Line, Table
from registry_core.reports.subject import Subject


def body(subject: Subject) -> Body:
    """Need, search for something to reuse, forecast against result, and performance per resource."""
    return Body(
        title="Frugality sheet (themes of AFNOR SPEC 2314)",
        lines=tuple(_lines(subject)),
        tables=(_candidates(subject),),
    )


def _lines(subject: Subject) -> list[Line]:
    declared = subject.card.declarations
    return [
        line.text(subject, "frugal.need", "The need, and whether AI is called for at all"),
        line.text(subject, "frugal.alternatives", "Alternatives that were considered"),
        line.known(
            "frugal.search",
            "Search for a model to reuse, and why none was",
            "declarations.why_not_reuse",
            declared.why_not_reuse if declared else None,
        ),
        _forecast(subject),
        line.text(subject, "frugal.monitoring", "How consumption will be watched in use"),
        line.known(
            "frugal.claims", "Claims in public name the card that they rest on", "card digest", subject.card_digest
        ),
    ]


def _forecast(subject: Subject) -> Line:
    requirement = "Consumption that was forecast, against the result"
    declared = subject.card.declarations
    found = subject.totals.all.energy_facility_kwh
    if declared is None or declared.pre_estimate_kwh is None:
        return line.known("frugal.forecast", requirement, "declarations.pre_estimate_kwh", None)
    forecast = line.plain(declared.pre_estimate_kwh)
    if found is None:
        return line.known(
            "frugal.forecast",
            requirement,
            "declarations.pre_estimate_kwh",
            f"{forecast} kWh forecast; the result is not known",
            partly=True,
        )
    return line.known(
        "frugal.forecast",
        requirement,
        "declarations.pre_estimate_kwh",
        f"{forecast} kWh forecast, {line.with_interval(found)} kWh used",
        unit="kWh",
        source=found.source,
    )


def _candidates(subject: Subject) -> Table:
    rows = tuple(
        (
            other.repo_id,
            other.metric,
            other.score,
            other.energy_kwh,
            other.score / other.energy_kwh if other.energy_kwh else None,
        )
        for other in subject.alternatives
    )
    return Table(
        "Candidates of the same comparison group", ("model", "metric", "score", "energy, kWh", "score per kWh"), rows
    )
