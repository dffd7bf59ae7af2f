"""Checking everything that is stored: damage is found, never served as good, and repaired from other copies."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.server.passing import age, dump, later
from tests.server.pushing import push
from tests.server.test_upkeep import Hooked
from tests.server.wire import batch, commit, create, large, upload
from tests.server.xet.objects import encode_xorb, store_of, term_of
from tests.server.xet_wire import Machine, made, made_of, noise, xet_push

from registry_core.ids import Digest
from registry_server.blobs.store import key_of, xorb_key
from registry_server.catalog import blobs
from registry_server.commands.admin import admin
from registry_server.usecases.checking import Check, check
from registry_server.usecases.collecting import collect
from registry_server.usecases.context import Registry
from registry_server.xet.errors import DamagedXorb

pytestmark = pytest.mark.usefixtures("run_checks")

Headers = dict[str, str]
Token = Callable[[str], Headers]

DATA = b"weights that somebody sent " * 999
DIGEST = hashlib.sha256(DATA).hexdigest()
KEY = key_of(Digest(DIGEST))
ONE, TWO = noise(1, [900, 2000, 400]), noise(2, [3000, 100])
XET = made(ONE, TWO)
FIRST, SECOND = XET.xorbs


def path_of(registry: Registry, key: str) -> Path:
    space, name = key.split("/")
    return registry.settings.blobs_path / space / name[:2] / name[2:4] / name


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    path.write_bytes(data)


def faults(report: Check) -> list[tuple[str, str]]:
    return [(finding.kind, finding.action) for finding in report.found]


def is_stored(client: FlaskClient, headers: Headers, repo: str, digest: str, size: int) -> bool:
    (item,) = batch(client, headers, repo, digest, size).get_json(force=True)["objects"]
    return "actions" not in item


# -- nothing wrong


def test_all_is_well_and_nothing_changes(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    run_checks: Callable[[Registry], None],
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA, "vocab.txt": b"word\n" * 40_000, "a.txt": b"a"})
    xet_push(client, alice, "alice/m", {"x": XET})
    run_checks(registry)
    before = dump(registry)
    report = check(registry, repair=True)
    assert report.is_sound
    assert (report.blobs, report.xorbs, report.xet_files, report.repos) == (2, 2, 1, 1)
    assert report.git_objects > 5
    assert (report.found, report.repaired) == ([], [])
    assert dump(registry) == before


# -- whole files


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_file_is_set_aside_and_sending_it_again_repairs_it(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers, damage: str
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    push(client, bob, "bob/m", {"w.bin": DATA})
    path = path_of(registry, KEY)
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(DATA[:-1])
    else:
        flip(path, 12345)
    report = check(registry, repair=True)
    assert faults(report) == [("blob", "none" if damage == "gone" else "set aside")]
    assert [(loss.kind, loss.name, loss.repos) for loss in report.lost] == [
        ("blob", DIGEST, ["model alice/m", "model bob/m"])
    ]
    answer = client.get("/alice/m/resolve/main/w.bin")
    assert answer.status_code == (404 if damage == "gone" else 503)
    assert answer.get_json()["error"]
    assert client.get("/alice/m/resolve/main/w.bin", headers={"Range": "bytes=0-9"}).status_code >= 400
    assert not is_stored(client, alice, "alice/m", DIGEST, len(DATA))
    again = check(registry)
    assert (again.found, len(again.lost)) == ([], 1)
    assert collect(later(registry, days=99)).freed_bytes == 0
    upload(client, bob, "bob/m", DATA)
    for name in ("alice", "bob"):
        assert client.get(f"/{name}/m/resolve/main/w.bin").data == DATA
    assert is_stored(client, alice, "alice/m", DIGEST, len(DATA))
    assert check(registry).is_sound


def test_a_file_sent_again_while_it_is_looked_at_stays(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    age(registry, days=1)
    path_of(registry, KEY).write_bytes(b"bad")
    age(registry, days=1)

    def send() -> None:
        registry.blobs.put(KEY, [DATA], size_bytes=len(DATA))

    report = check(replace(registry, blobs=Hooked(registry.blobs, set_aside=send)))
    assert (report.found, report.lost) == ([], [])
    assert client.get("/alice/m/resolve/main/w.bin").data == DATA


def test_what_the_system_will_not_read_is_not_set_aside(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})

    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    report = check(replace(registry, blobs=Hooked(registry.blobs, open=fail)), repair=True)
    assert (report.is_sound, report.found) == (False, [])
    assert report.unreadable == [f"{KEY}: Input/output error"]
    assert client.get("/alice/m/resolve/main/w.bin").data == DATA


def test_damage_that_nobody_needs_is_no_loss(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", DATA)
    flip(path_of(registry, KEY), 7)
    report = check(registry)
    assert (report.is_sound, faults(report)) == (True, [("blob", "set aside")])
    assert not is_stored(client, alice, "alice/m", DIGEST, len(DATA))


def test_a_whole_file_is_had_from_the_xet_file_of_the_same_content(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    bob: Headers,
    run_checks: Callable[[Registry], None],
) -> None:
    content = safetensors_bytes([0.5, 1.0, 1.5])
    twin = made([content[:50], content[50:]])
    push(client, alice, "alice/m", {"w.safetensors": content})
    xet_push(client, bob, "bob/m", {"w.safetensors": twin}, private=True)
    run_checks(registry)
    flip(path_of(registry, f"sha256/{twin.digest}"), 99)
    report = check(registry)
    assert (report.is_sound, report.repaired) == (False, [])
    assert client.get("/alice/m/resolve/main/w.safetensors").status_code == 503
    report = check(registry, repair=True)
    assert (report.is_sound, report.repaired) == (True, [f"blob {twin.digest}"])
    assert client.get("/alice/m/resolve/main/w.safetensors").data == content
    assert is_stored(client, alice, "alice/m", twin.digest, len(content))
    tensors = client.get("/api/registry/v1/repos/models/alice/m/tensors/main/w.safetensors").get_json()
    assert len(tensors) == 1


def test_bytes_that_the_catalog_lost_are_found(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    with registry.engine.write() as tx:
        tx.execute("delete from uploads")
        tx.execute("delete from blobs")
    assert not check(registry).is_sound
    assert collect(later(registry, days=9)).freed_bytes == 0
    assert check(registry, repair=True).is_sound
    assert is_stored(client, alice, "alice/m", DIGEST, len(DATA))


# -- xorbs and Xet files


@pytest.fixture
def xet_repo(
    registry: Registry, client: FlaskClient, alice: Headers, run_checks: Callable[[Registry], None]
) -> Machine:
    """A repo of alice's with a checked file `w` of two xorbs."""
    machine = xet_push(client, alice, "alice/x", {"w": XET})
    run_checks(registry)
    return machine


def break_xorb(registry: Registry, bit: int = 8 * 600) -> None:
    """One bit of the first xorb's first chunk."""
    flip(path_of(registry, xorb_key(FIRST.hash)), bit)


def test_a_damaged_xorb_is_set_aside_and_clients_forget_it(
    registry: Registry, client: FlaskClient, alice: Headers, xet_repo: Machine
) -> None:
    break_xorb(registry)
    assert xet_repo.resolve("w").status_code == 503  # before anybody checked
    report = check(registry)
    assert (report.is_sound, faults(report)) == (False, [("xorb", "set aside")])
    assert [(loss.kind, loss.name, loss.repos) for loss in report.lost] == [("blob", XET.digest, ["model alice/x"])]
    assert xet_repo.resolve("w").status_code >= 400
    assert xet_repo.reconstruct(XET.file.hash).status_code == 404
    assert not is_stored(client, alice, "alice/x", XET.digest, len(XET.content))
    assert "not stored here" in xet_repo.send_shard(XET.shard).text
    assert Machine(client, alice, "alice/x").store_url != xet_repo.store_url
    again = check(registry)
    assert (again.found, again.lost) == ([], report.lost)
    assert collect(later(registry, days=99)).freed_bytes == 0


@pytest.mark.parametrize("how", ["xet", "other xorbs", "lfs"])
def test_sending_a_lost_xet_file_again_repairs_it_for_all(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    bob: Headers,
    xet_repo: Machine,
    run_checks: Callable[[Registry], None],
    how: str,
) -> None:
    xet_push(client, bob, "bob/x", {"w": XET}, private=True)
    break_xorb(registry)
    check(registry)
    # Who had sent it is told nothing else than who had not.
    sender = Machine(client, alice, "alice/x")
    if how == "lfs":
        upload(client, alice, "alice/x", XET.content)
    else:
        file = XET if how == "xet" else made([*ONE[:2]], [ONE[2], *TWO])
        assert file.file.hash == XET.file.hash
        sender.upload(file)
        assert sender.commit({"w": file}).status_code == 200
        run_checks(registry)
    for name, headers in (("alice", alice), ("bob", bob)):
        answer = client.get(f"/{name}/x/resolve/main/w", headers=headers)
        assert (answer.status_code, answer.data == XET.content) == (200, True)
    report = check(registry)
    assert (report.is_sound, report.found) == (True, [])


def store_whole(registry: Registry, content: bytes) -> None:
    """As when somebody sends by LFS what others sent by Xet."""
    digest = Digest(hashlib.sha256(content).hexdigest())
    registry.blobs.put(key_of(digest), [content], size_bytes=len(content))
    with registry.engine.write() as tx:
        blobs.add(tx, bytes.fromhex(digest), len(content), registry.stamp())


def test_a_xet_file_is_had_whole_where_it_is_stored_whole(registry: Registry, xet_repo: Machine) -> None:
    store_whole(registry, XET.content)
    break_xorb(registry)
    report = check(registry)
    assert (report.is_sound, faults(report)) == (True, [("xorb", "set aside")])
    assert xet_repo.resolve("w").data == XET.content


@pytest.mark.parametrize("source", ["another xorb", "a whole file"])
def test_a_damaged_chunk_is_had_from_another_copy(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    bob: Headers,
    xet_repo: Machine,
    run_checks: Callable[[Registry], None],
    source: str,
) -> None:
    if source == "another xorb":
        xet_push(client, bob, "bob/m", {"v": made([b"other", ONE[0], b"more"])})
        run_checks(registry)
    else:
        # A second file of the same xorb, whose content is stored whole as well.
        store = store_of(ONE, TWO)
        part = made_of(store, [term_of(SECOND, 0, 2), term_of(FIRST, 0, 2)])
        xet_push(client, bob, "bob/m", {"v": part})
        run_checks(registry)
        store_whole(registry, part.content)
    break_xorb(registry)
    check(registry)
    assert xet_repo.resolve("w").status_code >= 400
    report = check(registry, repair=True)
    assert report.repaired[0] == f"xorb {FIRST.hash}"
    assert report.is_sound
    assert xet_repo.resolve("w").data == XET.content
    assert client.get("/bob/m/resolve/main/v").status_code == 200
    assert xet_repo.reconstruct(XET.file.hash).status_code == 200
    assert check(registry).found == []


def test_a_chunk_of_which_there_is_no_other_copy_stays_lost(registry: Registry, xet_repo: Machine) -> None:
    break_xorb(registry)
    report = check(registry, repair=True)
    assert (report.is_sound, report.repaired) == (False, [])


def test_what_is_put_in_its_place_from_a_backup_is_found(
    registry: Registry, client: FlaskClient, alice: Headers, xet_repo: Machine
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    places = [path_of(registry, KEY), path_of(registry, xorb_key(FIRST.hash))]
    backup = {path: path.read_bytes() for path in places}
    for path in places:
        flip(path, 8 * 600)
    assert len(check(registry).lost) == 2
    for path, data in backup.items():
        path.write_bytes(data)
    report = check(registry, repair=True)
    assert (report.is_sound, len(report.repaired)) == (True, 2)
    assert xet_repo.resolve("w").data == XET.content
    assert client.get("/alice/m/resolve/main/w.bin").data == DATA


def test_damage_outside_of_what_is_compressed_is_repaired_from_the_xorb_itself(
    registry: Registry, client: FlaskClient, alice: Headers, run_checks: Callable[[Registry], None]
) -> None:
    """The same chunk twice in one xorb: one copy is enough."""
    twice = made([ONE[0], ONE[1], ONE[0]])
    machine = xet_push(client, alice, "alice/m", {"w": twice})
    run_checks(registry)
    flip(path_of(registry, xorb_key(twice.xorbs[0].hash)), 8 * 300)
    report = check(registry, repair=True)
    assert (report.is_sound, report.repaired) == (True, [f"xorb {twice.xorbs[0].hash}"])
    assert machine.resolve("w").data == twice.content


def test_an_index_of_other_bytes_is_corrected(registry: Registry, xet_repo: Machine) -> None:
    """The same chunks in another form: the hash is right, the places are not."""
    path_of(registry, xorb_key(FIRST.hash)).write_bytes(encode_xorb(ONE, [1]))
    assert xet_repo.resolve("w").status_code == 503
    report = check(registry)
    assert (report.is_sound, faults(report)) == (True, [("xorb", "corrected")])
    assert xet_repo.resolve("w").data == XET.content


def test_an_unchecked_claim_is_not_traded_for_the_real_file(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    """A repo that named a SHA-256 of which nobody has checked the bytes must not get the owner's by an accident."""
    claim = XET.claiming(DIGEST)
    machine = xet_push(client, alice, "alice/thief", {"w": claim})
    break_xorb(registry)
    report = check(registry)
    assert [(loss.kind, loss.repos) for loss in report.lost] == [("xet_file", ["model alice/thief"])]
    push(client, bob, "bob/m", {"w.bin": DATA}, private=True)
    check(registry, repair=True)
    assert machine.resolve("w").status_code >= 400


# -- git objects


def test_a_damaged_small_file_is_found_and_not_served(
    registry: Registry, app: Flask, client: FlaskClient, alice: Headers
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    text = b"a small file " * 40
    push(client, alice, "alice/m", {"note.txt": text})
    sound = _object_data(registry, text)
    for data in (sound[:20] + bytes([sound[20] ^ 4]) + sound[21:], _packed(b"another file")):
        _set_data(registry, text, data)
        report = check(registry, repair=True)
        assert (report.is_sound, faults(report)) == (False, [("git_object", "marked")])
        assert report.lost[0].repos == ["model alice/m"]
        assert client.get("/alice/m/resolve/main/note.txt").status_code >= 400
        assert not check(registry).is_sound
        _set_data(registry, text, sound)
        assert check(registry).is_sound
    assert client.get("/alice/m/resolve/main/note.txt").data == text


def test_a_marked_object_that_is_sound_is_put_back(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    text = b"a small file"
    push(client, alice, "alice/m", {"note.txt": text})
    _set_data(registry, text, b"damaged:" + _object_data(registry, text))
    assert check(registry).is_sound
    assert client.get("/alice/m/resolve/main/note.txt").data == text


def test_a_small_file_is_had_from_the_blob_store(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    text = b"a small file " * 40
    push(client, alice, "alice/m", {"note.txt": text})
    upload(client, alice, "alice/m", text)
    _set_data(registry, text, b"rubbish")
    report = check(registry, repair=True)
    assert (report.is_sound, len(report.repaired)) == (True, 1)
    assert client.get("/alice/m/resolve/main/note.txt").data == text


def test_objects_that_a_repo_needs_become_its_own_again(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    push(client, alice, "alice/m", {"note.txt": b"text"})
    with registry.engine.write() as tx:
        tx.execute("delete from git_repo_objects")
    assert not check(registry).is_sound
    assert check(registry, repair=True).is_sound
    assert collect(registry).freed.git_objects.count == 0
    assert client.get("/alice/m/resolve/main/note.txt").data == b"text"


def _packed(content: bytes) -> bytes:
    import zlib

    return zlib.compress(content)


def _object_data(registry: Registry, content: bytes) -> bytes:
    with registry.engine.read() as tx:
        rows = tx.execute("select data from git_objects where sha256 = :sha", {"sha": hashlib.sha256(content).digest()})
    return bytes(rows[0]["data"])


def _set_data(registry: Registry, content: bytes, data: bytes) -> None:
    with registry.engine.write() as tx:
        tx.execute(
            "update git_objects set data = :data where sha256 = :sha",
            {"data": data, "sha": hashlib.sha256(content).digest()},
        )


# -- any bit of anything


def test_a_flipped_bit_anywhere_is_found_and_never_served_afterwards(
    registry: Registry,
    app: Flask,
    client: FlaskClient,
    alice: Headers,
    run_checks: Callable[[Registry], None],
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    files = {"w.bin": DATA, "vocab.txt": b"word\n" * 40_000, "a.txt": b"hello " * 30}
    push(client, alice, "alice/m", files)
    xet_push(client, alice, "alice/m", {"x": XET})
    run_checks(registry)
    files["x"] = XET.content
    source = random.Random(7)
    for _ in range(3):
        for key in sorted(registry.blobs.keys()):
            path = path_of(registry, key)
            sound = path.read_bytes()
            flip(path, source.randrange(8 * len(sound)))
            _expect_found(registry, client, files)
            registry.blobs.put(key, [sound], size_bytes=len(sound))
            _put_back(registry)
            assert check(registry, repair=True).is_sound
        for number, data in _all_objects(registry):
            damaged = bytearray(data)
            damaged[source.randrange(len(data))] ^= 1 << source.randrange(8)
            _write_object(registry, number, bytes(damaged))
            _expect_found(registry, client, files)
            _write_object(registry, number, data)
            assert check(registry, repair=True).is_sound
    for path, content in files.items():
        assert client.get(f"/alice/m/resolve/main/{path}").data == content


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("git_objects", "oid"),
        ("refs", "oid"),
        ("lfs_pointers", "oid"),
        ("lfs_pointers", "digest"),
        ("lfs_pointers", "size"),
        ("xorbs", "hash"),
        ("xorbs", "chunk_index"),
        ("xet_files", "hash"),
        ("xet_files", "digest"),
        ("xet_files", "terms"),
    ],
)
def test_a_flipped_bit_of_what_the_catalog_says_of_bytes_is_found(
    registry: Registry,
    app: Flask,
    client: FlaskClient,
    alice: Headers,
    run_checks: Callable[[Registry], None],
    table: str,
    column: str,
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    files = {"w.bin": DATA, "vocab.txt": b"word\n" * 40_000, "a.txt": b"hello " * 30}
    push(client, alice, "alice/m", files)
    xet_push(client, alice, "alice/m", {"x": XET})
    run_checks(registry)
    source = random.Random(column)
    with registry.engine.read() as tx:
        values = [row["value"] for row in tx.execute(f"select {column} as value from {table}")]
    sound = source.choice(values)
    damaged = _flipped(sound, source)
    with registry.engine.write() as tx:
        tx.execute(f"update {table} set {column} = :new where {column} = :old", {"old": sound, "new": damaged})
    report = check(registry)
    assert report.found or not report.is_sound
    for name, content in (files | {"x": XET.content}).items():
        with contextlib.suppress(DamagedXorb):  # the answer is cut
            answer = client.get(f"/alice/m/resolve/main/{name}")
            assert answer.status_code >= 400 or answer.data == content


def _flipped(sound: bytes | int, source: random.Random) -> bytes | int:
    if isinstance(sound, int):
        return sound ^ 1 << source.randrange(20)
    damaged = bytearray(sound)
    damaged[source.randrange(len(sound))] ^= 1 << source.randrange(8)
    return bytes(damaged)


def _expect_found(registry: Registry, client: FlaskClient, files: dict[str, bytes]) -> None:
    report = check(registry)
    assert report.found
    for name, content in files.items():
        answer = client.get(f"/alice/m/resolve/main/{name}")
        assert answer.status_code >= 400 or answer.data == content


def _put_back(registry: Registry) -> None:
    """The sound bytes are in the store again: let the catalog know of the xorbs that were lost."""
    with registry.engine.write() as tx:
        tx.execute("update xorbs set hash = substr(hash, length(hash) - 31)")


def _all_objects(registry: Registry) -> list[tuple[int, bytes]]:
    with registry.engine.read() as tx:
        rows = tx.execute("select id, data from git_objects where data is not null order by id")
    return [(row["id"], bytes(row["data"])) for row in rows]


def _write_object(registry: Registry, number: int, data: bytes) -> None:
    with registry.engine.write() as tx:
        tx.execute("update git_objects set data = :data where id = :id", {"id": number, "data": data})


# -- the command


def test_the_command_ends_with_1_while_damage_remains(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    data = ["--data", str(registry.settings.data)]
    assert CliRunner().invoke(admin, ["fsck", *data]).exit_code == 0
    flip(path_of(registry, KEY), 5)
    told = CliRunner().invoke(admin, ["fsck", *data, "--json"])
    assert told.exit_code == 1
    document: dict[str, Any] = json.loads(told.stdout)
    assert document["is_sound"] is False
    assert document["found"][0]["fault"] == "the SHA-256 differs"
    shown = CliRunner().invoke(admin, ["fsck", *data, "--repair"])
    assert shown.exit_code == 1
    assert f"Lost: blob {DIGEST}, needed by model alice/m" in shown.stdout
    answer = commit(client, alice, "alice/m", [large("w.bin", upload(client, alice, "alice/m", DATA), len(DATA))])
    assert answer.status_code == 200
    assert CliRunner().invoke(admin, ["fsck", *data]).exit_code == 0


# -- what a push is told


def told_faults(client: FlaskClient, headers: Headers, repo: str) -> dict[str, str | None]:
    """What the manifest says of each file, and the page and the detail with it."""
    given = client.get(f"/api/registry/v1/repos/models/{repo}/manifest/main", headers=headers).json["files"]
    faults = {file["path"]: file["fault"] for file in given}
    detail = client.get(f"/api/registry/v1/repos/models/{repo}", headers=headers).json
    assert detail["notices"] == [f"{path}: {fault}" for path, fault in faults.items() if fault]
    return faults


def held(client: FlaskClient, headers: Headers, repo: str, path: str, size: int) -> str | None:
    """What preupload says that the branch holds."""
    announced = {"files": [{"path": path, "size": size, "sample": ""}]}
    (file,) = client.post(f"/api/models/{repo}/preupload/main", json=announced, headers=headers).json["files"]
    oid: str | None = file.get("oid")
    return oid


def test_files_that_cannot_be_served_are_told_and_asked_for_again(
    registry: Registry, client: FlaskClient, alice: Headers, run_checks: Callable[[Registry], None]
) -> None:
    text, long_text = b"a small file " * 40, b"word\n" * 40_000
    files = {"w.bin": DATA, "a.txt": text, "vocab.txt": long_text, "sound.txt": b"sound"}
    push(client, alice, "alice/m", files)
    xet_push(client, alice, "alice/m", {"x.bin": XET})
    lie = made(noise(9, [500])).claiming(hashlib.sha256(b"else").hexdigest())
    xet_push(client, alice, "alice/m", {"lie.bin": lie})
    run_checks(registry)
    sizes = {path: len(content) for path, content in files.items()} | {"x.bin": len(XET.content)}
    assert {path for path, fault in told_faults(client, alice, "alice/m").items() if fault} == {"lie.bin"}
    assert all(held(client, alice, "alice/m", path, size) for path, size in sizes.items())

    for key in (KEY, key_of(Digest(hashlib.sha256(long_text).hexdigest())), xorb_key(FIRST.hash)):
        flip(path_of(registry, key), 8 * 600)
    _set_data(registry, text, _packed(b"another file"))
    check(registry)
    faults = told_faults(client, alice, "alice/m")
    assert {path for path, fault in faults.items() if fault} == {"w.bin", "a.txt", "vocab.txt", "x.bin", "lie.bin"}
    for path, size in sizes.items():
        assert (held(client, alice, "alice/m", path, size) is None) == (path != "sound.txt"), path

    push(client, alice, "alice/m", files)
    xet_push(client, alice, "alice/m", {"x.bin": XET})
    run_checks(registry)
    assert {path for path, fault in told_faults(client, alice, "alice/m").items() if fault} == {"lie.bin"}
    for path, content in {**files, "x.bin": XET.content}.items():
        assert client.get(f"/alice/m/resolve/main/{path}").data == content
    assert check(registry).is_sound


def test_an_unchecked_file_of_a_lost_xorb_is_told_too(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    xet_push(client, alice, "alice/x", {"w": XET})
    assert told_faults(client, alice, "alice/x")["w"] is None
    break_xorb(registry)
    check(registry)
    assert told_faults(client, alice, "alice/x")["w"] == "Its bytes were lost or found damaged."


def test_a_damaged_tree_is_our_failure_and_no_fault(registry: Registry, app: Flask, alice: Headers) -> None:
    client = app.test_client()
    push(client, alice, "alice/m", {"a.txt": b"a"})
    with registry.engine.write() as tx:
        tx.execute("update git_objects set data = :data where type = 2", {"data": b"no zlib stream"})
    for address in ("/api/models/alice/m/tree/main", "/alice/m/resolve/main/a.txt", "/alice/m"):
        assert client.get(address).status_code == 503, address
    assert client.get("/api/models/alice/m/tree/main").json["code"] == "damaged_object"
