"""D. Extract for a greenhouse-gas inventory: kWh and kgCO2e per year, site and stage.

A phase belongs to the year in which it ended. Market-based figures stand beside the location-based ones, never instead;
what reuse avoided is an annex and enters no sum.
"""

from __future__ import annotations

from registry_core.footprint import phase_footprint
from registry_core.phase import Phase
from registry_core.quantity import Amount
from registry_core.reports import line
from registry_core.reports.line import Body, Line, Table, Value
from registry_core.reports.subject import Subject


def body(subject: Subject) -> Body:
    """The extract of one card, its annex of avoided emissions, and the guard against counting twice."""
    return Body(
        title="Extract for a greenhouse-gas inventory",
        lines=tuple(_lines(subject)),
        tables=(_inventory(subject), *_annex(subject)),
    )


def _lines(subject: Subject) -> list[Line]:
    sums = subject.totals.all
    scope = {True: "scope 2 of the operator", False: "scope 3 of the customer", None: None}[subject.site_is_own]
    return [
        line.amount(
            "ghg.location",
            "Emissions of electricity, location based",
            "totals.all.co2e_location",
            sums.co2e_location_kg,
            "kgCO2e",
            subject,
        ),
        line.known(
            "ghg.market",
            "Emissions of electricity, market based, with the instrument",
            "phases[].co2e_market",
            _market(subject),
            partly=False,
        )
        if any(phase.co2e_market for phase in subject.card.phases)
        else line.not_applicable("ghg.market", "Emissions of electricity, market based", "None was declared"),
        line.amount(
            "ghg.embodied",
            "Share of the making of the hardware",
            "totals.all.co2e_embodied",
            sums.co2e_embodied_kg,
            "kgCO2e",
            subject,
        ),
        line.known("ghg.gases", "Gases that are counted", "phases[].intensity_meta.gases", _gases(subject)),
        line.known(
            "ghg.scope",
            "Scope that is suggested: own site 2, rented 3",
            "site",
            scope,
            supplier="the organisation that reports",
        ),
        line.known(
            "ghg.once",
            "Guard against counting twice: cards that were counted, once each",
            "card digest",
            subject.card_digest,
        ),
    ]


def _market(subject: Subject) -> str:
    return "; ".join(
        f"{line.plain(phase.co2e_market.value)} kgCO2e ({phase.co2e_market_instrument})"
        for phase in subject.card.phases
        if phase.co2e_market
    )


def _gases(subject: Subject) -> str | None:
    gases = {phase.intensity_meta.gases for phase in subject.card.phases if phase.intensity_meta}
    if not gases:
        return None
    return "CO2 part only" if "co2_only" in gases else "CO2e (GWP100)"


def _inventory(subject: Subject) -> Table:
    columns = (
        "year",
        "site",
        "stage",
        "energy of the facility, kWh",
        "location based, kgCO2e",
        "market based, kgCO2e",
        "instrument",
        "embodied, kgCO2e",
        "data set of the intensity",
    )
    return Table("Inventory by year, site and stage", columns, tuple(_row(phase) for phase in subject.card.phases))


def _row(phase: Phase) -> tuple[Value, ...]:
    took = phase_footprint(phase)
    site = phase.site.country + (f", {phase.site.cloud_region}" if phase.site.cloud_region else "")
    return (
        phase.ended_at[:4],
        site,
        phase.stage,
        _value(took.energy_facility_kwh),
        _value(took.co2e_location_kg),
        phase.co2e_market.value if phase.co2e_market else None,
        phase.co2e_market_instrument,
        _value(took.co2e_embodied_kg),
        phase.intensity_meta.dataset if phase.intensity_meta else None,
    )


def _value(found: Amount | None) -> float | None:
    return found.value if found else None


def _annex(subject: Subject) -> list[Table]:
    if not subject.avoided:
        return []
    rows = tuple(
        (event.event, event.organisation, event.at, event.low_kwh, event.high_kwh) for event in subject.avoided
    )
    columns = ("event", "organisation", "date", "avoided at least, kWh", "avoided at most, kWh")
    return [Table("Annex, outside every sum: avoided, estimate by reuse-convention/1", columns, rows)]
