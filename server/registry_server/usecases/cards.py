"""The footprint card of one commit."""

from __future__ import annotations

from registry_core.card import CARD_PATH, Card
from registry_core.errors import EntryNotFound
from registry_core.ids import CommitId, RepoPath
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import indexing, reading
from registry_server.usecases.context import Registry

CARD = RepoPath(CARD_PATH)


def card_of(registry: Registry, tx: Transaction, repo: Repo, commit: CommitId) -> Card | None:
    """The card of the commit; None when there is none that can be read."""
    try:
        file = reading.file(tx, repo, commit, CARD)
    except EntryNotFound:
        return None
    return indexing.read_card(registry, tx, file)


def require_card(registry: Registry, tx: Transaction, repo: Repo, commit: CommitId) -> Card:
    """The card of the commit. Raises EntryNotFound when there is none."""
    card = card_of(registry, tx, repo, commit)
    if card is None:
        raise EntryNotFound(
            f"{repo.id} has no footprint card at this revision.",
            hint="Push a footprint.json; `registry card check` lists the faults of one.",
            commit_id=commit,
        )
    return card
