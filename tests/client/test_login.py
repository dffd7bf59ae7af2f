"""`registry login`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from registry_client.cli import run


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a login goes to."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "model-commons" / "login.json"


def test_login_is_remembered_and_used(server: Any, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["login", "--endpoint", server.endpoint, "--token", server.token]) == 0
    assert "as alice" in capsys.readouterr().err
    assert json.loads(config.read_text())["tokens"] == {server.endpoint: server.token}
    assert run(["find"]) == 0


def test_token_may_come_through_a_pipe(server: Any, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{server.token}\n"))
    assert run(["login", "--endpoint", server.endpoint]) == 0
    assert config.exists()


def test_json_names_the_account_and_never_the_token(
    server: Any, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["login", "--endpoint", server.endpoint, "--token", server.token, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"endpoint": server.endpoint, "account": "alice", "path": str(config)}
    assert server.token not in said.out + said.err


def test_unknown_token_is_not_remembered(server: Any, config: Path) -> None:
    assert run(["login", "--endpoint", server.endpoint, "--token", "hf_wrong"]) == 4
    assert not config.exists()


def test_no_token_is_wrong_usage(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert run(["login", "--endpoint", "http://127.0.0.1:1"]) == 2
