"""The `registry` command: finds its subcommands, runs one, turns what went wrong into words and an exit code.

    0    done
    1    refused, or a check failed
    2    wrong usage
    3    not found
    4    not allowed
    5    the server, the network, or a fault of ours
    130  interrupted

Subcommands come from the entry-point group `registry.commands` and are imported when they are asked for, so
each module under `commands/` keeps its heavy imports inside its functions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from typing import NoReturn

import click

from registry_client import output
from registry_client.entry_points import entry_points
from registry_core.errors import RegistryError

GROUP = "registry.commands"
_EXTRAS = {"serve": "server", "admin": "server"}  # of commands that are in another package than this one
_INTERRUPTED = 130
_PIPE_CLOSED = 1  # as click has it when the reader goes away earlier
_FAULT = 5


class Commands(click.Group):
    """A group whose subcommands are entry points, imported when somebody asks for them."""

    @cached_property
    def targets(self) -> dict[str, str]:
        """`{name: "module:attribute"}` of all installed subcommands."""
        return entry_points(GROUP)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(self.targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        target = self.targets.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        try:
            command: click.Command = getattr(import_module(module), attribute)
        # Whatever one subcommand suffers from, the others go on working.
        except Exception as error:
            return _unavailable(cmd_name, error)
        return command


def _unavailable(name: str, error: Exception) -> click.Command:
    """A stand-in for a subcommand that cannot be imported: listed with a note, exit code 2 when called."""
    if os.environ.get("REGISTRY_DEBUG") == "1" and not isinstance(error, ImportError):
        raise error
    extra = _EXTRAS.get(name)
    remedy = f"Install it with: pip install 'model-commons[{extra}]'" if extra else "Is everything it needs installed?"

    @click.command(name, short_help=f"Not available here: {error}", add_help_option=False)
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(**_: object) -> None:
        raise click.UsageError(f"`registry {name}` cannot be loaded: {error}. {remedy}")

    command.context_settings = {"ignore_unknown_options": True}
    return command


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"registry {version('model-commons')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def registry() -> None:
    """Share trained models with what they cost, find one before training another, and check that it works.

    \b
    registry find --task image-classification --where "accuracy >= 0.95" --sort energy
    registry pull demo/digits-small
    registry push my-model me/my-model
    """
    output.forward_notes()


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code. Everything that goes wrong is told on stderr."""
    try:
        code = registry.main(list(arguments), prog_name="registry", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except RegistryError as error:
        output.report(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.note("Interrupted.")
        return _INTERRUPTED
    except BrokenPipeError:
        return _leave_closed_pipe()
    except Exception as error:
        return _report_fault(error)
    # click hands back the code of `ctx.exit(code)`, and whatever a command returned otherwise.
    return code if isinstance(code, int) else 0


def _leave_closed_pipe() -> int:
    # Python flushes stdout once more when it ends, and would complain there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _PIPE_CLOSED


def _report_fault(error: Exception) -> int:
    if os.environ.get("REGISTRY_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    words = " ".join(str(error).split())
    output.note(f"Error: {type(error).__name__}: {words}" if words else f"Error: {type(error).__name__}")
    output.note("Hint: This is a fault of the program. Set REGISTRY_DEBUG=1 to see where it happened.")
    return _FAULT


def main() -> NoReturn:
    """The console script."""
    sys.exit(run(sys.argv[1:]))
