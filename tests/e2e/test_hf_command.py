"""The `hf` command, as it comes: repos, their branches, tags and files, and the cache on the user's side."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Server
from tests.e2e.machines import Machine

FILES = {"config.json": b"{}", "model.bin": random.Random(31).randbytes(300_000), "sub/a.txt": b"a"}


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Machine:
    home = tmp_path / "machine"
    home.mkdir()
    return Machine(home, server.endpoint, server.token)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, data in FILES.items():
        (tmp_path / "model" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / path).write_bytes(data)
    return tmp_path / "model"


def hf(machine: Machine, *arguments: object) -> Any:
    """The JSON that the command prints; it must succeed."""
    done = machine.command(Path(sys.executable).with_name("hf"), *arguments, "--format", "json")
    return json.loads(done) if done.strip() else None


def test_a_repo_is_made_changed_moved_and_deleted(machine: Machine, repo_id: str, folder: Path, tmp_path: Path) -> None:
    hf(machine, "repos", "create", repo_id, "--private")
    hf(machine, "upload", repo_id, folder, ".")
    hf(machine, "repos", "branch", "create", repo_id, "dev")
    hf(machine, "repos", "tag", "create", repo_id, "v1", "-m", "First")
    hf(machine, "repos", "settings", repo_id, "--public")
    hf(machine, "repos", "cp", f"hf://{repo_id}/config.json", f"hf://{repo_id}/copy.json")
    hf(machine, "repos", "cp", f"hf://{repo_id}/model.bin", tmp_path / "got.bin")
    assert (tmp_path / "got.bin").read_bytes() == FILES["model.bin"]
    hf(machine, "repos", "delete-files", repo_id, "sub/*")
    hf(machine, "repos", "move", repo_id, f"{repo_id}-moved")
    hf(machine, "repos", "duplicate", f"{repo_id}-moved", f"{repo_id}-copy")
    info = hf(machine, "models", "info", f"{repo_id}-moved")
    assert {file["rfilename"] for file in info["siblings"]} == {
        *(".gitattributes", "config.json", "copy.json", "model.bin")
    }
    assert info["private"] is False
    listed = {repo["id"] for repo in hf(machine, "repos", "list")}
    assert {f"{repo_id}-moved", f"{repo_id}-copy"} <= listed
    hf(machine, "repos", "tag", "delete", f"{repo_id}-moved", "v1", "--yes")
    hf(machine, "repos", "branch", "delete", f"{repo_id}-moved", "dev")
    hf(machine, "repos", "delete", f"{repo_id}-moved", "--yes")
    assert f"{repo_id}-moved" not in {repo["id"] for repo in hf(machine, "repos", "list")}


def test_the_cache_holds_what_the_server_says(machine: Machine, repo_id: str, folder: Path) -> None:
    hf(machine, "upload", repo_id, folder, ".")
    first = Path(hf(machine, "download", repo_id)["path"])
    assert {path: (first / path).read_bytes() for path in FILES} == FILES
    hf(machine, "cache", "verify", repo_id)
    assert [repo["id"] for repo in hf(machine, "cache", "list")] == [f"model/{repo_id}"]
    held = (first / "model.bin").resolve()
    held.write_bytes(b"x" + FILES["model.bin"][1:])
    refused = machine.attempt(Path(sys.executable).with_name("hf"), "cache", "verify", repo_id)
    assert refused.returncode != 0
    assert "model.bin" in refused.stdout + refused.stderr
    hf(machine, "repos", "delete-files", repo_id, "sub/*")
    hf(machine, "download", repo_id)
    assert hf(machine, "cache", "prune", "--yes")["revisions_deleted"] == 1
    hf(machine, "cache", "rm", f"model/{repo_id}", "--yes")
    assert hf(machine, "cache", "list") == []
