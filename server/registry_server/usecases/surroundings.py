"""What a policy may ask of the rest of the registry: bases, ancestors, reruns, the comparison group, the parent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry_core.card import BaseModelUsed, Card
from registry_core.errors import InvalidName, InvalidRevision, RevisionNotFound
from registry_core.groups import agreeing, group_of
from registry_core.ids import RepoId, Revision
from registry_core.lineage import lineage
from registry_core.pareto import dominates, ranked
from registry_core.policy.expressions import variables_of
from registry_core.policy.registry_facts import KnownModel, group_facts, parent_facts, registry_facts
from registry_core.policy.rules import Act, Policy
from registry_server.catalog import cards, peers, policies, repos, verdicts
from registry_server.catalog.accounts import ANONYMOUS, Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import lineages, reading, relations
from registry_server.usecases.context import Registry, moment
from registry_server.usecases.lineages import MAIN, Family, Relative

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """The variables of a policy that only a server knows; empty where there is nothing to know."""

    parent: Facts
    group: Facts
    registry: Facts


NOTHING = Surroundings({}, {}, {})


def of(registry: Registry, tx: Transaction, caller: Caller, found: Relative, policy: Policy, act: Act) -> Surroundings:
    """What is known around a card, as far as the rules of the policy for this act ask."""
    asked = _asked(policy, act)
    return Surroundings(
        parent=_parent(registry, tx, caller, found) if "parent" in asked else {},
        group=_group(tx, caller, found.repo, found.card) if "group" in asked else {},
        registry=_registry(registry, tx, caller, found, policy) if "registry" in asked else {},
    )


def _asked(policy: Policy, act: Act) -> set[str]:
    rules = [rule for rule in policy.rules if act in rule.severity]
    return {name for rule in rules for text in (rule.when, rule.require) if text for name in variables_of(text)}


def _registry(registry: Registry, tx: Transaction, caller: Caller, found: Relative, policy: Policy) -> dict[str, Any]:
    repo, card, now = found.repo, found.card, registry.now()
    since = policy.budget_start(now)
    return registry_facts(
        card,
        moment=now,
        known={base.repo_id: _known(tx, caller, base) for base in card.model.base_models or ()},
        ancestors=_ancestors(registry, tx, caller, found),
        reruns=verdicts.reruns_of_repo(tx, repo),
        spent_co2e_kg=None if since is None else policies.spent_co2e_kg(tx, repo.owner_id, moment(since), without=repo),
    )


def _known(tx: Transaction, caller: Caller, base: BaseModelUsed) -> KnownModel:
    """A base as the caller sees it; one that is hidden from them is as absent as one that is not there."""
    nothing = KnownModel(base.repo_id, resolves=False, licence=None, has_card=False, external=bool(base.external))
    try:
        found = repos.visible(tx, caller, "model", RepoId(base.repo_id))
        if found is None:
            return nothing
        reading.resolve(tx, found, Revision(base.revision) if base.revision else MAIN)
    except (InvalidName, InvalidRevision, RevisionNotFound):
        return nothing
    index = cards.of_repo(tx, found)
    return KnownModel(
        base.repo_id,
        resolves=True,
        licence=index.card.license if index else None,
        has_card=index is not None and index.card.footprint_status != "none",
        external=bool(base.external),
    )


def _ancestors(registry: Registry, tx: Transaction, caller: Caller, start: Relative) -> list[KnownModel]:
    family = Family()
    lineages.add_ancestors(registry, tx, caller, start, family)
    found = lineage(start.digest, family.nodes)
    external = {base.repo_id for base in start.card.model.base_models or () if base.external}
    return [
        *(KnownModel(family.nodes[digest].model, True, None, has_card=True) for digest in found.ancestors),
        *(KnownModel(name, False, None, has_card=False, external=name in external) for name in found.unknown),
    ]


def _group(tx: Transaction, caller: Caller, repo: Repo, card: Card) -> dict[str, Any]:
    """The models that could be reused instead, best first, and those that are at least as good for less energy."""
    if not card.quality:
        return group_facts([], [])
    # Everybody who sees the repo reads the decision, which must not tell them of models that they cannot see.
    reader = caller if repo.private else ANONYMOUS
    found = agreeing(peers.peers(tx, reader, group_of(card.quality[0])))
    own = next((peer for peer in found if peer.id == repo.id), None)
    others = [rank.peer for rank in ranked(found) if rank.peer.id != repo.id]
    better = [peer.id for peer in others if own and peer.license == own.license and dominates(peer, own)]
    return group_facts([peer.id for peer in others], better)


def _parent(registry: Registry, tx: Transaction, caller: Caller, found: Relative) -> dict[str, Any]:
    """The compressed model beside the revision that it was made from; nothing where that is not known here."""
    compressed = relations.compressed(registry, tx, caller, found)
    return parent_facts(compressed.compression) if compressed else {}
