"""What secrets and personal data look like: a few rules of our own, and those of two libraries where they are there.

The rules of our own are for tokens of the tools of this field, and for what the libraries lack.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

Kind = Literal["secret", "personal data"]


class Hit(NamedTuple):
    """A place in a text, from `start` up to `end`."""

    start: int
    end: int
    kind: Kind
    what: str


def hits(text: str) -> list[Hit]:
    """What was found, from first to last; of two that overlap, the one that begins first."""
    found = sorted(
        [*_by_rules(text), *_by_detectors(text), *_by_annotator(text)], key=lambda hit: (hit.start, -hit.end)
    )
    kept: list[Hit] = []
    for hit in found:
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
    return kept


def is_complete() -> bool:
    """Whether the libraries of the extra `scan` are there."""
    return bool(_detectors()) and _annotator() is not None


def _is_iban(text: str) -> bool:
    """The check digits of ISO 13616."""
    letters = text.replace(" ", "")
    return int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    """Whether the address may be a person's: not a git remote's, a robot's or an example's."""
    name, _, host = text.lower().rpartition("@")
    is_example = re.search(r"(^|\.)(example\.(com|org|net)|example|invalid|test|localhost)$", host) is not None
    return name not in ("git", "noreply", "no-reply") and not is_example and "noreply" not in host


def _anything(_: str) -> bool:
    return True


_RULES: tuple[tuple[Kind, str, re.Pattern[str], Callable[[str], bool]], ...] = (
    (
        "secret",
        "private key",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[^-]{0,20000}-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
        _anything,
    ),
    ("secret", "Hugging Face or registry token", re.compile(r"\bhf_[A-Za-z0-9]{30,40}\b"), _anything),
    (
        "secret",
        "GitHub token",
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50,90})\b"),
        _anything,
    ),
    ("secret", "GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20}\b"), _anything),
    ("secret", "AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"), _anything),
    ("secret", "Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"), _anything),
    (
        "secret",
        "API key",
        re.compile(r"\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{0,100}[A-Za-z0-9]{20,200}\b"),
        _anything,
    ),
    ("secret", "Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"), _anything),
    (
        "personal data",
        "e-mail address",
        re.compile(
            r"(?<![\w.+@/:-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}\b(?!\w*[@:/])"
        ),
        _is_address,
    ),
    ("personal data", "IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _is_iban),
    (
        "personal data",
        "home folder",
        re.compile(r"(?:/home/|/Users/|[A-Z]:\\{1,2}Users\\{1,2})(?!user\b|username\b|runner\b|Shared\b)[\w.-]{1,64}"),
        _anything,
    ),
)


def _by_rules(text: str) -> Iterator[Hit]:
    for kind, what, pattern, holds in _RULES:
        for match in pattern.finditer(text):
            if holds(match.group()):
                yield Hit(match.start(), match.end(), kind, what)


# -- the libraries of the extra `scan`

_PLUGINS = {
    "artifactory": "ArtifactoryDetector",
    "aws": "AWSKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "twilio": "TwilioKeyDetector",
}
"""Detectors of one service each. Those that go by entropy, or by the word beside a value, take digests for secrets."""

# What examples write where a secret would stand.
_PLACEHOLDER = re.compile(
    r"(?:your|my)?[_-]?(?:pass(?:word)?|pwd|token|secret|key|x+|\*+|\.+)|[<$%\[].*", re.IGNORECASE
)


@cache
def _detectors() -> tuple[Any, ...]:
    from importlib import import_module

    try:
        modules = {name: import_module(f"detect_secrets.plugins.{name}") for name in _PLUGINS}
    except ImportError:
        return ()
    return tuple(getattr(modules[name], class_name)() for name, class_name in _PLUGINS.items())


def _by_detectors(text: str) -> Iterator[Hit]:
    start = 0
    for line in text.splitlines(keepends=True):
        for detector in _detectors():
            for secret in detector.analyze_string(line):
                at = line.find(secret) if isinstance(secret, str) and secret else -1
                if at >= 0 and not _PLACEHOLDER.fullmatch(secret):
                    yield Hit(start + at, start + at + len(secret), "secret", detector.secret_type)
        start += len(line)


@cache
def _annotator() -> Any:
    try:
        from datafog.processing.text_processing.regex_annotator import RegexAnnotator
    except ImportError:
        return None
    return RegexAnnotator()


def _by_annotator(text: str) -> Iterator[Hit]:
    annotator = _annotator()
    for label, (what, holds) in _PERSONAL.items() if annotator else ():
        for match in annotator.patterns[label].finditer(text):
            if holds(text, match.start(), match.end()):
                yield Hit(match.start(), match.end(), "personal data", what)


def _is_phone(text: str, start: int, end: int) -> bool:
    """Digits alone are a number; a phone is written as one."""
    found = text[start:end]
    return found.startswith(("+", "(")) or found.count("-") >= 2


def _is_card(text: str, start: int, end: int) -> bool:
    """The check digit of ISO 7812, and no part of a longer number."""
    if text[max(0, start - 1) : start] in (".", "-", "+", "/", "_") or text[end : end + 1] in (".", "-", "/", "_"):
        return False
    digits = [int(letter) for letter in text[start:end] if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_public_address(text: str, start: int, end: int) -> bool:
    """An address on the internet, and no version with four numbers."""
    before = text[text.rfind("\n", 0, start) + 1 : start].lower()
    if re.search(r"version|[=<>~^v.]\s*$", before) or text[end : end + 1] == ".":
        return False
    try:
        return ipaddress.ip_address(text[start:end]).is_global
    except ValueError:
        return False


_PERSONAL: dict[str, tuple[str, Callable[[str, int, int], bool]]] = {
    "PHONE": ("phone number", _is_phone),
    "CREDIT_CARD": ("credit card number", _is_card),
    "IP_ADDRESS": ("IP address", _is_public_address),
}
