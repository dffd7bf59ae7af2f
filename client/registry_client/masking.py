"""Secrets and personal data in what is about to be published: found before anything is sent, and masked on request.

    secret          anywhere                                   refused
    personal data   in the card and its evidence               refused: nobody reads them before they are public
                    anywhere else, such as a README            a warning: an author's address may be meant

A few rules of our own always run; the extra `scan` brings those of two maintained libraries, bc-detect-secrets for
secrets and datafog for personal data. Both only apply patterns, and nothing is sent anywhere to be verified. What was
found is told by file, line, kind and fingerprint, and never shown.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry_client.folder import CARD_NAME, LocalFile, measured_again
from registry_client.patterns import Kind, hits, is_complete
from registry_client.writing import rewrite
from registry_core.errors import Refused
from registry_core.signing import ATTESTATION_PATH

logger = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024
_SUFFIXES = frozenset(
    ".md .txt .json .jsonl .yaml .yml .toml .cfg .ini .conf .env .csv .py .sh .ipynb .xml .html .log .pem .key".split()
)
_NOT_READ = frozenset(
    {"tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json", ATTESTATION_PATH}
)
"""Vocabularies, which are words of anybody, and our own signature."""


@dataclass(frozen=True)
class Leak:
    """One place where something stands that should not be published. It does not say what stands there."""

    path: str
    line: int
    kind: Kind
    what: str  # "private key", "e-mail address"
    fingerprint: str  # the same wherever the same text stands; `--allow-finding` takes it
    refused: bool


def checked(files: Sequence[LocalFile], *, mask: bool = False, allowed: Collection[str] = ()) -> list[LocalFile]:
    """The files, free of secrets: masked ones are measured again. Raises Refused naming every place that is not."""
    if mask:
        files = [_masked(file, allowed) for file in files]
    if not is_complete():
        logger.info("Looked for the commonest secrets only; pip install 'model-commons[scan]' looks for more.")
    leaks = scan(files, allowed)
    refused = [leak for leak in leaks if leak.refused]
    for leak in leaks:
        if not leak.refused:
            logger.warning("%s", described(leak))
    if refused:
        raise Refused(
            "Nothing was sent: there is something in the folder that should not be published.",
            hint="Take it out, or let --mask replace it; if it is nothing, name it with --allow-finding FINGERPRINT."
            " A secret that was ever shared should be revoked.",
            faults=[described(leak) for leak in refused],
        )
    return list(files)


def scan(files: Iterable[LocalFile], allowed: Collection[str] = ()) -> list[Leak]:
    """Everything found in the small text files, by file and line."""
    return [leak for file in files for leak in _leaks(file) if leak.fingerprint not in allowed]


def described(leak: Leak) -> str:
    """The place and the kind, without the text itself."""
    return f"{leak.path}:{leak.line}: {leak.kind}, {leak.what} (fingerprint {leak.fingerprint})"


def _leaks(file: LocalFile) -> Iterator[Leak]:
    text = _text(file)
    strict = str(file.path) == CARD_NAME or str(file.path).startswith("footprint/")
    for hit in hits(text):
        line = text.count("\n", 0, hit.start) + 1
        fingerprint = _fingerprint(text[hit.start : hit.end])
        yield Leak(str(file.path), line, hit.kind, hit.what, fingerprint, strict or hit.kind == "secret")


def _masked(file: LocalFile, allowed: Collection[str]) -> LocalFile:
    """The file after its hits were replaced where they stand."""
    text = _text(file)
    found = [hit for hit in hits(text) if _fingerprint(text[hit.start : hit.end]) not in allowed]
    if not found:
        return file
    masked = text
    for hit in reversed(found):
        masked = f"{masked[: hit.start]}(masked {hit.what}){masked[hit.end :]}"
    rewrite(file.local, masked)
    kinds = ", ".join(sorted({hit.what for hit in found}))
    logger.info("Masked %d places in %s: %s.", len(found), file.path, kinds)
    return measured_again(file)


def _text(file: LocalFile) -> str:
    """The text of a small text file; empty for any other."""
    path = Path(file.local)
    is_text = path.suffix.lower() in _SUFFIXES or path.name.startswith(".env")
    if not is_text or path.name in _NOT_READ or file.size_bytes > MAX_BYTES:
        return ""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return ""


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
