"""Signatures over cards: what is bound, who signed, and that nothing hostile gets further than a reason."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import Invalid
from registry_core.ids import Digest
from registry_core.records import PublicKey
from registry_core.signing import (
    PAYLOAD_TYPE,
    KeyPair,
    key_id,
    new_key,
    sign_card,
    sign_statement,
    verify,
    verify_statement,
)

CARD = Digest("c" * 64)
FILES = {"footprint.json": "a" * 64, "model.safetensors": "b" * 64}
PAIR = new_key()


def filed(pair: KeyPair, account: str | None = "alice") -> dict[str, PublicKey]:
    name = key_id(pair.public)
    return {name: PublicKey(name, pair.public, "laptop", account, "2026-11-21T08:00:00Z")}


KNOWN = filed(PAIR)
ENVELOPE = sign_card(CARD, FILES, PAIR.private_pem)


def test_a_signature_binds_card_and_files_and_names_the_signer() -> None:
    check = verify(ENVELOPE, CARD, FILES, KNOWN)
    assert (check.valid, check.signer, check.reason) == (True, "alice", None)
    assert check.key_id == key_id(PAIR.public)
    payload = json.loads(base64.b64decode(json.loads(ENVELOPE)["payload"]))
    assert {one["name"]: one["digest"]["sha256"] for one in payload["subject"]} == FILES


def test_the_same_key_and_card_make_the_same_bytes() -> None:
    assert sign_card(CARD, dict(reversed(FILES.items())), PAIR.private_pem) == ENVELOPE


@pytest.mark.parametrize(
    ("digest", "files", "reason"),
    [
        (Digest("d" * 64), FILES, "another card"),
        (CARD, {**FILES, "model.safetensors": "d" * 64}, "model.safetensors changed"),
        (CARD, {**FILES, "more.safetensors": "d" * 64}, "does not cover more.safetensors"),
    ],
)
def test_what_was_not_signed_like_this_is_named(digest: Digest, files: dict[str, str], reason: str) -> None:
    check = verify(ENVELOPE, digest, files, KNOWN)
    assert not check.valid
    assert reason in (check.reason or "")
    assert check.key_id == key_id(PAIR.public)


def test_a_key_that_nobody_registered_proves_nothing() -> None:
    check = verify(ENVELOPE, CARD, FILES, filed(new_key()))
    assert (check.valid, check.signer) == (False, None)
    assert "nobody registered" in (check.reason or "")


def test_a_key_that_is_filed_under_the_id_of_another_proves_nothing() -> None:
    mine, theirs = new_key(), PAIR
    forged = json.loads(sign_card(CARD, FILES, mine.private_pem))
    forged["signatures"][0]["keyid"] = key_id(theirs.public)
    assert not verify(json.dumps(forged).encode(), CARD, FILES, KNOWN).valid
    misfiled = {key_id(theirs.public): replace(KNOWN[key_id(theirs.public)], public=mine.public)}
    assert not verify(json.dumps(forged).encode(), CARD, FILES, misfiled).valid


def test_a_changed_payload_is_noticed() -> None:
    envelope = json.loads(ENVELOPE)
    statement = base64.b64decode(envelope["payload"]).replace(b"b" * 64, b"e" * 64)
    envelope["payload"] = base64.b64encode(statement).decode()
    check = verify(json.dumps(envelope).encode(), CARD, {**FILES, "model.safetensors": "e" * 64}, KNOWN)
    assert (check.valid, check.signer) == (False, None)


def test_a_file_that_is_named_twice_is_not_covered() -> None:
    statement = json.loads(base64.b64decode(json.loads(ENVELOPE)["payload"]))
    statement["subject"].append({"name": "model.safetensors", "digest": {"sha256": "e" * 64}})
    envelope = sign_statement(PAYLOAD_TYPE, json.dumps(statement).encode(), PAIR.private_pem)
    for digest in ("b" * 64, "e" * 64):
        assert not verify(envelope, CARD, {**FILES, "model.safetensors": digest}, KNOWN).valid


def test_a_signed_statement_about_something_else_is_not_about_a_card() -> None:
    envelope = sign_statement(PAYLOAD_TYPE, b'{"_type": "else"}', PAIR.private_pem)
    assert "no statement about a card" in (verify(envelope, CARD, FILES, KNOWN).reason or "")


def test_any_payload_can_be_signed_and_is_kept_apart_by_its_type() -> None:
    envelope = sign_statement("application/vnd.model-commons.waiver+json", b"{}", PAIR.private_pem)
    check, payload = verify_statement(envelope, "application/vnd.model-commons.waiver+json", KNOWN)
    assert (check.valid, payload) == (True, b"{}")
    check, payload = verify_statement(envelope, PAYLOAD_TYPE, KNOWN)
    assert (check.valid, payload) == (False, b"")


def test_a_key_that_is_none_is_refused() -> None:
    for text in (b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(Invalid):
            sign_card(CARD, FILES, text)
    with pytest.raises(Invalid):
        key_id("ff")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["payload", "payloadType", "signatures"]), VALUES)
def test_hostile_envelopes_end_in_a_reason(field: str, value: Any) -> None:
    envelope = {**json.loads(ENVELOPE), field: value}
    check = verify(json.dumps(envelope).encode(), CARD, FILES, KNOWN)
    assert not check.valid
    assert check.reason


@given(st.fixed_dictionaries({}, optional={"keyid": VALUES, "sig": VALUES, "more": VALUES}))
def test_hostile_signatures_end_in_a_reason(signature: dict[str, Any]) -> None:
    envelope = {**json.loads(ENVELOPE), "signatures": [signature]}
    assert not verify(json.dumps(envelope).encode(), CARD, FILES, KNOWN).valid


@given(VALUES)
def test_hostile_statements_end_in_a_reason(statement: Any) -> None:
    envelope = sign_statement(PAYLOAD_TYPE, json.dumps(statement).encode(), PAIR.private_pem)
    assert not verify(envelope, CARD, FILES, KNOWN).valid


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 100_000, b"{}", b"null", b"1" * 2_000_000, b'"' + b"9" * 5000])
def test_hostile_bytes_end_in_a_reason(data: bytes) -> None:
    assert verify(data, CARD, FILES, KNOWN).reason == "it is not a DSSE envelope"


def test_an_envelope_with_very_many_signatures_is_not_read() -> None:
    envelope = json.loads(ENVELOPE)
    envelope["signatures"] = [{"keyid": str(number), "sig": "AAAA"} for number in range(17)]
    assert not verify(json.dumps(envelope).encode(), CARD, FILES, KNOWN).valid


SCRIPT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cryptography":
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from registry_core.errors import Invalid
from registry_core.ids import Digest
from registry_core.records import PublicKey
from registry_core.signing import new_key, verify
envelope, public, name = sys.argv[1:]
keys = {name: PublicKey(name, public, "laptop", "alice", None)}
files = {"footprint.json": "a" * 64, "model.safetensors": "b" * 64}
assert verify(envelope.encode(), Digest("c" * 64), files, keys).valid
assert not verify(envelope.encode(), Digest("d" * 64), files, keys).valid
spoilt = envelope.replace('"sig": "', '"sig": "A', 1)
assert not verify(spoilt.encode(), Digest("c" * 64), files, keys).valid
try:
    new_key()
except Invalid as error:
    assert "model-commons[sign]" in error.hint and error.exit_code == 2
else:
    raise AssertionError
assert "cryptography" not in sys.modules
"""


def test_verifying_needs_no_cryptography_and_signing_names_the_extra() -> None:
    words = [sys.executable, "-c", SCRIPT, ENVELOPE.decode(), PAIR.public, key_id(PAIR.public)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
