"""`registry report`: what a footprint card says, standard by standard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as RichTable

    from registry_core.reports import Report
    from registry_core.reports.line import Line, Table

_STANDARDS = ("eu-form", "sci", "life-cycle", "ghg", "iso-42001", "frugality", "measurement", "hub")


@click.command(
    epilog="""\b
    Examples:
      registry report sci demo/digits-small
      registry report eu-form demo/digits-small --recipient DP --json
      registry report measurement my-model/
    """
)
@click.argument("standard", type=click.Choice(_STANDARDS))
@click.argument("model", metavar="OWNER/NAME[@REV]|FOLDER")
@click.option("--recipient", metavar="WHO", help="Only what goes to them: AIO, NCA or DP of the EU form.")
@remote_options
def report(
    standard: str, model: str, recipient: str | None, endpoint: str | None, token: str | None, as_json: bool
) -> None:
    """Report on a model, line by line: what is met, what is missing, and who can supply it.

    A report is an aid, not a certificate. The server shows the same as a page that can be printed.
    """
    from registry_client.reporting import report as report_on

    found = report_on(standard, model, recipient=recipient, endpoint=endpoint, token=token)
    output.emit(found, as_json, _shown)


def _shown(found: Report) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    about = found.head.repo_id or f"card {found.head.card_digest[:12]}"
    parts: list[RenderableType] = [Text(output.plain(f"{found.head.title}: {about}"), style="bold")]
    parts.append(_table(("requirement", "value", "status"), [_cells(line) for line in found.lines]))
    for table in found.tables:
        parts.append(Text(table.title, style="bold"))
        parts.append(_table(table.columns, _rows(table)))
    parts.append(Text(found.head.notice, style="dim"))
    return Group(*parts)


def _cells(line: Line) -> list[str]:
    status = line.status if line.supplier is None else f"{line.status}: from {line.supplier}"
    if line.value is None:
        return [line.requirement, "–", status]
    words = [str(line.value), line.unit, f"({line.source})" if line.source else None]
    return [line.requirement, " ".join(word for word in words if word), status]


def _rows(table: Table) -> list[list[str]]:
    from registry_core.reports.line import plain

    return [
        ["–" if cell is None else cell if isinstance(cell, str) else plain(float(cell)) for cell in row]
        for row in table.rows
    ]


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> RichTable:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(output.plain(cell)) for cell in row))
    return table
