"""`registry admin gc`: free what nobody needs any more."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_core.units import size_text
from registry_server.commands.data_folder import DATA, JSON, open_data
from registry_server.commands.printing import counted, emit_json

if TYPE_CHECKING:
    from registry_server.usecases.collecting import Collection


@click.command(
    epilog="\b\nExample:\n  registry admin gc --data ./data --dry-run\n  registry admin gc --data ./data",
)
@DATA
@click.option("--dry-run", is_flag=True, help="Only say what would be freed.")
@JSON
def gc(data: Path, dry_run: bool, as_json: bool) -> None:
    """Free what no repo needs any more and nobody relied on lately.

    Whole files are kept for 48 hours after somebody sent them or was told that they are stored, xorbs and the files
    made of them for 22 days. Works while the server runs.
    """
    registry = open_data(data)
    from registry_server.usecases.collecting import collect

    found = collect(registry, dry_run=dry_run)
    registry.engine.close()
    if as_json:
        emit_json(asdict(found))
        return
    _show(found)
    if dry_run:
        click.echo(f"Next: registry admin gc --data {data}", err=True)


def _show(found: Collection) -> None:
    freed = found.freed
    word = "Would free" if found.dry_run else "Freed"
    click.echo(
        f"{word} {size_text(found.freed_bytes)}: {counted(freed.blobs.count, 'file')}"
        f" ({size_text(freed.blobs.size_bytes)}), {counted(freed.xorbs.count, 'xorb')}"
        f" ({size_text(freed.xorbs.size_bytes)}), {counted(freed.orphans.count, 'orphan')}"
        f" ({size_text(freed.orphans.size_bytes)})."
    )
    click.echo(
        f"In the catalog: {counted(freed.git_objects.count, 'git object')}"
        f" ({size_text(freed.git_objects.size_bytes)}), {counted(freed.commits, 'commit')},"
        f" {counted(freed.xet_files, 'Xet file')}, {counted(freed.notes, 'note')}."
    )
    for name, kept in found.kept.items():
        if kept.count:
            click.echo(
                f"Kept for now: {counted(kept.count, name.removesuffix('s'))} ({size_text(kept.size_bytes)}),"
                f" all of it free from {kept.free_from}."
            )
    for repo in found.repos:
        click.echo(
            f"{size_text(repo.unique_bytes):>9} own  {size_text(repo.shared_bytes):>9} shared  {repo.kind} {repo.id}"
        )
    for name in found.skipped:
        click.echo(f"Left alone, since its history cannot be read: {name}. Run registry admin fsck.", err=True)
