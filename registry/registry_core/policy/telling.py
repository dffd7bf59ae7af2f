"""The words of a decision: what is required, where it stands in the card, and what stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from registry_core.policy.expressions import Answer
from registry_core.policy.facts import Facts
from registry_core.policy.rules import Policy, Rule, Status

_SHOWN_VALUES = 5
_SHOWN_LETTERS = 120
_KNOWN_BY_THE_SERVER = {
    "parent": "the parent's card",
    "group": "the comparison group",
    "registry": "what else is in the registry",
}
_PLACEHOLDER = re.compile(r"\{(?:param\.([a-z0-9_]+)|value)\}")


def message(rule: Rule, policy: Policy, status: Status, answer: Answer, value: str | None) -> str:
    """What one rule came to, so that whoever reads nothing else knows what to do."""
    required = _filled(rule.message, policy, value)
    if status == "pass":
        return "Met."
    if status == "fail":
        return f"{required} {rule.field} is {'not given' if value is None else value}."
    if status == "not applicable":
        return f"Not applicable: {answer.detail}."
    if status == "decided at push":
        return f"Decided at push: only the server knows {_KNOWN_BY_THE_SERVER[answer.detail]}."
    if answer.kind == "broken":
        return f"{required} The rule does not fit what it looks at: {answer.detail}"
    return f"{required} {_lacking(rule.field, answer.detail)} is not given."


def value_of(rule: Rule, card: Facts | None, files: Facts) -> str | None:
    """What stands at the rule's field: of a list the different values, joined; None when nothing does."""
    root = files if rule.field.startswith("files.") else card
    found = _at(root, rule.field.removeprefix("files."))
    shown = list(dict.fromkeys(_shown(value) for value in found if value is not None))
    more = [f"and {len(shown) - _SHOWN_VALUES} more"] if len(shown) > _SHOWN_VALUES else []
    return ", ".join([*shown[:_SHOWN_VALUES], *more]) or None


def _lacking(field: str, key: str) -> str:
    """The field up to the key that is missing; the key alone when it is elsewhere."""
    found = re.search(rf"(?:^|\.){re.escape(key)}(?=$|[.\[])", field)
    return field[: found.end()] if found else key


def _filled(text: str, policy: Policy, value: str | None) -> str:
    def words(found: re.Match[str]) -> str:
        return _shown(policy.param.get(found[1])) if found[1] else (value or "nothing")

    return _PLACEHOLDER.sub(words, text)


def _at(value: Any, path: str) -> list[Any]:
    if not path:
        return list(value) if isinstance(value, list | tuple) else [value]
    if not isinstance(value, Mapping):
        return []
    if path.startswith("narrative."):  # whose ids have dots of their own
        return [value.get("narrative", {}).get(path.removeprefix("narrative."))]
    name, _, rest = path.partition(".")
    child = value.get(name.removesuffix("[]"))
    if name.endswith("[]"):
        return [found for item in child or () for found in _at(item, rest)]
    return _at(child, rest)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return _shown(value["value"]) if "value" in value else "given"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[: _SHOWN_LETTERS - 3]}..."
