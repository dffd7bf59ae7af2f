"""`registry rerun`: check here what a model's card claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from registry_client import output
from registry_client.options import remote_options

if TYPE_CHECKING:
    from registry_client.rerun import RerunResult


@click.command(
    epilog="""\b
    Examples:
      registry rerun demo/digits-small
      registry rerun demo/digits-small@main --device cpu --no-post --json
    """
)
@click.argument("spec", metavar="OWNER/NAME[@REV]")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto takes the best device here.",
)
@click.option("--post/--no-post", default=True, show_default=True, help="Let the server keep the verdict.")
@remote_options
@click.pass_context
def rerun(
    ctx: click.Context,
    spec: str,
    device: str,
    post: bool,
    endpoint: str | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Pull a model, evaluate it as its evaluation.yaml says, and compare the result with its card.

    The exit code is 0 when the claim holds within its tolerance, and 1 when it does not.
    """
    from registry_client.rerun import rerun as rerun_model

    result = rerun_model(spec, device=device, endpoint=endpoint, token=token, post=post)
    if result.report.reason:
        output.note(f"Note: {result.report.reason.rstrip('.')}.")
    output.emit(result, as_json, _told)
    if result.posted is not None:
        output.next_step(_next(spec, result))
    if result.report.verdict == "fail":
        ctx.exit(1)


def _next(spec: str, result: RerunResult) -> str:
    report = result.report
    if report.verdict == "fail":
        return f"registry show {spec}"
    model = spec.partition("@")[0]
    return f"registry reuse state {model}@{report.commit_id[:12]} --task {report.task} --alternative train-own"


def _told(result: RerunResult) -> str:
    from registry_core.units import duration_text, energy_text

    report = result.report
    energy = energy_text(report.energy_kwh) + (f" {report.energy_source}" if report.energy_source else "")
    seconds = report.duration_seconds
    # A small model takes far less than a millisecond.
    took = duration_text(seconds) if seconds >= 1 else f"{seconds * 1000:.3g} ms"
    return (
        f"{report.verdict}: {report.metric} {report.observed:.4f}, claimed {report.claimed:.4f} "
        f"± {report.tolerance:.4f}, on {report.dataset} {report.split} (n = {report.n})\n"
        f"{took} and {energy} for one evaluation on {report.device_name}, "
        f"mean of {result.repeats}"
    )
