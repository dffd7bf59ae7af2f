"""The lineage of a card: what it and the cards that it was made from took, and what was made from it.

    A ─► B ─┐                cumulative of D = D + B + C + A, each once
    └──► C ─┴─► D            induced by A    = B + C + D

A base without a card is unknown, and said to be; it is never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry_core.footprint import Footprint, combined
from registry_core.quantity import Amount, total


@dataclass(frozen=True)
class Node:
    """A card as one step of a lineage.

    `bases` are the digests of the cards of its base models; for a base without a card, its name. The
    footprint is the card's own, of the split that the question is about (`registry_core.footprint.Totals`).
    """

    digest: str
    model: str  # repo id
    footprint: Footprint
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lineage:
    """A card with its ancestors; `cumulative` leaves the unknown ones out, so it is a lower end unless complete."""

    own: Footprint
    cumulative: Footprint
    ancestors: tuple[str, ...]  # digests, in the order of a walk
    unknown: tuple[str, ...]  # bases without a card
    cuts: tuple[str, ...]  # links that were left out, each with its reason

    @property
    def is_complete(self) -> bool:
        return not self.unknown and not self.cuts


@dataclass(frozen=True)
class Induced:
    """What all descendants of a card took; `energy_kwh` is None when there are none with a known energy."""

    energy_kwh: Amount | None
    descendants: tuple[str, ...]
    unknown: tuple[str, ...]  # descendants without a known energy


def lineage(digest: str, nodes: Mapping[str, Node]) -> Lineage:
    """The lineage of the card `digest`, each ancestor once: a merge of two children of one root counts it once.

    `nodes` holds at least the card and all of its ancestors that have a card. A model among its own ancestors,
    which happens when bases are named without a revision, is counted once and the link back is left out.
    """
    ancestors, unknown, cuts = _walk(digest, nodes)
    return Lineage(
        own=nodes[digest].footprint,
        cumulative=combined([nodes[found].footprint for found in (digest, *ancestors)]),
        ancestors=tuple(ancestors),
        unknown=tuple(sorted(unknown)),
        cuts=tuple(cuts),
    )


def _walk(digest: str, nodes: Mapping[str, Node]) -> tuple[list[str], set[str], list[str]]:
    """Ancestors with a card, bases without one, and links that led back, by a walk in depth without recursion."""
    ancestors: list[str] = []
    unknown: set[str] = set()
    cuts: list[str] = []
    seen, open_path = {digest}, {digest}
    stack: list[tuple[str, Iterator[str]]] = [(digest, iter(nodes[digest].bases))]
    while stack:
        child, bases = stack[-1]
        base = next(bases, None)
        if base is None:
            stack.pop()
            open_path.discard(child)
        elif base not in nodes:
            unknown.add(base)
        elif base in open_path:
            cuts.append(f"{child} names {base} as its base, which was made from it; that link is left out.")
        elif base not in seen:
            seen.add(base)
            open_path.add(base)
            ancestors.append(base)
            stack.append((base, iter(nodes[base].bases)))
    return ancestors, unknown, cuts


def root_of(digest: str, nodes: Mapping[str, Node]) -> str:
    """The model, by repo id, at the root of a lineage: the one that its revisions, copies and children share.

    Of several roots, after a merge, it is the one with the larger energy of its own; a root whose energy is
    not known comes after those where it is, and a base without a card is a root only when nothing else is.
    """
    ancestors, unknown, _ = _walk(digest, nodes)
    family = [nodes[found] for found in (digest, *ancestors)]
    roots = [node for node in family if not node.bases]
    if roots:
        return min(roots, key=_by_own_energy).model
    # Without a root of its own the whole lineage rests on bases without a card, or on a circle.
    return min(unknown) if unknown else min(node.model for node in family)


def _by_own_energy(node: Node) -> tuple[float, str]:
    energy = node.footprint.energy_facility_kwh
    return (-energy.value if energy else 1.0, node.model)


def induced(digest: str, nodes: Mapping[str, Node]) -> Induced:
    """What all descendants of the card `digest` took by themselves, each once.

    It stands beside what reuse avoided, so that a rebound is seen. `nodes` holds at least the descendants.
    """
    children: dict[str, list[str]] = {}
    for node in nodes.values():
        for base in node.bases:
            children.setdefault(base, []).append(node.digest)
    found: set[str] = {digest}
    waiting = [digest]
    while waiting:
        new = [child for child in children.get(waiting.pop(), ()) if child not in found]
        found.update(new)
        waiting.extend(new)
    return _induced(sorted(found - {digest}), nodes)


def _induced(descendants: list[str], nodes: Mapping[str, Node]) -> Induced:
    energies = {found: nodes[found].footprint.energy_facility_kwh for found in descendants}
    known = [energy for energy in energies.values() if energy is not None]
    return Induced(
        energy_kwh=total(known) if known else None,
        descendants=tuple(descendants),
        unknown=tuple(found for found, energy in energies.items() if energy is None),
    )
