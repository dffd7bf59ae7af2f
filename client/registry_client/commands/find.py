"""`registry find`: look for a trained model before training one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from rich.table import Table

    from registry_core.records import FindPage, ModelSummary

_METRICS_SHOWN = 2


@click.command(
    epilog="""\b
    Examples:
      registry find digits
      registry find --task image-classification --where "accuracy >= 0.95" --sort energy
      registry find --task text-classification --sort -accuracy
      registry find --task image-classification --at-least "accuracy=0.95"
      registry find --task image-classification --pareto --metric accuracy
    """
)
@click.argument("query", required=False)
@click.option("--task", help="Only models for this task, for example text-classification.")
@click.option("--where", multiple=True, metavar="EXPR", help='A condition, for example "energy_kwh < 1"; may repeat.')
@click.option("--at-least", metavar="METRIC=SCORE", help="Models that reach a score, cheapest first: accuracy=0.95.")
@click.option("--pareto", is_flag=True, help="The models of --task by score and energy: the Pareto front first.")
@click.option("--metric", help="Which score --pareto compares.  [default: that of the largest group]")
@click.option("--sort", metavar="KEY", help="energy, co2e, duration, a metric …; -KEY for the largest first.")
@click.option("--author", help="Only models of this owner.")
@click.option("--tag", help="Only models with this tag.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many.")
@click.option("--cursor", metavar="TEXT", help="Go on after a page: its next_cursor.")
@remote_options
def find(
    query: str | None,
    task: str | None,
    where: tuple[str, ...],
    at_least: str | None,
    pareto: bool,
    metric: str | None,
    sort: str | None,
    author: str | None,
    tag: str | None,
    limit: int | None,
    cursor: str | None,
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """List the models that fit, with what they cost to make.

    Conditions compare energy_kwh, co2e_kg, water_litres, cost, duration_seconds, parameters, size_bytes or a
    metric with a number. A number that is not known makes no comparison true. --at-least takes one standard
    error off a score first, and lists the model that took least energy first.
    """
    if pareto or metric:
        others = {"QUERY": query, "--where": where, "--at-least": at_least, "--sort": sort, "--author": author}
        _refuse_beside_pareto(pareto, task, {**others, "--tag": tag, "--cursor": cursor})
        _show_front(str(task), metric, limit, endpoint, token, as_json)
        return
    from registry_client.find import find as find_models

    page = find_models(
        query,
        task=task,
        where=where,
        at_least=at_least,
        sort=sort,
        author=author,
        tag=tag,
        limit=limit,
        cursor=cursor,
        endpoint=endpoint,
        token=token,
    )
    output.emit(page, as_json, _table)
    _suggest(page)


def _refuse_beside_pareto(pareto: bool, task: str | None, others: Mapping[str, object]) -> None:
    if not pareto:
        raise click.UsageError("--metric says which score --pareto compares.")
    if task is None:
        raise click.UsageError("--pareto compares the models of one task: add --task.")
    if given := [name for name, value in others.items() if value]:
        raise click.UsageError(f"--pareto takes all models of a comparison group; leave {', '.join(given)} out.")


def _show_front(
    task: str, metric: str | None, limit: int | None, endpoint: str | None, token: str | None, as_json: bool
) -> None:
    from registry_client.commands.compared import layers_table
    from registry_client.pareto import pareto

    found = pareto(task, metric=metric, limit=limit, endpoint=endpoint, token=token)
    output.emit(found, as_json, layers_table)
    if found.ranked:
        output.next_step(f"registry show {found.ranked[0].peer.id}")


def _suggest(page: FindPage) -> None:
    if page.next_cursor:
        output.note(f"There are more: --cursor {page.next_cursor}")
    if page.items:
        output.next_step(f"registry show {page.items[0].id}")
    else:
        output.note("Nothing fits.")


def _table(page: FindPage) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for heading in ("model", "task", "metrics", "energy", "CO2e", "time", "parameters", "size", "rerun"):
        table.add_column(heading)
    for model in page.items:
        table.add_row(*(Text(output.plain(cell)) for cell in _cells(model)))
    return table


def _cells(model: ModelSummary) -> list[str]:
    from registry_core import units

    metrics = [f"{name} {value:.4g}" for name, value in model.metrics.items()]
    return [
        model.id,
        model.task or "–",
        ", ".join(metrics[:_METRICS_SHOWN]) + (" …" if len(metrics) > _METRICS_SHOWN else "") or "–",
        units.energy_text(model.energy_kwh),
        units.co2e_text(model.co2e_kg),
        units.duration_text(model.duration_seconds),
        units.count_text(model.parameters),
        units.size_text(model.size_bytes),
        model.last_verdict or "–",
    ]
