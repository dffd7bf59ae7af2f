"""`registry push`: send a local folder as one commit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from registry_client.push import PushResult


@click.command(
    epilog="""\b
    Examples:
      registry push my-model me/my-model
      registry push my-model me/my-model --revision dev --message "Train ten epochs more"
      registry push my-model me/my-model --sign
    """
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("repo_id", metavar="OWNER/NAME")
@click.option("--revision", default="main", show_default=True, help="The branch; made when it is not there.")
@click.option("--message", metavar="TEXT", help="What the commit is about.")
@click.option("--private", is_flag=True, help="If the repo is new: hide it from others.")
@click.option("--sign", metavar="[KEY]", is_flag=False, flag_value="default", help="Sign the card with this key.")
@click.option("--mask", is_flag=True, help="Replace secrets and personal data in the folder's text files.")
@click.option(
    "--allow-finding",
    "allow_findings",
    multiple=True,
    metavar="FINGERPRINT",
    help="Something that only looks like a secret; may repeat.",
)
@remote_options
def push(
    folder: Path,
    repo_id: str,
    revision: str,
    message: str | None,
    private: bool,
    sign: str | None,
    mask: bool,
    allow_findings: tuple[str, ...],
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Send FOLDER to OWNER/NAME as one commit.

    The repo is made when it is not there. Weights and footprint.json are checked first, and what the card can
    learn from the files is filled in. Nothing is sent while a secret stands in a text file. Files that are only in
    the repo stay there.
    """
    from registry_client.push import push as push_folder

    result = push_folder(
        folder,
        repo_id,
        revision=revision,
        message=message,
        private=private,
        sign=sign,
        mask=mask,
        allow_findings=allow_findings,
        endpoint=endpoint,
        token=token,
        progress=False if as_json else None,
    )
    output.note(_told(result))
    output.emit(result, as_json, lambda pushed: pushed.url)
    output.next_step(f"registry show {result.id}{'' if revision == 'main' else '@' + revision}")


def _told(result: PushResult) -> str:
    from registry_core.units import size_text

    if result.unchanged:
        return f"{result.id} holds exactly this already, as commit {result.commit_id}."
    new = "new repo " if result.created else ""
    sent = f"{result.uploaded_files} of {result.files} files, {size_text(result.uploaded_bytes)}"
    return f"Pushed to {new}{result.id}: {sent}, as commit {result.commit_id}."
