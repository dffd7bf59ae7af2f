"""Conformance reports on one revision, from its card and from what the registry knows about it."""

from __future__ import annotations

from registry_core.errors import EntryNotFound
from registry_core.ids import RepoId, RepoKind, Revision
from registry_core.readme import card_data
from registry_core.reports import Report, Subject, report
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, indexing, reading
from registry_server.usecases.context import Registry


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
        repo = access.open_repo(tx, caller, kind, repo_id)
        subject = _subject(registry, tx, repo, revision)
    return report(standard, subject, recipient)


def _subject(registry: Registry, tx: Transaction, repo: Repo, revision: Revision) -> Subject:
    commit = reading.resolve(tx, repo, revision)
    files = {file.path: file for file in reading.files(tx, repo, commit)}
    card = indexing.read_card(registry, tx, files.get(indexing.CARD_PATH))
    if card is None:
        raise EntryNotFound(
            f"{repo.id} has no footprint card that a report could be made from.",
            hint="Push a footprint.json; `registry card check` lists the faults of one.",
            commit_id=commit,
        )
    readme = indexing.read_readme(registry, tx, files.get(indexing.README_PATH))
    return Subject(
        card=card,
        made_at=registry.stamp(),
        repo_id=repo.id,
        commit_id=commit,
        committed_at=reading.log(tx, repo, commit, 1)[0].created_at,
        private=repo.private,
        library=card_data(readme.front_matter).library_name,
        organisation=repo.id.owner,
        head=readme.front_matter,
    )
