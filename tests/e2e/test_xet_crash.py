"""Xet pushes and pulls while server and clients die: nothing acknowledged is lost, nothing half is seen."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.conftest import Server, start_server
from tests.e2e import deaths
from tests.e2e.deaths import PULL, PUSH, REPO, Client, Witness, headers, log, restart, xorbs_held, xorbs_posted
from tests.e2e.machines import KILL_ROUNDS, Line, Machine, line_to, xorbs_sent

ONE = """
import json, sys
from huggingface_hub import HfApi
print(json.dumps(HfApi().upload_file(path_or_fileobj=sys.argv[1], path_in_repo="w.bin", repo_id="alice/m").oid))
"""


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


@pytest.fixture
def puller(running: Server, tmp_path: Path) -> Machine:
    """Another computer than `machine`."""
    (tmp_path / "puller").mkdir()
    return Machine(tmp_path / "puller", running.endpoint, running.token)


@dataclass
class Scene:
    """A server, one who pushes to it and one who pulls from it, each to be killed and to come again."""

    server: Server
    pushing: Machine
    pulling: Machine
    line: Line

    def __post_init__(self) -> None:
        self.pushing.endpoint = self.pulling.endpoint = self.line.endpoint
        self.witness = Witness(self.server)
        self.acknowledged: dict[int, str] = {}
        self.given_up: set[int] = set()
        self.posted: set[bytes] = set()
        self._start_pusher(0)
        self._start_puller()

    def server_dies(self) -> None:
        self.server.kill()
        restart(self.server)

    def pusher_dies(self) -> None:
        """And when it comes again it has another file: what it was sending is nobody's now."""
        self.pusher.kill()
        self._hear()
        self._expect_nothing_sent_twice()
        number = self.pusher.next_number
        self.given_up.add(number)
        self._start_pusher(number + 1)

    def puller_dies(self) -> None:
        self.puller.kill()
        self._expect_whole_files()
        self._start_puller()

    def all_die(self) -> None:
        """And when they come again, the pusher has the file that it had."""
        self.server.kill()
        self.pusher.kill()
        self.puller.kill()
        self._hear()
        restart(self.server)
        self._expect_nothing_sent_twice()
        self._expect_whole_files()
        self._start_pusher(self.pusher.next_number)
        self._start_puller()

    def look(self) -> None:
        with self.pusher.at_rest():
            self._hear()
            self.witness.look(self.acknowledged)

    def end(self) -> None:
        """Everybody goes on after the last death; then weeks pass, and the garbage is collected."""
        self.pusher.wait_for("ack")
        self.puller.wait_for("got")
        self.close()
        self._hear()
        self._expect_nothing_sent_twice()
        self._expect_whole_files()
        self.witness.checks_end()
        tried = self.pusher.next_number
        assert set(range(tried)) - self.given_up == self.acknowledged.keys() - self.given_up, "a push was forgotten"
        assert self.posted & xorbs_held(self.server), "nothing was ever sent"
        self.server.kill()
        freed = deaths.collect_garbage(self.server.data)
        restart(self.server)
        Witness(self.server).look(self.acknowledged)
        print(f"{len(self.acknowledged)} of {tried} files acknowledged, {freed.count} xorbs were garbage")

    def close(self) -> None:
        for client in (self.pusher, self.puller):
            if client.process.poll() is None:
                client.kill()

    def _start_pusher(self, number: int) -> None:
        self.pusher = Client(self.pushing, PUSH, self._folder(self.pushing), number)
        self.pusher.wait_for("try")
        self.held = xorbs_held(self.server)
        self.line.requests.clear()

    def _start_puller(self) -> None:
        self.puller = Client(self.pulling, PULL, self._folder(self.pulling))

    def _hear(self) -> None:
        self.acknowledged |= self.pusher.all_said("ack")

    def _expect_nothing_sent_twice(self) -> None:
        """Of a pusher that began anew: its first answer tells it what of its file is there already."""
        posted = xorbs_posted(self.line.requests)
        assert posted.isdisjoint(self.held)
        self.posted |= posted

    def _expect_whole_files(self) -> None:
        for number, digest in self.puller.all_said("got").items():
            assert digest == deaths.sha256_of(number)
        for path in self._folder(self.pulling).glob("*.bin"):
            assert path.read_bytes() == deaths.content(int(path.stem[1:])), "a half-done file has its name"

    @staticmethod
    def _folder(machine: Machine) -> Path:
        folder = machine.home / "files"
        folder.mkdir(exist_ok=True)
        return folder


def die_again_and_again(server: Server, pushing: Machine, pulling: Machine, rounds: int, seed: int) -> None:
    moments = random.Random(seed)
    with line_to(server.endpoint) as line:
        scene = Scene(server, pushing, pulling, line)
        dying = [scene.server_dies, scene.pusher_dies, scene.puller_dies, scene.all_die]
        try:
            for number in range(rounds):
                die = dying[number % 4]
                if die == scene.puller_dies:
                    scene.puller.wait_for("fetch")
                    time.sleep(moments.uniform(0, 0.1))
                else:
                    scene.pusher.wait_for("try")
                    time.sleep(moments.uniform(0, 0.6))
                die()
                scene.look()
            scene.end()
        finally:
            scene.close()


def test_deaths_at_any_moment_lose_nothing(running: Server, machine: Machine, puller: Machine) -> None:
    die_again_and_again(running, machine, puller, rounds=8, seed=os.getpid())


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundreds_of_deaths_at_any_moment_lose_nothing(running: Server, machine: Machine, puller: Machine) -> None:
    die_again_and_again(running, machine, puller, rounds=KILL_ROUNDS, seed=time.time_ns())


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
