"""Working out what a statement of reuse claims: all that the core's ledger wants to know about it.

    statement ─► signature, revision ─► chain, root ─► work of the reuser ─► counterfactual, spent ─► Claim

Chain and group are those that strangers see, since the ledger is for them; the work of the reuser is looked for with
the eyes of the account that made the statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry_core.card import Card, Score
from registry_core.errors import RevisionNotFound
from registry_core.footprint import totals
from registry_core.groups import Peer, agreeing, by_energy, group_of, standard_error
from registry_core.ids import RepoId, Revision
from registry_core.lineage import root_of
from registry_core.quantity import Amount, exact
from registry_core.reuse import CONVENTION, Claim, Maker, Reused, Revocation, Statement, counterfactual
from registry_core.reuse_statement import PAYLOAD_TYPE, parse_statement
from registry_core.signing import key_ids, verify_statement
from registry_server.catalog import accounts, peers, repos
from registry_server.catalog.accounts import ANONYMOUS
from registry_server.catalog.engine import Transaction
from registry_server.catalog.reuses import Stated
from registry_server.usecases import grading, keys, reading, reusers
from registry_server.usecases.cards import card_of
from registry_server.usecases.context import Registry
from registry_server.usecases.lineages import MAIN, Family, Relative, add_ancestors, add_descendants
from registry_server.usecases.reusers import Case, day_of

MOST_PEERS = 50
"""How many cards of a group are read for the energy of their final phases, from the cheapest on."""


@dataclass(frozen=True)
class WorkedOut:
    """A claim, and the repos that it tells something of, by number."""

    claim: Claim
    repos: frozenset[int]


def work_out(registry: Registry, tx: Transaction, stated: Stated, before: Claim | None) -> WorkedOut:
    """The claim as things are. What training again would have taken stays as it was `before`."""
    envelope = stated.envelope.encode()
    check, payload = verify_statement(envelope, PAYLOAD_TYPE, keys.known(tx, key_ids(envelope)))
    start = _start(registry, tx, stated)
    if before is not None and (start is None or not check.valid):
        gone = Revocation("disproved", registry.now().date(), "the revision is no longer there.")
        void = _void(before, stated, gone if check.valid else None)
        return WorkedOut(void, frozenset({stated.repo.row_id}))
    assert start is not None  # a statement is let in with its revision and a good signature
    eyes = accounts.caller_of_account(tx, stated.account_id)
    case = Case(registry, tx, stated, parse_statement(payload), start, eyes)
    family = Family()
    add_ancestors(registry, tx, ANONYMOUS, start, family)
    work, trainings = reusers.work(case), reusers.own_trainings(case)
    anyway = reusers.trained_anyway(case, trainings)
    claim = Claim(
        id=str(stated.number),
        reused=_reused(case, family),
        statement=_statement(case),
        evidence=work.evidence if work else None,
        counterfactual_kwh=before.counterfactual_kwh if before else _counterfactual(case),
        spent_kwh=work.spent_kwh if work else None,
        intensity_g_per_kwh=work.intensity_g_per_kwh if work else None,
        trained_in_group=reusers.in_group(case, trainings),
        revocation=_ended(stated) or _anyway(anyway),
    )
    told = [*family.relatives.values(), work.made if work else None, anyway]
    return WorkedOut(claim, frozenset(relative.repo.row_id for relative in told if relative is not None))


def _start(registry: Registry, tx: Transaction, stated: Stated) -> Relative | None:
    """The reused revision; None when it is gone, as after its history was rewritten."""
    try:
        commit = reading.resolve(tx, stated.repo, Revision(stated.commit_oid.hex()))
    except RevisionNotFound:
        return None
    card = card_of(registry, tx, stated.repo, commit)
    return None if card is None else Relative(stated.repo, commit, card)


def _void(before: Claim, stated: Stated, gone: Revocation | None) -> Claim:
    """A claim whose revision is gone or, where that is not so, whose signature counts no more."""
    statement = before.statement and replace(before.statement, signature_valid=gone is not None)
    return replace(before, statement=statement, revocation=_ended(stated) or gone)


def _reused(case: Case, family: Family) -> Reused:
    return Reused(
        digest=case.start.digest,
        root=root_of(case.start.digest, family.nodes),
        created_on=day_of(case.start.card.created_at),
        chain=tuple(_maker(case, relative) for relative in family.relatives.values()),
    )


def _maker(case: Case, relative: Relative) -> Maker:
    owner = str(RepoId(relative.repo.id).owner)
    energy = totals(relative.card).all.energy_facility_kwh
    # Whoever is close to the reuser counts as of its team, so that it is given nothing.
    team = case.organisation if _is_close(case, relative.repo.owner_id) else owner
    return Maker(relative.repo.id, team, owner, energy.value if energy else None)


def _is_close(case: Case, owner_id: int) -> bool:
    """Whether an owner is the reuser, or one of them is a member of the other."""
    account_id, organisation_id = case.stated.account_id, case.stated.organisation_id
    pairs = ((account_id, owner_id), (organisation_id, owner_id), (owner_id, organisation_id))
    return any(accounts.role_in(case.tx, who, of) is not None for who, of in pairs)


def _statement(case: Case) -> Statement:
    return Statement(
        made_on=day_of(case.stated.stated_at),
        account=case.stated.account,
        team=case.organisation,
        organisation=case.organisation,
        artifact=case.said.card_digest,
        task=case.said.task,
        alternative=case.said.alternative,
        signature_valid=True,
        cancelled_job=case.said.cancelled_job,
    )


def _counterfactual(case: Case) -> Amount | None:
    files = {file.path: file for file in reading.files(case.tx, case.start.repo, case.start.commit)}
    level = grading.graded(case.registry, case.tx, case.start.card, files).grade.level
    declared = case.said.alternative_kwh
    score = case.score
    reused = Peer(
        id=case.start.repo.id,
        score=score.value if score else 0.0,
        higher_is_better=score.higher_is_better if score else True,
        energy_kwh=_final_kwh(case.start.card),
        level=level,
        stderr=standard_error(score) if score else None,
    )
    group = _group(case, reused, score) if score else [reused]
    return counterfactual(reused, group, None if declared is None else exact(declared, "declared"))


def _group(case: Case, reused: Peer, score: Score) -> list[Peer]:
    """The reused model and others of its group, with the energy of their final phases.

    The index knows the energy of all phases, so that cards have to be read: of a large group, those that took
    least, and those that took least among the good enough, which is where the lowest number is. What was made
    from the reused model is left out: it shows what reuse takes, not what training without it does.
    """
    made_from_it = Family()
    add_descendants(case.registry, case.tx, ANONYMOUS, case.start, made_from_it)
    left_out = {reused.id, *(relative.repo.id for relative in made_from_it.relatives.values())}
    found = peers.peers(case.tx, ANONYMOUS, group_of(score))
    same_way = [peer for peer in agreeing(found) if peer.higher_is_better == reused.higher_is_better]
    others = sorted((peer for peer in same_way if peer.is_ranked and peer.id not in left_out), key=by_energy)
    least = reused.goodness - CONVENTION.standard_errors * (reused.stderr or 0.0)
    good_enough = [peer for peer in others if peer.goodness >= least]
    wanted = {peer.id: peer for peer in (*others[:MOST_PEERS], *good_enough[:MOST_PEERS])}
    return [reused, *_with_final_energy(case, list(wanted.values()))]


def _with_final_energy(case: Case, wanted: Sequence[Peer]) -> list[Peer]:
    found = []
    for peer in wanted:
        repo = repos.visible(case.tx, ANONYMOUS, "model", RepoId(peer.id))
        card = repo and card_of(case.registry, case.tx, repo, reading.resolve(case.tx, repo, MAIN))
        if card:
            found.append(replace(peer, energy_kwh=_final_kwh(card)))
    return found


def _final_kwh(card: Card) -> Amount | None:
    final = totals(card).final
    return final.energy_facility_kwh if final else None


def _ended(stated: Stated) -> Revocation | None:
    if stated.ended_as is None or stated.ended_at is None:
        return None
    return Revocation(stated.ended_as, day_of(stated.ended_at), stated.ended_because or "no reason was given.")


def _anyway(made: Relative | None) -> Revocation | None:
    if made is None:
        return None
    return Revocation("trained_anyway", day_of(made.card.created_at), f"{made.repo.id} is a training of its own.")
