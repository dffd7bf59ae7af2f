"""The real client, `hf_xet`, against a server of a few lines that is nothing but the functions tested here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import hf_xet
import numpy as np
import pytest
from tests.server.xet.vectors import VECTORS

from registry_server.xet.checks import check_content, check_shard
from registry_server.xet.errors import InvalidXet
from registry_server.xet.hashing import XetHash
from registry_server.xet.plan import Plan, as_json, as_json_v1, content, plan
from registry_server.xet.shard import ShardFile, Term, keyed_shard, read_shard
from registry_server.xet.xorb import XorbIndex, decode_chunks, verify_xorb

KEY = bytes(range(32))
FAR_AWAY = 4_000_000_000

_UPLOAD = """
import json, sys, hf_xet
paths = sys.argv[3:]
with hf_xet.XetSession().new_upload_commit(sys.argv[2], "token", 4_000_000_000) as commit:
    handles = [commit.start_upload_file(path) for path in paths]
print(json.dumps([handle.result().xet_info.hash for handle in handles]))
"""
_DOWNLOAD = """
import sys, hf_xet
endpoint, name, size, target = sys.argv[2:]
with hf_xet.XetSession().new_file_download_group(endpoint, "token", 4_000_000_000) as group:
    group.start_download_file(hf_xet.XetFileInfo(name, int(size)), target)
"""


class Cas:
    """Xorbs and files in memory, and what was asked."""

    def __init__(self) -> None:
        self.stored: dict[XetHash, bytes] = {}
        self.indexes: dict[XetHash, XorbIndex] = {}
        self.files: dict[XetHash, ShardFile] = {}
        self.asked: Counter[str] = Counter()
        self.serves_v2 = True
        self.url = ""

    def add_xorb(self, name: XetHash, body: bytes) -> None:
        self.indexes[name] = verify_xorb(name, [body])
        self.stored[name] = body

    def add_shard(self, body: bytes) -> None:
        shard = read_shard(body)
        check_shard(shard, self.indexes.get)
        for file in shard.files:
            check_content(file, self.content(file.terms))
            self.files[file.hash] = file

    def answer(self) -> bytes:
        return keyed_shard(self.indexes.values(), key=KEY, created_at=1, expires_at=FAR_AWAY)

    def plan(self, name: XetHash, byte_range: str | None) -> Plan:
        first, _, last = (byte_range or "bytes=0-").removeprefix("bytes=").partition("-")
        return plan(self.files[name].terms, self.indexes.__getitem__, int(first), int(last) + 1 if last else None)

    def content(self, terms: tuple[Term, ...]) -> Iterator[bytes]:
        def chunks_of(term: Term) -> Iterator[bytes]:
            return decode_chunks(self.stored[term.xorb], self.indexes[term.xorb], term.start, term.end)

        return content(plan(terms, self.indexes.__getitem__), chunks_of)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cas: Cas

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match urlsplit(self.path).path.split("/")[1:]:
            case ["v1", "xorbs", _, name]:
                self.cas.add_xorb(XetHash.parse(name), body)
                self._send(200, {"was_inserted": True})
            case ["v1" | "v2" as version, "shards"]:
                self._add_shard(version, body)
            case _:
                self._send(404, {})

    def do_GET(self) -> None:
        match urlsplit(self.path).path.split("/")[1:]:
            case ["v1", "chunks", _, _]:
                self._send(200, self.cas.answer())
            case ["v1" | "v2" as version, "reconstructions", name] if version == "v1" or self.cas.serves_v2:
                self._send_plan(version, XetHash.parse(name))
            case ["data", name]:
                first, last = self.headers["Range"].removeprefix("bytes=").split("-")
                self._send(206, self.cas.stored[XetHash.parse(name)][int(first) : int(last) + 1])
            case _:
                self._send(404, {})

    def _add_shard(self, version: str, body: bytes) -> None:
        try:
            self.cas.add_shard(body)
        except InvalidXet as error:
            self._send(200, {"type": "error", "message": error.message, "retryable": False})
        else:
            self._send(200, {"type": "result", "result": 1} if version == "v2" else {"result": 1})

    def _send_plan(self, version: str, name: XetHash) -> None:
        found = self.cas.plan(name, self.headers["Range"])
        shape = as_json if version == "v2" else as_json_v1
        body = shape(found, lambda fetch: f"{self.cas.url}/data/{fetch.xorb}")
        self._send(200 if found.terms else 416, body)

    def _send(self, status: int, body: bytes | dict[str, object]) -> None:
        self.cas.asked["/".join(self.path.split("/")[1:3])] += 1
        data = body if isinstance(body, bytes) else json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cas() -> Iterator[Cas]:
    found = Cas()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cas": found}))
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


Machine = Callable[..., str]


@pytest.fixture
def machine(cas: Cas, tmp_path: Path) -> Machine:
    """Runs a few lines of Python on a machine of the given name, which has a cache of its own."""

    def run(name: str, script: str, *arguments: object) -> str:
        environment = {
            **os.environ,
            "HF_HOME": str(tmp_path / name),
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "50ms",
            "NO_PROXY": "127.0.0.1",
        }
        command = [sys.executable, "-c", script, name, cas.url, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def weights(seed: int, tensors: int = 24) -> list[bytes]:
    """Tensors of 256 KiB."""
    source = np.random.default_rng(seed)
    return [source.normal(0, 0.02, 1 << 17).astype("<f2").tobytes() for _ in range(tensors)]


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def test_the_client_gives_files_the_same_names(tmp_path: Path) -> None:
    paths = [write(tmp_path / vector.name, vector.content) for vector in VECTORS]
    found = hf_xet.hash_files([str(path) for path in paths])
    assert [info.hash for info in found] == [vector.file for vector in VECTORS]


def test_what_the_client_uploads_passes_and_comes_back(cas: Cas, machine: Machine, tmp_path: Path) -> None:
    paths = [write(tmp_path / vector.name, vector.content) for vector in VECTORS]
    names = json.loads(machine("one", _UPLOAD, *paths))
    assert names == [vector.file for vector in VECTORS]
    for name, vector in zip(names, VECTORS, strict=True):
        file = cas.files[XetHash.parse(name)]
        assert file.sha256 == hashlib.sha256(vector.content).hexdigest()
        assert b"".join(cas.content(file.terms)) == vector.content


@pytest.mark.parametrize("serves_v2", [True, False])
def test_a_variant_sends_what_is_new_and_downloads_whole(
    serves_v2: bool, cas: Cas, machine: Machine, tmp_path: Path
) -> None:
    cas.serves_v2 = serves_v2
    tensors = weights(1)
    machine("one", _UPLOAD, write(tmp_path / "base", *tensors))
    first = sum(map(len, cas.stored.values()))

    variant = write(tmp_path / "variant", *tensors[:10], weights(2, 1)[0], *tensors[11:])
    (name,) = json.loads(machine("two", _UPLOAD, variant))
    second = sum(map(len, cas.stored.values())) - first
    assert cas.asked["v1/chunks"] >= 2
    assert second < first / 10

    machine("three", _DOWNLOAD, name, variant.stat().st_size, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == variant.read_bytes()
    assert (cas.asked["v1/reconstructions"] > 0) is not serves_v2
