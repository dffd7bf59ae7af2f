"""`registry card import` and `registry card export`: cards from files of other tools, and in their words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from registry_client import output
from registry_client.options import json_option

if TYPE_CHECKING:
    from registry_client.importing import Target
    from registry_core.imports import Form

_FORMS = ("codecarbon", "zeus", "boamps", "green-algorithms", "model-card")
_TARGETS = ("boamps", "csv", "front-matter", "eval-results")


@click.command(
    "import",
    epilog="""\b
    Examples:
      registry card import emissions.csv --from codecarbon --task text-classification --license MIT
      registry card import window.json --from zeus --task fill-mask --license MIT --country FRA \\
        --started-at 2026-11-21T08:00:00Z --device gpu:A100:8 --output my-model/footprint.json
    """,
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from", "form", type=click.Choice(_FORMS), required=True, help="The tool that wrote FILE.")
@click.option("--task", metavar="TASK", help="What the model does, for example image-classification.")
@click.option("--license", metavar="SPDX", help="The model's licence.")
@click.option("--country", metavar="CODE", help="Where it was trained: ISO 3166-1 alpha-3, for example FRA.")
@click.option("--stage", metavar="STAGE", help="Kind of training.  [default: what FILE says, else pretraining]")
@click.option("--started-at", metavar="MOMENT", help="When the run began, where FILE does not say.")
@click.option("--hours", type=float, metavar="H", help="How long it took, where FILE does not say.")
@click.option("--device", "devices", multiple=True, metavar="KIND:MODEL:COUNT", help="What it ran on; may repeat.")
@click.option("--base-model", "base_models", multiple=True, metavar="REPO", help="What it was made from; may repeat.")
@click.option("--from-scratch", is_flag=True, help="It was made from no other model.")
@click.option(
    "-o",
    "--output",
    "to",
    type=click.Path(path_type=Path),
    default=Path("footprint.json"),
    show_default=True,
    help="Where the card goes; FILE is kept in footprint/ beside it.",
)
@json_option
def import_(
    file: Path,
    form: str,
    task: str | None,
    license: str | None,
    country: str | None,
    stage: str | None,
    started_at: str | None,
    hours: float | None,
    devices: tuple[str, ...],
    base_models: tuple[str, ...],
    from_scratch: bool,
    to: Path,
    as_json: bool,
) -> None:
    """Make a footprint card of what another tool wrote.

    Numbers that a tool is known to get wrong are put right or left out, and a note says so. What FILE does not say
    is asked for, never guessed.
    """
    from registry_client.importing import import_file

    if base_models and from_scratch:
        raise click.UsageError("--from-scratch goes without --base-model.")
    done = import_file(
        file,
        cast("Form", form),  # click has checked it
        to,
        task=task,
        license=license,
        country=country,
        stage=stage,
        started_at=started_at,
        hours=hours,
        devices=devices,
        base_models=base_models if base_models or from_scratch else None,
    )
    for remark in done.notes:
        output.note(f"Note: {remark}.")
    output.emit(done, as_json, lambda made: made.path)
    output.next_step(f"registry push {to.parent} OWNER/NAME")


@click.command(
    epilog="""\b
    Examples:
      registry card export my-model --to csv
      registry card export my-model --to front-matter --into my-model/README.md
    """
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Choice(_TARGETS), required=True, help="The form.")
@click.option(
    "--into",
    "readme",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With front-matter: the README whose head is brought up to date, instead of printing one.",
)
def export(path: Path, target: str, readme: Path | None) -> None:
    """Print a footprint card in another form. PATH is a footprint.json, or the folder of one."""
    from registry_client import importing

    if readme is None:
        click.echo(importing.export(path, cast("Target", target)), nl=False)
    elif target != "front-matter":
        raise click.UsageError("--into goes with --to front-matter.")
    else:
        importing.export_into(path, readme)
        output.note(f"The head of {readme} says what the card says.")
