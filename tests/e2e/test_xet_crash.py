"""Xet pushes while the server, or the client, dies at any moment: what was acknowledged stays, nothing half is seen.

The client is a stock one that tries again with the same cache: what it believes to be stored must be stored.
"""

from __future__ import annotations

import hashlib
import os
import queue
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from tests.conftest import Server, start_server
from tests.e2e.machines import Machine, line_to, xorbs_sent

REPO = "alice/m"
SHARED = random.Random(1).randbytes(700_000)
"""What all files begin with, so that each builds on xorbs of those before it."""

PUSHER = """
import itertools, random, sys, time
from huggingface_hub import HfApi
api, folder, start = HfApi(), sys.argv[1], int(sys.argv[2])
shared = random.Random(1).randbytes(700_000)
for number in itertools.count(start):
    local = f"{folder}/w{number}.bin"
    with open(local, "wb") as file:
        file.write(shared + random.Random(number + 1000).randbytes(900_000))
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

ONE = """
import json, sys
from huggingface_hub import HfApi
print(json.dumps(HfApi().upload_file(path_or_fileobj=sys.argv[1], path_in_repo="w.bin", repo_id="alice/m").oid))
"""


def content(number: int) -> bytes:
    """What the pusher puts into file `number`."""
    return SHARED + random.Random(number + 1000).randbytes(900_000)


class Pusher:
    """The client that pushes one file after another, and what it said so far."""

    def __init__(self, machine: Machine, folder: Path, start: int) -> None:
        folder.mkdir(exist_ok=True)
        self.process = machine.start(PUSHER, folder, start)
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

    def drain(self) -> None:
        while not self._lines.empty():
            self.said.append(self._lines.get())

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nothing new comes meanwhile, and all that was said is heard."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        self.drain()
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
        self.drain()

    @property
    def acknowledged(self) -> dict[int, str]:
        return {int(line[1]): line[2] for line in self.said if line[:1] == ["ack"]}

    @property
    def next_number(self) -> int:
        """The file that it is at, or was at when it died."""
        return max((int(line[1]) + (line[0] == "ack") for line in self.said), default=0)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(("try ", "ack ", "fail ")):  # among what the library itself has to say
                self._lines.put(line.split())


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own, with alice's empty repo."""
    server = start_server(tmp_path / "data")
    server.token = server.add_user("alice")
    httpx2.post(f"{server.endpoint}/api/repos/create", json={"name": REPO}, headers=headers(server)).raise_for_status()
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def machine(running: Server, tmp_path: Path) -> Machine:
    (tmp_path / "machine").mkdir()
    return Machine(tmp_path / "machine", running.endpoint, running.token)


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
            with closing(sqlite3.connect(f"file:{self.server.data}/catalog.sqlite3?mode=ro", uri=True)) as catalog:
                waiting = catalog.execute("select count(*) from xet_files where checked_at is null").fetchone()[0]
                faults = catalog.execute("select fault from xet_files where fault is not null").fetchall()
            assert faults == []
            if not waiting:
                return
            time.sleep(0.05)
        raise AssertionError(f"{waiting} files wait for their check")

    def _files(self, commit: str) -> list[tuple[str, str, int]]:
        address = f"{self.server.endpoint}/api/models/{REPO}/tree/{commit}?recursive=true"
        entries = httpx2.get(address, headers=headers(self.server)).raise_for_status().json()
        return [
            (entry["path"], entry["lfs"]["oid"], entry["size"]) for entry in entries if entry["path"].endswith(".bin")
        ]

    def _bytes(self, commit: str, path: str) -> bytes:
        address = f"{self.server.endpoint}/{REPO}/resolve/{commit}/{path}"
        return httpx2.get(address, headers=headers(self.server)).raise_for_status().content


def crashes(server: Server, machine: Machine, folder: Path, rounds: int, seed: int) -> None:
    """Kill the server each round at any moment, and the client in every third."""
    moments = random.Random(seed)
    witness = Witness(server)
    pusher = Pusher(machine, folder, 0)
    acknowledged: dict[int, str] = {}
    try:
        for number in range(rounds):
            pusher.wait_for("try")
            time.sleep(moments.uniform(0, 0.5))
            server.kill()
            if number % 3 == 2:
                time.sleep(moments.uniform(0, 0.1))
                pusher.kill()
                acknowledged |= pusher.acknowledged
                restart(server)
                pusher = Pusher(machine, folder, pusher.next_number)
            else:
                restart(server)
            with pusher.at_rest():
                acknowledged |= pusher.acknowledged
                witness.look(acknowledged)
        pusher.wait_for("ack")
        pusher.wait_for("ack")
    finally:
        pusher.kill()
    acknowledged |= pusher.acknowledged
    witness.look(acknowledged)
    witness.checks_end()
    assert len(acknowledged) >= 2
    assert sorted(acknowledged) == list(range(len(acknowledged))), "a file was given up"


def test_a_server_that_dies_at_any_moment_loses_nothing(running: Server, machine: Machine, tmp_path: Path) -> None:
    crashes(running, machine, tmp_path / "files", rounds=8, seed=os.getpid())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_server_that_dies_a_hundred_times_loses_nothing(running: Server, machine: Machine, tmp_path: Path) -> None:
    crashes(running, machine, tmp_path / "files", rounds=120, seed=time.time_ns())


def client_dies(server: Server, machine: Machine, folder: Path, rounds: int, seed: int) -> None:
    moments = random.Random(seed)
    witness = Witness(server)
    acknowledged: dict[int, str] = {}
    start = 0
    for _ in range(rounds):
        pusher = Pusher(machine, folder, start)
        try:
            pusher.wait_for("try")
            time.sleep(moments.uniform(0, 0.8))
        finally:
            pusher.kill()
        acknowledged |= pusher.acknowledged
        start = pusher.next_number
        witness.look(acknowledged)
    pusher = Pusher(machine, folder, start)
    try:
        pusher.wait_for("ack")
    finally:
        pusher.kill()
    acknowledged |= pusher.acknowledged
    witness.look(acknowledged)
    witness.checks_end()
    assert sorted(acknowledged) == list(range(len(acknowledged))), "a file was given up"


def test_a_client_that_dies_at_any_moment_goes_on_with_its_cache(
    running: Server, machine: Machine, tmp_path: Path
) -> None:
    client_dies(running, machine, tmp_path / "files", rounds=4, seed=os.getpid())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_client_that_dies_a_hundred_times_goes_on_with_its_cache(
    running: Server, machine: Machine, tmp_path: Path
) -> None:
    client_dies(running, machine, tmp_path / "files", rounds=100, seed=time.time_ns())


# The moments that matter most, one by one


MOMENTS = {
    "the first xorb": b"/v1/xorbs/",
    "the shard": b"/v2/shards",
    "the commit": b"/commit/main",
}


@pytest.mark.parametrize("fresh_cache", [False, True])
def test_what_was_sent_before_the_server_died_is_not_sent_again(
    running: Server, machine: Machine, tmp_path: Path, fresh_cache: bool
) -> None:
    before = len(log(running))
    for number, (moment, word) in enumerate(MOMENTS.items()):
        data = random.Random(moment).randbytes(5_000_000)
        (tmp_path / "w.bin").write_bytes(data)
        die_at(word, running, machine, ONE, tmp_path / "w.bin")
        restart(running)
        assert len(log(running)) == before + number, "a commit that the server never heard of"
        if fresh_cache:
            machine.home = tmp_path / f"another{number}"
            machine.home.mkdir()
        with line_to(running.endpoint) as line:
            machine.endpoint = line.endpoint
            made = machine.run(ONE, tmp_path / "w.bin")
        again = xorbs_sent(line.requests)
        assert (again, len(line.requests) > len(data)) == ((1, True) if moment == "the first xorb" else (0, False))
        resolved = httpx2.get(f"{running.endpoint}/{REPO}/resolve/{made}/w.bin", headers=headers(running))
        assert resolved.content == data


def die_at(word: bytes, server: Server, machine: Machine, script: str, *arguments: object) -> None:
    """Run the script until the server dies, which it does before it hears of a request with this word."""
    dead = threading.Event()

    def spring() -> None:
        server.kill()
        dead.set()

    with line_to(server.endpoint, {word: spring}) as line:
        machine.endpoint = line.endpoint
        client = machine.start(script, *arguments)
        assert dead.wait(60), client.communicate()
        with suppress(ProcessLookupError):  # it may have given up by itself
            os.killpg(client.pid, signal.SIGKILL)
        client.communicate()
    machine.endpoint = server.endpoint


def test_a_server_that_dies_in_the_check_serves_the_file_and_checks_it_later(
    running: Server, machine: Machine, tmp_path: Path
) -> None:
    data = random.Random(9).randbytes(30_000_000)
    (tmp_path / "w.bin").write_bytes(data)
    made = machine.run(ONE, tmp_path / "w.bin")
    running.kill()
    restart(running)
    resolved = httpx2.get(f"{running.endpoint}/{REPO}/resolve/{made}/w.bin", headers=headers(running))
    assert resolved.content == data
    Witness(running).checks_end()


def test_a_reader_that_is_cut_reads_on_where_it_was(running: Server, machine: Machine, tmp_path: Path) -> None:
    """A download by Xet from a server that dies in the middle is finished from the next one, in the same cache."""
    data = random.Random(10).randbytes(12_000_000)
    (tmp_path / "w.bin").write_bytes(data)
    machine.run(ONE, tmp_path / "w.bin")
    script = """
import hashlib, json, sys
from huggingface_hub import hf_hub_download
print(json.dumps(hashlib.sha256(open(hf_hub_download("alice/m", "w.bin"), "rb").read()).hexdigest()))
"""
    machine.home = tmp_path / "reader"
    machine.home.mkdir()
    die_at(b"/data/", running, machine, script)
    restart(running)
    assert machine.run(script) == hashlib.sha256(data).hexdigest()
