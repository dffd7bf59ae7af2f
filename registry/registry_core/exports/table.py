"""A card as CSV: one row a phase, one column a number, with the unit in the column's name."""

from __future__ import annotations

import csv
import io

from registry_core.card import Card
from registry_core.footprint import phase_footprint
from registry_core.phase import Phase

_AMOUNTS = (
    "energy_it_kwh",
    "energy_facility_kwh",
    "co2e_location_kg",
    "co2e_embodied_kg",
    "water_litres",
    "cost",
    "device_time_hours",
    "wall_time_seconds",
)
_EDGES = ("value", "low", "high", "source")


def phases_table(card: Card) -> str:
    """The phases with their numbers as the calculator has them; a number that is not known is an empty cell."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    amounts = [f"{name}{'' if edge == 'value' else '_' + edge}" for name in _AMOUNTS for edge in _EDGES]
    rows.writerow(["phase", "stage", "started_at", "ended_at", "country", "hardware", "currency", *amounts])
    for index, phase in enumerate(card.phases):
        rows.writerow([index, *_cells(phase)])
    return out.getvalue()


def _cells(phase: Phase) -> list[object]:
    found = phase_footprint(phase)
    # It begins with a digit, so that no spreadsheet takes it for a formula.
    hardware = ", ".join(f"{group.device_count} x {group.device_model}" for group in phase.groups)
    numbers = [getattr(getattr(found, name), edge, "") for name in _AMOUNTS for edge in _EDGES]
    texts = [phase.stage, phase.started_at, phase.ended_at, phase.site.country, hardware, found.currency or ""]
    return [*texts, *numbers]
