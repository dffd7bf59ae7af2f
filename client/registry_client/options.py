"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def endpoint_option(function: Function) -> Function:
    """`--endpoint URL`, given to the command as `endpoint`; the library looks further when it is None."""
    text = "Address of the server.  [default: REGISTRY_ENDPOINT, HF_ENDPOINT, the last login, http://127.0.0.1:8000]"
    return click.option("--endpoint", metavar="URL", help=text)(function)


def token_option(function: Function) -> Function:
    """`--token TOKEN`, given to the command as `token`."""
    text = "Your token.  [default: REGISTRY_TOKEN, HF_TOKEN, the one stored by `registry login`]"
    return click.option("--token", metavar="TOKEN", help=text)(function)


def json_option(function: Function) -> Function:
    """`--json`, given to the command as `as_json`: exactly one JSON document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")(function)


def remote_options(function: Function) -> Function:
    """`--endpoint`, `--token` and `--json`: what every command that talks to a server takes."""
    return endpoint_option(token_option(json_option(function)))
