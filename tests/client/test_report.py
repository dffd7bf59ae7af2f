"""`registry report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import card, write_model

from registry_client import push
from registry_client.cli import run
from registry_core.reports import STANDARDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", footprint=card())


def test_a_folder_is_reported_on_without_a_server(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for standard in STANDARDS:
        assert run(["report", standard, str(folder), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["head"]["standard"] == standard


def test_a_pushed_model_is_reported_on_by_its_server(
    folder: Path, server: Any, repo_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = {"endpoint": server.endpoint, "token": server.token}
    commit = push(folder, repo_id, **at).commit_id
    flags = ["--endpoint", server.endpoint, "--token", server.token]
    capsys.readouterr()
    assert run(["report", "eu-form", repo_id, "--recipient", "DP", "--json", *flags]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["head"]["commit_id"], found["head"]["recipient"]) == (commit, "DP")
    assert run(["report", "ghg", f"{repo_id}@main", *flags]) == 0
    said = capsys.readouterr().out
    assert "Inventory by year, site and stage" in said
    assert "no certificate" in said


def test_what_cannot_be_reported_on_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "iso-9001", str(folder)]) == 2
    assert run(["report", "sci", str(folder), "--recipient", "AIO"]) == 2
    (folder / "footprint.json").unlink()
    assert run(["report", "sci", str(folder)]) == 3
    assert "holds no footprint.json" in capsys.readouterr().err
