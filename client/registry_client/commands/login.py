"""`registry login`: remember a token for a server."""

from __future__ import annotations

import sys

import click

from registry_client import output
from registry_client.options import endpoint_option, json_option


@click.command(
    epilog="""\b
    Examples:
      registry login --endpoint http://127.0.0.1:8000
      registry login --token "$TOKEN"
    """
)
@endpoint_option
@click.option("--token", metavar="TOKEN", help="The token; asked for without it, or read from a pipe.")
@json_option
def login(endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Check a token with a server and remember it.

    It is kept in a file that only you can read, and sent to that server only.
    """
    from registry_client.login import login as log_in

    done = log_in(endpoint, token or _asked())
    output.note(f"Logged in at {done.endpoint} as {done.account}; the token is in {done.path}.")
    if as_json:
        output.emit(done, True, str)
    output.next_step("registry find")


def _asked() -> str:
    """The token typed without echo on a terminal, or the first line of a pipe."""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    token = sys.stdin.readline().strip()
    if not token:
        raise click.UsageError("No token was given; pass --token, or pipe one in.")
    return token
