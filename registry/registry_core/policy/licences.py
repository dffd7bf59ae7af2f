"""Whether a licence is allowed, and whether a model may carry it that was made from another.

This is a coarse aid for SPDX expressions, and no legal advice: it knows a few families of licences, and says
when it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

ANY = "*"
"""In an allow list: any licence."""

_PERMISSIVE = frozenset(
    "0BSD AFL-3.0 Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 CC-BY-2.0 CC-BY-2.5"
    " CC-BY-3.0 CC-BY-4.0 CC0-1.0 CDLA-Permissive-1.0 CDLA-Permissive-2.0 ECL-2.0 ISC MIT MIT-0 MS-PL NCSA ODC-By-1.0"
    " PDDL-1.0 PostgreSQL Unlicense UPL-1.0 WTFPL Zlib".split()
)
_SHARE_ALIKE = {
    # licence of the base -> licences that a model made from it may carry, besides the same one
    "LGPL-2.1-only": "GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later",
    "LGPL-2.1-or-later": "LGPL-3.0-only LGPL-3.0-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later",
    "LGPL-3.0-only": "GPL-3.0-only GPL-3.0-or-later AGPL-3.0-only AGPL-3.0-or-later",
    "LGPL-3.0-or-later": "LGPL-3.0-only GPL-3.0-only GPL-3.0-or-later AGPL-3.0-only AGPL-3.0-or-later",
    "GPL-2.0-only": "",
    "GPL-2.0-or-later": "GPL-2.0-only GPL-3.0-only GPL-3.0-or-later AGPL-3.0-only AGPL-3.0-or-later",
    "GPL-3.0-only": "AGPL-3.0-only",
    "GPL-3.0-or-later": "GPL-3.0-only AGPL-3.0-only AGPL-3.0-or-later",
    "AGPL-3.0-only": "",
    "AGPL-3.0-or-later": "AGPL-3.0-only",
    "MPL-2.0": "LGPL-2.1-or-later LGPL-3.0-or-later GPL-2.0-or-later GPL-3.0-or-later AGPL-3.0-or-later",
    "EPL-2.0": "",
    "EUPL-1.2": "GPL-2.0-only GPL-3.0-only AGPL-3.0-only MPL-2.0 EPL-2.0",
    "CC-BY-SA-4.0": "GPL-3.0-only GPL-3.0-or-later",
    "CC-BY-SA-3.0": "CC-BY-SA-4.0",
    "CC-BY-NC-SA-4.0": "",
    "CC-BY-NC-SA-3.0": "CC-BY-NC-SA-4.0",
    "ODbL-1.0": "",
}
_NON_COMMERCIAL = frozenset("CC-BY-NC-2.0 CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0".split())
_NO_DERIVATIVES = frozenset("CC-BY-ND-3.0 CC-BY-ND-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0".split())


def licence_allowed(expression: str, allowed: Sequence[str]) -> bool:
    """Whether one of the choices that `expression` leaves needs only licences of the list; `*` allows any."""
    if ANY in allowed:
        return True
    known = {str(name).lower() for name in allowed}
    choices = _choices(str(expression))
    return bool(choices) and any(all(name.lower() in known for name in choice) for choice in choices)


def licence_compatible(expression: str, base: str) -> bool | None:
    """Whether a model under `expression` may be made from one under `base`; None when that is not known."""
    if expression.strip().lower() == base.strip().lower():
        return not any(name in _NO_DERIVATIVES for choice in _choices(base) for name in choice)
    verdicts = [_choice_compatible(mine, theirs) for mine in _choices(expression) for theirs in _choices(base)]
    if True in verdicts:
        return True
    return None if None in verdicts or not verdicts else False


def _choice_compatible(mine: frozenset[str], theirs: frozenset[str]) -> bool | None:
    """Every licence that the base asks for is met by what the model carries."""
    verdicts = [_licence_met(mine, name) for name in theirs]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _licence_met(mine: frozenset[str], base: str) -> bool | None:
    if base in _NO_DERIVATIVES:
        return False
    if base in _PERMISSIVE or base in mine:
        return True
    following = _SHARE_ALIKE.get(base)
    if following is not None:
        return any(name in following.split() for name in mine) or _unless_unknown(mine)
    if base in _NON_COMMERCIAL:
        return bool(mine & _NON_COMMERCIAL) or _unless_unknown(mine)
    return None


def _unless_unknown(mine: frozenset[str]) -> bool | None:
    """A licence that is not in these tables may be compatible after all."""
    known = _PERMISSIVE | _NON_COMMERCIAL | _NO_DERIVATIVES | _SHARE_ALIKE.keys()
    return False if mine <= known else None


def _choices(expression: str) -> list[frozenset[str]]:
    """The sets of licences that would do, one for each choice; empty when the text cannot be read."""
    if expression.strip().lower() == "other":
        return [frozenset({"other"})]
    try:
        from license_expression import Licensing

        tree = Licensing().parse(expression)
        return _expanded(tree)
    except Exception:  # the parser's faults have no common class below Exception
        return []


def _expanded(tree: Any) -> list[frozenset[str]]:
    """OR adds choices; AND takes one of each part."""
    kind = type(tree).__name__
    if kind == "OR":
        return [choice for part in tree.args for choice in _expanded(part)][:256]
    if kind == "AND":
        combined = [frozenset[str]()]
        for part in tree.args:
            combined = [left | right for left in combined for right in _expanded(part)][:256]
        return combined
    return [frozenset({_canonical(tree.render())})]


def _canonical(name: str) -> str:
    """The SPDX spelling, which is compared without regard to case."""
    return _SPELLING.get(name.lower(), name)


_SPELLING = {name.lower(): name for name in (*_PERMISSIVE, *_SHARE_ALIKE, *_NON_COMMERCIAL, *_NO_DERIVATIVES)}
