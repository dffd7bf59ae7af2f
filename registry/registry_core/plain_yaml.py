"""YAML that people write by hand, read into what JSON has, and written back.

Texts, numbers, true, false, null, lists, and maps whose keys are texts. Dates stay the texts they were
written as, and only `true` and `false` are truth values, so that `language: no` stays Norwegian. Aliases and
tags are refused: nobody needs them here, and a few hundred bytes of aliases can grow into gigabytes.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    # The same class in C, ten times as fast, where PyYAML was built with it.
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40


class YamlFault(ValueError):
    """The text cannot be read; the message says why, and where it can, on which line and column."""


def load(text: str, *, first_line: int = 1) -> Any:
    """The JSON that `text` writes, whose first line has the number `first_line`. Raises YamlFault."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise YamlFault(f"longer than {MAX_BYTES} bytes")
    try:
        _refuse_risky(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506, a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise YamlFault(_explained(error, first_line)) from error


def dump(value: Any) -> str:
    """JSON as YAML that `load` reads back; keys are sorted, so that equal values are equal texts."""
    return str(yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=True, width=1000))


def _refuse_risky(text: str) -> None:
    """Refuses what must not even be built: the events come one by one and build nothing."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _at(event, "anchors and aliases (& and *) are not read here")
        if getattr(event, "tag", None):
            raise _at(event, "tags (!) are not read here")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _at(event, f"nested more than {MAX_DEPTH} levels deep")


def _at(place: Any, problem: str) -> yaml.MarkedYAMLError:
    """The fault of an event or a node."""
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


def _explained(error: Exception, first_line: int) -> str:
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, yaml.MarkedYAMLError) and mark:
        return f"line {mark.line + first_line}, column {mark.column + 1}: {error.problem}"
    # Without a place: characters that YAML does not have.
    return str(getattr(error, "reason", error))


class _Loader(SafeLoader):
    """Builds JSON and nothing else; a key given twice is a fault."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            shown = repr(key.value)[:80]
            if key.tag != "tag:yaml.org,2002:str":
                raise _at(key, f"the key {shown} is not a text; put it in quotes")
            if key.value in seen:
                raise _at(key, f"the key {shown} is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        number = float(node.value)
        if not math.isfinite(number):
            raise _at(node, f"{node.value[:80]!r} is too large a number")
        return number

    def construct_int(self, node: yaml.ScalarNode) -> int | str:
        # An unquoted commit id may be all digits; a number that anyone counts with is shorter.
        return int(node.value) if len(node.value.lstrip("+-")) < 20 else str(node.value)


class _Dumper(yaml.SafeDumper):  # the one in C turns emoji into escapes
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002, the library asks with it
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # Only double quotes keep these line ends from being folded into spaces.
        style = '"' if re.search("[\x85\u2028\u2029]", text) else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


# Which unquoted words and digits are no texts. YAML 1.1 has more of them, and each has surprised somebody: no,
# 010, 1:30, 1_000. An exponent needs its sign, or some commit ids would be numbers.
_PLAIN = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    "float": (
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+][0-9]+)",
        [*"-+.0123456789"],
    ),
}
_Loader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _first) in _PLAIN.items():
    for _class in (_Loader, _Dumper):  # the dumper quotes the texts that look so
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_pattern})\\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_float)
_Dumper.add_representer(str, _Dumper.represent_text)
