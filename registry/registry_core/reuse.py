"""`reuse-convention/1`: what counts as a reuse, and what training again would have taken.

The convention wants a number that errs low, that cannot be farmed, and that is never netted against a
footprint. This module looks at one claim at a time; `reuse_ledger` counts them all.

    claim = statement + evidence + the reused revision + the reuser's own energy
    avoided_energy = max(0, displacement x counterfactual - spent)
"""

from __future__ import annotations

import calendar
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from registry_core.groups import Peer, by_energy
from registry_core.quantity import Amount, exact

Alternative = Literal["train_own", "other_model", "nothing"]
"""What would have been done without the reused model: train one, take another one, or go without."""


@dataclass(frozen=True)
class Convention:
    """The numbers of the convention. They are agreed on, for a policy to state; they are not physics."""

    id: str = "reuse-convention/1"
    words: str = "avoided, estimate by convention 1"
    window_months: int = 12  # one event per organisation, lineage root and task
    without_statement: float = 0.0
    statement_only: float = 0.25
    practised: float = 0.5  # the organisation does train such models
    cancelled_job: float = 1.0  # a scheduled training was cancelled
    practice_cards: int = 2
    practice_months: int = 24
    standard_errors: float = 2.0


CONVENTION = Convention()


@dataclass(frozen=True)
class Maker:
    """A model in the chain behind a reused revision: who made it, and what its own build took."""

    model: str  # repo id
    team: str
    organisation: str
    build_kwh: float | None  # own energy, without ancestors; None when it is not known


@dataclass(frozen=True)
class Reused:
    """The revision that was reused, as the registry knows it."""

    digest: str  # of its card
    root: str  # model at the root of its lineage: `lineage.root_of`
    created_on: date
    chain: tuple[Maker, ...]  # its own maker first, then those of its ancestors that have a card

    @property
    def maker(self) -> Maker:
        return self.chain[0]


@dataclass(frozen=True)
class Statement:
    """What somebody signed: we reused this for that task, and would have done something else otherwise."""

    made_on: date
    account: str
    team: str
    organisation: str
    artifact: str  # digest of the card of the reused revision
    task: str
    alternative: Alternative
    signature_valid: bool
    cancelled_job: str | None = None  # record of the cancellation of a scheduled training


@dataclass(frozen=True)
class Evidence:
    """Work that shows the reuse: a later card whose bases name the revision, or a rerun of it."""

    kind: Literal["card", "rerun"]
    reference: str  # digest of the card, id of the rerun
    artifact: str
    organisation: str
    made_on: date
    covers_group: bool = True  # a rerun: at least the evaluation of the comparison group


@dataclass(frozen=True)
class Revocation:
    """Why an event no longer counts."""

    kind: Literal["withdrawn", "disproved", "trained_anyway"]
    on: date
    reason: str


@dataclass(frozen=True)
class Claim:
    """A reuse that somebody claims, with what the registry found out about it; a pull has no statement."""

    id: str
    reused: Reused
    statement: Statement | None
    evidence: Evidence | None
    counterfactual_kwh: Amount | None  # see `counterfactual`
    spent_kwh: Amount | None  # of the reuser: adaptation + evaluation + transfer
    intensity_g_per_kwh: Amount | None = None  # average, location-based, at the reuser's site in that year
    marginal_intensity_g_per_kwh: Amount | None = None  # shown beside the average, never in a sum
    trained_in_group: Mapping[str, date] = field(default_factory=dict)  # the organisation's cards: digest -> day
    revocation: Revocation | None = None


def why_refused(claim: Claim) -> tuple[str, ...]:
    """All reasons why a claim by itself is no event; none when it is one, unless it was counted before or revoked."""
    statement = claim.statement
    if statement is None:
        return ("There is no reuse statement; a download, view or pull by itself counts zero.",)
    return (*_faults_of_statement(statement, claim.reused), *_faults_of_evidence(claim, statement), *_gaps(claim))


def _faults_of_statement(statement: Statement, reused: Reused) -> Iterator[str]:
    if not statement.signature_valid:
        yield "The signature of the statement does not verify."
    if statement.artifact != reused.digest:
        yield "The statement names another revision."
    if statement.team == reused.maker.team:
        yield "The statement comes from the team that made the model."
    if statement.alternative != "train_own":
        yield "The statement says that no model of its own would have been trained."


def _faults_of_evidence(claim: Claim, statement: Statement) -> Iterator[str]:
    evidence = claim.evidence
    if evidence is None:
        yield "No work shows the reuse: there is neither a later card made from the revision nor a rerun of it."
        return
    if evidence.artifact != claim.reused.digest:
        yield "The work is about another revision."
    if evidence.organisation != statement.organisation:
        yield "The work was done by another organisation."
    if evidence.made_on < claim.reused.created_on:
        yield "The work is older than the revision."
    if evidence.kind == "rerun" and not evidence.covers_group:
        yield "The rerun did not evaluate what the comparison group evaluates."


def _gaps(claim: Claim) -> Iterator[str]:
    if claim.counterfactual_kwh is None:
        yield "What training again would have taken is not known: the revision has no energy of evidence E1 or better."
    if claim.spent_kwh is None:
        yield "What the reuser spent on adaptation, evaluation and transfer is not known."


def counterfactual(
    reused: Peer, group: Sequence[Peer], declared_kwh: Amount | None = None, convention: Convention = CONVENTION
) -> Amount | None:
    """What training again would have taken, in kWh: the lowest of four, at each end of the interval.

    The lower end of the reused card's energy; the median of the group; the least energy in the group for a
    score of at least the reused one less two standard errors; what the reuser declares. All energies are own
    energy of the final phases: development is never in them. None when the reused card's energy is not known
    or only declared.
    """
    if reused.energy_kwh is None or not reused.is_ranked:
        return None
    ranked = [peer for peer in group if peer.is_ranked]
    least = reused.goodness - convention.standard_errors * (reused.stderr or 0.0)
    good_enough = min((peer for peer in ranked if peer.goodness >= least), key=by_energy, default=reused)
    known = [
        exact(reused.energy_kwh.low),
        median([peer.energy_kwh for peer in ranked if peer.energy_kwh]),
        good_enough.energy_kwh,
        declared_kwh,
    ]
    return _lowest([energy for energy in known if energy is not None])


def median(amounts: Sequence[Amount]) -> Amount | None:
    """The median at each end of the interval, estimated; None of nothing."""
    if not amounts:
        return None
    return Amount(
        value=statistics.median(found.value for found in amounts),
        low=statistics.median(found.low for found in amounts),
        high=statistics.median(found.high for found in amounts),
        source="estimated",
    )


def _lowest(amounts: Sequence[Amount]) -> Amount:
    # What would have been is never measured.
    is_declared = min(amounts, key=lambda found: found.value).source == "declared"
    return Amount(
        value=min(found.value for found in amounts),
        low=min(found.low for found in amounts),
        high=min(found.high for found in amounts),
        source="declared" if is_declared else "estimated",
    )


def displacement(claim: Claim, convention: Convention = CONVENTION) -> float:
    """How much of the counterfactual a claim is taken to have displaced, from 0 to 1."""
    statement = claim.statement
    if statement is None:
        return convention.without_statement
    if statement.cancelled_job:
        return convention.cancelled_job
    shown_by = claim.evidence.reference if claim.evidence else None
    recent = [
        day
        for digest, day in claim.trained_in_group.items()
        # The card that shows the reuse is not practice in doing without.
        if digest != shown_by and day <= statement.made_on < months_after(day, convention.practice_months)
    ]
    return convention.practised if len(recent) >= convention.practice_cards else convention.statement_only


def months_after(day: date, months: int) -> date:
    """The same day of the month, or the month's last, `months` later."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
