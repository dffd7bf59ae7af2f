"""The conditions of a policy, in CEL: checked when a policy is read, evaluated against facts.

CEL itself has no loops and no recursion. What could still take long, or much memory, is refused at reading:
long expressions, one comprehension inside another, and `map` and `filter`, which build lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from registry_core.errors import Refused
from registry_core.policy.licences import licence_allowed

if TYPE_CHECKING:
    from cel import Context, Program

VARIABLES = ("card", "files", "parent", "group", "registry", "param")
MAX_EXPRESSION = 600
MAX_COMPREHENSIONS = 4
MAX_ITEMS = 1000

_FUNCTIONS = frozenset("size contains startsWith endsWith matches double int string timestamp licence_allowed".split())
_OPERATORS = re.compile(r"[-!_]+.*_?|@in|@not_strictly_false")
_TEXTS = re.compile(
    r"""(?xs)
    (?:[bB]?[rR]|[rR][bB])(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|"[^"\n]*")  # raw: a backslash is a letter
    | '''(?:\\.|[^\\])*?''' | \"\"\"(?:\\.|[^\\])*?\"\"\" | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*"
    | //[^\n]*
    """
)
_MACRO = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(\s*(\w*)|[()]")


@dataclass(frozen=True)
class Answer:
    """What an expression says: `missing` when a fact that it needs is not there, `absent` when a whole
    variable is not known here, `broken` when it does not fit the facts, with the reason in `detail`."""

    kind: Literal["yes", "no", "missing", "absent", "broken"]
    detail: str = ""


def check(text: str) -> str:
    """`text`, when it can be a condition of a rule. Raises ValueError with what is wrong."""
    if len(text) > MAX_EXPRESSION:
        raise ValueError(f"is longer than {MAX_EXPRESSION} characters")
    bound = _check_comprehensions(_TEXTS.sub("''", text))
    program = _compiled(text)
    unknown = set(program.variables()) - bound - set(VARIABLES)
    if unknown:
        raise ValueError(f"names the unknown {_listed(unknown)}; there are {', '.join(VARIABLES)}")
    called = {name for name in program.functions() if not _OPERATORS.fullmatch(name)} - _FUNCTIONS
    if called:
        raise ValueError(f"calls the unknown {_listed(called)}; there are has, {', '.join(sorted(_FUNCTIONS))}")
    return text


def context_of(variables: Mapping[str, Any]) -> Context:
    """The facts as CEL wants them, converted once for all rules: every number is a double, and what is None
    is left out. Raises Refused for a list that is too long to judge."""
    from cel import Context

    known = {name: value for name, value in variables.items() if value is not None}
    return Context({name: _plain(value, name) for name, value in known.items()}, {"licence_allowed": licence_allowed})


def evaluate(text: str, context: Context) -> Answer:
    """What a checked expression says of the facts in `context`."""
    program = _compiled(text)
    try:
        result = program.execute(context)
    except (KeyError, IndexError) as error:
        return Answer("missing", str(error).strip("'"))
    except RuntimeError as error:
        absent = [name for name in program.variables() if name in VARIABLES and name not in context.variables]
        return Answer("absent", absent[0]) if absent else Answer("broken", _first_line(error))
    except (TypeError, ValueError, ArithmeticError) as error:
        return Answer("broken", _first_line(error))
    if not isinstance(result, bool):
        return Answer("broken", f"it gives {str(result)[:80]!r}, which is neither true nor false")
    return Answer("yes" if result else "no")


def variables_of(text: str) -> frozenset[str]:
    """The variables that an expression looks at."""
    return frozenset(_compiled(text).variables()) & frozenset(VARIABLES)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Program:
    import cel

    try:
        return cel.compile(text)
    except ValueError as error:
        raise ValueError(f"is not CEL: {_first_line(error).rpartition('ERROR: ')[2]}") from error


def _check_comprehensions(text: str) -> set[str]:
    """The variables that comprehensions bind; ValueError for what could take long."""
    bound: set[str] = set()
    depth, inside_since, count = 0, None, 0
    for found in _MACRO.finditer(text):
        depth += -1 if found[0] == ")" else 1
        if inside_since is not None and depth < inside_since:
            inside_since = None
        if found[1] is None:
            continue
        if found[1] in ("map", "filter"):
            raise ValueError(f"uses {found[1]}, which is not allowed; all, exists and exists_one are")
        if inside_since is not None:
            raise ValueError("has one comprehension inside another, which is not allowed")
        count, inside_since = count + 1, depth
        bound.add(found[2])
    if count > MAX_COMPREHENSIONS:
        raise ValueError(f"has more than {MAX_COMPREHENSIONS} comprehensions")
    return bound


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(child, f"{place}.{key}") for key, child in value.items() if child is not None}
    if isinstance(value, (list, tuple)):
        if len(value) > MAX_ITEMS:
            raise Refused(
                f"{place} has {len(value)} items; a policy judges lists of up to {MAX_ITEMS}.",
                hint="Give the card fewer, for example one phase for equal runs.",
            )
        return [_plain(child, place) for child in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(name[:40] for name in names))


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return next((line for line in lines if "ERROR" in line), lines[0] if lines else "")[:200]
