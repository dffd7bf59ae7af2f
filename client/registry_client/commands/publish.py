"""`registry publish`: mark a revision as recommended for reuse."""

from __future__ import annotations

import click

from registry_client import output
from registry_client.options import remote_options


@click.command(
    epilog="""\b
    Example:
      registry publish me/my-model@main
    """
)
@click.argument("spec", metavar="OWNER/NAME@REV")
@remote_options
def publish(spec: str, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Recommend one revision for reuse.

    A push only makes a commit; publishing says that others may build on it.
    """
    from registry_client.publish import publish as publish_revision

    result = publish_revision(spec, endpoint=endpoint, token=token)
    output.note(f"Published {result.id}; recommended from now on is this commit.")
    output.emit(result, as_json, lambda published: f"{published.id}@{published.commit_id}")
    output.next_step(f"registry show {result.id}")
