"""What the own API and the pages tell of models: find, detail, manifest, reruns, publications."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from registry_core.card import CARD_PATH, Card, card_document
from registry_core.errors import EntryNotFound, Invalid, InvalidRecipe
from registry_core.footprint import totals, totals_json
from registry_core.ids import CommitId, RepoId, RepoKind, RepoPath, Revision
from registry_core.recipe import parse_recipe
from registry_core.records import (
    Facets,
    FindPage,
    Manifest,
    ManifestFile,
    ModelDetail,
    Publication,
    Rerun,
    RerunReport,
    Tensor,
    Trust,
)
from registry_server.catalog import audit, cards, finding, losses, policies, verdicts, weights
from registry_server.catalog.accounts import Caller
from registry_server.catalog.cards import Found
from registry_server.catalog.counting import Facet, Tally
from registry_server.catalog.engine import Transaction
from registry_server.catalog.finding import Hits
from registry_server.catalog.queries import Query
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, indexing, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.late import classing, governing, grading, relations
from registry_server.usecases.lineages import Relative
from registry_server.usecases.reading import File

MAX_PAGE = 100
_MAX_TERMS = 50

_RECIPE_PATH = "evaluation.yaml"
_RECIPE_BYTES = 64 * 1024
_CURSOR = re.compile(r"[0-9]{1,9}")


def find(registry: Registry, caller: Caller, query: Query, facets: Sequence[Facet] = ()) -> FindPage:
    """A page of what the caller may see, with counts of all that matches when facets are asked for."""
    known = registry.tallies.get(query) if facets and caller.is_anonymous else None
    hits = _hits(registry, caller, query, counted=bool(facets), known=known)
    if hits.tally is not None and caller.is_anonymous:
        registry.tallies.put(query, hits.tally)
    found, next_cursor = _cut(hits, query)
    return FindPage([hit.summary for hit in found], next_cursor, _facets(hits.tally, facets))


def search(registry: Registry, caller: Caller, query: Query) -> tuple[Sequence[Found], str | None]:
    """The hits of one page, and the cursor of the next. Raises Invalid for more than anybody asks for."""
    return _cut(_hits(registry, caller, query), query)


def _hits(
    registry: Registry, caller: Caller, query: Query, *, counted: bool = False, known: Tally | None = None
) -> Hits:
    if len(query.tags) + len(query.name_parts) + len(query.conditions) > _MAX_TERMS:
        raise Invalid(f"At most {_MAX_TERMS} tags, parts of names and conditions can be asked for at once.")
    with registry.engine.read() as tx:
        return finding.find(tx, registry.engine, caller, query, counted=counted, known=known)


def _cut(hits: Hits, query: Query) -> tuple[Sequence[Found], str | None]:
    more = len(hits.found) > query.limit
    return hits.found[: query.limit], str(query.offset + query.limit) if more else None


def _facets(tally: Tally | None, facets: Sequence[Facet]) -> Facets | None:
    if tally is None:
        return None
    return Facets(tally.total, tally.is_exact, {facet: tally.by(facet) for facet in facets})


def offset_of(cursor: str | None) -> int:
    """Where the page of `cursor` begins. Raises Invalid for a text that is no cursor of ours."""
    if cursor is None:
        return 0
    if not _CURSOR.fullmatch(cursor):
        raise Invalid(f"{cursor[:40]!r} is not a cursor.", hint="Take it from the page before, or leave it out.")
    return int(cursor)


def detail(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, revision: Revision) -> ModelDetail:
    """One repo at one revision: its files, card, totals, recipe and verdicts."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        commit = reading.resolve(tx, repo, revision)
        files = {file.path: file for file in reading.files(tx, repo, commit)}
        described = _manifest_files(tx, repo, list(files.values()))
        card = indexing.read_card(registry, tx, files.get(CARD_PATH))
        found = cards.of_repo(tx, repo)
        published = verdicts.publication(tx, repo)
        classes = classing.newest(tx, repo)
        reruns = verdicts.reruns_of_commit(tx, repo, bytes.fromhex(commit))
        author = reading.log(tx, repo, commit, 1)[0].author
        others = [rerun for rerun in reruns if rerun.account != author]
        return ModelDetail(
            id=repo.id,
            kind=kind,
            revision=revision,
            commit_id=commit,
            private=repo.private,
            summary=found.summary if found else None,
            files=described,
            footprint=card_document(card) if card else None,
            footprint_status=indexing.status(card, files),
            totals=totals_json(totals(card)) if card else None,
            recipe=_recipe(registry, tx, files.get(_RECIPE_PATH)),
            reruns=reruns,
            published_commit_id=published.commit_id if published else None,
            notices=[f"{file.path}: {file.fault}" for file in described if file.fault is not None],
            classes=classes,
            no_class=None if classes or kind != "model" else classing.NO_CLASS_YET,
            trust=_trust(registry, tx, card, files, others) if card else None,
            judgements=policies.decisions_on(tx, repo, bytes.fromhex(commit)),
            compression=_compression(registry, tx, caller, Relative(repo, commit, card)) if card else None,
        )


def _compression(registry: Registry, tx: Transaction, caller: Caller, model: Relative) -> dict[str, object] | None:
    found = relations.compressed(registry, tx, caller, model)
    return found.document() if found else None


def _trust(
    registry: Registry, tx: Transaction, card: Card, files: Mapping[str, File], reruns: Sequence[Rerun]
) -> Trust:
    found = grading.graded(registry, tx, card, files, reruns)
    return Trust(
        level=found.grade.level,
        findings=list(found.grade.findings),
        missing=list(found.grade.missing),
        sentences=grading.sentences(card),
        signature=found.signature,
    )


def manifest(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, revision: Revision) -> Manifest:
    """Every file of one revision with digest and size."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        commit = reading.resolve(tx, repo, revision)
        files = _manifest_files(tx, repo, reading.files(tx, repo, commit))
    return Manifest(repo.id, revision, commit, files)


def readme(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, commit: CommitId) -> str | None:
    """The README's text after its structured head; None when there is none that a page could show."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        try:
            file = reading.file(tx, repo, commit, RepoPath(indexing.README_PATH))
        except EntryNotFound:
            return None
        return indexing.read_readme(registry, tx, file).body


def tensors(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, revision: Revision, path: RepoPath
) -> list[Tensor]:
    """The tensors of one safetensors file, from its header. Raises EntryNotFound when it is no such file."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        commit = reading.resolve(tx, repo, revision)
        file = reading.file(tx, repo, commit, path)
        header = weights.known(tx, [file.content_key]).get(file.content_key)
        if header is None or header.fault is not None:
            why = header.fault if header else "it is no safetensors file that was uploaded as a large file"
            raise EntryNotFound(f"The tensors of {path} are not known: {why}.", commit_id=commit)
        return weights.tensors(tx, file.content_key)


def add_rerun(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, report: RerunReport) -> Rerun:
    """Store a verdict on a commit that the caller may read. Raises RevisionNotFound for a foreign commit."""
    access.require_writing_token(caller, "post verdicts")
    at = registry.stamp()
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id)
        commit = reading.resolve(tx, repo, Revision(report.commit_id))
        number = verdicts.add_rerun(tx, repo, bytes.fromhex(commit), caller.account_id, report, at)
    return Rerun(number, caller.name, at, report)


def reruns(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> list[Rerun]:
    """The verdicts on any commit of the repo, newest first."""
    with registry.engine.read() as tx:
        return verdicts.reruns_of_repo(tx, access.open_repo(tx, caller, kind, repo_id, "see"))


def publish(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, revision: Revision) -> Publication:
    """Mark a revision as recommended for reuse, if the owner's policy lets it; the last such act stands.

    Raises PolicyRefused with every rule that blocks.
    """
    at = registry.stamp()
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "write")
        commit = reading.resolve(tx, repo, revision)
        if kind == "model":
            governing.require(registry, tx, caller, repo, commit, "publish")
        verdicts.add_publication(tx, repo, bytes.fromhex(commit), caller.account_id, at)
        audit.note(tx, at, caller, "repo.publish", repo, {"commit_id": commit}, subject=revision)
    return Publication(repo.id, commit, caller.name, at)


def _manifest_files(tx: Transaction, repo: Repo, files: Sequence[File]) -> list[ManifestFile]:
    faults = losses.of_files(tx, repo.row_id, dict.fromkeys(file.oid for file in files))
    return [ManifestFile(file.path, file.digest, file.size_bytes, faults.get(file.oid)) for file in files]


def _recipe(registry: Registry, tx: Transaction, file: File | None) -> dict[str, object] | None:
    """The recipe as JSON, or None when there is none that can be followed."""
    if file is None or file.size_bytes > _RECIPE_BYTES:
        return None
    try:
        return parse_recipe(reading.content(registry, tx, file)).model_dump(mode="json")
    except InvalidRecipe:
        return None
