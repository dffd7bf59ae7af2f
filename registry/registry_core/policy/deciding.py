"""The decision of a policy about one act: every rule with its outcome, and whether the act may go on.

                 when is false ─► not applicable
rule ─► when? ─► require ─┬─► pass
                          ├─► fail ────────────────► effect: its severity
                          ├─► insufficient data ───► effect: as `missing` says
                          └─► decided at push        a variable is not known here: no effect
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from registry_core.policy.expressions import Answer, context_of, evaluate, variables_of
from registry_core.policy.facts import Facts
from registry_core.policy.rules import Act, Effect, Policy, Rule, Severity, Status
from registry_core.policy.telling import message, value_of
from registry_core.policy.waivers import IsSigned, Waiver, counting

if TYPE_CHECKING:
    from cel import Context


@dataclass(frozen=True)
class PolicyInput:
    """What is judged. `card` is None for a revision without footprint.json. `parent`, `group` and `registry` are
    None where there is no server; a server gives all three, empty when it found nothing."""

    act: Act
    moment: datetime  # of the decision, with its time zone
    card: Facts | None
    files: Facts
    parent: Facts | None = None
    group: Facts | None = None
    registry: Facts | None = None
    repo_id: str | None = None
    card_digest: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What one rule came to."""

    rule: str
    standard: str
    status: Status
    severity: Severity  # of the rule for this act
    effect: Effect  # what it does to the act
    field: str  # the place in the card
    value: str | None  # what stands there; None when nothing does
    message: str  # for people
    waiver: Waiver | None = None  # the exception that took the effect away


@dataclass(frozen=True)
class Decision:
    """Whether an act may go on, and everything needed to see why."""

    policy: str  # name/version
    policy_digest: str
    act: Act
    repo_id: str | None
    card_digest: str | None
    decided_at: str  # RFC 3339
    allowed: bool
    outcomes: tuple[Outcome, ...]

    def having(self, effect: Effect) -> tuple[Outcome, ...]:
        """The outcomes of one effect."""
        return tuple(outcome for outcome in self.outcomes if outcome.effect == effect)


def nobody_signed(_: Waiver) -> bool:
    """Where no signature can be checked, no waiver counts."""
    return False


def decide(
    policy: Policy, given: PolicyInput, waivers: Sequence[Waiver] = (), *, is_signed: IsSigned = nobody_signed
) -> Decision:
    """What `policy` says of `given`. Raises Refused for a card with a list that is too long to judge."""
    facts = {name: getattr(given, name) for name in ("card", "files", "parent", "group", "registry")}
    context = context_of({**facts, "param": policy.param})

    def excused(rule: Rule) -> Waiver | None:
        subject = {"card_digest": given.card_digest, "repo": given.repo_id}
        return counting(waivers, rule.id, **subject, at=given.moment, is_signed=is_signed)

    rules = [rule for rule in policy.rules if given.act in rule.severity]
    outcomes = tuple(_outcome(rule, policy, given, context, excused) for rule in rules)
    return Decision(
        policy=policy.name,
        policy_digest=str(policy.digest),
        act=given.act,
        repo_id=given.repo_id,
        card_digest=given.card_digest,
        decided_at=given.moment.isoformat(),
        allowed=not any(outcome.effect == "block" for outcome in outcomes),
        outcomes=outcomes,
    )


def _outcome(
    rule: Rule, policy: Policy, given: PolicyInput, context: Context, excused: Callable[[Rule], Waiver | None]
) -> Outcome:
    status, answer = _status(rule, given, context)
    severity = rule.severity[given.act]
    effect = _effect(rule, status, severity, is_broken=answer.kind == "broken")
    waiver = excused(rule) if effect == "block" else None
    value = value_of(rule, given.card, given.files)
    return Outcome(
        rule=rule.id,
        standard=rule.standard,
        status=status,
        severity=severity,
        effect="none" if waiver else effect,
        field=rule.field,
        value=value,
        message=message(rule, policy, status, answer, value),
        waiver=waiver,
    )


def _status(rule: Rule, given: PolicyInput, context: Context) -> tuple[Status, Answer]:
    needed = variables_of(rule.require) | (variables_of(rule.when) if rule.when else frozenset())
    if given.card is None and "card" in needed:
        return "not applicable", Answer("no", "there is no footprint.json")
    applies = evaluate(rule.when, context) if rule.when else Answer("yes")
    if applies.kind == "no":
        return "not applicable", Answer("no", "it is about other models")
    answer = evaluate(rule.require, context) if applies.kind == "yes" else applies
    statuses: dict[str, Status] = {"yes": "pass", "no": "fail", "absent": "decided at push"}
    return statuses.get(answer.kind, "insufficient data"), answer


_ORDER: tuple[Effect, ...] = ("none", "info", "warn", "block")


def _effect(rule: Rule, status: Status, severity: Severity, *, is_broken: bool) -> Effect:
    if status == "fail":
        return severity
    if status != "insufficient data":
        return "none"
    # A rule that cannot be evaluated is a fault of the policy, which must not open what it was to keep shut.
    if rule.missing == "fail" or is_broken:
        return severity
    return "none" if rule.missing == "skip" else min(severity, "warn", key=_ORDER.index)
