"""`registry admin`: accounts, upkeep and the audit, on the data folder itself; works while the server runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from registry_server.commands.admin_audit import audit
from registry_server.commands.admin_classes import classes
from registry_server.commands.admin_fsck import fsck
from registry_server.commands.admin_gc import gc
from registry_server.commands.admin_reindex import reindex
from registry_server.commands.data_folder import DATA, open_data
from registry_server.commands.extra import require_server_extra

if TYPE_CHECKING:
    from registry_server.catalog.accounts import Role


@click.group()
def admin() -> None:
    """Manage accounts and storage of the registry in a data folder."""


for _command in (gc, fsck, reindex, audit, classes):
    admin.add_command(_command)


@admin.group()
def user() -> None:
    """Users and their tokens."""


@user.command(
    "add",
    epilog="\b\nExample:\n  registry admin user add alice --data ./data",
)
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["read", "write"]),
    default="write",
    show_default=True,
    help="What the token allows.",
)
@DATA
def user_add(name: str, role: str, data: Path) -> None:
    """Make the user NAME and print a token, which is not kept and cannot be shown again.

    For a user that exists, prints one more token.
    """
    require_server_extra()
    from registry_server.usecases import accounts

    click.echo(accounts.add_user(open_data(data), name, token_role="read" if role == "read" else "write"))


@admin.group()
def org() -> None:
    """Organisations and their members."""


@org.command(
    "add",
    epilog="\b\nExample:\n  registry admin org add vision --member alice:admin --member bob:write --data ./data",
)
@click.argument("name")
@click.option(
    "--member",
    "members",
    multiple=True,
    metavar="USER:ROLE",
    help="ROLE is read, write or admin; may repeat.",
)
@DATA
def org_add(name: str, members: tuple[str, ...], data: Path) -> None:
    """Make the organisation NAME, or add members to it."""
    require_server_extra()
    from registry_server.usecases import accounts

    accounts.add_organisation(open_data(data), name, [_member(text) for text in members])
    click.echo(f"{name}: {', '.join(members) or 'no members yet'}", err=True)


def _member(text: str) -> tuple[str, Role]:
    name, _, role = text.partition(":")
    if role not in ("read", "write", "admin"):
        raise click.BadParameter(f"{text!r} is not USER:ROLE with ROLE read, write or admin.", param_hint="--member")
    return name, cast("Role", role)
