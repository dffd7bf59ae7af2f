"""`registry serve`: the server, by gunicorn."""

from __future__ import annotations

from pathlib import Path

import click

from registry_server.commands.extra import require_server_extra


@click.command(
    epilog="\b\nExample:\n  registry serve --data ./data\n  registry serve --data ./data --host 0.0.0.0 --port 80"
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder for everything the registry keeps; made when it is not there.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
def serve(data: Path, host: str, port: int) -> None:
    """Serve a registry from a folder.

    The first start on an empty folder makes the administrator and writes a token to DATA/admin-token.
    """
    require_server_extra()
    from registry_server.serving import run
    from registry_server.settings import from_environment

    run(from_environment(data), host, port)
