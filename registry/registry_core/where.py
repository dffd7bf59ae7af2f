"""The language of `--where`: conditions on what the catalog knows of a model.

    energy_kwh < 0.5 and accuracy >= 0.9
    task in ("text-classification", "fill-mask") and not license == "other"
    0.8 <= metric("rouge-l") < 1

A name is one of `COLUMNS`; every other name means a metric, which is a number. A name stands on one side of a
comparison and a literal on the other. A model that lacks a number, or a text, matches no comparison with it,
and no `not` of one either: conditions are true, false or unknown, as in SQL, and only what is true matches.
"""

from __future__ import annotations

import ast
import math
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from registry_core.errors import InvalidWhere

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Value = int | float | str

COLUMNS: dict[str, type[float] | type[str]] = {
    **dict.fromkeys(
        ("energy_kwh", "co2e_kg", "water_litres", "cost", "duration_seconds", "parameters", "size_bytes"),
        float,
    ),
    **dict.fromkeys(("task", "library", "license", "author", "currency"), str),
}
"""The names that are no metrics, and whether they hold numbers (`float`, which an int is too) or texts."""

SHORT_NAMES = {
    "energy": "energy_kwh",
    "co2e": "co2e_kg",
    "water": "water_litres",
    "duration": "duration_seconds",
    "size": "size_bytes",
}
"""What people call a column when its unit does not matter, as in sorting. A condition has to say the unit."""

MAX_CHARACTERS = 1000
MAX_COMPARISONS = 50
MAX_DEPTH = 20
MAX_NAME_CHARACTERS = 200

# CPython 3.11 counts the depth of a syntax tree for all threads together: two parses at once may end in SystemError.
_parsing = threading.Lock()
_EXAMPLE = 'Write for example: energy_kwh < 0.5 and task == "text-classification" and metric("rouge-l") >= 0.4'
# Keeps out what Python would read, too: escapes, comments, f-strings, `:=`, 0x1f, 1and. Some make it warn.
_TOKENS = re.compile(
    r"""(?:[ \t]++ | [A-Za-z_][A-Za-z0-9_]*+(?!["'])
         | (?:[0-9][0-9_]*+\.?[0-9_]*+ | \.[0-9][0-9_]*+)(?:[eE][+-]?[0-9]++)?(?![\w.])
         | "[^"\\\x00-\x1f]*+" | '[^'\\\x00-\x1f]*+' | [<>=!]=? | [(),-])*+""",
    re.VERBOSE,
)
_OPERATORS: dict[type[ast.cmpop], Operator] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_MIRRORED: dict[Operator, Operator] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Comparison:
    name: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class In:
    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class And:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    conditions: tuple[Condition, ...]


Condition = Comparison | In | Not | And | Or


def parse_where(text: str) -> Condition:
    """The condition that `text` writes in at most 1000 characters and 50 comparisons. Raises InvalidWhere."""
    text = text.strip()
    if not text or len(text) > MAX_CHARACTERS:
        raise InvalidWhere(f"A condition has 1 to {MAX_CHARACTERS} characters, not {len(text)}.", hint=_EXAMPLE)
    tokens = _TOKENS.match(text)
    read = tokens.end() if tokens else 0
    if read < len(text):
        raise _fault(text, read, "this is not part of the language")
    condition = _Reader(text).condition(_python(text), 0)
    if sum(1 for _ in _leaves(condition)) > MAX_COMPARISONS:
        raise InvalidWhere(f"A condition has at most {MAX_COMPARISONS} comparisons.", hint="Ask in several steps.")
    return condition


def evaluate(condition: Condition, value_of: Callable[[str], Value | None]) -> bool | None:
    """Whether the condition holds for the values that `value_of` gives by name; None when it cannot be known.

    This is what the words mean; a catalog must find exactly the models for which this is True.
    """
    match condition:
        case Not(inner):
            known = evaluate(inner, value_of)
            return None if known is None else not known
        case And(conditions):
            answers = [evaluate(one, value_of) for one in conditions]
            return False if False in answers else None if None in answers else True
        case Or(conditions):
            answers = [evaluate(one, value_of) for one in conditions]
            return True if True in answers else None if None in answers else False
        case _:
            value = value_of(condition.name)
            return None if value is None else _holds(condition, value)


def names(condition: Condition) -> set[str]:
    """The columns and metrics that the condition asks for."""
    return {leaf.name for leaf in _leaves(condition)}


def _holds(leaf: Comparison | In, value: Value) -> bool:
    if isinstance(leaf, In):
        return value in leaf.values
    if leaf.operator == "==":
        return value == leaf.value
    if leaf.operator == "!=":
        return value != leaf.value
    assert not isinstance(value, str)
    assert not isinstance(leaf.value, str)
    larger = value > leaf.value if ">" in leaf.operator else value < leaf.value
    return larger or ("=" in leaf.operator and value == leaf.value)


def _leaves(condition: Condition) -> Iterator[Comparison | In]:
    match condition:
        case Not(inner):
            yield from _leaves(inner)
        case And(conditions) | Or(conditions):
            for one in conditions:
                yield from _leaves(one)
        case _:
            yield condition


def _python(text: str) -> ast.expr:
    try:
        with _parsing:
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        # An offset of 0 means that the text ended too early.
        raise _fault(text, error.offset - 1 if error.offset else len(text), error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InvalidWhere(
            "The condition cannot be read: it is nested too deeply, or not Unicode.", hint=_EXAMPLE
        ) from error


def _fault(text: str, position: int, what: str) -> InvalidWhere:
    rest = text[position : position + 20]
    where = f"at character {position + 1}, near {rest!r}" if rest else "at its end"
    return InvalidWhere(f"The condition cannot be read {where}: {what}.", hint=_EXAMPLE)


class _Reader:
    """Turns the few shapes of Python's syntax tree that the language has into conditions."""

    def __init__(self, text: str) -> None:
        self.text = text

    def condition(self, node: ast.expr, depth: int) -> Condition:
        if depth >= MAX_DEPTH:
            raise self.fault(node, f"conditions nest at most {MAX_DEPTH} levels deep")
        match node:
            case ast.BoolOp(op, values):
                conditions = tuple(self.condition(value, depth + 1) for value in values)
                return And(conditions) if isinstance(op, ast.And) else Or(conditions)
            case ast.UnaryOp(ast.Not(), operand):
                return Not(self.condition(operand, depth + 1))
            case ast.Compare():
                return self.comparisons(node)
        raise self.fault(node, "a condition compares a name with a number or a text")

    def comparisons(self, node: ast.Compare) -> Condition:
        """`0.9 <= accuracy < 1` says two things: each neighbour pair is a comparison of its own."""
        pairs = zip(pairwise([node.left, *node.comparators]), node.ops, strict=True)
        found = tuple(self.comparison(left, operator, right) for (left, right), operator in pairs)
        return found[0] if len(found) == 1 else And(found)

    def comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Condition:
        if isinstance(operator, ast.In | ast.NotIn):
            inside = self.inside(left, right)
            return inside if isinstance(operator, ast.In) else Not(inside)
        sign = _OPERATORS.get(type(operator))
        if sign is None:
            raise self.fault(left, "compare by < <= > >= == != or in")
        if _is_literal(left):
            left, right, sign = right, left, _MIRRORED[sign]
        name = self.name(left)
        value = self.value(name, right)
        if isinstance(value, str) and sign not in ("==", "!="):
            # Which text comes first depends on the database, so nobody gets to ask.
            raise self.fault(left, f"{name} is a text, and texts are compared by ==, != or in")
        return Comparison(name, sign, value)

    def inside(self, left: ast.expr, right: ast.expr) -> In:
        name = self.name(left)
        nodes = right.elts if isinstance(right, ast.Tuple) else [right]
        if not nodes:
            raise self.fault(right, f"name at least one value that {name} may have")
        return In(name, tuple(self.value(name, node) for node in nodes))

    def name(self, node: ast.expr) -> str:
        match node:
            case ast.Name(name):
                if name in SHORT_NAMES:
                    raise self.fault(node, f"write {SHORT_NAMES[name]}, which says the unit")
                return name
            case ast.Call(ast.Name("metric"), [ast.Constant(str() as name)], []):
                if not is_metric_name(name):
                    raise self.fault(node, "this cannot be the name of a metric")
                return name
        raise self.fault(node, "here a name should stand, and a number or a text on the other side")

    def value(self, name: str, node: ast.expr) -> Value:
        value = self.literal(node)
        if isinstance(value, str) != (COLUMNS.get(name, float) is str):
            kind, given = ("number", "text") if isinstance(value, str) else ("text", "number")
            raise self.fault(node, f"{name} is a {kind} and cannot be compared with a {given}")
        return value

    def literal(self, node: ast.expr) -> Value:
        match node:
            case ast.UnaryOp(ast.USub(), ast.Constant(bool())):
                pass
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as number)):
                return self.bounded(node, -number)
            case ast.Constant(str() as text):
                return text
            case ast.Constant(int() | float() as number) if not isinstance(number, bool):
                return self.bounded(node, number)
        raise self.fault(node, "here a number or a text in quotes should stand")

    def bounded(self, node: ast.expr, number: int | float) -> int | float:
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise self.fault(node, "whole numbers have at most 63 bits")
        if not math.isfinite(number):
            raise self.fault(node, "this number is too large")
        return number

    def fault(self, node: ast.expr, what: str) -> InvalidWhere:
        # Python counts bytes where people count characters.
        return _fault(self.text, len(self.text.encode()[: node.col_offset].decode()), what)


def is_metric_name(text: str) -> bool:
    """Whether a metric may be called so: printable, at most 200 characters, and not the name of a column."""
    return 0 < len(text) <= MAX_NAME_CHARACTERS and text.isprintable() and text.strip() == text and text not in COLUMNS


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub))
