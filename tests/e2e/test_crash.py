"""A server that dies at any moment, clients that vanish, and a server that is asked to go."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import socket
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.conftest import REGISTRY, Server, start_server
from tests.e2e.machines import KILL_ROUNDS

REPO = "alice/m"


class Refused(Exception):
    """The server answered, and not with 200."""


@dataclass
class Api:
    """The few calls of a push, each sent once: what a crash does to one request is not hidden by a retry."""

    endpoint: str
    token: str
    http: httpx2.Client = field(default_factory=lambda: httpx2.Client(timeout=20))

    def close(self) -> None:
        self.http.close()

    def call(self, method: str, address: str, **more: Any) -> httpx2.Response:
        url = address if "://" in address else self.endpoint + address
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.http.request(method, url, headers=headers, **more)
        if answer.status_code not in (200, 206):
            raise Refused(f"{method} {address}: {answer.status_code} {answer.text}")
        return answer

    def push(self, files: dict[str, bytes]) -> str:
        """One commit with these files, those ending in .bin sent before; its id."""
        lines: list[Any] = [{"key": "header", "value": {"summary": "Push"}}]
        for path, content in files.items():
            if path.endswith(".bin"):
                lines.append(self._sent(path, content))
            else:
                value = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
                lines.append({"key": "file", "value": value})
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        return str(self.call("POST", f"/api/models/{REPO}/commit/main", content=body).json()["commitOid"])

    def files(self, revision: str) -> dict[str, tuple[str, int]]:
        """Digest and size of every file, by path."""
        manifest = self.call("GET", f"/api/registry/v1/repos/models/{REPO}/manifest/{revision}").json()
        return {file["path"]: (file["digest"], file["size_bytes"]) for file in manifest["files"]}

    def content(self, revision: str, path: str) -> bytes:
        return self.call("GET", f"/{REPO}/resolve/{revision}/{path}").content

    def log(self) -> list[str]:
        """All commits of main, oldest first."""
        address: str | None = f"/api/models/{REPO}/commits/main"
        found: list[str] = []
        while address:
            answer = self.call("GET", address)
            found += [entry["id"] for entry in answer.json()]
            address = answer.links.get("next", {}).get("url")
        return found[::-1]

    def announce(self, content: bytes) -> dict[str, Any]:
        """The server's answer for one large file."""
        objects = [{"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}]
        body = {"operation": "upload", "objects": objects}
        (item,) = self.call("POST", f"/{REPO}.git/info/lfs/objects/batch", json=body).json()["objects"]
        return dict(item)

    def _sent(self, path: str, content: bytes) -> dict[str, Any]:
        item = self.announce(content)
        if "actions" in item:
            self.call("PUT", item["actions"]["upload"]["href"], content=content)
        return {"key": "lfsFile", "value": {"path": path, "oid": item["oid"], "size": item["size"]}}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own, with alice's empty repo."""
    server = start_server(tmp_path / "data")
    server.token = server.add_user("alice")
    api = Api(server.endpoint, server.token)
    api.call("POST", "/api/repos/create", json={"name": REPO})
    api.close()
    yield server
    if server.process.poll() is None:
        server.stop()


# The server dies


def files_of(name: str, seed: int) -> dict[str, bytes]:
    """One push: a large file, a large text, a small one, and one path that every push changes."""
    noise = random.Random(seed)
    return {
        f"{name}/w.bin": noise.randbytes(noise.randrange(1, 600_000)),
        f"{name}/log.txt": (b"%d\n" % seed) * 60_000,
        f"{name}/a.txt": noise.randbytes(9).hex().encode(),
        "latest.txt": name.encode(),
    }


class Pusher(threading.Thread):
    """Pushes one thing after another until the line breaks."""

    def __init__(self, server: Server, name: str, start: int) -> None:
        super().__init__()
        self.api = Api(server.endpoint, server.token)
        self.prefix, self.number = name, start
        self.acknowledged: dict[str, dict[str, bytes]] = {}
        self.under_way: dict[str, bytes] = {}
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                self.number += 1
                self.under_way = files_of(f"{self.prefix}/{self.number}", hash((self.prefix, self.number)))
                self.acknowledged[self.api.push(self.under_way)] = self.under_way
        except httpx2.HTTPError:
            pass  # the server is gone
        except Exception as error:  # anything else is told by the test
            self.fault = error
        finally:
            self.api.close()


def digests(files: dict[str, bytes]) -> dict[str, tuple[str, int]]:
    return {path: (hashlib.sha256(content).hexdigest(), len(content)) for path, content in files.items()}


class History:
    """What main must look like: each commit one whole push on the one before, the acknowledged ones all there."""

    def __init__(self, api: Api) -> None:
        self.acknowledged: dict[str, dict[str, bytes]] = {}
        self.tried: list[dict[str, bytes]] = []
        self.checked = api.log()
        self.files = api.files(self.checked[-1])

    def check(self, api: Api) -> None:
        log = api.log()
        assert self.acknowledged.keys() <= set(log)
        assert log[: len(self.checked)] == self.checked
        for commit in log[len(self.checked) :]:
            after = api.files(commit)
            (push,) = [push for push in self.tried if {**self.files, **digests(push)} == after]
            assert push == self.acknowledged.get(commit, push)
            self.files = after
        self.checked = log
        assert api.call("GET", f"/api/models/{REPO}").json()["sha"] == log[-1]


def check_bytes(api: Api, commits: dict[str, dict[str, bytes]]) -> None:
    for commit, files in commits.items():
        for path, content in files.items():
            assert api.content(commit, path) == content


def check_stores(data: Path) -> None:
    """The catalog is sound, and every finished blob is what its name says."""
    with sqlite3.connect(data / "catalog.sqlite3") as catalog:
        assert catalog.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert catalog.execute("pragma foreign_key_check").fetchall() == []
        held = {row[0].hex() for row in catalog.execute("select digest from repo_blobs")}
    catalog.close()
    blobs = {path.name: path for path in (data / "blobs" / "sha256").rglob("*") if path.is_file()}
    assert held <= set(blobs)
    for name, path in blobs.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == name


def crash_again_and_again(server: Server, rounds: int) -> None:
    noise = random.Random(rounds)
    api = Api(server.endpoint, server.token)
    history = History(api)
    number = acknowledged = 0
    push_seconds = 0.1
    for _ in range(rounds):
        api.close()
        pushers = [Pusher(server, name, number) for name in ("x", "y")]
        for pusher in pushers:
            pusher.start()
        time.sleep(push_seconds * noise.uniform(0.1, 8))
        server.kill()
        for pusher in pushers:
            pusher.join(30)
            assert pusher.fault is None
            acknowledged += len(pusher.acknowledged)
            history.acknowledged |= pusher.acknowledged
            history.tried += [*pusher.acknowledged.values(), pusher.under_way]
        number = max(pusher.number for pusher in pushers)
        token = server.token
        server.__dict__.update(start_server(server.data).__dict__, token=token)
        api = Api(server.endpoint, token)
        history.check(api)
        for pusher in pushers:
            check_bytes(api, pusher.acknowledged)
            started = time.monotonic()
            again = {api.push(pusher.under_way): pusher.under_way}  # the push that was cut
            push_seconds = time.monotonic() - started
            check_bytes(api, again)
            history.acknowledged |= again
        history.check(api)
        check_stores(server.data)
    api.close()
    assert acknowledged > 6, "no crash came after a commit"


def test_a_crash_loses_no_acknowledged_commit_and_shows_no_half_one(running: Server) -> None:
    crash_again_and_again(running, rounds=12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_crashes_lose_nothing(running: Server) -> None:
    """Half as many as the deaths of Xet's test: each round looks at everything that was ever stored."""
    crash_again_and_again(running, rounds=max(12, KILL_ROUNDS // 2))


# Clients vanish


def talk(server: Server, head: str, body: bytes, *, wait: bool = True) -> bytes:
    """Send a request whose body ends early, and hang up; what the server still says."""
    address = urlsplit(server.endpoint)
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        if not wait:
            return b""
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        return answer


def commit_head(server: Server, *headers: str) -> str:
    lines = [
        f"POST /api/models/{REPO}/commit/main HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {server.token}",
        *headers,
    ]
    return "\n".join(lines)


def ndjson(*paths: str) -> bytes:
    lines: list[Any] = [{"key": "header", "value": {"summary": "Push"}}]
    lines += [{"key": "file", "value": {"path": path, "content": "YQ==", "encoding": "base64"}} for path in paths]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.mark.parametrize("wait", [True, False], ids=["and listens", "and is gone"])
def test_a_client_that_stops_in_a_commit_leaves_no_half_commit(running: Server, wait: bool) -> None:
    """The body is cut between two lines, where what came looks whole."""
    api = Api(running.endpoint, running.token)
    before = api.log()
    whole, half = ndjson("a", "b", "c", "d"), ndjson("a", "b")
    by_length = talk(running, commit_head(running, f"Content-Length: {len(whole)}"), half, wait=wait)
    chunk = b"%x\r\n%s\r\n" % (len(half), half)
    by_chunk = talk(running, commit_head(running, "Transfer-Encoding: chunked"), chunk, wait=wait)
    if wait:
        assert b" 400 " in by_length.partition(b"\r\n")[0]
        assert by_chunk == b"" or b" 400 " in by_chunk.partition(b"\r\n")[0]
    else:
        time.sleep(0.5)
    assert api.log() == before
    assert talk(
        running, commit_head(running, "Transfer-Encoding: chunked", "Connection: close"), chunk + b"0\r\n\r\n"
    ).startswith(b"HTTP/1.1 200")
    assert len(api.log()) == len(before) + 1
    api.close()


@pytest.mark.parametrize("wait", [True, False], ids=["and listens", "and is gone"])
def test_a_client_that_stops_in_an_upload_leaves_nothing_visible(running: Server, wait: bool) -> None:
    api = Api(running.endpoint, running.token)
    content = random.Random(1).randbytes(3_000_000)
    actions = api.announce(content)["actions"]
    path = urlsplit(actions["upload"]["href"]).path
    for head, body in (
        (f"Content-Length: {len(content)}", content[:2_000_000]),
        ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (2_000_000, content[:2_000_000])),
    ):
        answer = talk(running, f"PUT {path} HTTP/1.1\nHost: x\n{head}", body, wait=wait)
        assert not wait or answer == b"" or b" 400 " in answer.partition(b"\r\n")[0]
    blobs = running.data / "blobs"
    deadline = time.monotonic() + 10
    while list((blobs / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list((blobs / "tmp").iterdir()) == []
    assert [path for path in (blobs / "sha256").rglob("*") if path.is_file()] == []
    with pytest.raises(Refused, match="404"):
        api.call("POST", actions["verify"]["href"])
    assert "actions" in api.announce(content)  # the bytes are asked for again
    commit = api.push({"w.bin": content})
    assert api.content(commit, "w.bin") == content
    api.close()


def test_a_line_without_end_is_answered_before_it_is_all_sent(running: Server) -> None:
    """100 MiB of one line, of which the server takes a third; its memory stays small."""
    address = urlsplit(running.endpoint)
    head = commit_head(running, f"Content-Length: {100 << 20}").replace("\n", "\r\n").encode() + b"\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=30) as connection:
        connection.sendall(head + ndjson())
        sent = 0
        try:
            while sent < 100 << 20:
                connection.sendall(b"x" * (1 << 20))
                sent += 1 << 20
        except OSError:
            pass  # the server has hung up
        answer = b""
        try:
            while piece := connection.recv(1 << 16):
                answer += piece
        except OSError:
            pass
    assert sent < 100 << 20 or b" 400 " in answer.partition(b"\r\n")[0]
    assert peak_memory_bytes(running) < 400 << 20
    api = Api(running.endpoint, running.token)
    assert len(api.log()) == 1
    api.close()


def peak_memory_bytes(server: Server) -> int:
    """The most memory that any process of the server ever had."""
    import psutil

    group = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    peaks = [Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0] for process in group]
    return max(int(peak) << 10 for peak in peaks)


# The server is asked to go, and comes again


def test_a_download_under_way_is_finished_before_the_server_goes(running: Server) -> None:
    api = Api(running.endpoint, running.token)
    content = random.Random(1).randbytes(40 << 20)
    commit = api.push({"w.bin": content})
    with api.http.stream("GET", f"{api.endpoint}/{REPO}/resolve/{commit}/w.bin") as answer:
        pieces = answer.iter_bytes(1 << 16)
        received = [next(pieces)]
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert running.process.poll() is None
        received += pieces
    assert b"".join(received) == content
    api.close()
    assert running.stop() == 0


def test_what_was_pushed_is_there_after_a_restart(running: Server) -> None:
    api = Api(running.endpoint, running.token)
    files = files_of("x", 1)
    commit = api.push(files)
    api.close()
    admin = (running.data / "admin-token").read_text()
    assert running.stop() == 0
    again = start_server(running.data)
    try:
        api = Api(again.endpoint, running.token)
        check_bytes(api, {commit: files})
        assert api.log()[-1] == commit
        assert (running.data / "admin-token").read_text() == admin
        api.close()
    finally:
        again.stop()


def test_secrets_are_for_the_owner_of_the_folder_only(running: Server) -> None:
    for name in ("admin-token", "secret-key"):
        assert stat.S_IMODE((running.data / name).stat().st_mode) == 0o600
    admin = Api(running.endpoint, (running.data / "admin-token").read_text().strip())
    assert admin.call("GET", "/api/whoami-v2").json()["name"] == "administrator"
    admin.close()


def test_an_admin_token_that_does_not_work_is_replaced(running: Server) -> None:
    """A crash between writing the file and the commit that makes it true leaves such a one."""
    running.stop()
    (running.data / "admin-token").write_text("hf_neverknown\n")
    again = start_server(running.data)
    try:
        admin = Api(again.endpoint, (running.data / "admin-token").read_text().strip())
        assert admin.call("GET", "/api/whoami-v2").json()["name"] == "administrator"
        admin.close()
    finally:
        again.stop()


def serve(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REGISTRY, "serve", "--data", data, *options], capture_output=True, text=True, timeout=30, env=os.environ
    )


def test_a_taken_port_is_one_clear_sentence(running: Server, tmp_path: Path) -> None:
    port = str(urlsplit(running.endpoint).port)
    done = serve(tmp_path / "other", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_cannot_be_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = serve(tmp_path / "file" / "data", "--port", "0")
    assert done.returncode == 2
    assert str(tmp_path / "file" / "data") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_catalog_that_is_none_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "catalog.sqlite3").write_text("this is no database, whatever its name says" * 99)
    done = serve(tmp_path / "data", "--port", "0")
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr, done.stderr
