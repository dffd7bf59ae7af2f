"""What a policy is once it has been read: its rules, its parameters, and a digest that names it exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import rfc8785

from registry_core.ids import Digest

Act = Literal["push", "publish", "pull", "promote"]
Severity = Literal["block", "warn", "info"]
Missing = Literal["fail", "warn", "skip"]
"""What not knowing enough comes to: the same as failing, a warning at most, or nothing."""
Status = Literal["pass", "fail", "insufficient data", "not applicable", "decided at push"]
Effect = Literal["none", "info", "warn", "block"]
Period = Literal["month", "quarter", "year"]


@dataclass(frozen=True)
class Rule:
    """One requirement. `when` and `require` are checked CEL expressions."""

    id: str
    standard: str  # that asks for it, for people
    severity: Mapping[Act, Severity]  # for every act that the rule is about
    when: str | None  # the rule applies; None: always
    require: str  # what must hold
    missing: Missing
    message: str  # what is required and what to do, for people; {value} and {param.NAME} are filled in
    field: str  # the place in the card that a refusal names, such as phases[].pue

    @property
    def blocks(self) -> bool:
        return "block" in self.severity.values()


@dataclass(frozen=True)
class Policy:
    """A complete set of rules: what `extends` named is in it."""

    name: str  # name/version
    title: str
    param: Mapping[str, Any]
    rules: tuple[Rule, ...]

    @property
    def digest(self) -> Digest:
        """SHA-256 of the policy as canonical JSON (RFC 8785): of everything that enters a decision."""
        return Digest(hashlib.sha256(rfc8785.dumps(policy_document(self))).hexdigest())

    def budget_start(self, moment: datetime) -> datetime | None:
        """When the running period of the organisation's budget began; None when there is no such budget."""
        if "budget_tco2e" not in self.param:
            return None
        months: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}
        length = months[self.param.get("budget_period", "year")]
        month = (moment.month - 1) // length * length + 1
        return moment.replace(month=month, day=1, hour=0, minute=0, second=0, microsecond=0)


def policy_document(policy: Policy) -> dict[str, Any]:
    """The policy as plain JSON values, with everything it inherited."""
    rules = [{key: value for key, value in asdict(rule).items() if value is not None} for rule in policy.rules]
    return {"policy": policy.name, "title": policy.title, "param": _plain(policy.param), "rules": rules}


def _plain(param: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in param.items()}
