"""Keys, and the signature that a push brings along."""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.client.models import card, write_model

from registry_client import cli, keys
from registry_client.push import push
from registry_client.remote import Remote
from registry_client.show import show
from registry_client.signing import sign_folder
from registry_core.card import card_digest, parse_card
from registry_core.errors import AlreadyExists, Invalid, NotFound
from registry_core.records import PublicKey
from registry_core.signing import covered, key_id, verify


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "model-commons" / "keys"


def known(name: str = "default") -> dict[str, PublicKey]:
    key = keys.show(name)
    return {key.key_id: PublicKey(key.key_id, key.public, name, "alice", None)}


def test_a_new_key_is_for_its_owners_eyes(own_folder: Path) -> None:
    key = keys.new("laptop")
    private = own_folder / "laptop.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(own_folder.stat().st_mode) == 0o700
    assert private.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert key.key_id == key_id(key.public)
    assert keys.listed() == [key]


def test_a_key_is_never_replaced() -> None:
    key = keys.new()
    with pytest.raises(AlreadyExists):
        keys.new()
    assert keys.show() == key


def test_keys_that_are_not_there_or_spoilt_are_named(own_folder: Path) -> None:
    with pytest.raises(NotFound):
        keys.show("gone")
    with pytest.raises(Invalid):
        keys.new("../up")
    keys.new()
    (own_folder / "default.pub").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    with pytest.raises(Invalid):
        keys.show()


def test_a_folder_is_signed_with_everything_it_rests_on(tmp_path: Path) -> None:
    keys.new()
    folder = write_model(tmp_path / "m", footprint=card())
    (folder / "footprint").mkdir()
    (folder / "footprint" / "samples-0-finetuning-ab.csv").write_text("t_utc,device_id\n")
    signed = sign_folder(folder)
    assert signed.files == ["footprint.json", "footprint/samples-0-finetuning-ab.csv", "model.safetensors"]
    envelope = (folder / "footprint.att.json").read_bytes()
    parsed = parse_card((folder / "footprint.json").read_bytes())
    assert parsed.evidence.signature == "footprint.att.json"
    files = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in signed.files}
    assert covered(parsed, files) == files
    check = verify(envelope, card_digest(parsed), files, known())
    assert (check.valid, check.signer) == (True, "alice")
    assert sign_folder(folder) == signed
    assert (folder / "footprint.att.json").read_bytes() == envelope


def test_a_folder_without_a_card_has_nothing_to_sign(tmp_path: Path) -> None:
    keys.new()
    with pytest.raises(NotFound):
        sign_folder(write_model(tmp_path / "m"))


def test_a_push_signs_what_it_sends(tmp_path: Path, server: Any, repo_id: str) -> None:
    keys.new("laptop")
    model = {"task": "image-classification", "license": "Apache-2.0", "base_models": []}
    folder = write_model(tmp_path / "m", footprint=card(model=model))
    at = {"endpoint": server.endpoint, "token": server.token}
    result = push(folder, repo_id, sign="laptop", **at)
    there = {file.path: file.digest for file in show(repo_id, **at).files}
    envelope = (folder / "footprint.att.json").read_bytes()
    parsed = parse_card((folder / "footprint.json").read_bytes())
    bound = {path: there[path] for path in ("footprint.json", "model.safetensors")}
    assert verify(envelope, card_digest(parsed), bound, known("laptop")).valid
    assert "footprint.att.json" in there
    assert push(folder, repo_id, sign="laptop", **at).commit_id == result.commit_id


def test_the_commands_print_what_programs_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["keys", "new", "--name", "laptop", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert cli.run(["keys", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [made]
    assert cli.run(["keys", "show", "--name", "laptop"]) == 0
    assert capsys.readouterr().out.strip() == made["public"]
    folder = write_model(tmp_path / "m", footprint=card())
    assert cli.run(["card", "sign", str(folder), "--key", "laptop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key_id"] == made["key_id"]
    assert cli.run(["card", "sign", str(folder)]) == 3


def test_only_the_public_part_is_registered() -> None:
    key = keys.new()
    heard: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        heard["path"] = environ["PATH_INFO"]
        heard["body"] = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("201 CREATED", [("Content-Type", "application/json")])
        filed = PublicKey(key.key_id, key.public, "default", "alice", "2026-11-21T08:00:00Z")
        return [json.dumps(asdict(filed)).encode()]

    with Remote("http://registry.test", "secret", transport=httpx2.WSGITransport(app)) as remote:
        filed = remote.register_key(key.public, key.name)
    assert (filed.account, filed.key_id) == ("alice", key.key_id)
    assert heard == {"path": "/api/registry/v1/keys", "body": {"public": key.public, "name": "default"}}
