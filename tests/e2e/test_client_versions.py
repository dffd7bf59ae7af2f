"""Older clients, each in an environment of its own, at their default settings.

The environments lie in `build/clients` and are made once; `rm -r build/clients` makes them anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.conftest import Server
from tests.e2e.machines import Machine, line_to, xorbs_sent

VERSIONS = ["0.36.2", "1.33.0"]
"""The last of the years before 1.0, which asks by LFS how to send a file, and the last 1.x, which asks nobody."""

CLIENTS = Path(__file__).resolve().parents[2] / "build" / "clients"

# As it was before the tests got a home of their own: pip finds its settings and its cache there.
PIP_ENVIRONMENT = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

EVERYTHING = """
import hashlib, json, pathlib, sys
import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

repo, folder, home = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
api, told = HfApi(), {"version": huggingface_hub.__version__}

def digests(root):
    found = [path for path in pathlib.Path(root).rglob("*") if path.is_file() and ".cache" not in path.parts]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}

def raises(kind, call, *args, **more):
    try:
        call(*args, **more)
    except kind:
        return True
    return False

told["name"] = api.whoami()["name"]
api.create_repo(repo)
api.create_repo(repo, exist_ok=True)
told["first"] = api.upload_file(path_or_fileobj=str(folder / "large.bin"), path_in_repo="large.bin", repo_id=repo).oid
api.upload_file(path_or_fileobj=b"a small one", path_in_repo="notes/small.txt", repo_id=repo)
api.upload_folder(repo_id=repo, folder_path=str(folder))
info = api.model_info(repo, files_metadata=True)
told["head"], told["listed"] = info.sha, sorted(api.list_repo_files(repo))
told["sizes"] = {file.rfilename: file.size for file in info.siblings}
told["lfs"] = {file.rfilename: file.lfs.sha256 for file in info.siblings if file.lfs}
told["log"] = len(api.list_repo_commits(repo))
told["snapshot"] = digests(snapshot_download(repo))
told["local"] = digests(snapshot_download(repo, local_dir=str(home / "local")))
told["one"] = hashlib.sha256(open(hf_hub_download(repo, "large.bin", revision=told["first"]), "rb").read()).hexdigest()
api.delete_file("notes/small.txt", repo_id=repo)
told["deleted"] = not api.file_exists(repo, "notes/small.txt")
told["missing"] = raises(EntryNotFoundError, hf_hub_download, repo, "notes/small.txt", force_download=True)
told["absent"] = raises(RepositoryNotFoundError, api.model_info, repo + "-absent")
api.create_tag(repo, tag="v1")
told["tag"] = [tag.name for tag in api.list_repo_refs(repo).tags]
operations = [CommitOperationAdd("again.bin", str(folder / "large.bin")), CommitOperationDelete("large.bin")]
api.create_commit(repo, operations=operations, commit_message="Moved")
told["moved"] = sorted(api.list_repo_files(repo))
api.delete_repo(repo)
told["gone"] = not api.repo_exists(repo)
print(json.dumps(told))
"""


def environment_of(version: str) -> Path:
    """The Python of an environment with that version of huggingface_hub and what it needs."""
    folder = CLIENTS / version
    python, marker = folder / "bin" / "python", folder / "complete"
    CLIENTS.mkdir(parents=True, exist_ok=True)
    with (CLIENTS / f"{version}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be at it
        if not marker.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
            pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--retries", "1"]
            done = subprocess.run(
                [*pip, f"huggingface_hub=={version}"], env=PIP_ENVIRONMENT, capture_output=True, text=True
            )
            if done.returncode != 0:
                reason = f"huggingface_hub {version} cannot be installed: {done.stderr.strip().splitlines()[-1]}"
                if os.environ.get("CI") == "true":
                    pytest.fail(reason)
                pytest.skip(reason)
            marker.touch()
    return python


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_client_does_all_it_can(server: Server, repo_id: str, tmp_path: Path, version: str) -> None:
    python = environment_of(version)
    files = {
        "large.bin": random.Random(version).randbytes(3_000_000),
        "weights/model.bin": random.Random(version + "x").randbytes(200_000),
        "config.json": b'{"model_type": "bert"}',
        "README.md": b"---\nlicense: mit\n---\n# A model\n",
        "empty.txt": b"",
    }
    for path, data in files.items():
        (tmp_path / "model" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / path).write_bytes(data)
    home = tmp_path / "home"
    home.mkdir()
    with line_to(server.endpoint) as line:
        machine = Machine(home, line.endpoint, server.token, python)
        told: dict[str, Any] = machine.run(EVERYTHING, repo_id, tmp_path / "model", home)
    expected = {path: sha256(data) for path, data in files.items()} | {"notes/small.txt": sha256(b"a small one")}
    assert told["version"] == version
    assert told["name"] == "alice"
    assert told["listed"] == sorted([*expected, ".gitattributes"])
    assert {path: told["sizes"][path] for path in files} == {path: len(data) for path, data in files.items()}
    assert told["lfs"] == {path: sha256(files[path]) for path in ("large.bin", "weights/model.bin")}
    assert told["log"] == 4
    for way in ("snapshot", "local"):
        assert {path: digest for path, digest in told[way].items() if path != ".gitattributes"} == expected
    assert told["one"] == sha256(files["large.bin"])
    assert (told["deleted"], told["missing"], told["absent"], told["gone"]) == (True, True, True, True)
    assert told["tag"] == ["v1"]
    assert set(told["moved"]) == {*files, ".gitattributes", "again.bin"} - {"large.bin"}
    # It asked by its own rules how to send a large file, and was answered by these.
    by_lfs, by_xet = line.requests.count(b"PUT /lfs/upload/"), xorbs_sent(line.requests)
    assert (by_lfs > 0, by_xet > 0) == ((True, False) if version.startswith("0.") else (False, True))
    answer = httpx2.get(f"{server.endpoint}/api/models/{repo_id}", headers={"Authorization": f"Bearer {server.token}"})
    assert answer.status_code == 404


def test_the_versions_are_those_that_the_client_of_today_follows() -> None:
    """When the newest line moves on, so does this list."""
    import huggingface_hub

    majors = [int(version.partition(".")[0]) for version in [*VERSIONS, huggingface_hub.__version__]]
    assert majors == [0, 1, 2]
