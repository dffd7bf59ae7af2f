"""Reuse: saying under one's own signature that a model was reused, and reading what that avoided."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from registry_client import keys
from registry_client.config import connection
from registry_client.remote import Remote
from registry_client.spec import parse_pinned_spec
from registry_core.card import card_digest, parse_card
from registry_core.errors import Invalid, NotFound
from registry_core.ids import Owner, RepoId
from registry_core.reuse import CONVENTION, Alternative
from registry_core.reuse_ledger import Ledger
from registry_core.reuse_statement import PAYLOAD_TYPE, EndedReuse, SignedReuse, StatedReuse, statement_payload
from registry_core.signing import sign_statement


def state(
    spec: str,
    task: str,
    alternative: Alternative,
    *,
    alternative_kwh: float | None = None,
    organisation: str | None = None,
    cancelled_job: str | None = None,
    evidence_card: str | None = None,
    evidence_rerun: int | None = None,
    key: str = keys.DEFAULT_NAME,
    endpoint: str | None = None,
    token: str | None = None,
) -> StatedReuse:
    """Sign and send that `OWNER/NAME@REVISION` is reused, and what would have been done otherwise.

    It is for an organisation that the caller belongs to, or for the caller. A key is made when there is none of that
    name, and registered. Raises Invalid without the extra `sign`, EntryNotFound when the model has no card.
    """
    repo, revision = parse_pinned_spec(spec)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        model = remote.detail(repo, revision)
        if model.footprint is None:
            raise NotFound(
                f"{spec} has no footprint card.", hint="Only a model with a card can be reused in the ledger."
            )
        said: dict[str, Any] = {
            "convention": CONVENTION.id,
            "repo_id": model.id,
            "commit_id": model.commit_id,
            "card_digest": str(card_digest(parse_card(model.footprint))),
            "task": task,
            "alternative": alternative,
            "alternative_kwh": alternative_kwh,
            "organisation": organisation or remote.whoami().name,
            "cancelled_job": cancelled_job,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "evidence": _evidence(evidence_card, evidence_rerun),
        }
        envelope = sign_statement(PAYLOAD_TYPE, _payload(said), _registered(remote, key))
        return remote.state_reuse(repo, model.commit_id, json.loads(envelope))


def withdraw(
    number: int, reason: str | None = None, *, endpoint: str | None = None, token: str | None = None
) -> EndedReuse:
    """Take a statement back: it counts no more, and its place is free. Raises NotFound and Forbidden."""
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.withdraw_reuse(number, reason)


def ledger(
    *,
    model: str | None = None,
    organisation: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> Ledger:
    """What reuse avoided, as far as the caller sees the models: all of it, or that of a model or an organisation."""
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.ledger(RepoId(model) if model else None, Owner(organisation) if organisation else None)


def _evidence(card: str | None, rerun: int | None) -> dict[str, Any] | None:
    if card and rerun:
        raise Invalid("Either a card or a rerun shows the reuse.", hint="Name one of them, or none.")
    return {"card": RepoId(card)} if card else {"rerun": rerun} if rerun else None


def _payload(said: dict[str, Any]) -> bytes:
    from pydantic import ValidationError

    from registry_core.strict import fault_lines, faults_of

    try:
        given = {name: value for name, value in said.items() if value is not None}
        return statement_payload(SignedReuse.model_validate(given))
    except ValidationError as error:
        raise Invalid("The statement does not make sense.", faults=fault_lines(faults_of(error))) from error


def _registered(remote: Remote, name: str) -> bytes:
    """The private part of a key that the server knows; a new key when there is none of that name."""
    try:
        public = keys.show(name)
    except NotFound:
        public = keys.new(name)
    remote.register_key(public.public, public.name)
    return keys.private_pem(name)
