"""The ancestors of a model as a tree for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry_core.records import Lineage, Relative


@dataclass(frozen=True)
class Branch:
    """A base model and what it was made from itself; one that comes up again has its branches where it came first."""

    id: str
    relative: Relative | None  # None: no card of it is known
    is_again: bool
    branches: list[Branch]


def pedigree(lineage: Lineage) -> list[Branch]:
    """What a model was made from, and that in turn."""
    known = {relative.id.lower(): relative for relative in lineage.ancestors}
    return _branches(lineage.bases, known, {lineage.id.lower()})


def _branches(bases: Sequence[str], known: dict[str, Relative], seen: set[str]) -> list[Branch]:
    found = []
    for base in bases:
        is_again = base.lower() in seen
        seen.add(base.lower())
        relative = known.get(base.lower())
        below = _branches(relative.bases, known, seen) if relative and not is_again else []
        found.append(Branch(relative.id if relative else base, relative, is_again, below))
    return found
