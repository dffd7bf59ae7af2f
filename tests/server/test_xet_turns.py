"""Who is read for its SHA-256 when much waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from tests.server.wire import create
from tests.server.xet_wire import Machine, made, noise

from registry_server.catalog import xet
from registry_server.usecases import xet_checking
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_turns import Reading, Turns

Headers = dict[str, str]

HUGE = made(*(noise(seed, [1000] * 10) for seed in range(10)))
SMALL = made(noise(77, [700]))


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch, run_checks: Callable[[Registry], None]) -> list[list[int]]:
    """The files of each turn, in their order; a turn is 5000 bytes."""
    taken: list[list[int]] = []
    take_turn = xet_checking._take_turn

    def tell(registry: Registry, numbers: list[int], unreadable: set[int]) -> None:
        taken.append(numbers)
        take_turn(registry, numbers, unreadable)

    monkeypatch.setattr(xet_checking, "TURN_BYTES", 5000)
    monkeypatch.setattr(xet_checking, "_take_turn", tell)
    return taken


def waiting(registry: Registry) -> list[int]:
    """Sizes of the files that are not checked yet."""
    with registry.engine.read() as tx:
        return list(xet.unchecked(tx).values())


def test_a_small_file_behind_an_enormous_one_is_checked_within_two_turns(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    turns: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create(client, alice, "alice/m")
    machine = Machine(client, alice, "alice/m")
    machine.upload(HUGE)
    left: list[list[int]] = []
    read_on = xet_checking._read_on

    def beside(registry: Registry, number: int, most_bytes: int) -> int:
        done = read_on(registry, number, most_bytes)
        if len(turns) == 3 and SMALL.file.hash not in told:
            told.append(SMALL.file.hash)
            machine.upload(SMALL)
        left.append(waiting(registry))
        return done

    told: list[bytes] = []
    monkeypatch.setattr(xet_checking, "_read_on", beside)
    xet_checking.check_all(registry)
    pushed = next(place for place, sizes in enumerate(left) if 700 in sizes)
    checked = next(place for place, sizes in enumerate(left) if place > pushed and 700 not in sizes)
    assert checked - pushed <= 2
    assert 100_000 in left[checked]
    assert (waiting(registry), len(turns)) == ([], 21)


def test_a_reading_that_fails_on_the_way_begins_anew(
    registry: Registry, client: FlaskClient, alice: Headers, turns: list[list[int]]
) -> None:
    create(client, alice, "alice/m")
    machine = Machine(client, alice, "alice/m")
    machine.upload(HUGE)
    key = f"xorb/{HUGE.xorbs[4].hash}"
    with registry.blobs.open(key) as file:
        kept = file.read()
    registry.blobs.delete(key)
    xet_checking.check_all(registry)
    assert waiting(registry) == [100_000]
    registry.blobs.put(key, [kept], size_bytes=len(kept))
    xet_checking.check_all(registry)
    assert waiting(registry) == []
    with registry.engine.read() as tx:
        assert xet.fault(tx, HUGE.file.hash, bytes.fromhex(HUGE.digest)) is None


def test_a_stream_of_small_files_keeps_no_enormous_one_from_its_turns() -> None:
    turns = Turns()
    first = []
    for number in range(2, 12):
        order = turns.next({1: 10**12, number: 10})
        first.append(order[0])
        turns.keep(1, Reading(done_bytes=number))
    assert first.count(1) == 5


def test_of_equals_the_small_one_goes_first_and_the_least_read_before_it() -> None:
    turns = Turns()
    turns.keep(2, Reading(done_bytes=64))
    assert turns.next({1: 900, 2: 100, 3: 500}) == [3, 1, 2]
    assert turns.next({1: 900, 2: 100, 3: 500}) == [1, 2, 3]


def test_many_pushes_at_once_leave_one_thread_in_line(registry: Registry) -> None:
    with registry.turns.at_work:
        before = threading.active_count()
        for _ in range(9):
            xet_checking.check_soon(registry)
        in_line = [thread for thread in threading.enumerate() if thread.name.endswith("(_check_in_line)")]
        assert threading.active_count() == before + 1
    for thread in in_line:
        thread.join(10)
