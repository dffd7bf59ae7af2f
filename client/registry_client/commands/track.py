"""`registry track`: measure what a command costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from registry_client import output
from registry_client.options import json_option
from registry_core.errors import Invalid

if TYPE_CHECKING:
    from registry_client.tracking import RunSummary


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
    Examples:
      registry track --task other --license MIT --country FRA -- python train.py
      registry track --task image-classification --license Apache-2.0 --country FRA --scope process \\
        --pue 1.2 --pue-origin operator_report --output my-model/footprint.json -- python train.py
      registry track --task other --license MIT --country FRA --fragments shared/fragments -- torchrun train.py
    """,
)
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND…", type=click.UNPROCESSED)
@click.option("--task", required=True, metavar="TASK", help="What the model is for.")
@click.option("--license", required=True, metavar="SPDX", help="The licence of the model.")
@click.option("--country", metavar="ISO3", help="Where this computer stands.  [default: REGISTRY_COUNTRY]")
@click.option("--subdivision", metavar="CODE", help="The state or province there, like US-CA.")
@click.option(
    "--scope",
    type=click.Choice(["machine", "process"]),
    default="machine",
    show_default=True,
    help="Count all that this computer does meanwhile, or COMMAND alone as far as that can be told.",
)
@click.option("--pue", type=float, metavar="RATIO", help="Energy of the facility over that of its devices, like 1.2.")
@click.option(
    "--pue-origin",
    type=click.Choice(["operator_report", "regulation_database", "default"]),
    help="How the PUE is known.",
)
@click.option("--stage", default="pretraining", show_default=True, help="Kind of training.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="May be repeated.")
@click.option(
    "--base-model",
    "base_models",
    multiple=True,
    metavar="OWNER/NAME[@REV]",
    help="What the training starts from.",
)
@click.option("--data", "data_sources", multiple=True, metavar="ID", help="A data set that was trained on.")
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default="footprint.json",
    show_default=True,
    help="The card; in the folder of the weights it is complete at once.",
)
@click.option("--append", is_flag=True, help="Add a phase to the card that is there, instead of replacing it.")
@click.option(
    "--fragments",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder shared by all hosts of the run; `registry card merge` makes the card of it.",
)
@click.option(
    "--measure-seconds",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    help="Time between two samples; 15 does for runs of days.",
)
@json_option
@click.pass_context
def track(
    ctx: click.Context,
    command: tuple[str, ...],
    task: str,
    license: str,
    country: str | None,
    subdivision: str | None,
    scope: Literal["machine", "process"],
    pue: float | None,
    pue_origin: str | None,
    stage: str,
    tags: tuple[str, ...],
    base_models: tuple[str, ...],
    data_sources: tuple[str, ...],
    path: Path,
    append: bool,
    fragments: Path | None,
    measure_seconds: float,
    as_json: bool,
) -> None:
    """Run COMMAND and write a footprint card of what this computer used meanwhile.

    COMMAND starts at once. When it fails there is no card, and its exit code is passed on; a fragment says so.
    """
    from registry_client.tracking import track as track_run

    tracker = track_run(
        task=task,
        license=license,
        country=country,
        subdivision=subdivision,
        scope=scope,
        pue=pue,
        pue_origin=pue_origin,
        stage=stage,
        tags=tags,
        base_models=base_models,
        data_sources=data_sources,
        measure_seconds=measure_seconds,
        output=None if fragments else path,
        append=append,
        fragments=fragments,
    )
    with tracker as run:
        code = _run(command, quiet=as_json)
        if code:
            output.note(f"The command ended with exit code {code}; no card was written.")
            ctx.exit(code)
    output.emit(run.summary(), as_json, _told)
    push, merge = f"registry push {path.parent} OWNER/NAME", f"registry card merge {fragments}"
    output.next_step(push if fragments is None else merge)


def _run(command: Sequence[str], *, quiet: bool) -> int:
    """The exit code of the command, as a shell gives it; `quiet` sends what it prints to stderr."""
    import subprocess

    try:
        code = subprocess.run(command, check=False, stdout=sys.stderr if quiet else None).returncode
    except OSError as error:
        raise Invalid(f"{command[0]!r} cannot be run: {error.strerror}.") from error
    return 128 - code if code < 0 else code


def _told(summary: RunSummary) -> str:
    from registry_core.units import duration_text, energy_text

    took = duration_text(summary.duration_seconds)
    if summary.energy_kwh is None:
        return f"{summary.path}: {took}; no energy: {summary.reason}"
    return f"{summary.path}: {took}, {energy_text(summary.energy_kwh)} ({summary.energy_source})"
