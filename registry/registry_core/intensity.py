"""Carbon intensity of electricity by country, from a versioned table inside the package.

A zone that the table does not have is an error and never a default: a silent world average is how
footprints go wrong by a factor of a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from registry_core.errors import Invalid

TABLE = "electricity-intensity-2023.csv"


@dataclass(frozen=True)
class Intensity:
    """An average grid intensity in g CO2e per kWh, and everything a reader needs to repeat the look-up."""

    value: float
    zone: str  # ISO 3166-1 alpha-3
    year: int
    dataset: str
    licence: str
    resolution: Literal["annual"] = "annual"
    basis: Literal["location"] = "location"
    kind: Literal["average"] = "average"
    gases: Literal["co2e"] = "co2e"
    lifecycle: Literal["lifecycle"] = "lifecycle"

    def quantity(self) -> dict[str, Any]:
        """As `intensity` of a card's phase."""
        return {
            "value": self.value,
            "unit": "gCO2e/kWh",
            "source": "estimated",
            "method": "intensity_annual",
        }

    def meta(self) -> dict[str, Any]:
        """As `intensity_meta` of a card's phase."""
        names = ("dataset", "year", "zone", "resolution", "basis", "kind", "gases", "lifecycle")
        return {name: getattr(self, name) for name in names}


def intensity(zone: str, year: int | None = None) -> Intensity:
    """The annual average of country `zone` (alpha-3): the latest one, or the latest up to `year`.

    Raises Invalid for a zone, or for a zone and year, that the table does not have.
    """
    rows = _table().get(zone)
    if rows is None:
        raise Invalid(
            f"There is no grid carbon intensity for {zone[:80]!r}.",
            hint="Name the country by its ISO 3166-1 alpha-3 code, for example FRA, or declare an intensity.",
        )
    fitting = [row for row in rows if year is None or row.year <= year]
    if not fitting:
        known = ", ".join(str(row.year) for row in rows)
        raise Invalid(
            f"There is no grid carbon intensity for {zone} of {year} or before.",
            hint=f"The table has {known}; leave the year out to take the latest.",
        )
    return max(fitting, key=lambda row: row.year)


@cache
def _table() -> Mapping[str, list[Intensity]]:
    lines = (files("registry_core") / "data" / TABLE).read_text(encoding="utf-8").splitlines()
    notes = dict(line.removeprefix("# ").split(": ", 1) for line in lines if line.startswith("#"))
    _, *rows = [line for line in lines if not line.startswith("#")]
    table: dict[str, list[Intensity]] = {}
    for row in rows:
        zone, value, year = row.split(",")
        found = Intensity(float(value), zone, int(year), notes["dataset"], notes["licence"])
        table.setdefault(zone, []).append(found)
    return table
