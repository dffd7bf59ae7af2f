"""Conformance reports on one revision, from its card and from what the registry knows about it."""

from __future__ import annotations

from dataclasses import replace

from registry_core.card import Card
from registry_core.disagreements import disagreements
from registry_core.groups import agreeing, group_of
from registry_core.ids import RepoId, RepoKind, Revision
from registry_core.pareto import ranked
from registry_core.readme import card_data
from registry_core.records import Judgement
from registry_core.reports import Report, Subject, report
from registry_core.reports.subject import Alternative, Avoided, Decided
from registry_core.reuse_event import Event
from registry_server.catalog import peers, policies
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, grading, indexing, reading, reuses
from registry_server.usecases.cards import require_card
from registry_server.usecases.context import Registry

_MOST_ALTERNATIVES = 20


def report_on(
    registry: Registry,
    caller: Caller,
    kind: RepoKind,
    repo_id: RepoId,
    revision: Revision,
    standard: str,
    recipient: str | None = None,
) -> Report:
    """The report of one standard. Raises EntryNotFound where there is no card, Invalid for a standard nobody knows."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        subject = _subject(registry, tx, caller, repo, revision)
    events = reuses.ledger_of_model(registry, caller, kind, repo_id).events
    return report(standard, replace(subject, avoided=[_avoided(event, repo.id) for event in events]), recipient)


def _avoided(event: Event, model: str) -> Avoided:
    """What one reuse avoided, as far as it is the model's share."""
    (share,) = [share.energy_kwh for share in event.shares if share.model == model]
    return Avoided(event.id, event.organisation, event.made_on.isoformat(), share.low, share.high)


def _subject(registry: Registry, tx: Transaction, caller: Caller, repo: Repo, revision: Revision) -> Subject:
    commit = reading.resolve(tx, repo, revision)
    card = require_card(registry, tx, repo, commit)
    files = {file.path: file for file in reading.files(tx, repo, commit)}
    readme = indexing.readme_text(registry, tx, files.get(indexing.README_PATH))
    head = indexing.read_readme(registry, tx, files.get(indexing.README_PATH)).front_matter
    found = grading.graded(registry, tx, card, files)
    judgements = policies.decisions_on(tx, repo, bytes.fromhex(commit))
    return Subject(
        card=card,
        made_at=registry.stamp(),
        repo_id=repo.id,
        commit_id=commit,
        committed_at=reading.log(tx, repo, commit, 1)[0].created_at,
        private=repo.private,
        library=card_data(head).library_name,
        organisation=repo.id.owner,
        head=head,
        disagreements=disagreements(head, card) if readme else None,
        grade=found.grade,
        signature=found.signature,
        decision=_decided(judgements[0]) if judgements else None,
        alternatives=_alternatives(tx, caller, repo, card),
    )


def _decided(judgement: Judgement) -> Decided:
    decision = judgement.decision
    return Decided(decision["policy"], decision["policy_digest"], decision["allowed"])


def _alternatives(tx: Transaction, caller: Caller, repo: Repo, card: Card) -> list[Alternative]:
    """The models that could be compared with this one by its first result, best first."""
    if not card.quality:
        return []
    group = group_of(card.quality[0])
    others = [rank.peer for rank in ranked(agreeing(peers.peers(tx, caller, group))) if rank.peer.id != repo.id]
    return [
        Alternative(peer.id, group.metric, peer.score, peer.energy_kwh.value if peer.energy_kwh else None)
        for peer in others[:_MOST_ALTERNATIVES]
    ]
