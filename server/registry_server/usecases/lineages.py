"""Where a model comes from and what came of it, as far as the caller may see: cards followed through their bases."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from registry_core.card import BaseModelUsed, Card, card_digest
from registry_core.errors import InvalidName, InvalidRevision, RevisionNotFound
from registry_core.footprint import totals
from registry_core.ids import CommitId, RepoId, Revision
from registry_core.lineage import Node
from registry_server.catalog import bases, repos
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import reading
from registry_server.usecases.cards import card_of
from registry_server.usecases.context import Registry

MOST_RELATIVES = 200
"""How many cards are followed in each direction; a longer lineage is cut there, and says so."""

MAIN = Revision("main")


@dataclass(frozen=True)
class Relative:
    """A model at the commit whose card is counted."""

    repo: Repo
    commit: CommitId
    card: Card

    @cached_property
    def digest(self) -> str:
        return str(card_digest(self.card))


@dataclass
class Family:
    """Models and how they are related, by the digest of their cards."""

    relatives: dict[str, Relative] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    is_cut: bool = False
    bases: dict[BaseModelUsed, Relative | None] = field(default_factory=dict)  # that were read, by what cards name

    def add(self, relative: Relative, found_bases: tuple[str, ...]) -> None:
        own = totals(relative.card).all
        self.relatives[relative.digest] = relative
        self.nodes[relative.digest] = Node(relative.digest, relative.repo.id, own, found_bases)


def add_ancestors(registry: Registry, tx: Transaction, caller: Caller, start: Relative, family: Family) -> None:
    """Add `start` and all that it was made from."""
    waiting = [start]
    while waiting:
        relative = waiting.pop()
        if relative.digest in family.nodes:
            continue
        if len(family.nodes) == MOST_RELATIVES:
            family.is_cut = True
            return
        found = _bases(registry, tx, caller, relative.card, family)
        family.add(relative, _named(found))
        waiting += [base for base in found.values() if base is not None]


def add_descendants(registry: Registry, tx: Transaction, caller: Caller, start: Relative, family: Family) -> None:
    """Add what was made from `start`, directly or not, by the cards at the heads of main."""
    waiting, seen = [start.repo], {start.repo.row_id}
    while waiting:
        for repo in bases.children(tx, caller, waiting.pop().id, MOST_RELATIVES + 1):
            if repo.row_id in seen:
                continue
            if len(seen) > MOST_RELATIVES:
                family.is_cut = True
                return
            seen.add(repo.row_id)
            waiting.append(repo)
            commit = reading.resolve(tx, repo, MAIN)
            card = card_of(registry, tx, repo, commit)
            if card is not None:
                family.add(Relative(repo, commit, card), _named(_bases(registry, tx, caller, card, family)))


def _bases(
    registry: Registry, tx: Transaction, caller: Caller, card: Card, family: Family
) -> dict[str, Relative | None]:
    """The bases of a card; one that a whole family shares is read once."""
    found: dict[str, Relative | None] = {}
    for base in card.model.base_models or ():
        if base not in family.bases:
            family.bases[base] = base_of(registry, tx, caller, base)
        found[base.repo_id] = family.bases[base]
    return found


def _named(found: dict[str, Relative | None]) -> tuple[str, ...]:
    """Each base by the digest of its card, or by its name where no card is known."""
    return tuple(name if base is None else base.digest for name, base in found.items())


def base_of(registry: Registry, tx: Transaction, caller: Caller, base: BaseModelUsed) -> Relative | None:
    """The base as it is here; None when it is not, when the caller may not see it, and when it has no card."""
    if base.external:
        return None
    try:
        repo = repos.visible(tx, caller, "model", RepoId(base.repo_id))
        if repo is None:
            return None
        commit = reading.resolve(tx, repo, Revision(base.revision) if base.revision else MAIN)
    except (InvalidName, InvalidRevision, RevisionNotFound):
        return None
    card = card_of(registry, tx, repo, commit)
    return None if card is None else Relative(repo, commit, card)
