"""`registry policy`: what a policy says of a model, and which policies there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from registry_client import output
from registry_client.options import json_option, remote_options

if TYPE_CHECKING:
    from rich.table import Table

    from registry_client.policy import PolicyName
    from registry_core.policy.deciding import Decision, Outcome
    from registry_core.policy.rules import Act, Effect, Policy

_ACTS = ("push", "publish", "pull", "promote")
_SET_ACTS = ("push", "publish")


@click.group()
def policy() -> None:
    """Hold models against rules: of standards, of measurement, of your organisation."""


@policy.command(
    epilog="""\b
    Examples:
      registry policy check my-model
      registry policy check my-model --policy publish --act publish
      registry policy check me/my-model@main --policy lab.yaml --json
    """
)
@click.argument("what", metavar="FOLDER|OWNER/NAME[@REV]")
@click.option(
    "--policy", "name", metavar="FILE|NAME", default="minimal", show_default=True, help="A file, or a shipped policy."
)
@click.option(
    "--act", type=click.Choice(_ACTS), default="push", show_default=True, help="What is about to happen to the model."
)
@remote_options
@click.pass_context
def check(
    ctx: click.Context, what: str, name: str, act: Act, endpoint: str | None, token: str | None, as_json: bool
) -> None:
    """Say what a policy would decide, and why.

    A folder is judged as a push would send it, without a server. Rules about the rest of the registry are decided
    at push and change nothing here. The exit code is 1 when a rule blocks.
    """
    from registry_client.policy import check_policy

    decision = check_policy(what, policy=name, act=act, endpoint=endpoint, token=token)
    output.emit(decision, as_json, _told)
    if not decision.allowed:
        ctx.exit(1)
    if act == "push" and Path(what).is_dir():
        output.next_step(f"registry push {what} OWNER/NAME")


@policy.command(
    "list",
    epilog="""\b
    Example:
      registry policy list
    """,
)
@json_option
def list_(as_json: bool) -> None:
    """List the policies that come with the program."""
    from registry_client.policy import list_policies

    output.emit(list_policies(), as_json, _list_table)
    output.next_step("registry policy show publish")


@policy.command(
    epilog="""\b
    Example:
      registry policy show publish
    """
)
@click.argument("name", metavar="FILE|NAME")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show every rule of a policy, with what it inherited."""
    from registry_client.policy import load_policy
    from registry_core.policy.rules import policy_document

    found = load_policy(Path(name) if Path(name).is_file() else name)
    if as_json:
        output.emit({**policy_document(found), "digest": str(found.digest)}, True, str)
    else:
        output.emit(found, False, _rules_table)


@policy.command(
    "set",
    epilog="""\b
    Examples:
      registry policy set my-lab lab.yaml --act publish
      registry policy set me open-lab --act publish
    """,
)
@click.argument("owner")
@click.argument("name", metavar="FILE|NAME")
@click.option("--act", type=click.Choice(_SET_ACTS), default="push", show_default=True, help="When it is asked.")
@remote_options
def set_(
    owner: str, name: str, act: Literal["push", "publish"], endpoint: str | None, token: str | None, as_json: bool
) -> None:
    """Say what holds for the models of OWNER, a user or an organisation that you manage.

    Where nothing is set, a push is held against `minimal`, and publishing against `publish`.
    """
    from registry_client.governing import set_policy

    output.emit(set_policy(owner, name, act=act, endpoint=endpoint, token=token), as_json, _set_told)


@policy.command(
    epilog="""\b
    Example:
      registry policy unset my-lab --act publish
    """
)
@click.argument("owner")
@click.option("--act", type=click.Choice(_SET_ACTS), default="push", show_default=True, help="When it is asked.")
@remote_options
def unset(owner: str, act: Literal["push", "publish"], endpoint: str | None, token: str | None, as_json: bool) -> None:
    """Let the server's default policy hold again for the models of OWNER."""
    from registry_client.governing import unset_policy

    output.emit(unset_policy(owner, act=act, endpoint=endpoint, token=token), as_json, _set_told)


@policy.command(
    epilog="""\b
    Example:
      registry policy waive my-lab/model MEA-01 --reason "no counter in these machines" --days 90
    """
)
@click.argument("model", metavar="OWNER/NAME")
@click.argument("rule", metavar="RULE")
@click.option("--reason", required=True, metavar="TEXT", help="Why; everybody who sees the model reads it.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it counts.")
@click.option("--key", default="default", show_default=True, metavar="NAME", help="Which of your keys signs it.")
@remote_options
def waive(
    model: str, rule: str, reason: str, days: int, key: str, endpoint: str | None, token: str | None, as_json: bool
) -> None:
    """Approve an exception from RULE for one model that you manage, signed and for a time.

    The rule still says that it failed; the decision shows who waived it, why, and until when.
    """
    from registry_client.governing import waive as waive_rule

    made = waive_rule(model, rule, reason=reason, days=days, key=key, endpoint=endpoint, token=token)
    output.emit(made, as_json, lambda waiver: f"{waiver.repo}: {waiver.rule} is waived until {waiver.expires}")


def _set_told(policy: dict[str, Any]) -> str:
    return f"{policy['policy']} holds from now on: {len(policy['rules'])} rules"


_MARKS: dict[Effect, str] = {"block": "BLOCKS", "warn": "warning", "info": "note"}


def _told(decision: Decision) -> str:
    """The refusals first, then what is only said, then what remains open; rules that are met are counted."""
    lines = []
    for effect, mark in _MARKS.items():
        lines += [_line(mark, outcome) for outcome in decision.having(effect)]
    lines += [_line("waived", outcome) for outcome in decision.outcomes if outcome.waiver]
    at_push = [outcome.rule for outcome in decision.outcomes if outcome.status == "decided at push"]
    if at_push:
        lines.append(f"decided at push: {', '.join(at_push)}")
    met = sum(outcome.status == "pass" for outcome in decision.outcomes)
    verdict = "allowed" if decision.allowed else "refused"
    head = f"{decision.act} {verdict} by {decision.policy}: {met} of {len(decision.outcomes)} rules met"
    return "\n".join([head, *(f"  {line}" for line in lines)])


def _line(mark: str, outcome: Outcome) -> str:
    excuse = ""
    if outcome.waiver:
        excuse = f" Waived by {outcome.waiver.approver} until {outcome.waiver.expires}: {outcome.waiver.reason}"
    return f"{mark:<8} {outcome.rule} ({outcome.standard}): {outcome.message}{excuse}"


def _list_table(policies: list[PolicyName]) -> Table:
    table = _table("policy", "rules", "of them may block", "what it is")
    for found in policies:
        table.add_row(found.policy, str(found.rules), str(found.blocking), found.title)
    return table


def _rules_table(found: Policy) -> Table:
    table = _table("rule", "severity", "missing", "asked for by", "what is required")
    for rule in found.rules:
        table.add_row(rule.id, _severity(rule.severity), rule.missing, rule.standard, rule.message)
    return table


def _severity(severity: Any) -> str:
    """One word when it is the same for every act it is about, else one a word an act."""
    words = set(severity.values())
    return words.pop() if len(words) == 1 else ", ".join(f"{word} at {act}" for act, word in severity.items())


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(*columns, box=box.SIMPLE)
