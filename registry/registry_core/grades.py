"""How far the numbers of a card can be trusted: the words that findings, policies, reports and pages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["E0", "E1", "E2", "E3", "E4"]
"""Declared, estimated, measured, evidenced, reproduced."""
LEVELS: tuple[Level, ...] = get_args(Level)
"""From the weakest on."""

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Finding:
    """Something that speaks against a number, found by a rule that anybody can repeat."""

    code: str  # F1 to F18
    severity: Severity  # error lowers the level to E0, warn by one
    place: str  # of the card, such as phases[0].pue; empty when it is about the whole
    message: str  # what was found and what to do, for people


@dataclass(frozen=True)
class Grade:
    """The evidence level of a card, and why it is not the next one."""

    level: Level
    findings: tuple[Finding, ...]
    missing: tuple[str, ...]  # what the next level needs; empty at E4


@dataclass(frozen=True)
class SignatureCheck:
    """What a signature over a card and its weights was found to be worth."""

    valid: bool
    key_id: str  # SHA-256 of the public key, hex
    signer: str | None  # the account that registered the key; None when nobody here did
    reason: str | None  # why it is not valid


@dataclass(frozen=True)
class Reproduction:
    """A rerun of the same training, or evaluation, by another identity."""

    account: str
    same_hardware_class: bool
    energy_ratio: float | None  # found / claimed; None when energy was not measured
    score_within_tolerance: bool
