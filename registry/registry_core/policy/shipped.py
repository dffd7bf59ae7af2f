"""The policies that come with the package: the catalogue `rules`, and `minimal`, `publish` and `open-lab`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from registry_core.errors import NotFound
from registry_core.policy.reading import parse_policy
from registry_core.policy.rules import Policy

SHIPPED = ("minimal", "publish", "open-lab", "rules")


@cache
def shipped_policy(name: str) -> Policy:
    """The shipped policy of this name, with or without its version. Raises NotFound."""
    plain, _, version = name.partition("/")
    if plain in SHIPPED:
        path = files("registry_core") / "data" / "policies" / f"{plain}.yaml"
        policy = parse_policy(path.read_text(encoding="utf-8"), shipped_policy)
        if version in ("", policy.name.partition("/")[2]):
            return policy
    raise NotFound(
        f"There is no shipped policy {name[:80]!r}.",
        hint=f"There are {', '.join(SHIPPED)}; see `registry policy list`.",
    )
