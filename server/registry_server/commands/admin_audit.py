"""`registry admin audit`: who did what, and when."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_server.commands.data_folder import DATA, JSON, open_data
from registry_server.commands.printing import emit_json

if TYPE_CHECKING:
    from registry_server.catalog.audit import Entry


@click.command(
    epilog="\b\nExample:\n  registry admin audit --data ./data\n"
    "  registry admin audit --since 2026-11-01 --repo alice/digits --json --data ./data"
)
@DATA
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    metavar="DATE",
    help="Only what was done from this day, or moment in UTC, on.",
)
@click.option("--repo", metavar="OWNER/NAME", help="Only what was done to this repo, which may be gone.")
@JSON
def audit(data: Path, since: datetime | None, repo: str | None, as_json: bool) -> None:
    """Tell who did what, oldest first.

    Accounts and tokens, repos made, deleted, moved, hidden and shown, publications, upkeep, and files whose content was
    not what their uploader announced. Works while the server runs.
    """
    registry = open_data(data)
    from registry_core.ids import RepoId
    from registry_server.catalog.audit import entries

    with registry.engine.read() as tx:
        found = entries(
            tx, since=since.strftime("%Y-%m-%dT%H:%M:%S") if since else "", repo=RepoId(repo) if repo else None
        )
    registry.engine.close()
    if as_json:
        emit_json({"entries": [asdict(entry) for entry in found]})
    else:
        for entry in found:
            click.echo(_line(entry))


def _line(entry: Entry) -> str:
    what = [entry.action, f"{entry.repo_kind} {entry.repo}" if entry.repo else "", entry.subject]
    more = [f"{name}={value}" for name, value in entry.detail.items()]
    return f"{entry.at}  {entry.account or 'this machine'}  {'  '.join(filter(None, what + more))}"
