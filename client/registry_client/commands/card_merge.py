"""`registry card merge`: one card of what the processes of a distributed run saw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import json_option

if TYPE_CHECKING:
    from registry_client.tracking import MergeSummary


@click.command(
    epilog="""\b
    Example:
      registry card merge fragments --output my-model/footprint.json
    """
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default="footprint.json",
    show_default=True,
    help="The card; in the folder of the weights it is complete at once.",
)
@click.option("--append", is_flag=True, help="Add a phase to the card that is there, instead of replacing it.")
@json_option
def merge(folder: Path, path: Path, append: bool, as_json: bool) -> None:
    """Make the card of a run whose processes left their fragments in FOLDER.

    What several processes saw of one host or device is counted once. Hosts that left nothing are taken to be like
    the others, and the card says so. Runs that crashed are included.
    """
    from registry_client.tracking import merge_fragments

    output.emit(merge_fragments(folder, path, append=append), as_json, _told)
    output.next_step(f"registry push {path.parent} OWNER/NAME")


def _told(found: MergeSummary) -> str:
    from registry_core.units import duration_text, energy_text

    energy = "no energy" if found.energy_kwh is None else energy_text(found.energy_kwh)
    processes = "1 process" if found.fragments == 1 else f"{found.fragments} processes"
    hosts = f"{found.hosts_measured} of {found.hosts_total} hosts measured"
    head = f"{found.path}: {processes}, {hosts}, {duration_text(found.duration_seconds)}, {energy}"
    return "\n".join([head, *(f"  - {note}" for note in found.notes)])
