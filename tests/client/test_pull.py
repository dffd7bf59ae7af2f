"""Pulling a model, and checking it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from tests.client.models import card, write_model

from registry_client import pull, push
from registry_client.cli import run
from registry_client.remote import Remote
from registry_core.errors import DigestDiffers, NotFound, RemoteFailed, RepoNotFound, RevisionNotFound


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def at(server: Any) -> dict[str, str]:
    return {"endpoint": server.endpoint, "token": server.token}


@pytest.fixture
def model(tmp_path: Path, at: dict[str, str], repo_id: str) -> Path:
    """A folder that was pushed."""
    folder = write_model(tmp_path / "digits", footprint=card())
    push(folder, repo_id, **at)
    return folder


def test_pull_fills_the_shared_cache_and_checks_every_file(
    model: Path, at: dict[str, str], cache: Path, repo_id: str
) -> None:
    result = pull(repo_id, **at)
    folder = Path(result.path)
    assert folder.is_relative_to(cache)
    assert folder.name == result.commit_id
    assert result.verified == result.files == len([path for path in folder.rglob("*") if path.is_file()])
    assert result.verified_by == ["sha256"]
    assert result.size_bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    for file in (path for path in model.rglob("*") if path.is_file()):
        assert (folder / file.relative_to(model)).read_bytes() == file.read_bytes()


def test_pulled_revision_is_found_by_name_while_offline(
    model: Path, at: dict[str, str], cache: Path, repo_id: str
) -> None:
    result = pull(repo_id, **at)
    assert (cache / f"models--{repo_id.replace('/', '--')}" / "refs" / "main").read_text() == result.commit_id


def test_pull_into_a_folder(model: Path, at: dict[str, str], tmp_path: Path, repo_id: str) -> None:
    result = pull(repo_id, to=tmp_path / "here", **at)
    assert Path(result.path) == tmp_path / "here"
    assert (tmp_path / "here" / "config.json").read_bytes() == (model / "config.json").read_bytes()


def test_pulled_folder_can_be_pushed_again_without_change(
    model: Path, at: dict[str, str], tmp_path: Path, repo_id: str
) -> None:
    pulled = pull(repo_id, to=tmp_path / "here", **at)
    assert push(pulled.path, repo_id, **at).unchanged


def test_older_commit_is_pulled_by_its_id(model: Path, at: dict[str, str], repo_id: str) -> None:
    first = pull(repo_id, **at)
    (model / "config.json").write_text("{}")
    push(model, repo_id, **at)
    assert pull(f"{repo_id}@{first.commit_id}", **at).commit_id == first.commit_id
    assert pull(repo_id, **at).commit_id != first.commit_id


def test_damaged_file_in_the_cache_is_named_removed_and_fetched_again(
    model: Path, at: dict[str, str], repo_id: str
) -> None:
    damaged = Path(pull(repo_id, **at).path, "model.safetensors")
    blob = damaged.resolve()
    blob.write_bytes(b"\xff" * blob.stat().st_size)
    with pytest.raises(DigestDiffers, match=r"model\.safetensors") as caught:
        pull(repo_id, **at)
    assert "again" in caught.value.hint
    assert not blob.exists()
    assert not damaged.is_symlink()
    assert (
        Path(pull(repo_id, **at).path, "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    )


def test_damaged_file_in_a_folder_is_replaced(model: Path, at: dict[str, str], tmp_path: Path, repo_id: str) -> None:
    pull(repo_id, to=tmp_path / "here", **at)
    (tmp_path / "here" / "config.json").write_text("damaged")
    os.utime(tmp_path / "here" / "config.json", (4e9, 4e9))  # later than the note of when it was fetched
    pull(repo_id, to=tmp_path / "here", **at)
    assert (tmp_path / "here" / "config.json").read_bytes() == (model / "config.json").read_bytes()


def test_hub_without_manifests_is_checked_by_what_it_announces(
    model: Path, at: dict[str, str], monkeypatch: pytest.MonkeyPatch, repo_id: str
) -> None:
    def absent(*_: object) -> None:
        raise NotFound("There is no such page.")

    monkeypatch.setattr(Remote, "manifest", absent)
    result = pull(repo_id, **at)
    assert "git-sha1" in result.verified_by
    assert result.verified == result.files > 0
    blob = Path(result.path, "config.json").resolve()
    blob.write_bytes(b"x" * blob.stat().st_size)
    with pytest.raises(DigestDiffers, match=r"config\.json: announced git-sha1"):
        pull(repo_id, **at)


def test_private_model_is_hidden_from_others(tmp_path: Path, at: dict[str, str], repo_id: str) -> None:
    push(write_model(tmp_path / "secret"), repo_id, private=True, **at)
    assert pull(repo_id, **at).files > 0
    with pytest.raises(RepoNotFound):
        pull(repo_id, endpoint=at["endpoint"], token=None)


def test_unknown_repo_and_revision(model: Path, at: dict[str, str], repo_id: str) -> None:
    with pytest.raises(RepoNotFound):
        pull("alice/nothing", **at)
    with pytest.raises(RevisionNotFound):
        pull(f"{repo_id}@nowhere", **at)


def test_command_prints_the_folder_and_suggests_a_rerun(
    model: Path, at: dict[str, str], capsys: pytest.CaptureFixture[str], repo_id: str
) -> None:
    assert run(["pull", repo_id, "--endpoint", at["endpoint"], "--token", at["token"]]) == 0
    said = capsys.readouterr()
    assert Path(said.out.strip()).is_dir()
    assert said.err.splitlines()[-1] == f"Next: registry rerun {repo_id}"


def test_command_prints_json_alone(
    model: Path, at: dict[str, str], capsys: pytest.CaptureFixture[str], repo_id: str
) -> None:
    assert run(["pull", repo_id, "--endpoint", at["endpoint"], "--token", at["token"], "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["verified"] == printed["files"]


def test_unknown_repo_exits_3(at: dict[str, str]) -> None:
    assert run(["pull", "alice/nothing", "--endpoint", at["endpoint"], "--token", at["token"]]) == 3


def test_unreachable_server_exits_5(repo_id: str) -> None:
    with pytest.raises(RemoteFailed):
        pull(repo_id, endpoint="http://127.0.0.1:1", token="x")
    assert run(["pull", repo_id, "--endpoint", "http://127.0.0.1:1"]) == 5
