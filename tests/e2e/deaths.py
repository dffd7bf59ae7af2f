"""Clients that push and pull by Xet without end, to be killed at any moment, and a witness of what is left.

The clients are stock ones that try again with the same cache: what they believe to be stored must be stored.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from tests.conftest import Server, start_server
from tests.e2e.machines import Machine
from tests.server.passing import age

from registry_server.app import open_registry
from registry_server.settings import Settings
from registry_server.usecases.checking import check
from registry_server.usecases.collecting import Amount, collect
from registry_server.xet.hashing import XetHash

REPO = "alice/m"

CONTENT = """
import random
def content(number):
    # The beginning is its own, so that a xorb is found by its first chunk; the end is that of all files.
    return random.Random(number + 1000).randbytes(300_000) + random.Random(1).randbytes(200_000)
"""

PUSH = """
import itertools, sys, time
from huggingface_hub import HfApi
api, folder, start = HfApi(), sys.argv[1], int(sys.argv[2])
for number in itertools.count(start):
    local = f"{folder}/w{number}.bin"
    with open(local, "wb") as file:
        file.write(content(number))
    while True:
        print("try", number)
        try:
            made = api.upload_file(path_or_fileobj=local, path_in_repo=f"w{number}.bin", repo_id="alice/m")
            print("ack", number, made.oid)
            break
        except Exception as error:
            print("fail", number, type(error).__name__, " ".join(str(error).split())[:300])
            time.sleep(0.05)
"""

PULL = """
import hashlib, os, sys, time
from huggingface_hub import HfApi
api, folder = HfApi(), sys.argv[1]
while True:
    try:
        numbers = [int(path[1:-4]) for path in api.list_repo_files("alice/m") if path.endswith(".bin")]
        newest = max(numbers, default=None)
        if newest is None:
            continue
        print("fetch", newest)
        local = api.hf_hub_download("alice/m", f"w{newest}.bin", local_dir=folder)
        with open(local, "rb") as file:
            print("got", newest, hashlib.sha256(file.read()).hexdigest())
        os.remove(local)
    except Exception as error:
        print("fail", type(error).__name__, " ".join(str(error).split())[:300])
        time.sleep(0.05)
"""

_made: dict[str, Any] = {}
exec(CONTENT, _made)  # the very function that the clients run
content = _made["content"]


def sha256_of(number: int) -> str:
    """The digest of file `number`."""
    return hashlib.sha256(content(number)).hexdigest()


class Client:
    """A client process in its loop, and what it said so far."""

    def __init__(self, machine: Machine, script: str, *arguments: object) -> None:
        self.process = machine.start(CONTENT + script, *arguments)
        self.said: list[list[str]] = []
        self._lines: queue.Queue[list[str]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, word: str, seconds: float = 60) -> list[str]:
        """The next line that begins with the word; those before it are kept as said."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {word!r} in {seconds} s after {self.said[-5:]}") from None
            self.said.append(line)
            if line[:1] == [word]:
                return line

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing new comes meanwhile, and all that was said is heard."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        self._drain()
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._drain()

    def all_said(self, word: str) -> dict[int, str]:
        """What it said last of each file after this word."""
        return {int(line[1]): line[2] for line in self.said if line[:1] == [word]}

    @property
    def next_number(self) -> int:
        """The file that a pusher is at, or was at when it died."""
        return max((int(line[1]) + (line[0] == "ack") for line in self.said), default=0)

    def _drain(self) -> None:
        while not self._lines.empty():
            self.said.append(self._lines.get())

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(("try ", "ack ", "fetch ", "got ", "fail ")):  # among what the library itself has to say
                self._lines.put(line.split())


def headers(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


def restart(server: Server) -> None:
    """The same data at the same address, as whoever runs it would do."""
    again = start_server(server.data, port=int(server.endpoint.rpartition(":")[2]))
    assert again.endpoint == server.endpoint
    server.process = again.process


def log(server: Server) -> list[str]:
    """All commits of main, oldest first."""
    address: str | None = f"{server.endpoint}/api/models/{REPO}/commits/main"
    found: list[str] = []
    while address:
        answer = httpx2.get(address, headers=headers(server)).raise_for_status()
        found += [entry["id"] for entry in answer.json()]
        address = answer.links.get("next", {}).get("url")
    return found[::-1]


class Witness:
    """Looks at what can be seen from outside, and remembers what was acknowledged and what was looked at."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen: set[str] = set()
        self.good: set[tuple[str, str]] = set()  # path and SHA-256 of files that were read

    def look(self, acknowledged: dict[int, str]) -> None:
        commits = log(self.server)
        assert set(acknowledged.values()) <= set(commits), "an acknowledged commit is lost"
        assert self.seen <= set(commits)
        for commit in [commit for commit in commits if commit not in self.seen]:
            for path, digest, size in self._files(commit):
                if (path, digest) in self.good:
                    continue
                data = self._bytes(commit, path)
                assert data == content(int(path[1:-4])), f"{path} of {commit} is not what was pushed"
                assert (len(data), hashlib.sha256(data).hexdigest()) == (size, digest)
                self.good.add((path, digest))
            self.seen.add(commit)
        if commits:
            present = {path for path, _, _ in self._files(commits[-1])}
            assert {f"w{number}.bin" for number in acknowledged} <= present

    def checks_end(self) -> None:
        """Also what was under way in a check when the server died is checked, and nothing was found wrong."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            (waiting,) = asked(self.server, "select count(*) from xet_files where checked_at is null")
            assert asked(self.server, "select fault from xet_files where fault is not null") == []
            if not waiting:
                return
            time.sleep(0.05)
        raise AssertionError(f"{waiting} files wait for their check")

    def _files(self, commit: str) -> list[tuple[str, str, int]]:
        address: str | None = f"{self.server.endpoint}/api/models/{REPO}/tree/{commit}?recursive=true"
        found: list[tuple[str, str, int]] = []
        while address:
            answer = httpx2.get(address, headers=headers(self.server)).raise_for_status()
            files = [entry for entry in answer.json() if entry["path"].endswith(".bin")]
            found += [(file["path"], file["lfs"]["oid"], file["size"]) for file in files]
            address = answer.links.get("next", {}).get("url")
        return found

    def _bytes(self, commit: str, path: str) -> bytes:
        address = f"{self.server.endpoint}/{REPO}/resolve/{commit}/{path}"
        return httpx2.get(address, headers=headers(self.server)).raise_for_status().content


def asked(server: Server, query: str) -> list[Any]:
    """The first column of what the catalog holds, read past the server."""
    with closing(sqlite3.connect(f"file:{server.data}/catalog.sqlite3?mode=ro", uri=True)) as catalog:
        return [row[0] for row in catalog.execute(query)]


def xorbs_held(server: Server) -> set[bytes]:
    return set(asked(server, "select hash from xorbs"))


def xorbs_posted(requests: bytes | bytearray) -> set[bytes]:
    """The hashes of the xorbs in what a client sent, as the catalog writes them."""
    names = re.findall(rb"POST /xet/\d+/v1/xorbs/[^/]+/([0-9a-f]{64})", bytes(requests))
    return {XetHash.parse(name.decode()) for name in names}


def collect_garbage(data: Path) -> Amount:
    """Weeks later: what the deaths left is freed, what files are made of stays, and all of it is sound; the xorbs."""
    registry = open_registry(Settings(data=data, secret_key="secret"))
    age(registry, days=40)
    freed = collect(registry).freed
    with registry.engine.read() as tx:
        needed = tx.execute(
            "select distinct xorb_hash from xet_file_xorbs"
            " where file_hash in (select xet_file from repo_blobs where xet_file is not null)"
        )
    kept = {path.name for path in (data / "blobs" / "xorb").rglob("*") if path.is_file()}
    assert len(kept) == len(needed)
    assert collect(registry).freed_bytes == 0
    assert check(registry).is_sound
    registry.engine.close()
    open_registry(Settings(data=data, secret_key="secret")).engine.close()  # which sweeps what was never finished
    assert list((data / "blobs" / "tmp").iterdir()) == []
    return freed.xorbs
