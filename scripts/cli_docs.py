"""Write docs/cli.md from the commands themselves.

python scripts/cli_docs.py

A test compares the page with what this prints, so a new option is followed by one run of this script.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from registry_client.cli import GROUP, Commands
from registry_client.entry_points import entry_points

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

INTRODUCTION = """\
# The command

    registry COMMAND [OPTIONS] ARGUMENTS

Data goes to stdout, everything else to stderr. `--json` prints exactly one JSON document, for programs. The last line
after success says what one would do next. `-h` or `--help` after any command shows what stands here; `registry
--version` the version. `python -m registry_client` is the same command. [Settings](../README.md#settings) and
[exit codes](../README.md#exit-codes) are in the README.

This page is written by `python scripts/cli_docs.py` from the commands themselves.
"""


def page() -> str:
    """The text of docs/cli.md."""
    group = Commands("registry")
    context = click.Context(group, info_name="registry")
    sections = [INTRODUCTION]
    for name in sorted(entry_points(GROUP)):
        command = group.get_command(context, name)
        assert command is not None
        sections += _sections(command, click.Context(command, info_name=name, parent=context))
    return "\n".join(sections)


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """One section a command; for a group those of its subcommands."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _sections(below, click.Context(below, info_name=name, parent=context))
        return
    yield f"## {context.command_path}\n"
    yield f"    {' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n"
    yield f"{cleandoc(command.help or '')}\n"
    if rows := [_row(option, context) for option in command.params if isinstance(option, click.Option)]:
        yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"
    if command.epilog:
        yield f"```sh\n{_examples(command.epilog)}\n```\n"


def _row(option: click.Option, context: click.Context) -> str:
    spelling, text = option.get_help_record(context) or ("", "")
    escaped = text.replace("|", "\\|")
    return f"| `{spelling.replace('|', ', ')}` | {escaped} |"


def _examples(epilog: str) -> str:
    lines = cleandoc(epilog.replace("\b", "")).splitlines()
    return cleandoc("\n".join(line for line in lines if line.strip() not in ("Example:", "Examples:")))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
