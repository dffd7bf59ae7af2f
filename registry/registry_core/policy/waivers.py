"""A waiver: a signed exception from one rule, for one card or one repo, until a day.

It is a record of its own beside the policy. Who may approve, and whether the signature is the approver's, is
for the caller to say; here a waiver counts when it is for this rule, for this model, not expired, and signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import rfc8785
from pydantic import Field, ValidationError, field_validator

from registry_core.card_rules import DigestText, Moment, moment
from registry_core.errors import InvalidPolicy
from registry_core.policy.reading import RuleId, Words
from registry_core.strict import Strict, Text, fault_lines, faults_of, read_json

PAYLOAD_TYPE = "application/vnd.model-commons.waiver+json"
"""Of the DSSE envelope that signs `waiver_bytes`."""

MAX_BYTES = 64 * 1024


class _WaiverText(Strict):
    rule: RuleId
    reason: Words
    approver: Text
    expires: Moment
    card_digest: DigestText | None = None
    repo: Annotated[Text, Field(max_length=200)] | None = None
    signature: Text | None = Field(default=None, validate_default=True)

    @field_validator("signature")
    @classmethod
    def _is_about_one_thing(cls, signature: str | None, info: Any) -> str | None:
        if (info.data.get("card_digest") is None) == (info.data.get("repo") is None):
            raise ValueError("signs a waiver that needs one of card_digest and repo")
        return signature


@dataclass(frozen=True)
class Waiver:
    """An approved exception; either for one card, or for every card of one repo."""

    rule: str
    reason: str
    approver: str
    expires: str  # RFC 3339 UTC
    card_digest: str | None = None
    repo: str | None = None
    signature: str | None = None  # as the caller's check of signatures reads it


IsSigned = Callable[[Waiver], bool]
"""Whether the signature over `waiver_bytes` is that of the approver, who may approve."""


def parse_waiver(data: bytes | str | Mapping[str, Any]) -> Waiver:
    """The waiver in this JSON. Raises InvalidPolicy with every fault."""
    document, faults = read_json(data, max_bytes=MAX_BYTES)
    if document is not None and not faults:
        try:
            return Waiver(**_WaiverText.model_validate(document).model_dump())
        except ValidationError as error:
            faults = faults_of(error)
    raise InvalidPolicy("The waiver cannot be read.", hint="docs/policy.md has one.", faults=fault_lines(faults))


def waiver_bytes(waiver: Waiver) -> bytes:
    """What is signed: everything but the signature, as canonical JSON (RFC 8785)."""
    fields = {name: value for name, value in vars(waiver).items() if value is not None and name != "signature"}
    return rfc8785.dumps(fields)


def counting(
    waivers: Iterable[Waiver],
    rule: str,
    *,
    card_digest: str | None,
    repo: str | None,
    at: datetime,
    is_signed: IsSigned,
) -> Waiver | None:
    """The first waiver that excuses this model from `rule` now."""
    for waiver in waivers:
        is_ours = waiver.card_digest == card_digest if waiver.card_digest else waiver.repo == repo
        is_named = waiver.card_digest is not None or waiver.repo is not None
        if waiver.rule == rule and is_named and is_ours and at < moment(waiver.expires) and is_signed(waiver):
            return waiver
    return None
