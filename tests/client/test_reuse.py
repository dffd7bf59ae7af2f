"""`registry reuse`: a real server, real keys, and models of two people."""

from __future__ import annotations

import csv
import io
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import write_model
from tests.server.reusing import TASK, base, model_card

from registry_client import push
from registry_client.cli import run


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def user(server: Any) -> tuple[str, list[str]]:
    """Somebody else than alice: the name, and the flags that show their token."""
    name = f"u-{uuid.uuid4().hex[:10]}"
    return name, ["--endpoint", server.endpoint, "--token", server.add_user(name)]


@pytest.fixture
def reused(server: Any, tmp_path: Path, repo_id: str) -> str:
    """A model of alice's that took 100 kWh, at its commit."""
    pushed = push(_folder(tmp_path / "reused", 100.0), repo_id, endpoint=server.endpoint, token=server.token)
    return f"{repo_id}@{pushed.commit_id}"


def _folder(folder: Path, kwh: float, bases: list[dict[str, Any]] | None = None) -> Path:
    card = model_card(kwh, bases)
    del card["subject"]
    return write_model(folder, footprint=card)


def _tuned(tmp_path: Path, user: tuple[str, list[str]], reused: str) -> str:
    """What the user makes from it."""
    name, (_, endpoint, _, token) = user
    folder = _folder(tmp_path / "tuned", 2.0, [base(*reused.split("@"))])
    push(folder, f"{name}/tuned", endpoint=endpoint, token=token)
    return f"{name}/tuned"


def state(reused: str, *more: str, alternative: str = "train-own") -> list[str]:
    return ["reuse", "state", reused, "--task", TASK, "--alternative", alternative, *more]


def test_a_reuse_is_stated_counted_and_withdrawn(
    server: Any, user: tuple[str, list[str]], reused: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, flags = user
    assert run(state(reused, *flags)) == 0
    said = capsys.readouterr()
    assert "does not count now" in said.out
    assert "No work shows the reuse" in said.out
    model = reused.partition("@")[0]
    assert f"Next: registry reuse ledger --model {model}" in said.err

    tuned = _tuned(tmp_path, user, reused)
    capsys.readouterr()
    assert run(["reuse", "ledger", "--model", model, "--json", *flags]) == 0
    (event,) = json.loads(capsys.readouterr().out)["events"]
    assert (event["organisation"], event["displacement"]) == (name, 0.25)

    assert run(["reuse", "withdraw", event["id"], "--reason", "a slip", *flags]) == 0
    assert capsys.readouterr().out.strip() == f"Statement {event['id']} is withdrawn."
    more = ["--cancelled-job", "https://jobs.example/7", "--evidence-card", tuned, "--alternative-kwh", "30", "--json"]
    assert run(state(reused, *more, *flags)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] is True
    assert found["event"]["counterfactual_kwh"]["value"] == 30
    assert found["event"]["energy_kwh"]["value"] == pytest.approx(28, abs=1e-3)

    assert run(["reuse", "ledger", "--organisation", name, *flags]) == 0
    shown = capsys.readouterr().out
    assert "avoided, estimate by convention 1, in 1 events" in shown
    assert model in shown
    assert run(["reuse", "ledger", "--model", model, "--csv", "sums", *flags]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["by"], row["name"]) == ("model", model)
    assert run(["reuse", "ledger", "--model", model, "--csv", "events", *flags]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["models"] == model


def test_nobody_else_withdraws_a_statement(
    server: Any, user: tuple[str, list[str]], reused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, flags = user
    assert run(state(reused, "--json", *flags)) == 0
    number = str(json.loads(capsys.readouterr().out)["number"])
    assert run(["reuse", "withdraw", number, "--endpoint", server.endpoint, "--token", server.token]) == 4
    assert "is not yours" in capsys.readouterr().err
    assert run(["reuse", "withdraw", "99999999", *flags]) == 3


def test_only_training_ones_own_can_count(
    user: tuple[str, list[str]], reused: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _tuned(tmp_path, user, reused)
    assert run(state(reused, *user[1], alternative="nothing")) == 0
    assert "no model of its own would have been trained" in capsys.readouterr().out


def test_nobody_speaks_for_an_organisation_of_others(
    user: tuple[str, list[str]], reused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(state(reused, "--organisation", "alice", *user[1])) == 4
    assert "You may not speak for 'alice'" in capsys.readouterr().err


def test_without_the_extra_nothing_is_signed(
    user: tuple[str, list[str]], reused: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("serialization", "asymmetric"):
        monkeypatch.setitem(sys.modules, f"cryptography.hazmat.primitives.{name}", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    assert run(state(reused, *user[1])) == 2
    assert "model-commons[sign]" in capsys.readouterr().err


def test_what_makes_no_sense_is_refused_before_it_is_sent(
    user: tuple[str, list[str]], reused: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, flags = user
    model = reused.partition("@")[0]
    assert run(state(model, *flags)) == 2
    assert "names no revision" in capsys.readouterr().err
    assert run(state(reused, "--evidence-card", "a/b", "--evidence-rerun", "3", *flags)) == 2
    assert run(state(reused, "--cancelled-job", "job seven", *flags)) == 2
    assert "cancelled_job" in capsys.readouterr().err
    assert run(["reuse", "ledger", "--model", model, "--organisation", "alice", *flags]) == 2
    assert run(["reuse", "ledger", "--csv", "sums", "--json", *flags]) == 2
    assert run(["reuse", "ledger", "--model", "alice/not-there", *flags]) == 3
