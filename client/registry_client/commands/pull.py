"""`registry pull`: bring a commit to a local folder."""

from __future__ import annotations

from pathlib import Path

import click

from registry_client import output
from registry_client.options import remote_options


@click.command(
    epilog="""\b
    Examples:
      registry pull demo/digits-small
      registry pull demo/digits-small@main --to digits
    """
)
@click.argument("spec", metavar="OWNER/NAME[@REV]")
@click.option("--to", type=click.Path(path_type=Path), metavar="DIR", help="Put the files into this folder.")
@remote_options
def pull(spec: str, to: Path | None, endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Bring a model here and check every file.

    Prints the folder. Without --to, that is in the shared Hugging Face cache, where transformers finds it.
    """
    from registry_client.pull import pull as pull_model
    from registry_core.units import size_text

    result = pull_model(spec, to=to, endpoint=endpoint, token=token, progress=False if as_json else None)
    files = f"{result.files} files, {size_text(result.size_bytes)}"
    output.note(f"Pulled {result.id} at {result.commit_id}: {files}, checked by {', '.join(result.verified_by)}.")
    output.emit(result, as_json, lambda pulled: pulled.path)
    output.next_step(f"registry rerun {spec}")
