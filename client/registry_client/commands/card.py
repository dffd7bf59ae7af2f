"""`registry card`: add up a footprint card, or look for its faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry_client import output
from registry_client.options import json_option

if TYPE_CHECKING:
    from rich.table import Table

    from registry_client.card_file import CardCheck

_ROWS = (
    ("energy at the devices", "energy_it_kwh"),
    ("energy of the facility", "energy_facility_kwh"),
    ("CO2e of operation", "co2e_location_kg"),
    ("CO2e of the hardware", "co2e_embodied_kg"),
    ("water", "water_litres"),
    ("cost", "cost"),
    ("device time", "device_time_hours"),
    ("wall time", "wall_time_seconds"),
)


@click.group()
def card() -> None:
    """Work with footprint cards on this computer."""


@card.command(
    epilog="""\b
    Examples:
      registry card compute my-model/footprint.json
      registry card compute phases.json --json
    """
)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def compute(file: Path, as_json: bool) -> None:
    """Add up what the card in FILE says: energy, CO2e, water, money, time.

    FILE is a footprint.json, or a JSON object with `phases` alone.
    """
    from registry_client import card_file

    output.emit(card_file.compute(file), as_json, _table)


@card.command(
    epilog="""\b
    Example:
      registry card check my-model
    """
)
@click.argument("path", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def check(ctx: click.Context, path: Path, as_json: bool) -> None:
    """List every fault of a card. PATH is a footprint.json, or the folder of one.

    The exit code is 1 when there is a fault.
    """
    from registry_client import card_file

    found = card_file.check(path)
    output.emit(found, as_json, _told)
    if not found.valid:
        ctx.exit(1)


def _told(found: CardCheck) -> str:
    if found.valid:
        return f"{found.path}: no faults"
    count = "1 fault" if len(found.faults) == 1 else f"{len(found.faults)} faults"
    return "\n".join([f"{found.path}: {count}", *(f"  - {fault}" for fault in found.faults)])


def _table(sums: dict[str, Any]) -> Table:
    """One row a number, one column a split; values with their 95 % intervals."""
    from rich import box
    from rich.table import Table

    splits = [split for split in ("final", "development", "all") if sums[split] is not None]
    table = Table("", *splits, box=box.SIMPLE)
    for label, name in _ROWS:
        table.add_row(label, *(_cell(sums[split], name) for split in splits))
    return table


def _cell(footprint: dict[str, Any], name: str) -> str:
    """A value, its 95 % interval and its source; a dash when it is not known."""
    number = footprint[name]
    if number is None:
        return "–"
    text = _text_of(name, footprint["currency"])
    interval = f" ({text(number['low'])} to {text(number['high'])})" if number["low"] < number["high"] else ""
    return f"{text(number['value'])}{interval}, {number['source']}"


def _text_of(name: str, currency: str | None) -> Callable[[float], str]:
    from registry_core import units

    texts: dict[str, Callable[[float], str]] = {
        "kwh": units.energy_text,
        "kg": units.co2e_text,
        "litres": units.water_text,
        "cost": lambda cost: units.cost_text(cost, currency),
        "hours": lambda hours: f"{hours:.3g} h",
        "seconds": units.duration_text,
    }
    return texts[name.rpartition("_")[2]]
