"""The Xet store takes what is true and nothing else: tokens, xorbs, shards, and the check of the whole file."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import lz4.frame
import pytest
from flask.testing import FlaskClient
from tests.server.pushing import push
from tests.server.wire import batch, commit, create, delete, large, upload
from tests.server.xet.objects import encode_shard, encode_xorb, encoded, listing_of, record, term_of
from tests.server.xet_wire import (
    Machine,
    Made,
    ask_token,
    count,
    last_line,
    made,
    made_of,
    noise,
    stored_keys,
    unfinished,
    xet_push,
)

from registry_core.errors import Unavailable
from registry_core.ids import Digest
from registry_server.app import app_of, open_registry
from registry_server.catalog import xet
from registry_server.usecases import accounts, grants, xet_access, xet_checking, xet_upload
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_checking import check_all, check_soon
from registry_server.xet.hashing import XetHash, verification_hash
from registry_server.xet.shard import Shard, ShardFile, Term
from registry_server.xet.xorb import MAX_XORB_BYTES, XorbIndex

pytestmark = pytest.mark.usefixtures("run_checks")

Token = Callable[[str], dict[str, str]]
Headers = dict[str, str]

REPO = "alice/m"
FILE = made(noise(1, [3000, 1, 4096, 500]), noise(2, [2000, 700]), terms=[(0, 0, 4), (1, 0, 2), (0, 1, 3)])
OTHER = made(noise(3, [900, 1200]))
ONE, TWO = FILE.xorbs
BODY = FILE.store.stored[ONE.hash]
STRANGER = XetHash(bytes([7] * 32))


@pytest.fixture
def machine(client: FlaskClient, alice: Headers) -> Machine:
    create(client, alice, REPO)
    return Machine(client, alice, REPO)


def in_seconds(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """What is signed now is so many seconds old from here on."""
    clock = SimpleNamespace(time=lambda: time.time() + seconds)
    monkeypatch.setattr("itsdangerous.timed.time", clock)


def bytes_of(registry: Registry, xorb: XetHash) -> bytes:
    with registry.blobs.open(f"xorb/{xorb}") as stored:
        return stored.read()


# Tokens


def test_a_token_comes_in_both_forms(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, REPO)
    for scope in ("read", "write"):
        answer = ask_token(client, alice, REPO, scope)
        given = answer.get_json()
        assert answer.headers["X-Xet-Access-Token"] == given["accessToken"]
        assert answer.headers["X-Xet-Token-Expiration"] == str(given["exp"])
        assert answer.headers["X-Xet-Cas-Url"] == given["casUrl"] == "http://localhost/xet/1"
        assert 3500 < given["exp"] - time.time() <= 3600


def test_a_token_outlives_its_end_by_the_skew_of_a_clock(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_seconds(monkeypatch, 3600 + 290)
    assert machine.send_xorb(ONE.hash, BODY).status_code == 200
    in_seconds(monkeypatch, 3600 + 310)
    answer = machine.send_xorb(TWO.hash, FILE.store.stored[TWO.hash])
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert machine.reconstruct(FILE.file.hash).status_code == 401


def test_a_read_token_cannot_write(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, REPO)
    reader = Machine(client, alice, REPO, scope="read")
    answers = [reader.send_xorb(ONE.hash, BODY), *(reader.send_shard(FILE.shard, version=v) for v in (1, 2))]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert stored_keys(registry) == set()
    assert count(registry, "xorbs") == count(registry, "xet_uploads") == count(registry, "xet_files") == 0


def test_who_may_not_write_gets_a_token_to_read_only(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    create(client, alice, REPO)
    reading = {"Authorization": f"Bearer {accounts.add_user(registry, 'alice', token_role='read')}"}
    for headers, refused in ((bob, 403), (reading, 403), ({}, 401)):
        assert ask_token(client, headers, REPO, "read").status_code == 200
        assert ask_token(client, headers, REPO, "write").status_code == refused


def test_a_hidden_repo_gives_strangers_the_answer_of_an_absent_one(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    create(client, alice, "alice/hidden", private=True)
    for headers in ({}, bob):
        for scope in ("read", "write"):
            hidden, absent = (ask_token(client, headers, f"alice/{name}", scope) for name in ("hidden", "absent"))
            assert (hidden.status_code, hidden.text) == (absent.status_code, absent.text)
            assert hidden.status_code == (404 if headers else 401)


def test_a_token_of_one_repo_opens_no_file_of_another(client: FlaskClient, alice: Headers) -> None:
    here, there = (xet_push(client, alice, f"alice/{name}", {"w": file}) for name, file in (("a", FILE), ("b", OTHER)))
    for version in (1, 2):
        assert here.reconstruct(FILE.file.hash, version=version).status_code == 200
        assert there.reconstruct(FILE.file.hash, version=version).status_code == 404
        assert there.reconstruct(FILE.file.hash, version=version).text == (
            there.reconstruct(STRANGER, version=version).text
        )


def test_other_texts_are_no_tokens(registry: Registry, machine: Machine) -> None:
    payload, _, signature = machine.token.partition(".")
    grant = grants.Grant("download", 1, 1, "1" * 64, 3)
    texts = [
        "",
        "x",
        machine.token[:-1],
        machine.token + "x",
        f"x{machine.token}",
        f"{payload}.{signature[:-2]}AA",
        f"WyJ3cml0ZSIsMSwyXQ.{signature}",
        machine.headers["Authorization"].removeprefix("Bearer "),
        str(grants.sign(registry, grant)),
        str(xet_access._addresses(registry).dumps(["write", 1, 1])),
        "é" * 9,
    ]
    for text in texts:
        machine.token = text
        assert machine.reconstruct(FILE.file.hash).status_code == 401, text
        assert machine.send_xorb(ONE.hash, BODY).status_code == 401, text
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        assert machine.client.get(f"{machine.store_url}/v1/chunks/default/{STRANGER}", headers=headers).status_code == (
            401
        )
    assert stored_keys(registry) == set()


def test_a_token_ends_with_the_right_to_read(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    xet_push(client, alice, REPO, {"w": FILE})
    reader = Machine(client, bob, REPO, scope="read")
    assert reader.reconstruct(FILE.file.hash).status_code == 200
    client.put(f"/api/models/{REPO}/settings", json={"private": True}, headers=alice)
    hidden = reader.reconstruct(FILE.file.hash)
    client.delete("/api/repos/delete", json={"name": REPO}, headers=alice)
    absent = reader.reconstruct(FILE.file.hash)
    assert (hidden.status_code, hidden.text) == (absent.status_code, absent.text) == (401, absent.text)


def test_a_token_of_a_removed_repo_does_not_open_the_next_one(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    """The catalog gives the number of the youngest repo again once that one is removed."""
    create(client, bob, "bob/short-lived")
    old = Machine(client, bob, "bob/short-lived")
    client.delete("/api/repos/delete", json={"name": "bob/short-lived"}, headers=bob)
    secret = xet_push(client, alice, "alice/hidden", {"w": FILE}, private=True)
    assert secret.reconstruct(FILE.file.hash).status_code == 200
    assert old.reconstruct(FILE.file.hash).status_code == 401


# Xorbs


def test_a_xorb_is_stored_once(registry: Registry, machine: Machine) -> None:
    answers = [machine.send_xorb(ONE.hash, BODY) for _ in range(2)]
    assert [answer.json for answer in answers] == [{"was_inserted": True}, {"was_inserted": False}]
    assert stored_keys(registry) == {f"xorb/{ONE.hash}"}
    assert bytes_of(registry, ONE.hash) == BODY
    assert count(registry, "xorbs") == 1


def test_sending_a_foreign_xorb_does_not_tell_that_it_was_here(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    xet_push(client, alice, "alice/hidden", {"w": FILE}, private=True)
    create(client, bob, "bob/m")
    guess = Machine(client, bob, "bob/m")
    assert [guess.send_xorb(ONE.hash, BODY).json["was_inserted"] for _ in range(2)] == [True, False]
    guess.send_chunks(TWO, FILE.store.raw[TWO.hash])
    assert [last_line(guess.send_shard(FILE.shard))["result"] for _ in range(2)] == [1, 0]


BOMB = record(lz4.frame.compress(bytes(30_000_000), store_size=False), 1, 131072)
FOOTER = b"XETBLOB\x01" + ONE.hash
REFUSED_XORBS = {
    "another root": (STRANGER, BODY),
    "another chunk order": (ONE.hash, encode_xorb(FILE.store.raw[ONE.hash][::-1])),
    "a chunk less": (ONE.hash, BODY[: ONE.ends[-2]]),
    "a chunk more": (ONE.hash, BODY + encoded(b"x", 0)),
    "a flipped bit": (ONE.hash, bytes([*BODY[:100], BODY[100] ^ 1, *BODY[101:]])),
    "a cut record": (ONE.hash, BODY[:-1]),
    "a footer": (ONE.hash, BODY + FOOTER),
    "nothing": (ONE.hash, b""),
    "a bomb": (ONE.hash, BOMB),
    "an unknown scheme": (ONE.hash, record(b"x", 3, 1)),
    "a chunk too long": (ONE.hash, record(bytes(131073), 0, 131073)),
}


@pytest.mark.parametrize("case", REFUSED_XORBS)
def test_a_refused_xorb_leaves_nothing(registry: Registry, machine: Machine, case: str) -> None:
    answer = machine.send_xorb(*REFUSED_XORBS[case])
    assert answer.status_code == 400
    assert answer.json["code"] in ("invalid_xet", "invalid")
    assert stored_keys(registry) == set()
    assert unfinished(registry) == []
    assert count(registry, "xorbs") == count(registry, "xet_uploads") == 0


def test_a_name_that_is_no_hash_is_refused(registry: Registry, machine: Machine) -> None:
    for name in ("x", "A" * 64, "0" * 63, f"{ONE.hash}0", "..%2f..%2fadmin-token"):
        answer = machine.post(f"v1/xorbs/default/{name}", BODY)
        assert answer.status_code in (400, 404), name
        assert machine.get(f"v1/chunks/default/{name}").status_code in (400, 404)
        assert machine.get(f"v2/reconstructions/{name}").status_code in (400, 404)
    assert stored_keys(registry) == set()


def test_a_xorb_too_large_is_refused_before_its_bytes_are_read(registry: Registry, machine: Machine) -> None:
    class Unread(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _: object) -> int:
            raise AssertionError("read")

    answer = machine.client.post(
        f"{machine.store_url}/v1/xorbs/default/{ONE.hash}",
        headers=machine.bearer,
        environ_overrides={"CONTENT_LENGTH": str(MAX_XORB_BYTES + 1), "wsgi.input": Unread()},
    )
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_xet")
    assert unfinished(registry) == []


def test_a_cut_or_unannounced_xorb_is_refused(registry: Registry, machine: Machine) -> None:
    address = f"{machine.store_url}/v1/xorbs/default/{ONE.hash}"
    ways: list[dict[str, object]] = [
        {"CONTENT_LENGTH": str(len(BODY)), "wsgi.input": io.BytesIO(BODY[:-9])},
        {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(BODY)},
    ]
    answers = [machine.client.post(address, headers=machine.bearer, environ_overrides=way) for way in ways]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert stored_keys(registry) == set()
    assert unfinished(registry) == []
    assert count(registry, "xorbs") == 0


def test_a_xorb_written_in_another_way_does_not_take_the_place_of_the_stored_one(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    """The hash names the chunks and not how they are compressed, and files know by byte where their chunks lie."""
    owner = xet_push(client, alice, REPO, {"w": FILE})
    create(client, bob, "bob/m")
    for schemes in ((0,), (1,), (2, 1)):
        assert encode_xorb(FILE.store.raw[ONE.hash], schemes) != BODY
        Machine(client, bob, "bob/m").send_chunks(ONE, FILE.store.raw[ONE.hash], schemes)
        assert owner.resolve("w").data == FILE.content
    xet_push(client, bob, "bob/m", {"w": FILE})
    assert client.get("/bob/m/resolve/main/w").data == FILE.content


def test_the_same_xorb_written_in_two_ways_at_once_stays_readable(
    registry: Registry, client: FlaskClient, machine: Machine
) -> None:
    def send(other: Machine, number: int, schemes: tuple[int, ...]) -> int:
        index = files[number].xorbs[0]
        return other.send_xorb(index.hash, encode_xorb(files[number].store.raw[index.hash], schemes)).status_code

    files = [made(noise(100 + number, [4000] * 30)) for number in range(6)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [(number, schemes) for number in range(len(files)) for schemes in ((0,), (1,), (2,), (0, 1))]
        others = [Machine(app_of(registry).test_client(), machine.headers, REPO) for _ in jobs]
        assert set(pool.map(lambda other, job: send(other, *job), others, jobs)) == {200}
    for number, file in enumerate(files):
        machine.register(file.shard)
        assert machine.commit({f"w{number}": file}).status_code == 200
        assert machine.resolve(f"w{number}").data == file.content


def test_a_lost_xorb_is_replaced_by_whoever_sends_it_again(registry: Registry, machine: Machine) -> None:
    machine.upload(FILE)
    machine.commit({"w": FILE})
    registry.blobs.delete(f"xorb/{ONE.hash}")
    assert machine.resolve("w").status_code >= 400
    machine.send_chunks(ONE, FILE.store.raw[ONE.hash], schemes=(1,))
    assert machine.resolve("w").data == FILE.content


def test_a_xorb_that_is_collected_while_it_is_sent_again_is_asked_for_once_more(
    registry: Registry, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector forgets a xorb first and removes its bytes afterwards; these bytes must not be relied on."""
    machine.send_xorb(ONE.hash, BODY)
    make_way = xet_upload._make_way

    def collected(registry: Registry, index: XorbIndex) -> None:
        try:
            make_way(registry, index)
        finally:
            with registry.engine.write() as tx:
                tx.execute("delete from xorbs")

    with monkeypatch.context() as patch:
        patch.setattr(xet_upload, "_make_way", collected)
        assert machine.send_xorb(ONE.hash, BODY).status_code == 503
    assert count(registry, "xorbs") == 0
    machine.send_chunks(ONE, FILE.store.raw[ONE.hash])
    assert count(registry, "xorbs") == 1


def test_a_crash_between_bytes_and_catalog_is_repaired_by_sending_again(registry: Registry, machine: Machine) -> None:
    """The bytes that a crash left may be written in another way than those that come now."""
    left = encode_xorb(FILE.store.raw[ONE.hash], (0,))
    registry.blobs.put(f"xorb/{ONE.hash}", [left], size_bytes=len(left))
    machine.upload(FILE)
    machine.commit({"w": FILE})
    assert machine.resolve("w").data == FILE.content


def test_what_is_not_offered_answers_404(machine: Machine) -> None:
    """Clients take any other status as the end of their upload."""
    grants = [f"v1/xorb-grants/default/{ONE.hash}", f"v1/xorb-commits/default/{ONE.hash}/grant/7"]
    others = [f"v2/file-chunk-hashes/{ONE.hash}", f"v1/files/{ONE.hash}", "v3/shards", "v1/nothing", ""]
    for call in grants + others:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
            answer = machine.client.open(f"{machine.store_url}/{call}", method=method, headers=machine.bearer, json={})
            assert answer.status_code == 404, (method, call)


def test_a_stored_xorb_is_not_told_of_by_other_methods(machine: Machine) -> None:
    machine.send_xorb(ONE.hash, BODY)
    for method in ("GET", "HEAD"):
        call = f"{machine.store_url}/v1/xorbs/default/{ONE.hash}"
        assert machine.client.open(call, method=method, headers=machine.bearer).status_code == 404


def test_telemetry_is_heard_at_the_root_and_under_the_store(machine: Machine) -> None:
    for address in ("http://localhost/v1/telemetry", f"{machine.store_url}/v1/telemetry"):
        answer = machine.client.post(address, json={"new_bytes": 1}, headers=machine.bearer)
        assert answer.status_code == 200, answer.text


# Shards


def test_a_shard_registers_a_file_once(registry: Registry, machine: Machine) -> None:
    machine.upload(OTHER)
    for index in FILE.xorbs:
        machine.send_chunks(index, FILE.store.raw[index.hash])
    answer = machine.send_shard(FILE.shard)
    assert answer.content_type == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [{"type": "result", "result": 1}]
    assert last_line(machine.send_shard(FILE.shard)) == {"type": "result", "result": 0}
    assert machine.send_shard(FILE.shard, version=1).json == {"result": 0}
    assert count(registry, "xet_files") == 2


def with_term(file: Made, number: int, **changes: int) -> ShardFile:
    """The file with one term changed and its verification hash to match, where there are such chunks."""
    terms = list(file.file.terms)
    terms[number] = term = replace(terms[number], **changes)  # type: ignore[arg-type]
    proofs = list(file.file.verifications)
    proofs[number] = verification_hash(
        file.store.indexes[term.xorb].chunk_hashes[32 * term.start : 32 * term.end] or b"-"
    )
    return replace(file.file, terms=tuple(terms), verifications=tuple(proofs))


UNKNOWN = Term(STRANGER, 10, 0, 1)
REFUSED_SHARDS: dict[str, tuple[Shard | bytes, str]] = {
    "no shard": (b"x" * 96, "not a shard"),
    "nothing": (b"", "ends before"),
    "a cut shard": (encode_shard(FILE.shard)[:-48], "ends before"),
    "a footer": (encode_shard(FILE.shard) + bytes(200), "goes on"),
    "an unknown xorb listed": (
        Shard((FILE.file,), (*FILE.shard.xorbs, replace(listing_of(ONE), hash=STRANGER))),
        "is not stored here",
    ),
    "an unknown xorb in a term": (
        Shard((replace(FILE.file, terms=(UNKNOWN,), verifications=(STRANGER,)),), ()),
        f"{STRANGER} is not stored here",
    ),
    "other chunks of a xorb": (
        Shard((FILE.file,), (replace(listing_of(ONE), hash=TWO.hash),)),
        "lists other chunks",
    ),
    "a wrong verification": (
        Shard((replace(FILE.file, verifications=(STRANGER, *FILE.file.verifications[1:])),), ()),
        "verification hash",
    ),
    "no verification": (Shard((replace(FILE.file, verifications=()),), ()), "lacks the verification"),
    "a wrong file hash": (Shard((replace(FILE.file, hash=STRANGER),), ()), "make another hash"),
    "a term past its xorb": (Shard((with_term(FILE, 1, end=3),), ()), "which has 2"),
    "a term far past its xorb": (Shard((with_term(FILE, 1, start=8000, end=8192),), ()), "which has 2"),
    "a term of another length": (Shard((with_term(FILE, 1, raw_bytes=2701),), ()), "A term says 2701 bytes"),
    "no SHA-256": (Shard((replace(FILE.file, sha256=None),), FILE.shard.xorbs), "without its SHA-256"),
    "one bad file of two": (
        Shard((FILE.file, replace(FILE.file, hash=STRANGER)), FILE.shard.xorbs),
        "make another hash",
    ),
}


@pytest.mark.parametrize("case", REFUSED_SHARDS)
def test_a_refused_shard_leaves_nothing(registry: Registry, machine: Machine, case: str) -> None:
    shard, message = REFUSED_SHARDS[case]
    for index in FILE.xorbs:
        machine.send_chunks(index, FILE.store.raw[index.hash])
    answer = machine.send_shard(shard, version=1)
    assert answer.status_code == 400
    assert message in answer.json["error"]
    answer = machine.send_shard(shard, version=2)
    assert answer.status_code == 200  # the client shows the user what the line says, and not what a status says
    line = last_line(answer)
    assert (line["type"], line["retryable"]) == ("error", False)
    assert message in line["message"]
    assert count(registry, "xet_files") == count(registry, "xet_file_xorbs") == count(registry, "xet_chunks") == 0
    assert machine.commit({"w": FILE}).status_code == 400
    machine.register(FILE.shard)
    assert machine.commit({"w": FILE}).status_code == 200


def test_a_store_that_is_busy_asks_for_another_try(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> bool:
        raise Unavailable("The catalog is busy.")

    monkeypatch.setattr(xet_upload, "register", busy)
    assert last_line(machine.send_shard(b""))["retryable"] is True


def test_a_foreign_xorb_is_as_unknown_as_one_that_nobody_has(
    registry: Registry, client: FlaskClient, alice: Headers, machine: Machine, bob: Headers
) -> None:
    xet_push(client, alice, "alice/hidden", {"w": FILE}, private=True)
    create(client, bob, "bob/thief")
    thief = Machine(client, bob, "bob/thief")
    before = count(registry, "xet_uploads")
    known = [thief.send_shard(shard) for shard in (FILE.shard, Shard((FILE.file,), ()), Shard((), FILE.shard.xorbs))]
    assert {last_line(answer)["type"] for answer in known} == {"error"}
    names = {str(index.hash) for index in FILE.xorbs}
    absent = made(noise(77, [100, 200]), noise(78, [300]), terms=[(0, 0, 2), (1, 0, 1), (0, 1, 2)])
    unknown = [
        thief.send_shard(shard) for shard in (absent.shard, Shard((absent.file,), ()), Shard((), absent.shard.xorbs))
    ]
    assert [_without(answer.text, names) for answer in known] == [
        _without(answer.text, {str(index.hash) for index in absent.xorbs}) for answer in unknown
    ]
    assert count(registry, "xet_uploads") == before
    assert thief.commit({"w": FILE}).status_code == 400


def _without(text: str, names: set[str]) -> str:
    for name in names:
        text = text.replace(name, "…")
    return text


def test_an_open_repos_xorbs_can_be_built_on(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    xet_push(client, alice, "alice/open", {"w": FILE})
    variant = made_of(FILE.store, [term_of(TWO, 0, 2), term_of(ONE, 2, 4)])
    create(client, bob, "bob/variant")
    builder = Machine(client, bob, "bob/variant")
    builder.register(Shard((variant.file,), ()))
    assert builder.commit({"w": variant}).status_code == 200
    assert builder.resolve("w").data == variant.content


def test_an_empty_file_is_registered_and_served(registry: Registry, machine: Machine) -> None:
    empty = ShardFile(XetHash(bytes(32)), (), (), Digest(hashlib.sha256().hexdigest()))
    machine.register(Shard((empty,), ()))
    answer = commit(machine.client, machine.headers, REPO, [large("empty.bin", str(empty.sha256), 0)])
    assert answer.status_code == 200, answer.text
    check_all(registry)
    assert machine.resolve("empty.bin").status_code == 200
    assert machine.resolve("empty.bin").data == b""
    assert machine.reconstruct(empty.hash).json["terms"] == []


def test_a_commit_names_what_was_registered_with_its_size(machine: Machine, client: FlaskClient, bob: Headers) -> None:
    machine.upload(FILE)
    for size in (len(FILE.content) + 1, 0):
        answer = commit(client, machine.headers, REPO, [large("w", FILE.digest, size)])
        assert answer.status_code == 400
    create(client, bob, "bob/m")
    assert commit(client, bob, "bob/m", [large("w", FILE.digest, len(FILE.content))]).status_code == 400
    assert machine.commit({"w": FILE}).status_code == 200


def test_a_registration_of_long_ago_is_no_proof_any_more(registry: Registry, machine: Machine) -> None:
    machine.upload(FILE)
    later = replace(registry, now=lambda: datetime.now(UTC) + timedelta(hours=49))
    away = app_of(later).test_client()
    operations = [large("w", FILE.digest, len(FILE.content))]
    assert commit(away, machine.headers, REPO, operations).status_code == 400
    # The xorbs count for longer, as long as clients believe them to be stored.
    Machine(away, machine.headers, REPO).register(FILE.shard)
    assert commit(away, machine.headers, REPO, operations).status_code == 200
    much_later = replace(registry, now=lambda: datetime.now(UTC) + timedelta(days=23))
    push(app_of(much_later).test_client(), machine.headers, "alice/other", {"a.txt": b"a"})
    far = Machine(app_of(much_later).test_client(), machine.headers, "alice/other")
    machine.client.delete("/api/repos/delete", json={"name": REPO}, headers=machine.headers)
    assert "not stored here" in last_line(far.send_shard(FILE.shard))["message"]


# The check of the whole file


def blob_rows(registry: Registry) -> int:
    return count(registry, "blobs")


def test_a_right_file_becomes_a_blob_like_any_other(
    registry: Registry, client: FlaskClient, machine: Machine, bob: Headers
) -> None:
    machine.upload(FILE)
    machine.commit({"w": FILE})
    assert blob_rows(registry) == 0
    assert machine.resolve("w").data == FILE.content
    create(client, bob, "bob/m")
    (item,) = batch(client, bob, "bob/m", FILE.digest, len(FILE.content)).get_json(force=True)["objects"]
    assert "upload" in item["actions"]
    check_all(registry)
    assert blob_rows(registry) == 1
    (item,) = batch(client, bob, "bob/m", FILE.digest, len(FILE.content)).get_json(force=True)["objects"]
    assert "actions" not in item
    assert commit(client, bob, "bob/m", [large("w", FILE.digest, len(FILE.content))]).status_code == 200
    assert client.get("/bob/m/resolve/main/w").data == FILE.content
    (item,) = batch(client, bob, "bob/m", FILE.digest, 1, "download").get_json(force=True)["objects"]
    assert client.get(item["actions"]["download"]["href"]).data == FILE.content


def test_the_check_begins_by_itself(registry: Registry, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xet_checking, "check_soon", check_soon)
    machine.upload(FILE)
    deadline = time.monotonic() + 10
    while blob_rows(registry) == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert blob_rows(registry) == 1
    with registry.turns.at_work:  # until the thread is done
        pass


@pytest.fixture
def victim() -> bytes:
    """What somebody else has, whose SHA-256 is known to the world."""
    return b"weights of somebody else " * 40


@pytest.fixture
def false_claim(victim: bytes) -> Made:
    return OTHER.claiming(hashlib.sha256(victim).hexdigest())


def test_a_wrong_sha256_makes_the_file_a_conflict_in_its_repo(
    registry: Registry, client: FlaskClient, machine: Machine, false_claim: Made
) -> None:
    machine.upload(false_claim)
    done = machine.commit({"w": false_claim})
    assert done.status_code == 200
    check_all(registry)
    assert client.get(f"/api/models/{REPO}").json["sha"] == done.json["commitOid"]
    for headers in ({}, {"Range": "bytes=0-3"}):
        answer = machine.resolve("w", **headers)
        assert (answer.status_code, answer.json["code"]) == (409, "content_differs")
        assert "announced" in answer.json["error"]
    assert client.head(f"/{REPO}/resolve/main/w").status_code == 409
    assert machine.reconstruct(OTHER.file.hash).status_code == 404
    (item,) = batch(client, machine.headers, REPO, false_claim.digest, 1, "download").get_json(force=True)["objects"]
    if "actions" in item:
        assert client.get(item["actions"]["download"]["href"]).status_code == 409
    assert blob_rows(registry) == 0


def test_a_wrong_sha256_satisfies_no_other_upload(
    registry: Registry, client: FlaskClient, machine: Machine, bob: Headers, false_claim: Made, victim: bytes
) -> None:
    machine.upload(false_claim)
    machine.commit({"w": false_claim})
    create(client, bob, "bob/honest")
    for checked in (False, True):
        if checked:
            check_all(registry)
        (item,) = batch(client, bob, "bob/honest", false_claim.digest, len(victim)).get_json(force=True)["objects"]
        assert "upload" in item["actions"]
        assert commit(client, bob, "bob/honest", [large("w", false_claim.digest)]).status_code == 400
    push(client, bob, "bob/honest", {"w.bin": victim})
    assert client.get("/bob/honest/resolve/main/w.bin").data == victim


def test_an_honest_upload_of_a_disputed_digest_works_afterwards(
    registry: Registry, client: FlaskClient, machine: Machine, false_claim: Made, victim: bytes
) -> None:
    """The same repo, the same path, and so the same tree: what changes is which bytes stand behind it."""
    machine.upload(false_claim)
    first = machine.commit({"w.bin": false_claim}).json["commitOid"]
    check_all(registry)
    assert machine.resolve("w.bin").status_code == 409
    # Nothing says that the file is here already …
    announced = {"files": [{"path": "w.bin", "size": len(victim), "sample": "AAAA"}]}
    (told,) = client.post(f"/api/models/{REPO}/preupload/main", json=announced, headers=machine.headers).json["files"]
    assert (told["uploadMode"], told.get("oid")) == ("lfs", None)
    # … and sending it by LFS heals it, wherever it stands.
    push(client, machine.headers, REPO, {"w.bin": victim})
    assert machine.resolve("w.bin").data == victim
    assert client.get(f"/{REPO}/resolve/{first}/w.bin").data == victim
    (told,) = client.post(f"/api/models/{REPO}/preupload/main", json=announced, headers=machine.headers).json["files"]
    assert told["oid"] == false_claim.digest


def test_an_honest_xet_upload_of_a_disputed_digest_works_afterwards(registry: Registry, machine: Machine) -> None:
    machine.upload(OTHER.claiming(FILE.digest))
    liar = replace(OTHER.claiming(FILE.digest))
    assert machine.commit({"w": liar}).status_code == 200
    check_all(registry)
    machine.upload(FILE)
    assert machine.commit({"w": FILE}).status_code == 200
    assert machine.resolve("w").data == FILE.content
    check_all(registry)
    assert machine.resolve("w").data == FILE.content
    assert machine.reconstruct(FILE.file.hash).status_code == 200


def test_of_two_claims_the_right_one_is_committed(registry: Registry, machine: Machine) -> None:
    for order in ([FILE, OTHER.claiming(FILE.digest)], [OTHER.claiming(FILE.digest), FILE]):
        for file in order:
            machine.upload(file)
    check_all(registry)
    assert machine.commit({"w": FILE}).status_code == 200
    assert machine.resolve("w").data == FILE.content


def test_a_false_claim_takes_nothing_from_who_has_the_file(
    registry: Registry, client: FlaskClient, machine: Machine, bob: Headers
) -> None:
    owner = xet_push(client, bob, "bob/true", {"w": FILE})
    machine.upload(OTHER.claiming(FILE.digest))
    assert machine.commit({"w": OTHER.claiming(FILE.digest)}).status_code == 200
    check_all(registry)
    assert machine.resolve("w").status_code == 409
    assert owner.resolve("w").data == FILE.content
    with registry.engine.read() as tx:
        (row,) = tx.execute("select xet_file from blobs")
    assert row["xet_file"] == FILE.file.hash


def test_an_unchecked_file_is_served_in_its_own_repo_and_grants_nothing_elsewhere(
    registry: Registry, client: FlaskClient, machine: Machine, bob: Headers
) -> None:
    machine.upload(FILE)
    machine.commit({"w": FILE})
    assert machine.resolve("w").data == FILE.content
    assert machine.reconstruct(FILE.file.hash).status_code == 200
    create(client, bob, "bob/m")
    assert commit(client, bob, "bob/m", [large("w", FILE.digest, len(FILE.content))]).status_code == 400
    assert commit(client, bob, "bob/m", [large("w", FILE.digest)]).status_code == 400
    (item,) = batch(client, bob, "bob/m", FILE.digest, len(FILE.content)).get_json(force=True)["objects"]
    assert "upload" in item["actions"]


def test_a_check_that_a_crash_interrupted_is_done_by_the_next_start(
    registry: Registry, client: FlaskClient, machine: Machine, false_claim: Made
) -> None:
    machine.upload(FILE)
    machine.upload(false_claim)
    machine.commit({"w": FILE, "x": false_claim})
    registry.engine.close()
    again = open_registry(registry.settings)
    client = app_of(again).test_client()
    assert client.get(f"/{REPO}/resolve/main/w").data == FILE.content
    check_all(again)
    assert blob_rows(again) == 1
    assert client.get(f"/{REPO}/resolve/main/w").data == FILE.content
    assert client.get(f"/{REPO}/resolve/main/x").status_code == 409
    with again.engine.read() as tx:
        assert not xet.unchecked(tx)
    again.engine.close()


def test_storage_that_fails_is_not_blamed_on_the_uploader(registry: Registry, machine: Machine) -> None:
    """A file that cannot be read now is checked later, and those behind it do not wait for it."""
    machine.upload(FILE)
    machine.upload(OTHER)
    machine.commit({"w": FILE, "x": OTHER})
    kept = bytes_of(registry, ONE.hash)
    registry.blobs.delete(f"xorb/{ONE.hash}")
    check_all(registry)
    assert blob_rows(registry) == 1
    assert machine.resolve("w").status_code in (404, 503)
    registry.blobs.put(f"xorb/{ONE.hash}", [kept], size_bytes=len(kept))
    assert machine.resolve("w").data == FILE.content
    check_all(registry)
    assert blob_rows(registry) == 2


def test_a_disputed_file_can_be_deleted_and_the_repo_goes_on(
    registry: Registry, machine: Machine, false_claim: Made
) -> None:
    machine.upload(false_claim)
    machine.commit({"README.md": false_claim, "w": false_claim})
    check_all(registry)
    assert upload(machine.client, machine.headers, REPO, b"other bytes " * 9)
    answer = commit(
        machine.client, machine.headers, REPO, [large("v", hashlib.sha256(b"other bytes " * 9).hexdigest())]
    )
    assert answer.status_code == 200, answer.text
    answer = commit(machine.client, machine.headers, REPO, [delete("README.md"), delete("w")])
    assert answer.status_code == 200, answer.text
    assert machine.client.get(f"/api/models/{REPO}").status_code == 200
