"""`registry keys`: the keys that you sign with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import json_option, remote_options

if TYPE_CHECKING:
    from registry_core.records import PublicKey


@click.group()
def keys() -> None:
    """Make and show the keys that you sign models with."""


_name = click.option("--name", default="default", show_default=True, help="Which key.")


@keys.command(
    epilog="""\b
    Example:
      registry keys new --name laptop
    """
)
@_name
@json_option
def new(name: str, as_json: bool) -> None:
    """Make an Ed25519 key in your configuration folder, in a file that only you can read."""
    from registry_client import keys as library

    output.emit(library.new(name), as_json, _line)
    output.next_step(f"registry keys register --name {name}")


@keys.command("list", epilog="\b\nExample:\n  registry keys list")
@json_option
def list_(as_json: bool) -> None:
    """List your keys."""
    from registry_client import keys as library

    output.emit(library.listed(), as_json, lambda found: "\n".join(map(_line, found)) or "There are no keys.")


@keys.command(epilog="\b\nExample:\n  registry keys show --json")
@_name
@json_option
def show(name: str, as_json: bool) -> None:
    """Print the public part of a key."""
    from registry_client import keys as library

    output.emit(library.show(name), as_json, lambda key: key.public)


@keys.command(epilog="\b\nExample:\n  registry keys register --name laptop")
@_name
@remote_options
def register(name: str, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Tell a server that a key is yours. The private part stays here."""
    from registry_client import keys as library

    key = library.register(name, endpoint=endpoint, token=token)
    output.emit(key, as_json, _line)
    output.next_step(f"registry push FOLDER OWNER/NAME --sign {name}")


def _line(key: PublicKey) -> str:
    return f"{key.name}  {key.key_id}"
