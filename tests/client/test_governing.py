"""Policies of a server as its clients meet them: a push that is refused before it is sent, publishing, waivers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import card, write_model

from registry_client import push, show
from registry_client.cli import run
from registry_core.errors import PolicyRefused, RepoNotFound


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys of a test are nobody else's."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))


@pytest.fixture
def at(server: Any) -> dict[str, str]:
    return {"endpoint": server.endpoint, "token": server.token}


@pytest.fixture
def flags(server: Any) -> list[str]:
    return ["--endpoint", server.endpoint, "--token", server.token]


def test_a_push_that_would_be_refused_sends_nothing(tmp_path: Path, at: dict[str, str], repo_id: str) -> None:
    model = {key: value for key, value in card()["model"].items() if key != "base_models"}
    with pytest.raises(PolicyRefused) as refused:
        push(write_model(tmp_path / "model", footprint=card(model=model)), repo_id, **at)
    assert [fault.partition(":")[0] for fault in refused.value.faults] == ["EU-07", "ORG-02"]
    with pytest.raises(RepoNotFound):
        show(repo_id, **at)


def test_publishing_is_refused_with_reasons_until_the_owner_decides_otherwise(
    tmp_path: Path, at: dict[str, str], flags: list[str], repo_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    push(write_model(tmp_path / "model", footprint=card()), repo_id, **at)
    assert run(["publish", f"{repo_id}@main", *flags]) == 1
    assert "MEA-01: The evidence level is at least E2." in capsys.readouterr().err
    owner = repo_id.partition("/")[0]
    try:
        assert run(["policy", "set", owner, "open-lab", "--act", "publish", *flags]) == 0
        assert run(["publish", f"{repo_id}@main", *flags]) == 0
    finally:
        assert run(["policy", "unset", owner, "--act", "publish", *flags]) == 0
    assert "publish/1.0 holds from now on" in capsys.readouterr().out
    assert [judged.decision["policy"] for judged in show(repo_id, **at).judgements] == ["open-lab/1.0", "minimal/1.0"]


def test_a_waiver_is_signed_with_a_key_of_this_computer(
    tmp_path: Path, at: dict[str, str], flags: list[str], repo_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    push(write_model(tmp_path / "model", footprint=card()), repo_id, **at)
    owner = repo_id.partition("/")[0]
    rules = tmp_path / "lab.yaml"
    rules.write_text("policy: lab/1.0\ntitle: Ours\nextends: rules/1.0\nonly: [MEA-01]\n")
    waive = ["policy", "waive", repo_id, "MEA-01", "--reason", "No counter in these machines.", "--days", "30"]
    try:
        assert run(["policy", "set", owner, str(rules), "--act", "publish", *flags]) == 0
        assert run(["publish", f"{repo_id}@main", *flags]) == 1
        assert run([*waive, *flags]) == 3  # there is no key yet
        assert run(["keys", "new"]) == 0
        capsys.readouterr()
        assert run([*waive, "--json", *flags]) == 0
        assert json.loads(capsys.readouterr().out)["rule"] == "MEA-01"
        assert run(["publish", f"{repo_id}@main", *flags]) == 0
    finally:
        assert run(["policy", "unset", owner, "--act", "publish", *flags]) == 0
    (outcome,) = show(repo_id, **at).judgements[0].decision["outcomes"]
    assert outcome["waiver"]["reason"] == "No counter in these machines."


def test_a_signed_push_shows_who_signed(tmp_path: Path, at: dict[str, str], flags: list[str], repo_id: str) -> None:
    assert run(["keys", "new"]) == 0
    assert run(["keys", "register", *flags]) == 0
    push(write_model(tmp_path / "model", footprint=card()), repo_id, sign="default", **at)
    trust = show(repo_id, **at).trust
    assert trust is not None
    assert trust.signature is not None
    assert (trust.signature.valid, trust.signature.signer) == (True, repo_id.partition("/")[0])
