"""`registry access`, and what a gated model says to those who are not admitted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import write_model

from registry_client import pull, push
from registry_client.cli import run
from registry_core.errors import Gated


@pytest.fixture
def gated(server: Any, tmp_path: Path, repo_id: str) -> str:
    """A model whose owner admits people one by one."""
    push(write_model(tmp_path / "model"), repo_id, endpoint=server.endpoint, token=server.token)
    assert run(["access", "gate", repo_id, "manual", *flags(server, server.token)]) == 0
    return repo_id


def flags(server: Any, token: str) -> list[str]:
    return ["--endpoint", server.endpoint, "--token", token]


def test_a_stranger_asks_and_the_owner_decides(
    server: Any, gated: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carol = server.add_user("carol")
    with pytest.raises(Gated, match="authorized list"):
        pull(gated, to=tmp_path / "here", endpoint=server.endpoint, token=carol)
    capsys.readouterr()
    assert run(["access", "request", gated, "--json", *flags(server, carol)]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": gated, "status": "pending"}
    assert run(["access", "list", gated, "--json", *flags(server, server.token)]) == 0
    assert [asked["user"] for asked in json.loads(capsys.readouterr().out)] == ["carol"]
    assert run(["access", "accept", gated, "carol", *flags(server, server.token)]) == 0
    assert pull(gated, to=tmp_path / "here", endpoint=server.endpoint, token=carol).path
    assert run(["access", "reject", gated, "carol", "--reason", "over", *flags(server, server.token)]) == 0
    # In a process of its own: this one still has a token of the store, which is refused in other words.
    command = [sys.executable, "-m", "registry_client", "pull", gated, "--to", str(tmp_path / "there")]
    refused = subprocess.run([*command, *flags(server, carol)], capture_output=True, text=True)
    assert refused.returncode == 4
    assert "you are not in the authorized list" in refused.stderr


def test_an_owner_lets_in_who_did_not_ask(server: Any, gated: str, tmp_path: Path) -> None:
    dave = server.add_user("dave")
    assert run(["access", "accept", gated, "dave", *flags(server, server.token)]) == 0
    assert pull(gated, to=tmp_path / "here", endpoint=server.endpoint, token=dave).path
    assert run(["access", "accept", gated, "nobody-of-this-name", *flags(server, server.token)]) == 3
    assert run(["access", "gate", gated, "off", *flags(server, server.token)]) == 0
    assert run(["access", "request", gated, *flags(server, dave)]) == 2
