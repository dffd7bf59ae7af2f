"""Statements of reuse: taken in, withdrawn, and counted in a ledger."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from registry_core.errors import EntryNotFound, Forbidden, Invalid, NotFound, RevisionNotFound
from registry_core.ids import RepoId, RepoKind, Revision
from registry_core.quantity import Amount
from registry_core.reuse import Claim
from registry_core.reuse_ledger import Ledger, ledger
from registry_core.reuse_statement import (
    MAX_BYTES,
    PAYLOAD_TYPE,
    EndedReuse,
    SignedReuse,
    StatedReuse,
    parse_statement,
)
from registry_core.reuse_text import events_csv, ledger_json, sums_csv
from registry_core.reuse_views import ModelLedger, of_model, of_organisation
from registry_core.signing import key_ids, verify_statement
from registry_server.catalog import accounts, audit, reuses
from registry_server.catalog.accounts import ANONYMOUS, Account, Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.reuses import End, Stated
from registry_server.usecases import access, keys, reading, relations
from registry_server.usecases.cards import require_card
from registry_server.usecases.claims import work_out
from registry_server.usecases.context import Registry
from registry_server.usecases.lineages import MAIN, Relative

__all__ = [
    "MAX_BYTES",
    "events_csv",
    "ledger_and_induced",
    "ledger_for",
    "ledger_json",
    "ledger_of_model",
    "ledger_of_organisation",
    "state",
    "sums_csv",
    "withdraw",
]

_A_BATCH = 20
"""How many statements are worked out while others wait to write."""


def state(registry: Registry, caller: Caller, repo_id: RepoId, revision: Revision, envelope: bytes) -> StatedReuse:
    """Take in a signed statement; the same one twice is one. It may count later, if not now.

    Raises Invalid when it does not verify or speaks of something else, Forbidden when the caller may not speak for the
    organisation it names.
    """
    access.require_writing_token(caller, "state a reuse")
    at = registry.stamp()
    with registry.engine.write() as tx:
        repo = access.open_repo(tx, caller, "model", repo_id)
        commit = reading.resolve(tx, repo, revision)
        start = Relative(repo, commit, require_card(registry, tx, repo, commit))
        said = _verified(tx, caller, envelope)
        _require_same(said, start)
        speaking = _organisation(tx, caller, said.organisation)
        oid = bytes.fromhex(commit)
        number = reuses.add(tx, repo, oid, speaking.id, caller.account_id, envelope.decode(), at)
        stated = _work_out(registry, tx, number)
        if stated.stated_at == at:
            audit.note(
                tx, at, caller, "reuse.state", repo, {"commit_id": commit, "task": said.task}, subject=speaking.name
            )
    return _judged(ledger_for(registry, caller), stated, said.task)


def withdraw(registry: Registry, caller: Caller, number: int, because: str | None) -> EndedReuse:
    """End a statement: withdrawn by those who made it, or disproved by an administrator. Doing so twice is once."""
    access.require_writing_token(caller, "withdraw a statement")
    at = registry.stamp()
    with registry.engine.write() as tx:
        stated = reuses.by_number(tx, number)
        is_own = stated is not None and (
            caller.account_id == stated.account_id or _speaks_for(tx, caller, stated.organisation_id)
        )
        if stated is None or not (is_own or reuses.is_visible(tx, caller, number)):
            raise NotFound("There is no such statement.", hint="`registry reuse ledger` lists those that count.")
        if not (is_own or caller.is_admin):
            raise Forbidden(f"Statement {number} is not yours.", hint=f"Ask {stated.organisation} to withdraw it.")
        if stated.ended_as is not None:
            return EndedReuse(number, stated.ended_as)
        ended: End = "withdrawn" if is_own else "disproved"
        reuses.end(tx, number, ended, because, at)
        _work_out(registry, tx, number)
        audit.note(tx, at, caller, "reuse.end", stated.repo, {"as": ended, "because": because}, subject=str(number))
    return EndedReuse(number, ended)


def ledger_for(registry: Registry, caller: Caller) -> Ledger:
    """The ledger of all claims of which the caller sees every model; nothing of any other is in its sums."""
    _bring_up_to_date(registry)
    with registry.engine.read() as tx:
        version = reuses.version(tx)
        if not reuses.sees_more_than_strangers(tx, caller):
            caller = ANONYMOUS
        if caller.is_anonymous and version in registry.ledgers:
            return registry.ledgers[version]
        claims = reuses.claims(tx, caller)
    found = ledger(_claims().validate_json(claim) for claim in claims)
    if caller.is_anonymous:
        registry.ledgers.clear()
        registry.ledgers[version] = found
    return found


def ledger_of_organisation(registry: Registry, caller: Caller, name: str) -> Ledger:
    """What of the ledger is about an organisation or a user. Raises NotFound when there is none of that name."""
    with registry.engine.read() as tx:
        account = accounts.by_name(tx, name)
        if account is None:
            raise NotFound("There is no such organisation.", hint="Name an owner, as in OWNER/NAME.")
        claims = reuses.numbers_of_organisation(tx, account.id)
    return of_organisation(ledger_for(registry, caller), account.name, claims)


def ledger_of_model(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> Ledger:
    """What of the ledger is about a model, as a maker's and as an ancestor."""
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        claims = reuses.numbers_of_repo(tx, repo)
    return of_model(ledger_for(registry, caller), repo.id, claims)


def ledger_and_induced(registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId) -> ModelLedger:
    """The ledger of a model and, beside it, what its descendants took."""
    found = ledger_of_model(registry, caller, kind, repo_id)
    try:
        lineage = relations.lineage_of(registry, caller, kind, repo_id, MAIN)
    except (RevisionNotFound, EntryNotFound):  # nothing can have been made from a card that is not there
        return ModelLedger(repo_id, found, None, 0)
    induced = Amount(**lineage.induced_kwh) if lineage.induced_kwh else None
    return ModelLedger(lineage.id, found, induced, len(lineage.descendants))


def _verified(tx: Transaction, caller: Caller, envelope: bytes) -> SignedReuse:
    check, payload = verify_statement(envelope, PAYLOAD_TYPE, keys.known(tx, key_ids(envelope)))
    if not check.valid:
        raise Invalid(
            f"The signature of the statement does not count: {check.reason}.",
            hint="Register the key with `registry keys register`, and state the reuse again.",
        )
    if check.signer != caller.name:
        raise Forbidden(
            f"The statement is signed by {check.signer}, and sent by {caller.name}.",
            hint="Whoever signs a statement sends it.",
        )
    return parse_statement(payload)


def _require_same(said: SignedReuse, start: Relative) -> None:
    """Raise Invalid unless the statement is about this revision."""
    signed = {"model": said.repo_id.lower(), "commit": said.commit_id, "card": said.card_digest}
    here = {"model": start.repo.id.key, "commit": str(start.commit), "card": start.digest}
    if faults := [
        f"{what}: it names {signed[what]}, here is {here[what]}" for what in signed if signed[what] != here[what]
    ]:
        raise Invalid("The statement is about something else than the address it was sent to.", faults=faults)


def _organisation(tx: Transaction, caller: Caller, name: str) -> Account:
    """The organisation, or the user, that the caller may speak for.

    Who belongs to an organisation speaks for it and not for themselves: else one reuse would count for each.
    """
    account = accounts.by_name(tx, name)
    if account is None or not _speaks_for(tx, caller, account.id):
        raise Forbidden(f"You may not speak for {name[:96]!r}.", hint="Its members with the role write or admin may.")
    mine = accounts.organisations(tx, caller.account_id)
    if account.id == caller.account_id and mine:
        names = ", ".join(name for name, _ in mine)
        raise Forbidden(f"You belong to {names}, and state a reuse for it.", hint="Name it with --organisation.")
    return account


def _speaks_for(tx: Transaction, caller: Caller, organisation_id: int) -> bool:
    return accounts.role_in(tx, caller.account_id, organisation_id) in ("write", "admin")


def _bring_up_to_date(registry: Registry) -> None:
    """Work out anew what something happened to since."""
    while True:
        with registry.engine.read() as tx:
            if not reuses.stale(tx, 1):
                return
        with registry.engine.write() as tx:
            for number in reuses.stale(tx, _A_BATCH):
                _work_out(registry, tx, number)


def _work_out(registry: Registry, tx: Transaction, number: int) -> Stated:
    stated = reuses.by_number(tx, number)
    assert stated is not None
    before = _claims().validate_json(stated.claim) if stated.claim else None
    found = work_out(registry, tx, stated, before)
    reuses.keep(tx, number, _claims().dump_json(found.claim).decode(), found.repos)
    return stated


@cache
def _claims() -> TypeAdapter[Claim]:
    return TypeAdapter(Claim)


def _judged(found: Ledger, stated: Stated, task: str) -> StatedReuse:
    id = str(stated.number)
    event = next((event for event in found.events if event.id == id), None)
    return StatedReuse(
        number=stated.number,
        id=stated.repo.id,
        commit_id=stated.commit_oid.hex(),
        account=stated.account,
        organisation=stated.organisation,
        task=task,
        stated_at=stated.stated_at,
        counts=event is not None,
        reasons=next((refusal.reasons for refusal in found.refused if refusal.id == id), ()),
        event=event,
    )
