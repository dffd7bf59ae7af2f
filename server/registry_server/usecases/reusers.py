"""What the reuser of a model did: the work that shows the reuse, what it took, and what else was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from registry_core.card import BaseModelUsed, Card, Score
from registry_core.errors import Invalid, InvalidName, InvalidRevision, RevisionNotFound
from registry_core.footprint import totals
from registry_core.groups import group_of
from registry_core.ids import RepoId, Revision
from registry_core.intensity import intensity
from registry_core.quantity import Amount, default_interval, total
from registry_core.records import Rerun
from registry_core.reuse import Evidence
from registry_core.reuse_spent import rerun_kwh, transfer_kwh
from registry_core.reuse_statement import SignedReuse
from registry_server.catalog import repos, reuses
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.catalog.reuses import Stated
from registry_server.usecases import reading
from registry_server.usecases.cards import card_of
from registry_server.usecases.context import Registry
from registry_server.usecases.lineages import MAIN, Relative

MOST_MODELS = 100
"""How many models of a reuser are looked through for its work, and as many for trainings of its own."""


@dataclass(frozen=True)
class Case:
    """A statement of reuse, and the model as it is here."""

    registry: Registry
    tx: Transaction
    stated: Stated
    said: SignedReuse
    start: Relative  # the reused revision
    eyes: Caller  # of the account that stated it

    @property
    def score(self) -> Score | None:
        """The score that places the model in a group: its first for the task, else its first."""
        scores = self.start.card.quality or ()
        return next((score for score in scores if score.task == self.said.task), next(iter(scores), None))

    @property
    def organisation(self) -> str:
        return self.stated.organisation


@dataclass(frozen=True)
class Work:
    """What shows the reuse: a model that was made, or a rerun."""

    evidence: Evidence
    made: Relative | None
    spent_kwh: Amount | None  # adaptation, evaluation and transfer
    intensity_g_per_kwh: Amount | None


def work(case: Case) -> Work | None:
    """The work that the statement names or else, first, a model made from the revision, then a rerun of it."""
    named = case.said.evidence
    reruns = reuses.reruns_by(case.tx, case.stated.repo, case.stated.commit_oid, case.stated.organisation_id)
    made = _made(case, named.card if named else None) if named is None or named.card else None
    if made is not None:
        return _by_card(case, made, reruns)
    fitting = [rerun for rerun in reruns if rerun.report.verdict == "pass" and rerun.report.task == case.said.task]
    if named is not None:
        fitting = [rerun for rerun in fitting if rerun.number == named.rerun]
    # The one that covers the group, if there is one.
    rerun = max(fitting, key=lambda found: _covers_group(case, found), default=None)
    return None if rerun is None else _by_rerun(case, rerun, reruns)


def own_trainings(case: Case) -> list[Relative]:
    """Models that the organisation trained from scratch for the task, last changed first."""
    found = reuses.without_base(case.tx, case.stated.organisation_id, MOST_MODELS)
    cards = (_at_main(case, repo) for repo in found if repo.row_id != case.stated.repo.row_id)
    # An empty list of bases says "from scratch"; no list says nothing.
    return [
        made
        for made in cards
        if made is not None and made.card.model.base_models == () and made.card.model.task == case.said.task
    ]


def in_group(case: Case, trainings: Sequence[Relative]) -> dict[str, date]:
    """Those of the trainings that everybody sees and that belong to the group of the reused model, with their days."""
    if case.score is None:
        return {}
    group = group_of(case.score)
    return {
        made.digest: day_of(made.card.created_at)
        for made in trainings
        if not made.repo.private and any(group_of(score) == group for score in made.card.quality or ())
    }


def trained_anyway(case: Case, trainings: Sequence[Relative]) -> Relative | None:
    """A training later than the statement, one that everybody sees first; None without one."""
    later = [made for made in trainings if made.card.created_at > case.stated.stated_at]
    return min(later, key=lambda made: (made.repo.private, made.card.created_at), default=None)


def day_of(moment: str) -> date:
    """The day of a moment, in UTC."""
    return date.fromisoformat(moment[:10])


def _made(case: Case, named: str | None) -> Relative | None:
    """A model of the organisation whose card names the revision as a base; the named one, if one is named."""
    if named is None:
        found = reuses.made_from(case.tx, case.stated.repo, case.stated.organisation_id, MOST_MODELS)
    else:
        repo = _visible(case, named)
        found = [repo] if repo is not None and repo.owner_id == case.stated.organisation_id else []
    made = (_at_main(case, repo) for repo in found)
    return next((model for model in made if model is not None and _shows_reuse(case, model.card)), None)


def _shows_reuse(case: Case, card: Card) -> bool:
    bases = card.model.base_models or ()
    return card.model.task == case.said.task and any(_is_start(case, base) for base in bases)


def _is_start(case: Case, base: BaseModelUsed) -> bool:
    """Whether a base is the reused revision; one without a revision might be any."""
    if base.external or base.revision is None:
        return False
    try:
        repo = _visible(case, base.repo_id)
        return (
            repo is not None
            and repo.row_id == case.stated.repo.row_id
            and reading.resolve(case.tx, repo, Revision(base.revision)) == case.start.commit
        )
    except (InvalidRevision, RevisionNotFound):
        return False


def _visible(case: Case, name: str) -> Repo | None:
    """The model of that name, or that had it before."""
    try:
        wanted = RepoId(name)
    except InvalidName:
        return None
    return repos.visible(case.tx, case.eyes, "model", wanted) or repos.moved(case.tx, case.eyes, "model", wanted)


def _at_main(case: Case, repo: Repo) -> Relative | None:
    try:
        commit = reading.resolve(case.tx, repo, MAIN)
    except RevisionNotFound:
        return None
    card = card_of(case.registry, case.tx, repo, commit)
    return None if card is None else Relative(repo, commit, card)


def _by_card(case: Case, made: Relative, reruns: Sequence[Rerun]) -> Work:
    evidence = Evidence("card", made.digest, case.start.digest, case.organisation, day_of(made.card.created_at))
    adaptation = totals(made.card).all.energy_facility_kwh
    spent = total([adaptation, *_evaluation(reruns), _transfer(case)]) if adaptation else None
    return Work(evidence, made, spent, _intensity(made.card, day_of(case.stated.stated_at)))


def _by_rerun(case: Case, rerun: Rerun, reruns: Sequence[Rerun]) -> Work:
    evidence = Evidence(
        "rerun",
        str(rerun.number),
        case.start.digest,
        case.organisation,
        day_of(rerun.created_at),
        covers_group=_covers_group(case, rerun),
    )
    is_known = rerun_kwh(rerun.report) is not None
    spent = total([*_evaluation(reruns), _transfer(case)]) if is_known else None
    return Work(evidence, None, spent, None)  # a report does not say where it was made


def _covers_group(case: Case, rerun: Rerun) -> bool:
    score, report = case.score, rerun.report
    return (
        score is not None
        and (report.task, report.dataset, report.split, report.metric)
        == (score.task, score.dataset, score.split, score.metric)
        and report.n >= (score.n or 0)
    )


def _evaluation(reruns: Sequence[Rerun]) -> list[Amount]:
    """What all reruns of the organisation took, as far as it was measured."""
    found = [rerun_kwh(rerun.report) for rerun in reruns]
    return [energy for energy in found if energy is not None]


def _transfer(case: Case) -> Amount:
    return transfer_kwh(sum(file.size_bytes for file in case.start.card.subject.files))


def _intensity(card: Card, on: date) -> Amount | None:
    """The average intensity in g/kWh at the one place of a card in that year; None when there are several."""
    countries = {phase.site.country for phase in card.phases}
    if len(countries) > 1:
        return None
    try:
        value = intensity(countries.pop(), on.year).value
    except Invalid:  # the table does not have the country
        return None
    return Amount(value, *default_interval(value, "intensity_annual"), source="estimated")
