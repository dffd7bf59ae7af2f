"""Reading what is stored as xorbs: plans and signed addresses for Xet clients, ranges for all others, damage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.wire import batch
from tests.server.xet_wire import Machine, made, noise, xet_push
from werkzeug.test import TestResponse

from registry_server.catalog import xet
from registry_server.routes.xet import blueprint
from registry_server.usecases import xet_access, xet_download
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_checking import check_all
from registry_server.xet.errors import DamagedXorb
from registry_server.xet.hashing import XetHash
from registry_server.xet.plan import Fetch

pytestmark = pytest.mark.usefixtures("run_checks")

Token = Callable[[str], dict[str, str]]
Headers = dict[str, str]

# Terms that leave parts of xorbs out, come back to a xorb, and repeat chunks.
FILE = made(
    noise(1, [3000, 1, 4096, 500, 800]),
    noise(2, [2000, 700, 1]),
    [bytes(9000), b"ab" * 3000],
    terms=[(0, 0, 2), (1, 0, 2), (0, 1, 4), (2, 0, 2), (2, 0, 1), (1, 1, 3)],
)
CONTENT, SIZE = FILE.content, len(FILE.content)
ONE, TWO, _ = FILE.xorbs
CHUNK_ENDS = [3000, 3001, 5001, 5701]
"""Where the first four chunks of the file end."""


@pytest.fixture
def machine(client: FlaskClient, token: Token) -> Machine:
    return xet_push(client, token("alice"), "alice/m", {"w.bin": FILE})


def rebuilt(machine: Machine, answer: TestResponse, version: int) -> bytes:
    """The file's bytes as a client puts them together from a plan, fetching each part from its address."""
    assert answer.status_code == 200, answer.text
    plan: dict[str, Any] = answer.get_json()
    chunks: dict[tuple[str, int], bytes] = {}
    for xorb, start, end, url, first, last in _parts(plan, version):
        index = FILE.store.indexes[XetHash.parse(xorb)]
        fetched = machine.client.get(url, headers={"Range": f"bytes={first}-{last}"})
        assert fetched.status_code == 206
        assert fetched.data == FILE.store.stored[index.hash][first : last + 1]
        assert index.span(start, end) == (first, last + 1)
        for number in range(start, end):
            assert (xorb, number) not in chunks, "a chunk is in two parts"
            chunks[xorb, number] = FILE.store.raw[index.hash][number]
    content = b""
    for term in plan["terms"]:
        mine = [chunks[term["hash"], number] for number in range(term["range"]["start"], term["range"]["end"])]
        assert sum(map(len, mine)) == term["unpacked_length"]
        content += b"".join(mine)
    return content[plan["offset_into_first_range"] :]


def _parts(plan: dict[str, Any], version: int) -> list[tuple[str, int, int, str, int, int]]:
    if version == 1:
        return [
            (xorb, part["range"]["start"], part["range"]["end"], part["url"], *_ends(part["url_range"]))
            for xorb, parts in plan["fetch_info"].items()
            for part in parts
        ]
    return [
        (xorb, span["chunks"]["start"], span["chunks"]["end"], part["url"], *_ends(span["bytes"]))
        for xorb, parts in plan["xorbs"].items()
        for part in parts
        for span in part["ranges"]
    ]


def _ends(byte_range: dict[str, int]) -> tuple[int, int]:
    return byte_range["start"], byte_range["end"]


# Plans


@pytest.mark.parametrize("version", [1, 2])
def test_a_plan_rebuilds_the_file(machine: Machine, version: int) -> None:
    answer = machine.reconstruct(FILE.file.hash, version=version)
    assert rebuilt(machine, answer, version) == CONTENT
    assert ("xorbs" in answer.json) is (version == 2)
    assert ("fetch_info" in answer.json) is (version == 1)


@pytest.mark.parametrize("version", [1, 2])
def test_a_plan_for_a_range_covers_it_with_whole_chunks(machine: Machine, version: int) -> None:
    edges = {0, 1, 2999, *CHUNK_ENDS, *(end - 1 for end in CHUNK_ENDS), SIZE // 2, SIZE - 2, SIZE - 1}
    for first in sorted(edges):
        for last in (first, first + 1, first + 4000, SIZE - 1, SIZE, 2**64 - 1):
            answer = machine.reconstruct(FILE.file.hash, f"bytes={first}-{last}", version=version)
            got = rebuilt(machine, answer, version)
            wanted = CONTENT[first : last + 1]
            assert got.startswith(wanted), (first, last)
            planned = sum(term["unpacked_length"] for term in answer.json["terms"])
            assert planned - len(wanted) < 2 * 9000, "more than the chunks at both ends"
        open_ended = machine.reconstruct(FILE.file.hash, f"bytes={first}-", version=version)
        assert rebuilt(machine, open_ended, version) == CONTENT[first:]


@pytest.mark.parametrize("version", [1, 2])
def test_a_range_past_the_end_is_416(machine: Machine, version: int) -> None:
    for first in (SIZE, SIZE + 1, 2**63, 2**64 - 2):
        for last in ("", str(first), str(2**64 - 1)):
            answer = machine.reconstruct(FILE.file.hash, f"bytes={first}-{last}", version=version)
            assert answer.status_code == 416
            assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


def test_a_range_that_is_none_is_refused(machine: Machine) -> None:
    for text in (
        "bytes=5",
        "bytes=-5",
        "bytes=a-b",
        "chunks=0-1",
        "bytes=0-1,3-4",
        "bytes=1-2 ,",
        "bytes=9" + "9" * 40,
    ):
        assert machine.reconstruct(FILE.file.hash, text).status_code == 400, text
        assert machine.get(f"data/{address(machine)}", Range=text).status_code in (400, 403), text


def test_no_terms_of_a_plan_are_for_bytes_that_were_not_asked(machine: Machine) -> None:
    plan = machine.reconstruct(FILE.file.hash, "bytes=3001-3001").json
    assert [(term["hash"], term["range"]) for term in plan["terms"]] == [(str(TWO.hash), {"start": 0, "end": 1})]
    assert list(plan["xorbs"]) == [str(TWO.hash)]


def test_an_unknown_file_is_not_found(machine: Machine) -> None:
    for name in (XetHash(bytes([7] * 32)), ONE.hash, XetHash(bytes(32))):
        for version in (1, 2):
            assert machine.reconstruct(name, version=version).status_code == 404


def test_addresses_name_the_generation_and_older_ones_still_read(registry: Registry, machine: Machine) -> None:
    with registry.engine.write() as tx:
        tx.execute("update xet_store set generation = 7")
        assert xet.generation(tx) == 7
    later = Machine(machine.client, machine.headers, "alice/m", scope="read")
    assert later.store_url == "http://localhost/xet/7"
    for reader in (machine, later):
        answer = reader.reconstruct(FILE.file.hash)
        assert rebuilt(reader, answer, 2) == CONTENT
        (url,) = {part["url"].partition("/data/")[0] for parts in answer.json["xorbs"].values() for part in parts}
        assert url == reader.store_url


# Signed addresses


def address(machine: Machine, start: int = 1, end: int = 3) -> str:
    """The signed part of an address for some chunks of the first xorb."""
    first, stop = ONE.span(start, end)
    registry: Registry = machine.client.application.extensions["registry"]
    return xet_access.sign_part(registry, Fetch(ONE.hash, start, end, first, stop - 1))


def test_an_address_gives_its_own_span_and_nothing_around_it(machine: Machine) -> None:
    url = f"{machine.store_url}/data/{address(machine)}"
    first, stop = ONE.span(1, 3)
    stored = FILE.store.stored[ONE.hash]
    whole = machine.client.get(url)
    assert (whole.status_code, whole.data) == (206, stored[first:stop])
    for begin, end in ((first, stop - 1), (first, first), (stop - 1, stop - 1), (first + 3, stop - 5)):
        answer = machine.client.get(url, headers={"Range": f"bytes={begin}-{end}"})
        assert (answer.status_code, answer.data) == (206, stored[begin : end + 1])
        assert answer.headers["Content-Range"] == f"bytes {begin}-{end}/*"
        assert answer.headers["Content-Length"] == str(end + 1 - begin)
    inside = machine.client.get(url, headers={"Range": f"bytes={first + 3}-"})
    assert inside.data == stored[first + 3 : stop]
    for begin, end in ((0, stop - 1), (first - 1, stop - 1), (first, stop), (stop, stop), (first, 2**64 - 1), (5, 4)):
        assert machine.client.get(url, headers={"Range": f"bytes={begin}-{end}"}).status_code == 403, (begin, end)


def test_an_address_needs_no_token_and_is_told_to_nobody_else(machine: Machine) -> None:
    url = f"{machine.store_url}/data/{address(machine)}"
    assert machine.client.get(url).status_code == 206
    payload, _, signature = address(machine).rpartition(".")
    other = address(machine, 0, 1).rpartition(".")[0]
    for text in (f"{other}.{signature}", f"{payload}x.{signature}", payload, "x", "a.b.c", machine.token, "%00", "é"):
        answer = machine.client.get(f"{machine.store_url}/data/{text}", headers=machine.bearer)
        assert answer.status_code == 403, text


def test_an_address_ends(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{machine.store_url}/data/{address(machine)}"
    for seconds, status in ((3590, 206), (3610, 403)):
        clock = SimpleNamespace(time=lambda seconds=seconds: time.time() + seconds)
        monkeypatch.setattr("itsdangerous.timed.time", clock)
        assert machine.client.get(url).status_code == status


def test_a_plan_signs_no_chunk_that_the_file_leaves_out(machine: Machine) -> None:
    """The last chunk of the first xorb belongs to no term; it may be part of a file that the reader must not see."""
    last_byte = ONE.span(0, 4)[1] - 1
    for version in (1, 2):
        plan = machine.reconstruct(FILE.file.hash, version=version).json
        ends = [last for xorb, _, _, _, _, last in _parts(plan, version) if xorb == str(ONE.hash)]
        assert max(ends) == last_byte
        for xorb, _, _, url, _, last in _parts(plan, version):
            if xorb == str(ONE.hash):
                beyond = machine.client.get(url, headers={"Range": f"bytes={last + 1}-{last + 1}"})
                assert beyond.status_code == 403


def test_every_call_but_signed_data_and_telemetry_wants_a_token(machine: Machine) -> None:
    open_to_all = {"xet.data", "xet.telemetry", "xet.not_offered"}
    tried = 0
    for rule in machine.client.application.url_map.iter_rules():
        if not rule.endpoint.startswith(f"{blueprint.name}.") or rule.endpoint in open_to_all:
            continue
        values = {"generation": 1, "prefix": "default"} | dict.fromkeys(("xorb", "chunk", "file"), str(ONE.hash))
        path = rule.build({name: values[name] for name in rule.arguments})
        assert path is not None
        method = "POST" if "POST" in (rule.methods or ()) else "GET"
        assert machine.client.open(path[1], method=method, data=b"x").status_code == 401, path
        tried += 1
    assert tried == 6


# Plain reading


def test_a_file_is_read_whole_by_plain_http(machine: Machine) -> None:
    answer = machine.resolve("w.bin")
    assert (answer.status_code, answer.data) == (200, CONTENT)
    head = machine.client.head("/alice/m/resolve/main/w.bin")
    for headers in (answer.headers, head.headers):
        assert headers["Content-Length"] == headers["X-Linked-Size"] == str(SIZE)
        assert headers["ETag"] == headers["X-Linked-Etag"] == f'"{FILE.digest}"'
        assert headers["X-Xet-Hash"] == str(FILE.file.hash)
        assert 'rel="xet-auth"' in headers["Link"]
        assert "/xet-read-token/" in headers["Link"]
    assert machine.client.get(head.headers["Link"].split(">")[0].strip("<")).status_code == 200


positions = st.one_of(st.integers(0, SIZE + 10), st.sampled_from([0, *CHUNK_ENDS, SIZE - 1, SIZE]))


@given(positions, positions)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_range_is_that_slice(machine: Machine, first: int, last: int) -> None:
    answer = machine.resolve("w.bin", Range=f"bytes={first}-{last}")
    if first > last:
        assert answer.status_code in (200, 416)
    elif first >= SIZE:
        assert answer.status_code == 416
    else:
        assert (answer.status_code, answer.data) == (206, CONTENT[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{min(last, SIZE - 1)}/{SIZE}"
        assert answer.headers["Content-Length"] == str(len(answer.data))


@given(st.integers(1, SIZE + 10))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_range_from_the_end_is_that_slice(machine: Machine, length: int) -> None:
    assert machine.resolve("w.bin", Range=f"bytes=-{length}").data == CONTENT[-length:]


def test_a_file_is_fetched_by_lfs_too(machine: Machine) -> None:
    for checked in (False, True):
        if checked:
            check_all(machine.client.application.extensions["registry"])
        answer = batch(machine.client, machine.headers, "alice/m", FILE.digest, SIZE, "download")
        (item,) = answer.get_json(force=True)["objects"]
        url = item["actions"]["download"]["href"]
        assert machine.client.get(url).data == CONTENT
        ranged = machine.client.get(url, headers={"Range": "bytes=3000-5001"})
        assert (ranged.status_code, ranged.data) == (206, CONTENT[3000:5002])


def test_lists_tell_xet_clients_how_to_fetch_the_file(machine: Machine) -> None:
    tree = {entry["path"]: entry for entry in machine.client.get("/api/models/alice/m/tree/main").json}
    assert tree["w.bin"]["xetHash"] == str(FILE.file.hash)
    assert (tree["w.bin"]["lfs"]["oid"], tree["w.bin"]["lfs"]["size"]) == (FILE.digest, SIZE)


# Damage

BIG = made(noise(5, [60_000] * 40))
"""More chunks than are read at once, so that damage can lie behind bytes that have left already."""
(BIG_XORB,) = BIG.xorbs


def flip(registry: Registry, xorb: XetHash, at: int) -> None:
    (path,) = registry.settings.blobs_path.glob(f"xorb/??/??/{xorb}")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def read_or_cut(machine: Machine, path: str, **headers: str) -> tuple[int, bytes, bool]:
    """Status, what came of the body, and whether all of it came that was announced."""
    body, is_whole = b"", True
    answer = machine.client.get(f"/alice/m/resolve/main/{path}", headers={**machine.headers, **headers}, buffered=False)
    try:
        for piece in answer.iter_encoded():
            body += piece
    except DamagedXorb:
        is_whole = False  # gunicorn closes the connection before the announced length
    finally:
        answer.close()
    return answer.status_code, body, is_whole


@pytest.mark.parametrize("chunk", [0, 15, 16, 39])
@pytest.mark.parametrize("place", ["header", "payload"])
def test_a_flipped_bit_is_never_served_as_good(registry: Registry, machine: Machine, chunk: int, place: str) -> None:
    machine.upload(BIG)
    assert machine.commit({"big.bin": BIG}).status_code == 200
    first, stop = BIG_XORB.span(chunk, chunk + 1)
    flip(registry, BIG_XORB.hash, first + 1 if place == "header" else stop - 1)
    status, body, is_whole = read_or_cut(machine, "big.bin")
    assert status == 503 or (status == 200 and not is_whole)
    if status == 200:
        assert BIG.content.startswith(body), "wrong bytes left"
        assert len(body) < len(BIG.content)
    damaged = BIG_XORB.raw_span(chunk, chunk + 1)
    assert read_or_cut(machine, "big.bin", Range=f"bytes={damaged[0]}-{damaged[0]}")[0] == 503
    sound = 60_000 * ((chunk + 20) % 40)
    status, body, is_whole = read_or_cut(machine, "big.bin", Range=f"bytes={sound}-{sound + 9}")
    assert (status, body, is_whole) == (206, BIG.content[sound : sound + 10], True)


def test_a_cut_or_lost_xorb_is_an_error(registry: Registry, machine: Machine) -> None:
    (path,) = registry.settings.blobs_path.glob(f"xorb/??/??/{ONE.hash}")
    path.write_bytes(path.read_bytes()[:2000])
    assert read_or_cut(machine, "w.bin")[0] == 503
    path.unlink()
    assert read_or_cut(machine, "w.bin")[0] >= 400


def test_a_file_with_a_flipped_bit_does_not_pass_its_check(registry: Registry, machine: Machine) -> None:
    flip(registry, ONE.hash, 50)
    check_all(registry)
    with registry.engine.read() as tx:
        assert tx.execute("select 1 from blobs") == []
        found = xet.file(tx, FILE.file.hash, bytes.fromhex(FILE.digest))
    assert found is not None
    assert (found.is_checked, found.fault) == (False, None)


def test_a_reader_that_takes_its_time_keeps_no_other_waiting(
    registry: Registry, client: FlaskClient, alice: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xet_download, "_decoding", threading.BoundedSemaphore(1))
    file = made(noise(1, [1000] * 9))
    xet_push(client, alice, "alice/crowd", {"w": file})
    with registry.engine.read() as tx:
        stored = xet.file(tx, file.file.hash, bytes.fromhex(file.digest))
    assert stored is not None
    readers = [xet_download.content(registry, stored, 0, stored.size_bytes) for _ in range(3)]
    started = [next(reader) for reader in readers]  # each stands in the middle of its file
    for first, reader in zip(started, readers, strict=True):
        assert first + b"".join(reader) == file.content
