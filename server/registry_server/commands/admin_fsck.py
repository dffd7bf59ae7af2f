"""`registry admin fsck`: is everything that is stored still what it was?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_server.commands.data_folder import DATA, JSON, open_data
from registry_server.commands.printing import counted, emit_json, progress

if TYPE_CHECKING:
    from registry_server.usecases.checking import Check


@click.command(
    epilog="\b\nExample:\n  registry admin fsck --data ./data\n  registry admin fsck --data ./data --repair",
)
@DATA
@click.option("--repair", is_flag=True, help="Bring back what can be had from other copies of the same content.")
@JSON
@click.pass_context
def fsck(context: click.Context, data: Path, repair: bool, as_json: bool) -> None:
    """Hash everything that is stored again, and set aside what is damaged.

    Damaged bytes are moved to DATA/blobs/quarantine and are no longer served; pushing the same file again brings it
    back. The exit code is 1 when something that a repo needs is lost or cannot be read. Works while the server runs.
    """
    registry = open_data(data)
    from registry_server.usecases import checking

    with progress("Checking", checking.bytes_to_check(registry), in_bytes=True) as advance:
        report = checking.check(registry, repair=repair, progress=advance)
    registry.engine.close()
    if as_json:
        emit_json({"is_sound": report.is_sound, **asdict(report)})
    else:
        _show(report)
        if report.lost and not repair:
            click.echo(f"Next: registry admin fsck --data {data} --repair", err=True)
    context.exit(0 if report.is_sound else 1)


def _show(report: Check) -> None:
    click.echo(
        f"Checked {counted(report.blobs, 'file')}, {counted(report.xorbs, 'xorb')},"
        f" {counted(report.xet_files, 'Xet file')}, {counted(report.git_objects, 'git object')}"
        f" and {counted(report.repos, 'repo')}."
    )
    for finding in report.found:
        done = "" if finding.action == "none" else f" ({finding.action})"
        click.echo(f"Damaged: {finding.kind} {finding.name}: {finding.fault}{done}")
    for name in report.repaired:
        click.echo(f"Repaired: {name}")
    for loss in report.lost:
        click.echo(f"Lost: {loss.kind} {loss.name}, needed by {', '.join(loss.repos)}")
    for name in report.unreadable:
        click.echo(f"Cannot be read: {name}")
    if report.is_sound:
        click.echo("Everything that a repo needs is there and sound.")
