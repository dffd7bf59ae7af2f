"""Signatures: a DSSE envelope around an in-toto statement that binds a card to its weights and its evidence.

    footprint.att.json = DSSE { payload: in-toto statement, signatures: [Ed25519] }
    statement          = subjects: path -> SHA-256 of each file; predicate: the digest of the card

A signature proves who vouches for these bytes, and that they are these; it does not prove that a number is true.
Verifying needs no more than the base install: without `cryptography`, securesystemslib computes Ed25519 in Python.
Signing needs the extra `sign`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from registry_core.card import CARD_PATH, Card
from registry_core.errors import Invalid
from registry_core.grades import SignatureCheck
from registry_core.ids import Digest
from registry_core.records import PublicKey

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope

ATTESTATION_PATH = "footprint.att.json"
EVIDENCE_FOLDER = "footprint/"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:model-commons:footprint-card:1.0"
MAX_ENVELOPE_BYTES = 1024 * 1024
MAX_SIGNATURES = 16

_PUBLIC = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class KeyPair:
    """An Ed25519 key: the private part as PKCS8 PEM, the public one as 64 hex digits."""

    private_pem: bytes
    public: str


def key_id(public: str) -> str:
    """The name of a key: SHA-256 of its 32 bytes, which `public` gives in hex. Raises Invalid."""
    if not _PUBLIC.fullmatch(public):
        raise Invalid(
            "That is not an Ed25519 public key.", hint="It has 64 hex digits; `registry keys show` prints it."
        )
    return hashlib.sha256(bytes.fromhex(public)).hexdigest()


def new_key() -> KeyPair:
    """A new key. Raises Invalid when the extra `sign` is not installed."""
    serialization, ed25519 = _cryptography()
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return KeyPair(pem, private.public_key().public_bytes_raw().hex())


def sign_statement(payload_type: str, payload: bytes, private_pem: bytes) -> bytes:
    """The DSSE envelope around any payload. The same key and payload make the same bytes. Raises Invalid."""
    private = _private_key(private_pem)
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, SSlibKey

    public = private.public_key().public_bytes_raw().hex()
    key = SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public})
    envelope = Envelope(payload, payload_type, {})
    envelope.sign(CryptoSigner(private, key))
    return json.dumps(envelope.to_dict(), indent=2).encode() + b"\n"


def sign_card(card_digest: Digest, files: Mapping[str, str], private_pem: bytes) -> bytes:
    """`footprint.att.json` for the card and these files, path -> SHA-256. Raises Invalid."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": path, "digest": {"sha256": str(files[path])}} for path in sorted(files)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"cardDigest": {"sha256": str(card_digest)}},
    }
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return sign_statement(PAYLOAD_TYPE, payload, private_pem)


def covered(card: Card, tree: Mapping[str, str]) -> dict[str, str]:
    """What a signature has to bind, path -> SHA-256: what the card is about, the card, and all evidence beside it.

    `tree` are the files of the revision, path -> SHA-256.
    """
    beside = {path: digest for path, digest in tree.items() if path == CARD_PATH or path.startswith(EVIDENCE_FOLDER)}
    return {**{file.path: file.sha256 for file in card.subject.files}, **beside}


def verify(
    envelope: bytes, card_digest: Digest, files: Mapping[str, str], keys: Mapping[str, PublicKey]
) -> SignatureCheck:
    """What the signature over this card is worth. Never raises, whatever the envelope holds.

    `files`, path -> SHA-256, are those that have to be signed: see `covered`.
    `keys` are the known ones by key id.
    """
    check, payload = verify_statement(envelope, PAYLOAD_TYPE, keys)
    if not check.valid:
        return check
    fault = _fault_of(payload, card_digest, files)
    return SignatureCheck(fault is None, check.key_id, check.signer, fault)


def verify_statement(envelope: bytes, payload_type: str, keys: Mapping[str, PublicKey]) -> tuple[SignatureCheck, bytes]:
    """Whether one of `keys` signed the envelope, and its payload: empty unless it did. Never raises."""
    opened = _opened(envelope)
    if opened is None:
        return _invalid("it is not a DSSE envelope"), b""
    named = next(iter(opened.signatures), "")
    if opened.payload_type != payload_type:
        return _invalid(f"its payload is not {payload_type}", named), b""
    known = [keys[name] for name in opened.signatures if name in keys]
    for key in known:
        if _has_signed(key, opened):
            return SignatureCheck(True, key.key_id, key.account, None), opened.payload
    reason = "the signature is not that of the key it names" if known else "nobody registered the key it names"
    return _invalid(reason, named), b""


def key_ids(envelope: bytes) -> list[str]:
    """The ids of the keys that an envelope names, whether they signed it or not; none when it cannot be read."""
    opened = _opened(envelope)
    return [name for name in opened.signatures if re.fullmatch("[0-9a-f]{64}", name)] if opened else []


def _invalid(reason: str, name: str = "") -> SignatureCheck:
    return SignatureCheck(False, name if re.fullmatch("[0-9a-f]{64}", name) else "", None, reason)


def _opened(envelope: bytes) -> Envelope | None:
    from securesystemslib.dsse import Envelope

    if len(envelope) > MAX_ENVELOPE_BYTES:
        return None
    try:
        document = json.loads(envelope)
        if not 0 < len(document["signatures"]) <= MAX_SIGNATURES:
            return None
        opened = Envelope.from_dict(document)
        opened.pae()
    except Exception:  # the library reads without looking: any type in any place ends in an error of its own
        return None
    return opened


def _has_signed(key: PublicKey, envelope: Envelope) -> bool:
    from securesystemslib.signer import SSlibKey

    try:
        # A key that is filed under another name than its own is nobody's.
        if key_id(key.public) != key.key_id:
            return False
        verifier = SSlibKey(key.key_id, "ed25519", "ed25519", {"public": key.public})
        verifier.verify_signature(envelope.signatures[key.key_id], envelope.pae())
    except Exception:  # a wrong signature, a point off the curve, a signature of another length
        return False
    return True


def _fault_of(payload: bytes, card_digest: Digest, files: Mapping[str, str]) -> str | None:
    """Why a statement that was signed does not speak of this card and these files; None when it does."""
    statement = _statement(payload)
    if statement.get("_type") != STATEMENT_TYPE or statement.get("predicateType") != PREDICATE_TYPE:
        return f"it is no statement about a card ({PREDICATE_TYPE})"
    signed = _subjects(statement)
    unsigned = sorted(path for path in files if path not in signed)
    if unsigned:
        return f"it does not cover {unsigned[0][:200]}"
    changed = sorted(path for path, digest in files.items() if signed[path] != digest)
    if changed:
        return f"{changed[0][:200]} changed after it was signed"
    predicate = statement.get("predicate")
    named = predicate.get("cardDigest") if isinstance(predicate, dict) else None
    if not isinstance(named, dict) or named.get("sha256") != str(card_digest):
        return "it was made for another card"
    return None


def _statement(payload: bytes) -> dict[str, Any]:
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return statement if isinstance(statement, dict) else {}


def _subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    """Path -> SHA-256; a path that is named twice with different digests is not covered at all."""
    listed = statement.get("subject")
    found: dict[str, str] = {}
    for subject in listed if isinstance(listed, list) else []:
        digests = subject.get("digest") if isinstance(subject, dict) else None
        path, digest = (subject.get("name"), digests.get("sha256")) if isinstance(digests, dict) else (None, None)
        if isinstance(path, str) and isinstance(digest, str):
            found[path] = digest if found.get(path, digest) == digest else ""
    return found


def _private_key(private_pem: bytes) -> Any:
    serialization, ed25519 = _cryptography()
    try:
        private = serialization.load_pem_private_key(private_pem, None)
    except (ValueError, TypeError) as error:
        raise Invalid("That is not a private key in PEM.", hint="Make one with `registry keys new`.") from error
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise Invalid("That is not an Ed25519 key.", hint="Make one with `registry keys new`.")
    return private


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise Invalid(
            "Signing needs a package that is not installed.",
            hint="Install it with: pip install 'model-commons[sign]'",
        ) from error
    return serialization, ed25519
