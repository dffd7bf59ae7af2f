"""What the policy of a repo's owner says of a commit, at push and at publish; and who may make exceptions.

owner's policy, else the shipped one ─┐
card, grade, files ───────────────────┼─► decide ─► Decision, kept with the commit
what else the registry knows ─────────┤
waivers, their signatures checked ────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry_core.card import CARD_PATH, Card, card_digest
from registry_core.errors import InvalidPolicy, PolicyRefused
from registry_core.footprint import totals
from registry_core.ids import CommitId, Owner, RepoId, RepoKind
from registry_core.policy.deciding import Decision, PolicyInput, decide
from registry_core.policy.facts import card_facts, file_facts
from registry_core.policy.reading import parse_policy
from registry_core.policy.rules import Act, Policy
from registry_core.policy.shipped import shipped_policy
from registry_core.policy.waivers import PAYLOAD_TYPE, Waiver, waiver_bytes
from registry_core.signing import key_ids, verify_statement
from registry_server.catalog import accounts, audit, policies
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, grading, indexing, keys, reading, surroundings
from registry_server.usecases.context import Registry, moment
from registry_server.usecases.lineages import Relative
from registry_server.usecases.reading import File

DEFAULTS: dict[Act, str] = {"push": "minimal", "publish": "publish"}
"""The policies that hold where an owner set none."""


@dataclass(frozen=True)
class _Revision:
    """What is judged."""

    repo: Repo
    commit: CommitId
    files: Mapping[str, File]
    card: Card | None


def require(registry: Registry, tx: Transaction, caller: Caller, repo: Repo, commit: CommitId, act: Act) -> Decision:
    """Let the act go on if the owner's policy does, and keep the decision with the commit.

    The transaction is that of the act, so that neither stands without the other. Raises PolicyRefused, with every
    rule that blocks.
    """
    revision = _revision(registry, tx, repo, commit)
    policy = policy_for(tx, repo.owner_id, act)
    decision = _decide(registry, tx, caller, revision, policy, act)
    if not decision.allowed:
        raise PolicyRefused(
            f"The policy {decision.policy} does not let this {act} of {repo.id} go on.",
            hint="`registry policy check` tells the same before a push; an owner may waive a rule for a time.",
            faults=[f"{outcome.rule}: {outcome.message}" for outcome in decision.having("block")],
        )
    co2e = totals(revision.card).all.co2e_location_kg if revision.card else None
    oid = bytes.fromhex(commit)
    policies.add_decision(tx, repo, oid, decision, caller.account_id, co2e_kg=co2e.high if co2e else None)
    return decision


def policy_for(tx: Transaction, owner_id: int, act: Act) -> Policy:
    """The policy that the owner set for the act, else the default one."""
    source = policies.policy_of(tx, owner_id, act)
    return shipped_policy(DEFAULTS[act]) if source is None else parse_policy(source, shipped_policy)


def _revision(registry: Registry, tx: Transaction, repo: Repo, commit: CommitId) -> _Revision:
    files = {file.path: file for file in reading.files(tx, repo, commit)}
    return _Revision(repo, commit, files, indexing.read_card(registry, tx, files.get(CARD_PATH)))


def _decide(
    registry: Registry, tx: Transaction, caller: Caller, revision: _Revision, policy: Policy, act: Act
) -> Decision:
    repo, card = revision.repo, revision.card
    now = registry.now()
    found = Relative(repo, revision.commit, card) if card else None
    around = surroundings.of(registry, tx, caller, found, policy, act) if found else surroundings.NOTHING
    given = PolicyInput(
        act=act,
        moment=now,
        card=None if card is None else _card_facts(registry, tx, revision, card, act),
        files=file_facts(_tree(revision.files)),
        parent=around.parent,
        group=around.group,
        registry=around.registry,
        repo_id=repo.id,
        card_digest=None if card is None else str(card_digest(card)),
    )
    waivers = policies.waivers_of(tx, repo)
    return decide(policy, given, waivers, is_signed=lambda waiver: _is_signed(tx, repo, waiver))


def _card_facts(registry: Registry, tx: Transaction, revision: _Revision, card: Card, act: Act) -> dict[str, Any]:
    files = revision.files
    found = grading.graded(registry, tx, card, files)
    # A stock client may send a folder in several commits, the card before the weights. Whether all weights are named
    # is asked when all files that are named are there; at publish it is asked in any case.
    is_whole = act != "push" or indexing.status(card, files) == "complete"
    return card_facts(
        card,
        grade=found.grade,
        tree=_tree(files) if is_whole else {},
        readme=indexing.readme_text(registry, tx, files.get(indexing.README_PATH)),
        sampling=found.sampling,
        signature=found.signature,
    )


def _tree(files: Mapping[str, File]) -> dict[str, tuple[str, int]]:
    return {path: (str(file.digest), file.size_bytes) for path, file in files.items()}


def _is_signed(tx: Transaction, repo: Repo, waiver: Waiver) -> bool:
    """Whether the approver signed exactly this waiver, and may manage the repo."""
    envelope = (waiver.signature or "").encode()
    check, payload = verify_statement(envelope, PAYLOAD_TYPE, keys.known(tx, key_ids(envelope)))
    if not check.valid or payload != waiver_bytes(waiver) or check.signer != waiver.approver:
        return False
    approver = accounts.by_name(tx, waiver.approver)
    return approver is not None and (approver.is_admin or accounts.role_in(tx, approver.id, repo.owner_id) == "admin")


def set_policy(registry: Registry, caller: Caller, owner: Owner, act: Act, source: str | None) -> Policy:
    """The policy of an owner for an act from now on; None: the default one again.

    Raises InvalidPolicy with every fault, and what asking for the right to manage the owner's things raises.
    """
    if act not in DEFAULTS:
        raise InvalidPolicy(f"A policy cannot be set for {act}.", hint=f"It can for {', '.join(DEFAULTS)}.")
    if source is not None:
        parse_policy(source, shipped_policy)
    at = registry.stamp()
    with registry.engine.write() as tx:
        account = access.open_namespace(tx, caller, owner)
        access.require_role(tx, caller, account.id, "admin", f"set the policies of {account.name}")
        policies.set_policy(tx, account.id, act, source, caller.account_id, at)
        policy = policy_for(tx, account.id, act)
        audit.note(tx, at, caller, "policy.set", detail={"act": act, "policy": policy.name}, subject=account.name)
    return policy


def policy_of_owner(registry: Registry, caller: Caller, owner: Owner, act: Act) -> Policy:
    """The policy that holds for an act on the owner's repos. For those who may make repos there."""
    with registry.engine.read() as tx:
        return policy_for(tx, access.open_namespace(tx, caller, owner).id, act)


def waivers(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> list[Waiver]:
    """The exceptions of a repo, newest first, whether they still count or not."""
    with registry.engine.read() as tx:
        return policies.waivers_of(tx, access.open_repo(tx, caller, kind, repo_id, "see"))


def waive(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, waiver: Waiver) -> None:
    """Keep an exception that the caller approved and signed, for this repo or for a card of it.

    Raises InvalidPolicy when it would not count: another's approval, another repo, a wrong signature, too late.
    """
    at = registry.stamp()
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "admin")
        if waiver.approver != caller.name:
            raise InvalidPolicy(f"The waiver is approved by {waiver.approver[:100]}, and sent by {caller.name}.")
        if waiver.repo not in (None, repo.id):
            raise InvalidPolicy(f"The waiver is for {waiver.repo}, not for {repo.id}.")
        if waiver.expires <= moment(registry.now()):
            raise InvalidPolicy("The waiver has expired already.", hint="Give a later moment.")
        if not _is_signed(tx, repo, waiver):
            raise InvalidPolicy(
                "The waiver is not signed by its approver with a key that is registered here.",
                hint="Run `registry keys register`, and `registry policy waive` again.",
            )
        policies.add_waiver(tx, repo, waiver, caller.account_id, at)
        audit.note(tx, at, caller, "policy.waive", repo, {"rule": waiver.rule, "expires": waiver.expires})
