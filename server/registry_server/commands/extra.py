"""Telling apart a server that is not installed from one that is broken."""

from __future__ import annotations

from importlib.util import find_spec

import click


def require_server_extra() -> None:
    """Raise a usage error (exit code 2) that names the extra when the server's libraries are missing."""
    missing = [name for name in ("flask", "gunicorn", "dulwich", "sqlite_utils") if find_spec(name) is None]
    if missing:
        raise click.UsageError(
            f"This needs the server, which is not installed (no {missing[0]}): pip install 'model-commons[server]'"
        )
