"""A reuse statement as it is signed and sent, and what a registry answers to it.

    envelope = DSSE { payloadType: PAYLOAD_TYPE, payload: the statement as JSON, signatures: [Ed25519] }

The statement names its model twice: the commit, which says where to look, and the digest of its card, which is
what was signed about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from registry_core.card_rules import DigestText, Task
from registry_core.errors import Invalid
from registry_core.reuse import Alternative
from registry_core.reuse_event import Event
from registry_core.strict import Count, Number, Strict, Text, fault_lines, faults_of, read_json

PAYLOAD_TYPE = "application/vnd.model-commons.reuse-statement+json"
MAX_BYTES = 64 * 1024

Link = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]


class NamedEvidence(Strict):
    """The work that shows the reuse, where its author names it: a model made from it, or the number of a rerun."""

    card: Text | None = None  # repo id
    rerun: Annotated[Count, Field(ge=1)] | None = None


class SignedReuse(Strict):
    """What somebody signs: this is reused, for that task, and this would have been done otherwise."""

    convention: Literal["reuse-convention/1"]
    repo_id: Text
    commit_id: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    card_digest: DigestText
    task: Task
    alternative: Alternative
    organisation: Text  # that would have done it
    made_at: Text  # by the clock of who signed; the registry goes by its own
    alternative_kwh: Number | None = None  # what the alternative would have taken, as far as its author knows
    cancelled_job: Link | None = None  # record of the cancellation of a scheduled training
    evidence: NamedEvidence | None = None


@dataclass(frozen=True)
class StatedReuse:
    """A statement as the registry keeps it, and whether it counts now."""

    number: int
    id: str  # repo id of the reused model
    commit_id: str
    account: str
    organisation: str
    task: str
    stated_at: str
    counts: bool
    reasons: tuple[str, ...]  # all of them, when it does not count
    event: Event | None  # what it avoided, when it counts


@dataclass(frozen=True)
class EndedReuse:
    """A statement that counts no more: taken back by those who made it, or disproved by an administrator."""

    number: int
    ended_as: Literal["withdrawn", "disproved"]


def statement_payload(statement: SignedReuse) -> bytes:
    """The bytes to sign; the same statement makes the same bytes."""
    document = statement.model_dump(mode="json", exclude_none=True)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse_statement(payload: bytes) -> SignedReuse:
    """The statement in a payload. Raises Invalid, naming every fault."""
    document, faults = read_json(payload, max_bytes=MAX_BYTES)
    if document is not None:
        try:
            return SignedReuse.model_validate(document)
        except ValidationError as error:
            faults = faults_of(error) | faults
    raise Invalid(
        "What was signed is no reuse statement.",
        hint="`registry reuse state` makes and signs one.",
        faults=fault_lines(faults),
    )
