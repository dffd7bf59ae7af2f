"""The data folder that every `registry admin` command works on, beside a server that may be running on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_server.commands.extra import require_server_extra

if TYPE_CHECKING:
    from registry_server.usecases.context import Registry

DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The data folder of the registry.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")


def open_data(data: Path) -> Registry:
    """The registry in that folder. Raises a usage error when the server's libraries are missing."""
    require_server_extra()
    from registry_server.app import open_registry
    from registry_server.settings import from_environment

    return open_registry(from_environment(data))
