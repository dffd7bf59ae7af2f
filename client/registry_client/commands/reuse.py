"""`registry reuse`: state a reuse, withdraw it, read the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from registry_core.quantity import Amount
    from registry_core.reuse_ledger import Ledger, Sum
    from registry_core.reuse_statement import StatedReuse


@click.group()
def reuse() -> None:
    """Say that a model spared a training, and read what reuse avoided."""


@reuse.command(
    epilog="""\b
    Examples:
      registry reuse state demo/digits-small@main --task image-classification --alternative train-own
      registry reuse state team/base@4f2a91c --task text-classification --alternative train-own \\
          --organisation lab --cancelled-job https://jobs.example/7 --evidence-card lab/tuned
    """
)
@click.argument("spec", metavar="OWNER/NAME@REV")
@click.option("--task", required=True, metavar="TASK", help="What it is used for, for example image-classification.")
@click.option(
    "--alternative",
    required=True,
    type=click.Choice(["train-own", "other-model", "nothing"]),
    help="What would have been done without it. Only train-own can count.",
)
@click.option("--alternative-kwh", type=click.FloatRange(0), metavar="KWH", help="What that would have taken.")
@click.option("--organisation", metavar="ORG", help="Whom you speak for.  [default: yourself]")
@click.option("--cancelled-job", metavar="URL", help="Record of a scheduled training that was cancelled.")
@click.option("--evidence-card", metavar="OWNER/NAME", help="What was made from it.  [default: looked for]")
@click.option("--evidence-rerun", type=click.IntRange(1), metavar="NUMBER", help="A rerun.  [default: looked for]")
@click.option("--key", default="default", show_default=True, metavar="NAME", help="The key to sign with.")
@remote_options
def state(
    spec: str,
    task: str,
    alternative: str,
    alternative_kwh: float | None,
    organisation: str | None,
    cancelled_job: str | None,
    evidence_card: str | None,
    evidence_rerun: int | None,
    key: str,
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Sign and send that you reuse a model, and what you would have done otherwise.

    The answer says whether it counts now, and every reason why it does not; it may count later, once a card or a
    rerun shows the reuse.
    """
    from typing import cast

    from registry_client import reuse as library
    from registry_core.reuse import Alternative

    found = library.state(
        spec,
        task,
        cast(Alternative, alternative.replace("-", "_")),
        alternative_kwh=alternative_kwh,
        organisation=organisation,
        cancelled_job=cancelled_job,
        evidence_card=evidence_card,
        evidence_rerun=evidence_rerun,
        key=key,
        endpoint=endpoint,
        token=token,
    )
    output.emit(found, as_json, _told)
    output.next_step(f"registry reuse ledger --model {found.id}")


@reuse.command(epilog="\b\nExample:\n  registry reuse withdraw 7 --reason 'the training ran after all'")
@click.argument("number", type=click.IntRange(1))
@click.option("--reason", metavar="TEXT", help="Shown beside the statement.")
@remote_options
def withdraw(number: int, reason: str | None, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Take back the statement of that NUMBER: it counts no more."""
    from registry_client import reuse as library

    done = library.withdraw(number, reason, endpoint=endpoint, token=token)
    output.emit(done, as_json, lambda ended: f"Statement {ended.number} is {ended.ended_as}.")


@reuse.command(
    epilog="""\b
    Examples:
      registry reuse ledger
      registry reuse ledger --model demo/digits-small --json
      registry reuse ledger --organisation lab --csv sums
    """
)
@click.option("--model", metavar="OWNER/NAME", help="Only what gives this model a share.")
@click.option("--organisation", metavar="ORG", help="Only what this owner made or reused.")
@click.option("--csv", type=click.Choice(["events", "sums"]), help="Print CSV: a line an event, or a line a sum.")
@remote_options
def ledger(
    model: str | None,
    organisation: str | None,
    csv: Literal["events", "sums"] | None,
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Print what reuse avoided, an estimate by reuse-convention/1.

    The number errs low and is never taken off a footprint.
    """
    from registry_client import reuse as library
    from registry_core.reuse_text import events_csv, sums_csv

    if (model and organisation) or (csv and as_json):
        raise click.UsageError("Give either --model or --organisation, and either --csv or --json.")
    found = library.ledger(model=model, organisation=organisation, endpoint=endpoint, token=token)
    if csv:
        click.echo((events_csv if csv == "events" else sums_csv)(found), nl=False)
    else:
        output.emit(found, as_json, _shown)


def _told(found: StatedReuse) -> str:
    head = f"Statement {found.number} of {found.organisation} on {found.id}@{found.commit_id[:12]}"
    if found.event is None:
        return "\n".join([f"{head} does not count now:", *(f"  - {reason}" for reason in found.reasons)])
    return f"{head} counts: {_amount(found.event.energy_kwh)} avoided, estimate by convention 1."


def _shown(found: Ledger) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(f"{_amount(found.total_kwh)} {found.convention.words}, in {len(found.events)} events", style="bold")
    ]
    if found.events:
        parts.append(_events(found))
    views = {"model": found.by_model, "made by": found.by_organisation, "reused by": found.by_reuser}
    parts += [_sums(name, rows) for name, rows in views.items() if rows]
    if found.refused:
        parts.append(Text(f"{len(found.refused)} statements do not count; --json says why.", style="dim"))
    return Group(*parts)


def _events(found: Ledger) -> Table:
    rows = (
        (
            event.id,
            str(event.made_on),
            event.organisation,
            ", ".join(share.model for share in event.shares) or "–",
            event.task,
            _amount(event.energy_kwh),
        )
        for event in found.events
    )
    return _table(("statement", "day", "reused by", "models", "task", "avoided"), rows)


def _sums(name: str, sums: tuple[Sum, ...]) -> Table:
    return _table((name, "events", "avoided"), ((row.name, str(row.events), _amount(row.energy_kwh)) for row in sums))


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE)
    for row in rows:
        table.add_row(*(Text(output.plain(cell)) for cell in row))
    return table


def _amount(amount: Amount) -> str:
    from registry_core.units import energy_text

    return f"{energy_text(amount.value)} ({energy_text(amount.low)} … {energy_text(amount.high)})"
