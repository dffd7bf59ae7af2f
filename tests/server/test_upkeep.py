"""Freeing storage: what goes, what stays, for how long, and that nobody's bytes are lost beside pushes and crashes."""

from __future__ import annotations

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from tests.server.passing import age, dump, later, stored
from tests.server.pushing import push
from tests.server.wire import batch, commit, create, inline, large, upload
from tests.server.xet_wire import Machine, count, made, noise, xet_push

from registry_core.errors import Refused
from registry_server.app import app_of
from registry_server.blobs.folder import FolderBlobStore
from registry_server.blobs.memory import MemoryBlobStore
from registry_server.blobs.store import BlobNotFound, BlobStore, DamagedBlob, key_of
from registry_server.catalog import blobs as catalog_blobs
from registry_server.commands.admin import admin
from registry_server.usecases import checking, collecting, context, xet_access
from registry_server.usecases.collecting import Collection, collect
from registry_server.usecases.context import Registry

pytestmark = pytest.mark.usefixtures("run_checks")

Headers = dict[str, str]
Token = Callable[[str], Headers]

DATA = b"weights that somebody sent " * 999
DIGEST = hashlib.sha256(DATA).hexdigest()
XET = made(noise(1, [900, 2000, 400]), noise(2, [3000, 100]))


def delete_repo(client: FlaskClient, headers: Headers, name: str) -> dict[str, Any]:
    answer = client.delete("/api/repos/delete", json={"name": name}, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def freed_everything(found: Collection) -> int:
    """Bytes of the blob store and of the catalog."""
    return found.freed_bytes + found.freed.git_objects.size_bytes


# -- the grace


def test_a_file_that_was_sent_and_never_committed_is_kept_for_48_hours(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", DATA)
    early = collect(later(registry, hours=47))
    assert (early.freed.blobs.count, early.kept["blobs"].size_bytes) == (0, len(DATA))
    free_from = datetime.fromisoformat(early.kept["blobs"].free_from or "")
    assert abs(free_from - datetime.now(UTC) - timedelta(hours=48)) < timedelta(minutes=1)
    found = collect(later(registry, hours=49))
    assert (found.freed.blobs.count, found.freed.blobs.size_bytes, found.freed_bytes) == (1, len(DATA), len(DATA))
    assert (count(registry, "blobs"), stored(registry)) == (0, {})


def test_what_a_repo_holds_stays(
    registry: Registry, client: FlaskClient, alice: Headers, run_checks: Callable[[Registry], None]
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA, "vocab.txt": b"word\n" * 40_000})
    xet_push(client, alice, "alice/x", {"w": XET})
    before = stored(registry)
    for _ in range(2):
        assert collect(later(registry, days=999)).freed_bytes == 0
        run_checks(registry)
    assert stored(registry) == before
    assert client.get("/alice/x/resolve/main/w").data == XET.content
    assert client.get("/alice/m/resolve/main/vocab.txt").data == b"word\n" * 40_000


def test_every_already_stored_answer_renews_the_grace(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", DATA)
    away = app_of(later(registry, hours=40)).test_client()
    (item,) = batch(away, alice, "alice/m", DIGEST, len(DATA)).get_json(force=True)["objects"]
    assert "actions" not in item
    assert collect(later(registry, hours=87)).freed.blobs.count == 0
    assert collect(later(registry, hours=89)).freed.blobs.count == 1


def test_xorbs_and_files_that_were_only_registered_are_kept_for_22_days(
    registry: Registry, client: FlaskClient, alice: Headers, run_checks: Callable[[Registry], None]
) -> None:
    create(client, alice, "alice/m")
    Machine(client, alice, "alice/m").upload(XET)
    run_checks(registry)
    size = sum(index.size_bytes for index in XET.xorbs)
    early = collect(later(registry, days=21))
    assert (early.freed_bytes, early.kept["xorbs"].size_bytes) == (0, size)
    found = collect(later(registry, days=23))
    assert (found.freed.xorbs.count, found.freed.xorbs.size_bytes, found.freed.xet_files) == (2, size, 1)
    for table in ("xorbs", "xet_files", "xet_file_xorbs", "xet_chunks", "xet_uploads", "blobs", "uploads"):
        assert count(registry, table) == 0, table
    assert stored(registry) == {}


def test_a_file_whose_check_is_due_waits_for_it(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    Machine(client, alice, "alice/m").upload(XET)
    assert collect(later(registry, days=99)).freed_bytes == 0


def test_building_on_a_xorb_renews_it(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    Machine(client, alice, "alice/m").upload(XET)
    Machine(app_of(later(registry, days=20)).test_client(), alice, "alice/m").register(XET.shard)
    assert collect(later(registry, days=41)).freed.xorbs.count == 0


def test_an_answer_about_a_chunk_renews_what_it_lists(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    machine = Machine(client, alice, "alice/m")
    for name, index in XET.store.indexes.items():
        machine.send_chunks(index, XET.store.raw[name])
    away = Machine(app_of(later(registry, days=20)).test_client(), alice, "alice/m")
    assert away.get(f"v1/chunks/default/{XET.xorbs[0].hash}").status_code == 200
    assert collect(later(registry, days=41)).freed.xorbs.count == 0
    assert collect(later(registry, days=43)).freed.xorbs.count == 2


def test_a_refused_push_leaves_bytes_that_are_freed_after_48_hours(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    create(client, alice, "alice/m")
    text = b"word\n" * 40_000
    card = inline("footprint.json", b"{}")
    assert commit(client, alice, "alice/m", [inline("vocab.txt", text), card]).status_code == 400
    assert len(stored(registry)) == 1
    assert collect(later(registry, hours=47)).freed_bytes == 0
    found = collect(later(registry, hours=49))
    assert (found.freed.orphans.count, found.freed_bytes) == (1, len(text))
    assert stored(registry) == {}


def test_bytes_without_a_row_are_freed_after_48_hours(registry: Registry) -> None:
    registry.blobs.put(key_of(DIGEST), [DATA], size_bytes=len(DATA))  # type: ignore[arg-type]
    early = collect(registry)
    assert (early.freed_bytes, early.kept["orphans"].count, early.kept["orphans"].size_bytes) == (0, 1, len(DATA))
    found = collect(later(registry, hours=49))
    assert (found.freed.orphans.count, found.freed_bytes) == (1, len(DATA))


def test_what_people_leave_in_the_folder_is_not_ours_to_delete(registry: Registry) -> None:
    strange = registry.settings.blobs_path / "sha256" / "ab" / "cd" / "notes.txt"
    strange.parent.mkdir(parents=True)
    strange.write_text("mine")
    collect(later(registry, days=99))
    assert strange.read_text() == "mine"


# -- deleting


def test_deleting_a_repo_says_what_becomes_free_and_gc_frees_just_that(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers, run_checks: Callable[[Registry], None]
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA, "vocab.txt": b"word\n" * 40_000, "a.txt": b"a"})
    push(client, bob, "bob/m", {"w.bin": DATA})
    xet_push(client, alice, "alice/m", {"x": XET})
    run_checks(registry)
    collect(registry)
    told = delete_repo(client, alice, "alice/m")
    xet_bytes = sum(index.size_bytes for index in XET.xorbs)
    assert told["freed_bytes"] >= xet_bytes + 200_000
    assert told["shared_bytes"] >= len(DATA)
    free_from = datetime.fromisoformat(told["free_from"])
    before = freed_everything(collect(replace(registry, now=lambda: free_from - timedelta(minutes=1))))
    assert before < told["freed_bytes"]
    after = freed_everything(collect(replace(registry, now=lambda: free_from + timedelta(seconds=1))))
    assert before + after == told["freed_bytes"]
    assert client.get("/bob/m/resolve/main/w.bin").data == DATA


def test_a_repo_of_long_ago_is_free_at_once(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    age(registry, days=30)
    told = delete_repo(client, alice, "alice/m")
    assert datetime.fromisoformat(told["free_from"]) <= datetime.now(UTC)
    assert freed_everything(collect(registry)) == told["freed_bytes"]
    assert stored(registry) == {}


def test_who_holds_what_is_told_per_repo(registry: Registry, client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA, "own.bin": b"\0" * 5000})
    push(client, bob, "bob/m", {"w.bin": DATA})
    by_name = {repo.id: repo for repo in collect(registry, dry_run=True).repos}
    assert 5000 < by_name["alice/m"].unique_bytes < 7000
    assert by_name["bob/m"].unique_bytes < 2000
    assert len(DATA) < by_name["bob/m"].shared_bytes < len(DATA) + 2000
    assert by_name["alice/m"].shared_bytes == by_name["bob/m"].shared_bytes


def test_git_objects_without_a_repo_are_freed_at_once(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA, "a.txt": b"a"})
    delete_repo(client, alice, "alice/m")
    assert collect(registry).freed.git_objects.count > 4
    assert count(registry, "git_objects") == count(registry, "lfs_pointers") == 0


# -- history


def branch(client: FlaskClient, headers: Headers, name: str, call: str = "post") -> None:
    answer = getattr(client, call)(f"/api/models/alice/m/branch/{name}", json={}, headers=headers)
    assert answer.status_code == 200, answer.text


def test_history_that_no_ref_leads_to_is_given_up_after_48_hours(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    push(client, alice, "alice/m", {"keep.bin": b"\1" * 3000})
    branch(client, alice, "side")
    digest = upload(client, alice, "alice/m", DATA)
    made_there = commit(client, alice, "alice/m", [large("w.bin", digest, len(DATA))], revision="side")
    oid = made_there.get_json()["commitOid"]
    branch(client, alice, "side", "delete")
    assert client.get(f"/alice/m/resolve/{oid}/w.bin").data == DATA
    early = collect(later(registry, hours=47))
    assert (early.freed.commits, client.get(f"/alice/m/resolve/{oid}/w.bin").data) == (0, DATA)
    found = collect(later(registry, hours=49))
    assert (found.freed.commits, found.freed_bytes, found.skipped) == (1, len(DATA), [])
    assert client.get(f"/alice/m/resolve/{oid}/w.bin").status_code == 404
    assert client.get("/alice/m/resolve/main/keep.bin").data == b"\1" * 3000
    assert checking.check(registry).is_sound
    push(client, alice, "alice/m", {"w.bin": DATA})
    listing = client.get("/api/models/alice/m/tree/main?expand=true", headers=alice)
    assert {item["path"] for item in listing.get_json()} >= {"keep.bin", "w.bin"}


def test_a_file_that_a_branch_gave_up_stays_the_repos_while_an_answer_may_rest_on_it(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    branch(client, alice, "side")
    digest = upload(client, alice, "alice/m", DATA)
    commit(client, alice, "alice/m", [large("w.bin", digest, len(DATA))], revision="side")
    branch(client, alice, "side", "delete")
    now = later(registry, hours=72)
    away = app_of(now).test_client()
    (item,) = batch(away, alice, "alice/m", DIGEST, len(DATA)).get_json(force=True)["objects"]
    assert "actions" not in item  # the promise
    assert collect(now).freed.commits == 1
    answer = commit(away, alice, "alice/m", [large("again.bin", DIGEST, len(DATA))])
    assert answer.status_code == 200, answer.text


def test_tags_publications_and_pull_requests_keep_history(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    oids = {}
    push(client, alice, "alice/m", {"a.txt": b"a"})
    for number, name in enumerate(["tagged", "published", "neither"]):
        branch(client, alice, name)
        content = bytes([number]) * 4000
        digest = upload(client, alice, "alice/m", content)
        answer = commit(client, alice, "alice/m", [large("w.bin", digest, 4000)], revision=name)
        oids[name] = answer.get_json()["commitOid"]
    body = {"tag": "v1", "message": "first"}
    assert client.post(f"/api/models/alice/m/tag/{oids['tagged']}", json=body, headers=alice).status_code == 200
    with registry.engine.write() as tx:
        tx.execute(
            "insert into publications (repo_id, commit_oid, account_id, published_at)"
            " select id, :oid, owner_id, created_at from repos",
            {"oid": bytes.fromhex(oids["published"])},
        )
    for name in oids:
        branch(client, alice, name, "delete")
    assert collect(later(registry, days=9)).freed.commits == 1
    status = {name: client.get(f"/alice/m/resolve/{oid}/w.bin").status_code for name, oid in oids.items()}
    assert status == {"tagged": 200, "published": 200, "neither": 404}


def test_giving_up_xet_history_makes_clients_forget(
    registry: Registry, client: FlaskClient, alice: Headers, run_checks: Callable[[Registry], None]
) -> None:
    machine = xet_push(client, alice, "alice/m", {"w": XET})
    run_checks(registry)
    assert client.post("/api/models/alice/m/super-squash/main", json={}, headers=alice).status_code == 200
    answer = commit(client, alice, "alice/m", [{"key": "deletedFile", "value": {"path": "w"}}])
    assert answer.status_code == 200, answer.text
    assert client.post("/api/models/alice/m/super-squash/main", json={}, headers=alice).status_code == 200
    found = collect(later(registry, days=30))
    assert (found.freed.xorbs.count, found.freed.xet_files) == (2, 1)
    assert Machine(client, alice, "alice/m").store_url != machine.store_url


def test_the_text_of_a_pointer_holds_nothing(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", DATA)
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{DIGEST}\nsize {len(DATA)}\n".encode()
    assert commit(client, alice, "alice/m", [inline("w.txt", text)]).status_code == 200
    assert collect(later(registry, hours=49)).freed.blobs.count == 1


def test_a_lost_pointer_row_makes_no_file_free(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    with registry.engine.write() as tx:
        tx.execute("delete from lfs_pointers")
    assert collect(later(registry, days=9)).freed_bytes == 0


def test_a_history_that_cannot_be_read_is_left_alone(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA})
    push(client, alice, "alice/m", {"w.bin": DATA * 2})
    with registry.engine.write() as tx:
        tx.execute("update git_objects set data = x'00' where type = 2")
        tx.execute("update commits set parent = null")
    found = collect(later(registry, days=9))
    assert (found.freed_bytes, found.skipped) == (0, ["model alice/m"])


def test_files_that_lost_their_links_stop_everything(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    xet_push(client, alice, "alice/m", {"w": XET})
    with registry.engine.write() as tx:
        tx.execute("delete from xet_file_xorbs")
    with pytest.raises(Refused, match="does not know of which xorbs"):
        collect(later(registry, days=99))


# -- the dry run


def test_a_dry_run_tells_exactly_what_the_run_then_does_and_does_nothing(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    bob: Headers,
    run_checks: Callable[[Registry], None],
) -> None:
    push(client, alice, "alice/m", {"w.bin": DATA, "a.txt": b"a"})
    xet_push(client, alice, "alice/m", {"x": XET})
    xet_push(client, bob, "bob/x", {"y": made(noise(7, [500]), noise(8, [700]))})
    push(client, bob, "bob/m", {"w.bin": DATA, "own.bin": b"\0" * 999})
    branch(client, alice, "side")
    digest = upload(client, alice, "alice/m", b"\2" * 8000)
    commit(client, alice, "alice/m", [large("s.bin", digest, 8000)], revision="side")
    branch(client, alice, "side", "delete")
    upload(client, alice, "alice/m", b"\3" * 1234)
    run_checks(registry)
    delete_repo(client, bob, "bob/x")
    registry.blobs.put("xorb/" + "ab" * 32, [b"orphan"], size_bytes=6)
    for days in (0, 1, 3, 21, 23, 99):
        at = datetime.now(UTC) + timedelta(days=days)
        then = replace(registry, now=lambda at=at: at)
        before = dump(registry), stored(registry)
        told = collect(then, dry_run=True)
        assert (dump(registry), stored(registry)) == before
        did = collect(then)
        assert asdict(did) == {**asdict(told), "dry_run": False}
        again = collect(then)
        assert (again.freed_bytes, again.freed.git_objects.count, again.freed.commits) == (0, 0, 0)
    assert checking.check(registry).is_sound
    assert client.get("/alice/m/resolve/main/x").data == XET.content


# -- beside uploads


class Hooked:
    """A blob store, or a catalog, that lets somebody act once, just before something is asked of it."""

    def __init__(self, store: object, **hooks: Callable[[], object]) -> None:
        self._store, self._hooks = store, hooks

    def __getattr__(self, name: str) -> Any:
        hook = self._hooks.pop(name, None)
        if hook is not None:
            hook()
        return getattr(self._store, name)


@pytest.fixture
def forgotten(registry: Registry, client: FlaskClient, alice: Headers) -> Registry:
    """A registry with a file that is free, and an empty repo of alice's."""
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", DATA)
    age(registry, days=3)
    return registry


def put_bytes(registry: Registry) -> None:
    registry.blobs.put(key_of(DIGEST), [DATA], size_bytes=len(DATA))  # type: ignore[arg-type]


def add_row(registry: Registry) -> None:
    with registry.engine.write() as tx:
        catalog_blobs.add(tx, bytes.fromhex(DIGEST), len(DATA), registry.stamp())


def test_bytes_sent_again_before_the_run_and_noted_after_it_are_there(forgotten: Registry) -> None:
    put_bytes(forgotten)
    assert collect(forgotten).freed.blobs.count == 0
    add_row(forgotten)
    assert stored(forgotten) == {key_of(DIGEST): DATA}  # type: ignore[arg-type]


@pytest.mark.parametrize("moment", ["keys", "size_bytes", "delete"])
def test_bytes_sent_again_at_any_moment_of_the_run_are_there(forgotten: Registry, moment: str) -> None:
    """`delete` is the narrowest: it was seen that no row stands for the bytes, and then they are put again."""
    hooked = replace(forgotten, blobs=Hooked(forgotten.blobs, **{moment: lambda: put_bytes(forgotten)}))
    assert collect(hooked).freed.blobs.count == 0
    add_row(forgotten)
    assert stored(forgotten) == {key_of(DIGEST): DATA}  # type: ignore[arg-type]


def test_a_branch_made_on_old_history_while_it_is_being_given_up_keeps_it(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    branch(client, alice, "side")
    digest = upload(client, alice, "alice/m", DATA)
    made_there = commit(client, alice, "alice/m", [large("w.bin", digest, len(DATA))], revision="side")
    oid = made_there.get_json()["commitOid"]
    branch(client, alice, "side", "delete")
    age(registry, days=3)

    def rescue() -> None:
        body = {"startingPoint": oid}
        assert client.post("/api/models/alice/m/branch/back", json=body, headers=alice).status_code == 200

    # Marking only reads; the first write is the one that gives up what was marked.
    found = collect(replace(registry, engine=Hooked(registry.engine, write=rescue)))
    assert (found.freed.commits, found.freed_bytes) == (0, 0)
    assert client.get("/alice/m/resolve/back/w.bin").data == DATA


@pytest.mark.parametrize("moment", ["keys", "size_bytes"])
def test_a_whole_upload_between_forgetting_and_sweeping_is_kept(
    forgotten: Registry, client: FlaskClient, alice: Headers, moment: str
) -> None:
    hook = {moment: lambda: push(client, alice, "alice/m", {"w.bin": DATA})}
    assert collect(replace(forgotten, blobs=Hooked(forgotten.blobs, **hook))).freed.blobs.count == 0
    assert client.get("/alice/m/resolve/main/w.bin").data == DATA
    assert checking.check(forgotten).is_sound


def test_the_store_never_deletes_what_was_put_meanwhile(tmp_path: Path) -> None:
    """Putting and deleting as fast as they can: a put that returned is there, until a delete that began after it."""
    store = FolderBlobStore(tmp_path)
    key = key_of(DIGEST)  # type: ignore[arg-type]
    stop = threading.Event()
    deleted = [0]

    def delete() -> None:
        cutoff = datetime.now(UTC)
        while not stop.is_set():
            deleted[0] += store.delete(key, unless_after=cutoff)

    thread = threading.Thread(target=delete)
    thread.start()
    for _ in range(60):
        store.put(key, [b"x"], size_bytes=1)
        assert store.size_bytes(key) == 1
    stop.set()
    thread.join()
    assert deleted == [0]


def test_pushes_and_deletions_beside_the_collector_lose_nothing(
    registry: Registry, token: Token, monkeypatch: pytest.MonkeyPatch, run_checks: Callable[[Registry], None]
) -> None:
    """With a grace of two seconds: everything is sent, committed, deleted, freed and sent again, from all sides."""
    for module, name in (
        (collecting, "UPLOAD_GRACE_SECONDS"),
        (context, "UPLOAD_GRACE_SECONDS"),
        (collecting, "XORB_GRACE_SECONDS"),
        (xet_access, "XORB_GRACE_SECONDS"),
    ):
        monkeypatch.setattr(module, name, 2)
    pool = [bytes([number]) * (20_000 + number) for number in range(40)]
    xet_pool = [made(noise(n, [900, 2000]), noise(n + 1, [700])) for n in range(20)]
    kept: dict[str, dict[str, bytes]] = {}
    faults: list[BaseException] = []
    collections: list[Collection] = []
    app = app_of(
        registry
    )  # not in each thread: werkzeug compiles its rules with ast, which CPython 3.11 does in one only
    end = time.monotonic() + 8

    def pusher(name: str) -> None:
        headers, mine, source = heads[name], app.test_client(), random.Random(name)
        number = 0
        while time.monotonic() < end:
            repo, number = f"{name}/r{number}", number + 1
            small = {f"{n}.bin": content for n, content in enumerate(source.sample(pool, 3))}
            by_xet = {f"{n}.xet": file for n, file in enumerate(source.sample(xet_pool, 2))}
            try:
                push(mine, headers, repo, small)
                xet_push(mine, headers, repo, by_xet)
            except AssertionError:
                continue  # on a slow computer, the grace may end before the commit: that is refused, not lost
            if any(kept_repo.startswith(name) for kept_repo in list(kept)) and source.random() < 0.9:
                assert mine.delete("/api/repos/delete", json={"name": repo}, headers=headers).status_code == 200
            else:
                kept[repo] = small | {path: file.content for path, file in by_xet.items()}

    def collector() -> None:
        while time.monotonic() < end + 3:
            collections.append(collect(registry))
            run_checks(registry)

    def run(work: Callable[..., None], *args: str) -> threading.Thread:
        def guarded() -> None:
            try:
                work(*args)
            except BaseException as error:
                faults.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    heads = {name: token(name) for name in ("ann", "ben", "cem")}
    for thread in [run(collector), *(run(pusher, name) for name in heads)]:
        thread.join()
    assert faults == []
    assert sum(found.freed.blobs.count for found in collections) > 0
    assert sum(found.freed.xorbs.count for found in collections) > 0
    reader = app_of(registry).test_client()
    assert kept
    for repo, files in kept.items():
        for path, content in files.items():
            assert reader.get(f"/{repo}/resolve/main/{path}").data == content
    report = checking.check(registry)
    assert (report.is_sound, report.found) == (True, [])


# -- a collector that dies

_DYING = """
import sys
from pathlib import Path
from registry_server.app import open_registry
from registry_server.blobs.folder import FolderBlobStore
from registry_server.catalog import keeping, upkeep
from registry_server.settings import Settings
from registry_server.usecases import collecting

collecting._ROWS_AT_ONCE = collecting._KEYS_AT_ONCE = 3

def told(function):
    def wrapper(*args, **more):
        print("before", flush=True)
        found = function(*args, **more)
        print("after", flush=True)
        return found
    return wrapper

FolderBlobStore.delete = told(FolderBlobStore.delete)
keeping.release_objects = told(keeping.release_objects)
for name in ("drop_blobs", "drop_files", "drop_xorbs", "drop_objects", "drop_notes"):
    setattr(upkeep, name, told(getattr(upkeep, name)))
collecting.collect(open_registry(Settings(Path(sys.argv[1]), "secret")))
"""


def test_a_collector_that_is_killed_leaves_nothing_but_work_for_the_next(
    registry: Registry,
    client: FlaskClient,
    alice: Headers,
    run_checks: Callable[[Registry], None],
) -> None:
    files = {f"{number}.bin": bytes([number]) * (2000 + number) for number in range(8)}
    push(client, alice, "alice/keep", {"w.bin": DATA, "a.txt": b"a"})
    xet_push(client, alice, "alice/keep", {"x": XET})
    push(client, alice, "alice/gone", files)
    xet_push(client, alice, "alice/gone", {"y": made(noise(5, [900, 800]), noise(6, [700]))})
    run_checks(registry)
    delete_repo(client, alice, "alice/gone")
    age(registry, days=30)
    killed = 0
    for steps in (1, 3, 6, 9, 12, 15):
        command = [sys.executable, "-c", _DYING, str(registry.settings.data)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            seen = [process.stdout.readline() for _ in range(steps)]
            process.send_signal(signal.SIGKILL)
        killed += bool(seen[-1])
        report = checking.check(registry)
        assert (report.is_sound, report.found) == (True, [])
    assert killed > 3
    collect(registry)
    assert len(stored(registry)) == 3
    assert client.get("/alice/keep/resolve/main/x").data == XET.content
    assert client.get("/alice/keep/resolve/main/w.bin").data == DATA


# -- the command


def test_the_command_says_it_for_people_and_for_programs(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", DATA)
    data = ["--data", str(registry.settings.data)]
    age(registry, days=3)
    told = CliRunner().invoke(admin, ["gc", *data, "--dry-run", "--json"])
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert (document["dry_run"], document["freed"]["blobs"]) == (True, {"count": 1, "size_bytes": len(DATA)})
    assert {repo["id"] for repo in document["repos"]} == {"alice/m"}
    shown = CliRunner().invoke(admin, ["gc", *data, "--dry-run"])
    assert "Would free 27 kB: 1 file" in shown.stdout
    assert "Next: registry admin gc --data" in shown.stderr
    done = CliRunner().invoke(admin, ["gc", *data])
    assert "Freed 27 kB: 1 file (27 kB), 0 xorbs (0 B)" in done.stdout
    assert stored(registry) == {}


def test_going_back_to_a_backup_makes_clients_forget_as_the_page_says(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    create(client, alice, "alice/m")
    before = Machine(client, alice, "alice/m").store_url
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (program,) = re.findall(r"^```python restore\n(.*?)^```$", page, re.M | re.S)
    command = [sys.executable, "-c", program.replace("DATA", str(registry.settings.data))]
    subprocess.run(command, check=True)
    assert Machine(client, alice, "alice/m").store_url != before


# -- what is asked of a store


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return FolderBlobStore(tmp_path / "blobs") if request.param == "folder" else MemoryBlobStore()


KEY = "sha256/" + "ab" * 32


def test_a_store_deletes_only_what_is_not_newer(store: BlobStore) -> None:
    assert store.stored_at(KEY) is None
    assert store.delete(KEY) is False
    store.put(KEY, [b"one"], size_bytes=3)
    stored_at = store.stored_at(KEY)
    assert stored_at is not None
    assert abs(datetime.now(UTC) - stored_at) < timedelta(minutes=1)
    assert store.delete(KEY, unless_after=stored_at - timedelta(microseconds=1)) is False
    assert store.size_bytes(KEY) == 3
    assert store.delete(KEY, unless_after=stored_at) is True
    with pytest.raises(BlobNotFound):
        store.open(KEY)


def test_what_a_store_sets_aside_is_not_served_until_it_is_put_again(store: BlobStore) -> None:
    assert store.set_aside(KEY) is False
    assert store.open_aside(KEY) is None
    store.put(KEY, [b"bad"], size_bytes=3)
    stored_at = store.stored_at(KEY)
    assert stored_at is not None
    assert store.set_aside(KEY, unless_after=stored_at - timedelta(microseconds=1)) is False
    assert store.set_aside(KEY, unless_after=stored_at) is True
    assert (store.size_bytes(KEY), store.stored_at(KEY), list(store.keys())) == (None, None, [])
    with pytest.raises(DamagedBlob):
        store.open(KEY)
    assert _all(store.open_aside(KEY)) == b"bad"
    store.put(KEY, [b"good"], size_bytes=4)
    assert _all(store.open(KEY)) == b"good"


def _all(file: BinaryIO | None) -> bytes:
    assert file is not None
    with file:
        return file.read()
