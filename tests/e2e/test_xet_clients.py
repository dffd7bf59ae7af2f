"""Unchanged clients at their default settings, which send and fetch large files by Xet, against a real server."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.client.models import card, safetensors_bytes
from tests.conftest import REGISTRY, Server, start_server
from tests.e2e.machines import Machine, line_to, model, shards_sent, xorbs_sent
from tests.e2e.proxy import cutting_proxy

HF = Path(sys.executable).with_name("hf")
TENSORS = 36

UPLOAD = """
import json, sys
from huggingface_hub import HfApi
repo, path, local = sys.argv[1:4]
api = HfApi()
api.create_repo(repo, exist_ok=True, private=len(sys.argv) > 4)
print(json.dumps(api.upload_file(path_or_fileobj=local, path_in_repo=path, repo_id=repo).oid))
"""
DOWNLOAD = """
import hashlib, json, sys
from huggingface_hub import hf_hub_download
found = hf_hub_download(sys.argv[1], sys.argv[2])
print(json.dumps(hashlib.sha256(open(found, "rb").read()).hexdigest()))
"""

NewMachine = Callable[..., Machine]


@pytest.fixture
def new_machine(server: Server, tmp_path: Path) -> NewMachine:
    """Makes machines that have nothing in their caches yet."""
    made: list[Machine] = []

    def make(endpoint: str | None = None, token: str | None = server.token) -> Machine:
        home = tmp_path / f"machine{len(made)}"
        home.mkdir()
        made.append(Machine(home, endpoint or server.endpoint, token))
        return made[-1]

    return make


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def tree(server: Server, repo_id: str, kind: str = "models") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {server.token}"}
    answer = httpx2.get(f"{server.endpoint}/api/{kind}/{repo_id}/tree/main?recursive=true", headers=headers)
    return {entry["path"]: entry for entry in answer.raise_for_status().json() if entry["type"] == "file"}


def plain(server: Server, repo_id: str, path: str, **headers: str) -> bytes:
    """The bytes as anybody gets them who knows HTTP only."""
    return httpx2.get(f"{server.endpoint}/{repo_id}/resolve/main/{path}", headers=headers).raise_for_status().content


# Uploading and fetching


def test_a_large_file_travels_by_xet_and_comes_back(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    data = model(1, 4)
    local = written(tmp_path / "model.safetensors", data)
    commit = new_machine().run(UPLOAD, repo_id, "sub/model.safetensors", local)
    entry = tree(server, repo_id)["sub/model.safetensors"]
    assert entry["lfs"]["oid"] == sha256(data)
    assert "xetHash" in entry
    head = httpx2.get(f"{server.endpoint}/api/models/{repo_id}").json()
    assert head["sha"] == commit
    assert head["safetensors"]["total"] == 4 * 512 * 1024
    with line_to(server.endpoint) as line:
        assert new_machine(line.endpoint).run(DOWNLOAD, repo_id, "sub/model.safetensors") == sha256(data)
        assert b"/v2/reconstructions/" in line.requests
    assert new_machine().run(DOWNLOAD, repo_id, "sub/model.safetensors", HF_HUB_DISABLE_XET="1") == sha256(data)
    assert plain(server, repo_id, "sub/model.safetensors") == data
    assert plain(server, repo_id, "sub/model.safetensors", Range="bytes=1048570-2097170") == data[1048570:2097171]


@pytest.fixture(scope="module")
def base(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A repo with a model of nearly 40 MB, which another machine pushed."""
    folder = tmp_path_factory.mktemp("base")
    local = written(folder / "model.safetensors", model(2, TENSORS))
    Machine(folder, server.endpoint, server.token).run(UPLOAD, "alice/base", "model.safetensors", local)
    return "alice/base"


def sent(server: Server, new_machine: NewMachine, repo_id: str, path: str, data: bytes, folder: Path) -> bytes:
    """What a machine with empty caches sends to push this file."""
    with line_to(server.endpoint) as line:
        new_machine(line.endpoint).run(UPLOAD, repo_id, path, written(folder / "here" / path, data))
    assert sha256(plain(server, repo_id, path)) == sha256(data)
    return bytes(line.requests)


def test_the_same_file_is_not_sent_again(server: Server, new_machine: NewMachine, base: str, tmp_path: Path) -> None:
    data = model(2, TENSORS)
    for path in ("model.safetensors", "copy.safetensors"):
        requests = sent(server, new_machine, base, path, data, tmp_path)
        assert (xorbs_sent(requests), shards_sent(requests)) == (0, 1)
        assert len(requests) < 200_000


def test_a_variant_sends_little_more_than_what_changed(
    server: Server, new_machine: NewMachine, base: str, repo_id: str, tmp_path: Path
) -> None:
    data = model(2, TENSORS, changed=20)
    requests = sent(server, new_machine, base, "variant.safetensors", data, tmp_path)
    assert xorbs_sent(requests) == 1
    assert len(requests) < len(data) / 10
    # In a new repo of somebody else, too: the first is open to all.
    bob = Machine(tmp_path / "bob", server.endpoint, server.add_user("bob"))
    other = model(2, TENSORS, changed=11)
    with line_to(server.endpoint) as line:
        bob.endpoint, repo_id = line.endpoint, repo_id.replace("alice/", "bob/")
        bob.run(UPLOAD, repo_id, "model.safetensors", written(tmp_path / "other", other))
    assert xorbs_sent(line.requests) == 1
    assert len(line.requests) < len(other) / 10
    assert sha256(plain(server, repo_id, "model.safetensors")) == sha256(other)


def test_a_changed_header_sends_the_header(server: Server, new_machine: NewMachine, base: str, tmp_path: Path) -> None:
    data = model(2, TENSORS, note="trained a little longer, and so with a longer header")
    requests = sent(server, new_machine, base, "model.safetensors", data, tmp_path)
    assert xorbs_sent(requests) == 1
    assert len(requests) < 1_000_000


def test_a_folder_of_many_files_comes_back_whole(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    noise = random.Random(3)
    files = {f"part{number:02}/weights-{number}.bin": noise.randbytes(200_000 + number) for number in range(30)}
    files |= {
        "README.md": b"---\nlicense: mit\n---\n# A model\n",
        "config.json": b'{"model_type": "bert"}',
        "empty.bin": b"",
        "same-a.bin": files["part00/weights-0.bin"],
        "sub/\u00fc n\u00e4me.bin": noise.randbytes(70_000),
        "log.txt": b"step\n" * 50_000,
    }
    for path, data in files.items():
        written(tmp_path / "model" / path, data)
    script = """
import json, sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(sys.argv[1], exist_ok=True)
print(json.dumps(api.upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2]).oid))
"""
    machine = new_machine()
    head = machine.run(script, repo_id, tmp_path / "model")
    held = tree(server, repo_id)
    assert held.keys() - {".gitattributes"} == files.keys()
    assert all("xetHash" in held[path] for path, data in files.items() if path.endswith(".bin") and data)
    snapshot = """
import hashlib, json, pathlib, sys
from huggingface_hub import snapshot_download
root = pathlib.Path(snapshot_download(sys.argv[1]))
found = {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
print(json.dumps({str(path): hashlib.sha256(data).hexdigest() for path, data in found.items()}))
"""
    got = new_machine().run(snapshot, repo_id)
    assert {path: got[path] for path in files} == {path: sha256(data) for path, data in files.items()}
    with line_to(server.endpoint) as line:
        machine.endpoint = line.endpoint
        assert machine.run(script, repo_id, tmp_path / "model") == head
    assert xorbs_sent(line.requests) == 0


def test_the_file_system_reads_ranges_and_writes(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    data = model(4, 3)
    machine = new_machine()
    machine.run(UPLOAD, repo_id, "model.safetensors", written(tmp_path / "model.safetensors", data))
    script = """
import hashlib, json, sys
from huggingface_hub import HfFileSystem
fs, repo = HfFileSystem(), sys.argv[1]
with fs.open(f"{repo}/model.safetensors", "rb", block_size=1 << 16) as file:
    parts = []
    for at, size in ((0, 9), (1 << 20, 100), (file.size - 7, 7), (70_000, 200_000)):
        file.seek(at)
        parts.append(file.read(size).hex())
with fs.open(f"{repo}/written.bin", "wb") as file:
    for number in range(40):
        file.write(bytes([number]) * 50_000)
fs.invalidate_cache()
back = fs.cat(f"{repo}/written.bin")
listed = sorted(path.rpartition("/")[2] for path in fs.ls(repo, detail=False))
fs.rm(f"{repo}/written.bin")
fs.invalidate_cache()
print(json.dumps([parts, hashlib.sha256(back).hexdigest(), listed, fs.exists(f"{repo}/written.bin")]))
"""
    parts, back, listed, is_there = machine.run(script, repo_id)
    spans = [(0, 9), (1 << 20, 100), (len(data) - 7, 7), (70_000, 200_000)]
    assert [bytes.fromhex(part) for part in parts] == [data[at : at + size] for at, size in spans]
    assert back == sha256(b"".join(bytes([number]) * 50_000 for number in range(40)))
    assert listed == [".gitattributes", "model.safetensors", "written.bin"]
    assert is_there is False


def test_the_hf_command_uploads_and_downloads(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    files = {"model.safetensors": model(5, 2), "config.json": b"{}", "sub/w.bin": random.Random(5).randbytes(99_999)}
    for path, data in files.items():
        written(folder / path, data)
    new_machine().command(HF, "upload", repo_id, folder, ".", "--commit-message", "By hand")
    assert "xetHash" in tree(server, repo_id)["model.safetensors"]
    reader = new_machine()
    reader.command(HF, "download", repo_id, "--local-dir", tmp_path / "back")
    assert {path: (tmp_path / "back" / path).read_bytes() for path in files} == files
    reader.command(HF, "download", repo_id, "sub/w.bin", "--local-dir", tmp_path / "one")
    assert (tmp_path / "one" / "sub" / "w.bin").read_bytes() == files["sub/w.bin"]
    assert not (tmp_path / "one" / "config.json").exists()


def test_transformers_push_and_load_a_model(server: Server, new_machine: NewMachine, repo_id: str) -> None:
    build = """
import hashlib, json, sys
from transformers import BertConfig, BertModel
def digest(model):
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()
"""
    push = """
config = BertConfig(vocab_size=500, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128)
model = BertModel(config)
model.push_to_hub(sys.argv[1])
print(json.dumps(digest(model)))
"""
    load = "print(json.dumps(digest(BertModel.from_pretrained(sys.argv[1]))))"
    pushed = new_machine().run(build + push, repo_id)
    assert "xetHash" in tree(server, repo_id)["model.safetensors"]
    assert new_machine().run(build + load, repo_id) == pushed


def test_xet_and_lfs_uploads_of_the_same_bytes_are_one_file_to_every_client(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    off = {"HF_HUB_DISABLE_XET": "1"}
    first, second = written(tmp_path / "a.bin", model(6, 1)), written(tmp_path / "b.bin", model(7, 1))
    for local, ways in ((first, ({}, off)), (second, (off, {}))):
        for number, way in enumerate(ways):
            new_machine().run(UPLOAD, repo_id, f"{number}-{local.name}", local, **way)
    held = tree(server, repo_id)
    for local in (first, second):
        names = [f"{number}-{local.name}" for number in (0, 1)]
        assert {held[name]["lfs"]["oid"] for name in names} == {sha256(local.read_bytes())}
        for name in names:
            for way in ({}, off):
                assert new_machine().run(DOWNLOAD, repo_id, name, **way) == sha256(local.read_bytes())
    assert "xetHash" in held["0-a.bin"]
    assert "xetHash" not in held["0-b.bin"]


def test_a_dataset_travels_by_xet_too(server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path) -> None:
    script = """
import hashlib, json, sys
from huggingface_hub import HfApi
api, repo = HfApi(), sys.argv[1]
api.create_repo(repo, repo_type="dataset", exist_ok=True)
api.upload_file(path_or_fileobj=sys.argv[2], path_in_repo="data/train.parquet", repo_id=repo, repo_type="dataset")
found = api.hf_hub_download(repo, "data/train.parquet", repo_type="dataset")
print(json.dumps(hashlib.sha256(open(found, "rb").read()).hexdigest()))
"""
    data = random.Random(8).randbytes(1_500_000)
    assert new_machine().run(script, repo_id, written(tmp_path / "t.parquet", data)) == sha256(data)
    assert "xetHash" in tree(server, repo_id, "datasets")["data/train.parquet"]


# Hidden repos


def test_a_private_repo_serves_its_owner_and_nobody_else(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    data = model(9, 2)
    new_machine().run(UPLOAD, repo_id, "model.safetensors", written(tmp_path / "m", data), "private")
    assert new_machine().run(DOWNLOAD, repo_id, "model.safetensors") == sha256(data)
    stranger = server.add_user("eve")
    for token, told in ((stranger, "404"), (None, "401")):
        refused = new_machine(token=token).attempt(sys.executable, "-c", DOWNLOAD, repo_id, "model.safetensors")
        assert refused.returncode != 0
        assert told in refused.stderr
        assert "RepositoryNotFound" in refused.stderr
    # Whoever has the same file sends all of it, and it becomes a file of their own.
    thief = new_machine(token=stranger)
    with line_to(server.endpoint) as line:
        thief.endpoint, mine = line.endpoint, repo_id.replace("alice/", "eve/")
        thief.run(UPLOAD, mine, "model.safetensors", tmp_path / "m")
    assert xorbs_sent(line.requests) == 1
    assert len(line.requests) > len(data)
    thief.endpoint = server.endpoint
    assert thief.run(DOWNLOAD, mine, "model.safetensors") == sha256(data)


# Our own client


def test_our_own_client_pushes_and_pulls_by_xet(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    data = model(10, 6)
    for path, content in {
        "model.safetensors": data,
        "config.json": b'{"model_type": "bert"}',
        "footprint.json": json.dumps(card()).encode(),
    }.items():
        written(folder / path, content)
    pusher = new_machine()
    first = json.loads(pusher.command(REGISTRY, "push", folder, repo_id, "--json"))
    assert "xetHash" in tree(server, repo_id)["model.safetensors"]
    puller = new_machine()
    for to in ([], ["--to", tmp_path / "here"]):
        pulled = json.loads(puller.command(REGISTRY, "pull", repo_id, *to, "--json"))
        assert pulled["commit_id"] == first["commit_id"]
        assert pulled["verified"] == pulled["files"]
        assert (Path(pulled["path"]) / "model.safetensors").read_bytes() == data
    assert json.loads(pusher.command(REGISTRY, "push", folder, repo_id, "--json"))["unchanged"] is True
    written(folder / "model.safetensors", model(10, 6, changed=3))
    with line_to(server.endpoint) as line:
        elsewhere = new_machine(line.endpoint)
        elsewhere.command(REGISTRY, "push", folder, repo_id, "--json")
    assert xorbs_sent(line.requests) == 1
    assert len(line.requests) < len(data) / 3


def test_our_own_client_refuses_what_a_flipped_bit_made(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    """The transfer library takes what it gets on trust; a chunk that was stored as it is comes out wrong in silence."""
    data = random.Random(11).randbytes(900_000)
    folder = tmp_path / "model"
    written(folder / "w.bin", data)
    written(folder / "config.json", b"{}")
    before = set(server.data.glob("blobs/xorb/??/??/*"))
    new_machine().command(REGISTRY, "push", folder, repo_id)
    (xorb,) = set(server.data.glob("blobs/xorb/??/??/*")) - before
    stored = bytearray(xorb.read_bytes())
    stored[450_000] ^= 4
    xorb.write_bytes(stored)
    puller = new_machine()
    for to in ([], ["--to", tmp_path / "here"]):
        refused = puller.attempt(REGISTRY, "pull", repo_id, *to)
        assert refused.returncode != 0
        assert "w.bin" in refused.stderr
    assert not (tmp_path / "here" / "w.bin").exists()
    stored[450_000] ^= 4
    xorb.write_bytes(stored)
    assert json.loads(puller.command(REGISTRY, "pull", repo_id, "--json"))["verified"] == 3


@pytest.mark.parametrize("way", ["a whole file", "a small file"])
def test_our_own_client_refuses_a_flipped_bit_of(
    way: str, server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    data = random.Random(repo_id).randbytes(200_000 if way == "a whole file" else 2000)
    name = "w.bin" if way == "a whole file" else "notes.txt"
    local = written(tmp_path / name, data if way == "a whole file" else data.hex().encode())
    new_machine().run(UPLOAD, repo_id, name, local, HF_HUB_DISABLE_XET="1")
    digest = sha256(local.read_bytes())
    for flip in (True, False):
        if way == "a whole file":
            flip_in_file(next(server.data.glob(f"blobs/sha256/??/??/{digest}")))
        else:
            flip_in_catalog(server, digest)
        pulled = new_machine().attempt(REGISTRY, "pull", repo_id, "--to", tmp_path / "here")
        assert (pulled.returncode != 0) is flip, pulled.stdout + pulled.stderr
        assert (tmp_path / "here" / name).exists() is not flip


def flip_in_file(path: Path) -> None:
    stored = bytearray(path.read_bytes())
    stored[len(stored) // 2] ^= 4
    path.write_bytes(stored)


def flip_in_catalog(server: Server, digest: str) -> None:
    """A bit of the small file with this digest, which lies in the catalog."""
    with closing(sqlite3.connect(server.data / "catalog.sqlite3", timeout=20)) as catalog, catalog:
        at, stored = catalog.execute(
            "select id, data from git_objects where hex(sha256) = ?", [digest.upper()]
        ).fetchone()
        stored = bytearray(stored)
        stored[len(stored) // 2] ^= 4
        catalog.execute("update git_objects set data = ? where id = ?", [bytes(stored), at])


# What went wrong


def test_what_the_store_lost_is_told_to_the_user_and_mended_by_a_new_generation(tmp_path: Path) -> None:
    """Clients believe for three weeks that what they sent is there, each generation for itself."""
    server = start_server(tmp_path / "data")
    try:
        server.token = server.add_user("alice")
        machine = Machine(tmp_path / "machine", server.endpoint, server.token)
        machine.home.mkdir()
        machine.run(UPLOAD, "alice/m", "a.bin", written(tmp_path / "a", model(12, 3)))
        with closing(sqlite3.connect(server.data / "catalog.sqlite3")) as catalog, catalog:
            catalog.execute("delete from xorbs")
        (lost,) = server.data.glob("blobs/xorb/??/??/*")
        lost.unlink()
        variant = written(tmp_path / "b", model(12, 3, changed=1))
        refused = machine.attempt(sys.executable, "-c", UPLOAD, "alice/m", "b.bin", variant)
        assert refused.returncode != 0
        assert "is not stored here" in refused.stderr
        with closing(sqlite3.connect(server.data / "catalog.sqlite3")) as catalog, catalog:
            catalog.execute("update xet_store set generation = generation + 1")
        machine.run(UPLOAD, "alice/m", "b.bin", variant)
        assert plain(server, "alice/m", "b.bin") == variant.read_bytes()
    finally:
        server.stop()


def test_a_line_that_breaks_while_fetching_is_taken_up_again(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    data = model(13, 8)
    new_machine().run(UPLOAD, repo_id, "model.safetensors", written(tmp_path / "m", data))
    with cutting_proxy(server.endpoint, after_bytes=3_000_000, cuts=2) as line:
        assert new_machine(line.endpoint).run(DOWNLOAD, repo_id, "model.safetensors") == sha256(data)
        assert line.cuts >= 1


def test_a_small_safetensors_file_is_described_from_its_header(
    server: Server, new_machine: NewMachine, repo_id: str, tmp_path: Path
) -> None:
    data = safetensors_bytes([1.0] * 3000, name="only.weight")
    new_machine().run(UPLOAD, repo_id, "model.safetensors", written(tmp_path / "m", data))
    script = """
import json, sys
from huggingface_hub import HfApi
found = HfApi().get_safetensors_metadata(sys.argv[1])
print(json.dumps([found.parameter_count, sorted(found.weight_map)]))
"""
    assert new_machine().run(script, repo_id) == [{"F32": 3000}, ["only.weight"]]
