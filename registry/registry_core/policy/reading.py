"""A policy file, read strictly: all its faults are named at once, and its expressions are compiled.

policy: lab/1.0                 # name/version
extends: publish/1.0            # optional: start from the rules and parameters of another policy
only: [EU-07, MEA-01]           # optional: keep these of its rules
severity: warn                  # optional: give all that it kept this severity
param: {min_evidence: E3}       # overrides, and new ones
rules:
  - id: MEA-01                  # a rule that is there already: what is given here replaces what it says
    severity: {publish: block}
  - id: LAB-01                  # a new rule: everything but `when` is needed
    ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from registry_core import plain_yaml
from registry_core.errors import InvalidPolicy, NotFound
from registry_core.policy import expressions
from registry_core.policy.rules import Act, Missing, Policy, Rule, Severity
from registry_core.strict import Faults, Items, Strict, fault_lines, faults_of

MAX_RULES = 100
MAX_PARAMETERS = 100


def _parameter(value: Any) -> Any:
    """A number, a text, true or false, or a list of texts."""
    is_list = isinstance(value, list | tuple) and len(value) <= 1000 and all(isinstance(item, str) for item in value)
    if is_list:
        return tuple(value)
    if isinstance(value, int) and abs(value) >= 2**53:
        raise ValueError("is a whole number too large for JSON, of which the policy's digest is made")
    if isinstance(value, bool | int | float | str) and len(str(value)) <= 500:
        return value
    raise ValueError("expected a number, a text, true, false, or a list of texts")


def _acts(value: Any) -> Any:
    if isinstance(value, tuple | list) and len(set(map(str, value))) < len(value):
        raise ValueError("names an act twice")
    return value


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}/[0-9][0-9A-Za-z.-]{0,31}$")]
RuleId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,11}-[0-9]{2,3}$")]
Expression = Annotated[str, AfterValidator(expressions.check)]
Words = Annotated[str, Field(min_length=1, max_length=500)]
FieldPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.\[\]-]*$", max_length=200)]
Parameter = Annotated[Any, BeforeValidator(_parameter)]
ParameterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class RuleText(Strict):
    """A rule as it is written: whole, or what it changes of one that was inherited."""

    id: RuleId
    standard: Words | None = None
    on: Annotated[Items[Act], Field(min_length=1), BeforeValidator(_acts)] | None = None
    severity: Severity | dict[Act, Severity] | None = None
    when: Expression | None = None
    require: Expression | None = None
    missing: Missing | None = None
    message: Words | None = None
    field: FieldPath | None = None


class Head(Strict):
    """A policy file without its rules."""

    policy: Name
    title: Words
    extends: Name | None = None
    only: Items[RuleId] | None = None
    severity: Severity | None = None
    param: dict[ParameterName, Parameter] = Field(default={}, max_length=MAX_PARAMETERS)


def parse_policy(data: str | bytes, base_of: Callable[[str], Policy]) -> Policy:
    """The policy that this YAML writes; `base_of` finds what it extends, and raises NotFound for a stranger.

    Raises InvalidPolicy, whose `faults` name every fault at once, each as `place: what is wrong`.
    """
    document = _loaded(data)
    head, faults = _head(document)
    texts, rule_faults = _rule_texts(document.get("rules", []))
    base, base_faults = _base(head, base_of)
    kept = {rule.id: rule for rule in base.rules if head.only is None or rule.id in head.only} if base else {}
    param = {**(base.param if base else {}), **head.param}
    faults |= rule_faults | base_faults | _only_faults(head, base, kept) | _param_faults(param)
    rules = {id_: _with_severity(rule, head.severity) for id_, rule in kept.items()}
    for number, text in texts.items():
        rule, found = _merged(text, rules.get(text.id), param)
        faults |= {f"rules[{number}].{name}": fault for name, fault in found.items()}
        if rule is not None:
            rules[rule.id] = rule
    if not rules and not faults:
        faults["rules"] = "is empty, and nothing is inherited"
    if faults:
        raise _invalid(faults)
    return Policy(head.policy, head.title, param, tuple(rules.values()))


def _loaded(data: str | bytes) -> dict[str, Any]:
    try:
        document = plain_yaml.load(data if isinstance(data, str) else data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _invalid({"": "is not UTF-8 text"}) from error
    except plain_yaml.YamlFault as error:
        raise _invalid({"": str(error)}) from error
    if not isinstance(document, dict):
        raise _invalid({"": "is not a map of names to values"})
    return document


def _head(document: Mapping[str, Any]) -> tuple[Head, Faults]:
    """What stands above the rules; in place of what is faulty nothing, so that the rest can be looked at, too."""
    given = {name: value for name, value in document.items() if name != "rules"}
    try:
        return Head.model_validate(given), {}
    except ValidationError as error:
        faults = faults_of(error)
        faulty = {fault["loc"][0] for fault in error.errors()}  # not read from the places: a name may hold a dot
    sound = {name: value for name, value in given.items() if name not in faulty}
    return Head.model_validate({"policy": "faulty/0", "title": "faulty", **sound}), faults


def _rule_texts(listed: Any) -> tuple[dict[int, RuleText], Faults]:
    """The rules that are well formed, by their number, and what is wrong with the others."""
    if not isinstance(listed, list) or len(listed) > MAX_RULES:
        return {}, {"rules": f"expected a list of at most {MAX_RULES} rules"}
    texts: dict[int, RuleText] = {}
    faults: Faults = {}
    for number, rule in enumerate(listed):
        try:
            text = RuleText.model_validate(rule)
        except ValidationError as error:
            found = faults_of(error).items()
            faults |= {f"rules[{number}].{place}".removesuffix("."): fault for place, fault in found}
            continue
        if any(text.id == other.id for other in texts.values()):
            faults[f"rules[{number}].id"] = f"names {text.id} a second time"
        texts[number] = text
    return texts, faults


def _base(head: Head, base_of: Callable[[str], Policy]) -> tuple[Policy | None, Faults]:
    if head.extends is None:
        return None, {name: "needs extends" for name in ("only", "severity") if getattr(head, name) is not None}
    try:
        return base_of(head.extends), {}
    except NotFound as error:
        return None, {"extends": error.message}


def _only_faults(head: Head, base: Policy | None, kept: Mapping[str, Rule]) -> Faults:
    if base is None:
        return {}
    return {f"only[{i}]": f"{id_} is not in {base.name}" for i, id_ in enumerate(head.only or ()) if id_ not in kept}


def _with_severity(rule: Rule, severity: Severity | None) -> Rule:
    if severity is None:
        return rule
    return Rule(**{**_fields(rule), "severity": dict.fromkeys(rule.severity, severity)})


_NEEDED = ("standard", "on", "severity", "require", "message", "field")


def _merged(text: RuleText, inherited: Rule | None, param: Mapping[str, Any]) -> tuple[Rule | None, Faults]:
    """The rule, or why there is none."""
    if inherited is None and (lacking := [name for name in _NEEDED if getattr(text, name) is None]):
        return None, dict.fromkeys(lacking, f"is required: {text.id} is a new rule")
    severity = _severities(text, inherited)
    if isinstance(severity, str):
        return None, {"severity": severity}
    unknown = sorted(set(re.findall(r"\{param\.(\w+)\}", text.message or "")) - param.keys())
    if unknown:
        return None, {"message": f"names the parameter {unknown[0]}, which is not given"}
    given = {name: getattr(text, name) for name in ("standard", "when", "require", "missing", "message", "field")}
    kept = _fields(inherited) if inherited else {"id": text.id, "when": None, "missing": "fail"}
    changed = {name: value for name, value in given.items() if value is not None}
    return Rule(**{**kept, **changed, "severity": severity}), {}


def _severities(text: RuleText, inherited: Rule | None) -> dict[Act, Severity] | str:
    """One severity for each act, or what is wrong with them."""
    before = dict(inherited.severity) if inherited else {}
    acts = text.on if text.on is not None else tuple(before)
    if text.severity is None:
        given = before
    elif isinstance(text.severity, str):
        given = dict.fromkeys(acts, text.severity)
    else:
        given = {**before, **text.severity}
        if strangers := [act for act in text.severity if act not in acts]:
            return f"names {strangers[0]}, which is not in `on`"
    lacking = [act for act in acts if act not in given]
    return f"says nothing of {lacking[0]}, which is in `on`" if lacking else {act: given[act] for act in acts}


def _param_faults(param: Mapping[str, Any]) -> Faults:
    """Parameters that the shipped rules and the budget read have a kind of their own."""
    faults: Faults = {}
    for name, value in param.items():
        if name in _LISTS and not isinstance(value, tuple):
            faults[f"param.{name}"] = "expected a list of texts"
        if name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            faults[f"param.{name}"] = f"expected a number that is not negative, got {value!r:.80}"
        if name in _CHOICES and value not in _CHOICES[name]:
            faults[f"param.{name}"] = f"expected {', '.join(_CHOICES[name])}, got {value!r:.80}"
    return faults


_LISTS = ("allowed_licences",)
_NUMBERS = (
    "budget_tco2e max_age max_over_estimate max_tco2e min_rate min_retention min_words max_words rerun_days"
).split()
_CHOICES = {"min_evidence": ("E0", "E1", "E2", "E3", "E4"), "budget_period": ("month", "quarter", "year")}


def _fields(rule: Rule) -> dict[str, Any]:
    return asdict(rule)


def _invalid(faults: Faults) -> InvalidPolicy:
    lines = fault_lines(faults)
    return InvalidPolicy(
        f"The policy has {len(lines)} fault{'s' if len(lines) > 1 else ''}.",
        hint="Correct the file and check it again; docs/policy.md describes it.",
        faults=lines,
    )
