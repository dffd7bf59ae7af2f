"""`registry check`: find before you train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from registry_client.reuse_check import ReuseCheck


@click.command(
    epilog="""\b
    Examples:
      registry check image-classification --at-least "accuracy=0.95" --estimate-kwh 2
      registry check image-classification --reuse demo/digits-small
      registry check image-classification --train-anyway "none of them reads cursive digits"
    """
)
@click.argument("task")
@click.option("--at-least", multiple=True, metavar="METRIC=SCORE", help="A score that a model must reach; may repeat.")
@click.option("--estimate-kwh", type=click.FloatRange(min=0), metavar="KWH", help="What training is expected to take.")
@click.option("--reuse", metavar="OWNER/NAME", help="Write down that this model is reused.")
@click.option("--train-anyway", metavar="REASON", help="Write down why a model is trained nevertheless.")
@click.option(
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default="reuse-check.json",
    show_default=True,
    help="Where the decision is written; a card that is saved beside it tells of it.",
)
@remote_options
def check(
    task: str,
    at_least: tuple[str, ...],
    estimate_kwh: float | None,
    reuse: str | None,
    train_anyway: str | None,
    path: Path,
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """List what could be reused for TASK instead of training, with the saving to expect.

    A score counts less one standard error. The saving is what training is expected to take, by --estimate-kwh or
    else by the median of the group, before adaptation and evaluation. With --reuse or --train-anyway the
    decision is written down, and `registry track` puts it into the footprint card that it writes beside it.
    """
    if reuse is not None and train_anyway is not None:
        raise click.UsageError("Either --reuse or --train-anyway: a model is reused or trained.")
    from registry_client.check import check as check_for
    from registry_client.check import decided

    found = check_for(task, at_least=at_least, estimate_kwh=estimate_kwh, endpoint=endpoint, token=token)
    if reuse is not None or train_anyway is not None:
        found = decided(found, reuse=reuse, train_anyway=train_anyway)
        output.note(f"Written down in {found.save(path)}.")
    output.emit(found, as_json, _shown)
    _suggest(found)


def _shown(found: ReuseCheck) -> RenderableType:
    from registry_client.commands.compared import candidates_table

    return candidates_table(found.candidates) if found.candidates else "Nothing was found that could be reused."


def _suggest(found: ReuseCheck) -> None:
    if found.decision == "train":
        output.next_step(f"registry track --task {found.task} --license SPDX --country ISO3 -- COMMAND")
    elif found.decision == "reuse":
        output.next_step(f"registry pull {found.reuse}")
    elif found.candidates:
        output.next_step(f"registry show {found.candidates[0].peer.id}")
