"""`registry access`: gated models, of others and of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from registry_client.access import AccessRequest

_SPEC = "OWNER/NAME"


@click.group()
def access() -> None:
    """Ask to read the files of a gated model, and decide who may read those of yours."""


@access.command(
    epilog="""\b
    Example:
      registry access request team/model
    """
)
@click.argument("spec", metavar=_SPEC)
@remote_options
def request(spec: str, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Ask to read the files of a gated model.

    Some models let everybody in who asks; for others its owner decides.
    """
    from registry_client import access as library

    status = library.request(spec, endpoint=endpoint, token=token)
    output.emit({"id": spec, "status": status}, as_json, lambda asked: f"{asked['id']}: {asked['status']}")
    if status == "accepted":
        output.next_step(f"registry pull {spec}")


@access.command(
    name="list",
    epilog="""\b
    Examples:
      registry access list me/model
      registry access list me/model --status accepted --json
    """,
)
@click.argument("spec", metavar=_SPEC)
@click.option("--status", type=click.Choice(["pending", "accepted", "rejected"]), default="pending", show_default=True)
@remote_options
def list_(
    spec: str,
    status: Literal["pending", "accepted", "rejected"],
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """List who asked to read the files of a model of yours."""
    from registry_client import access as library

    output.emit(library.requests(spec, status, endpoint=endpoint, token=token), as_json, _listed)


@access.command(
    epilog="""\b
    Example:
      registry access accept me/model bob
    """
)
@click.argument("spec", metavar=_SPEC)
@click.argument("user")
@remote_options
def accept(spec: str, user: str, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Let USER read the files of a model of yours, whether they asked or not."""
    from registry_client import access as library

    library.accept(spec, user, endpoint=endpoint, token=token)
    _told(spec, user, "accepted", as_json)


@access.command(
    epilog="""\b
    Example:
      registry access reject me/model bob --reason "for members of the study only"
    """
)
@click.argument("spec", metavar=_SPEC)
@click.argument("user")
@click.option("--reason", metavar="TEXT", help="What USER is told.")
@remote_options
def reject(spec: str, user: str, reason: str | None, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Refuse the request of USER, or take back what was accepted."""
    from registry_client import access as library

    library.reject(spec, user, reason, endpoint=endpoint, token=token)
    _told(spec, user, "rejected", as_json)


@access.command(
    epilog="""\b
    Examples:
      registry access gate me/model manual
      registry access gate me/model off
    """
)
@click.argument("spec", metavar=_SPEC)
@click.argument("gate", type=click.Choice(["auto", "manual", "off"]))
@remote_options
def gate(
    spec: str, gate: Literal["auto", "manual", "off"], endpoint: str | None, token: str | None, as_json: bool
) -> None:
    """Say who may read the files of a model that everybody sees.

    auto: whoever asks. manual: whom you accept. off: everybody.
    """
    from registry_client import access as library

    library.gate(spec, gate, endpoint=endpoint, token=token)
    output.emit({"id": spec, "gate": gate}, as_json, lambda done: f"{done['id']}: {done['gate']}")


def _told(spec: str, user: str, status: str, as_json: bool) -> None:
    done = {"id": spec, "user": user, "status": status}
    output.emit(done, as_json, lambda told: f"{told['id']}: {told['user']} is {told['status']}")


def _listed(found: list[AccessRequest]) -> str:
    return "\n".join(f"{asked.user}  {asked.status}  {asked.asked_at}" for asked in found) or "Nobody."
