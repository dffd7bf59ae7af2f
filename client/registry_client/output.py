"""What the command says, and where.

    stdout   the data: one JSON document with `--json`, else what a person reads
    stderr   everything else: notes, progress, errors, the next step

Text that came from elsewhere goes through `plain`, so that nobody's model name can steer a terminal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from registry_core.errors import RegistryError

if TYPE_CHECKING:
    from rich.console import RenderableType

Record = TypeVar("Record")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# A pipe has no width to fit into, and a cut id is of no use to `grep`.
_PIPE_COLUMNS = 10_000


def emit(record: Record, as_json: bool, show: Callable[[Record], RenderableType]) -> None:
    """Print a record on stdout: as one JSON document, or as what `show` makes of it."""
    if as_json:
        click.echo(json_text(record).encode())  # bytes: JSON is UTF-8 whatever the terminal speaks
        return
    shown = show(record)
    if isinstance(shown, str):
        click.echo(plain(shown))
    else:
        _print_rich(shown)


def json_text(record: Any) -> str:
    """A dataclass, a list of them or a plain value as JSON text. Raises ValueError for an infinite number."""
    import json

    return json.dumps(record, default=_as_plain, ensure_ascii=False, indent=2, allow_nan=False)


def note(text: str) -> None:
    """Say something on stderr."""
    click.echo(plain(text), err=True)


def next_step(text: str) -> None:
    """The last line after success: what one would do next."""
    note(f"Next: {text}")


def report(error: RegistryError) -> None:
    """Message, faults and hint on stderr."""
    note(f"Error: {error.message}")
    for fault in error.faults:
        note(f"  - {fault}")
    if error.hint:
        note(f"Hint: {error.hint}")


def plain(text: str) -> str:
    """`text` without the characters that would move a cursor or change a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def forward_notes() -> None:
    """Show on stderr what the library logs; as a library it stays with the host program's logging."""
    import logging

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            prefix = "Warning: " if record.levelno >= logging.WARNING else ""
            note(prefix + record.getMessage())

    logger = logging.getLogger("registry_client")
    logger.handlers = [Notes()]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def on_terminal() -> bool:
    """Whether somebody is watching stderr, and so progress is worth showing."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def byte_progress(description: str, size_bytes: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of bytes just done; draws a bar on stderr when `shown`."""
    if not shown:
        yield _ignore
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=size_bytes)

        def advance(count: int) -> None:
            bar.advance(task, count)

        yield advance


def _ignore(_: int) -> None:
    """Progress that nobody watches."""


def _as_plain(value: Any) -> Any:
    import dataclasses
    from datetime import date

    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _print_rich(renderable: RenderableType) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS, highlight=False)
    console.print(renderable)
