"""`registry card`: add up a footprint card, or look for its faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from registry_client import output
from registry_client.commands.card_guard import scan, sign
from registry_client.commands.card_import import export, import_
from registry_client.commands.card_merge import merge
from registry_client.options import json_option

if TYPE_CHECKING:
    from rich.console import Group
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


for _command in (import_, export, merge, scan, sign):
    card.add_command(_command)


@card.command(
    epilog="""\b
    Examples:
      registry card compute my-model/footprint.json
      registry card compute phases.json --json
    """
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--flop-per-joule",
    type=click.FloatRange(min=0, min_open=True),
    help="Operations per joule of your hardware, to estimate phases that only tell their FLOP.",
)
@json_option
def compute(file: Path, flop_per_joule: float | None, as_json: bool) -> None:
    """Add up what the card in FILE says: energy, CO2e, water, money, time; and say how far to trust it.

    FILE is a footprint.json, or a JSON object with `phases` alone. Evidence files and README beside it are read.
    A phase that measured nothing gets an estimate, which is shown apart and enters no sum.
    """
    from registry_client import card_file

    output.emit(card_file.compute(file, flop_per_joule=flop_per_joule), as_json, _shown)


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
    """List every fault of a card, and what its numbers give away. PATH is a footprint.json, or the folder of one.

    The exit code is 1 when there is a fault, or a finding of severity error; a warning leaves it 0.
    """
    from registry_client import card_file

    found = card_file.check(path)
    output.emit(found, as_json, _told)
    if not found.passes:
        ctx.exit(1)


def _told(found: CardCheck) -> str:
    if not found.valid:
        count = "1 fault" if len(found.faults) == 1 else f"{len(found.faults)} faults"
        return "\n".join([f"{found.path}: {count}", *(f"  - {fault}" for fault in found.faults)])
    lines = (_line(finding.severity, finding.code, finding.place, finding.message) for finding in found.findings)
    return "\n".join([f"{found.path}: no faults", *lines])


def _line(severity: str, code: str, place: str, message: str) -> str:
    word = "warning" if severity == "warn" else severity
    return f"  - {word} {code}: {f'{place}: ' if place else ''}{message}"


def _shown(result: dict[str, Any]) -> Group:
    """The table of sums; below it, how the numbers are known, what was found, and estimates."""
    from rich.console import Group
    from rich.text import Text

    from registry_core import units

    lines = [f"phase {index}: {text}" for index, text in enumerate(result["sentences"])]
    lines.append(f"evidence level {result['grade']['level']}")
    lines += [_line(**finding) for finding in result["findings"]]
    lines += [f"for the next: {text}" for text in result["grade"]["missing"] if not text.startswith("Resolve ")]
    for found in result["estimates"]:
        if "reason" in found:
            lines.append(f"phase {found['phase']}: no estimate: {found['reason']}")
            continue
        energy = found["energy_it_kwh"]
        low, value, high = (units.energy_text(energy[edge]) for edge in ("low", "value", "high"))
        lines.append(f"phase {found['phase']}: {value} ({low} to {high}), {found['says']}")
    return Group(_table(result), Text(output.plain("\n".join(lines))))


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
