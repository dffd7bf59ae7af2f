"""`registry admin reindex`: make again what was derived from git objects and blobs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from registry_server.commands.data_folder import DATA, JSON, open_data
from registry_server.commands.printing import counted, emit_json, progress


@click.command(epilog="\b\nExample:\n  registry admin reindex --data ./data")
@DATA
@click.option(
    "--trust-pointers",
    is_flag=True,
    help="Also give each repo every stored file that its pointers name; for a catalog that lost who holds what.",
)
@JSON
@click.pass_context
def reindex(context: click.Context, data: Path, trust_pointers: bool, as_json: bool) -> None:
    """Make again everything that is derived: cards, metrics, tags, texts, tensors, pointers, the log.

    One transaction for each repo. The exit code is 1 when a repo was left as it was, since it cannot be read. Works
    while the server runs.

    With --trust-pointers, whoever committed the text of a pointer to a file of somebody else gets that file.
    """
    registry = open_data(data)
    from registry_server.usecases import reindexing

    with progress("Indexing", reindexing.repos_to_index(registry), in_bytes=False) as advance:
        report = reindexing.reindex(registry, trust_pointers=trust_pointers, progress=lambda: advance(1))
    registry.engine.close()
    if as_json:
        emit_json(asdict(report))
    else:
        click.echo(f"Indexed {counted(report.repos, 'repo')}.")
        for name, reason in report.failed.items():
            click.echo(f"Left as it was: {name}: {reason}")
    context.exit(1 if report.failed else 0)
