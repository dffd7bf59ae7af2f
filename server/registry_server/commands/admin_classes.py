"""`registry admin classes`: a new snapshot of energy classes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from registry_server.commands.data_folder import DATA, JSON, open_data
from registry_server.commands.printing import counted, emit_json


@click.command(epilog="\b\nExample:\n  registry admin classes --data ./data")
@DATA
@JSON
def classes(data: Path, as_json: bool) -> None:
    """Class every public model in each of its comparison groups, as of today.

    Meant to be run once a quarter. Older classes stay as they are, with their date. Works while the server runs.
    """
    registry = open_data(data)
    from registry_server.usecases import classing

    taken = classing.take_snapshot(registry)
    registry.engine.close()
    if as_json:
        emit_json(asdict(taken))
        return
    click.echo(f"Snapshot {taken.snapshot} of {taken.taken_on}: {counted(taken.groups, 'group')}.")
    for letter, number in taken.classes.items():
        click.echo(f"{letter}: {number}")
