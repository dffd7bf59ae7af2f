"""`registry card scan` and `registry card sign`: what a push does to a folder, done alone."""

from __future__ import annotations

from pathlib import Path

import click

from registry_client import output
from registry_client.options import json_option


@click.command(epilog="\b\nExample:\n  registry card scan my-model")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def scan(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Look for secrets and personal data in the text files of FOLDER.

    The exit code is 1 when there is something that a push would refuse.
    """
    from registry_client import masking
    from registry_client.folder import list_files, measure

    leaks = masking.scan(measure(folder, list_files(folder)))
    output.emit(leaks, as_json, lambda found: "\n".join(map(masking.described, found)) or f"{folder}: nothing found")
    if any(leak.refused for leak in leaks):
        ctx.exit(1)


@click.command(epilog="\b\nExample:\n  registry card sign my-model --key laptop")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--key", default="default", show_default=True, help="Which of your keys.")
@json_option
def sign(folder: Path, key: str, as_json: bool) -> None:
    """Sign the card of FOLDER, its weights and its evidence; the signature goes to footprint.att.json."""
    from registry_client.signing import sign_folder

    output.emit(sign_folder(folder, key), as_json, lambda signed: signed.path)
    output.next_step(f"registry push {folder} OWNER/NAME")
