"""Everything that is derived can be made again from git objects and blobs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.core.cards import full_card
from tests.server.passing import dump
from tests.server.pushing import push, with_files
from tests.server.wire import commit, create, inline, large, upload
from tests.server.xet_wire import made, xet_push

from registry_server.app import app_of
from registry_server.commands.admin import admin
from registry_server.usecases.context import Registry
from registry_server.usecases.reindexing import reindex

pytestmark = pytest.mark.usefixtures("run_checks")

Headers = dict[str, str]
Token = Callable[[str], Headers]

README = b"---\ntags: [zebra]\nlicense: mit\npipeline_tag: text-classification\n---\n# quagga\n"
DERIVED = (
    "cards card_heads metrics tags card_words weights tensors lfs_pointers commits"
    " xet_file_xorbs xet_chunks chains folders touches"
).split()
SECRET = b"weights that only alice has " * 9
POINTER = (
    f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(SECRET).hexdigest()}\nsize {len(SECRET)}\n"
).encode()


@pytest.fixture
def filled(registry: Registry, alice: Headers, run_checks: Callable[[Registry], None]) -> Registry:
    """Cards, weights, branches, Xet files; all moments are whole seconds, which is what git objects keep."""
    at = datetime.now(UTC).replace(microsecond=0)
    still = replace(registry, now=lambda: at)
    client = app_of(still).test_client()
    content = safetensors_bytes([0.5, 1.0])
    files = with_files(full_card(), {"model.safetensors": content, "w.bin": SECRET})
    push(client, alice, "alice/m", {**files, "README.md": README, "vocab.txt": b"word\n" * 40_000, "a/b/c.txt": b"c"})
    push(client, alice, "alice/m", {"a/b/d.txt": b"d"})
    body: dict[str, Any] = {}
    assert client.post("/api/models/alice/m/branch/side", json=body, headers=alice).status_code == 200
    for revision in ("side", "main", "side"):
        answer = commit(client, alice, "alice/m", [inline(f"{revision}.txt", b"x")], revision=revision, title="A\nB")
        assert answer.status_code == 200, answer.text
    twin = safetensors_bytes([2.0, 3.0, 4.0])
    xet_push(client, alice, "alice/x", {"model.safetensors": made([twin[:60], twin[60:]])})
    push(client, alice, "alice/data", {"README.md": README}, kind="dataset")
    push(client, alice, "alice/hidden", {"README.md": README}, private=True)
    run_checks(still)
    return registry


def test_what_is_derived_can_be_made_again(filled: Registry) -> None:
    before = dump(filled)
    assert all(before[name] for name in DERIVED), {name: len(before[name]) for name in DERIVED}
    with filled.engine.write() as tx:
        for name in reversed(DERIVED):
            tx.execute(f"delete from {name}")
    report = reindex(filled)
    assert (report.repos, report.failed) == (4, {})
    after = dump(filled)
    assert {name for name in before if without_numbers(before, name) != without_numbers(after, name)} == set()


def without_numbers(dumped: dict[str, list[tuple[Any, ...]]], name: str) -> list[tuple[Any, ...]]:
    """Rows without the numbers of chains and folders, which are given anew."""
    if name in ("chains", "folders", "touches"):
        return [(len(dumped[name]),)]
    if name == "commits":
        return [row[:-2] for row in dumped[name]]
    return dumped[name]


def test_making_it_again_changes_nothing(filled: Registry) -> None:
    before = dump(filled)
    reindex(filled)
    after = dump(filled)
    assert {name for name in before if without_numbers(before, name) != without_numbers(after, name)} == set()


def test_the_log_keeps_what_it_knows_more_exactly(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    before = dump(registry, "commits")
    with registry.engine.write() as tx:
        tx.execute("update commits set parent = null, chain = null, generation = null")
    reindex(registry)
    after = dump(registry, "commits")
    assert [row[2] for row in after["commits"]] != [None, None]
    assert [row[0] for row in after["commits"]] == [row[0] for row in before["commits"]]
    reindex(registry)
    assert dump(registry, "commits") == after


def test_what_was_wrongly_indexed_is_set_right(filled: Registry, client: FlaskClient) -> None:
    before = dump(filled)
    with filled.engine.write() as tx:
        tx.execute("update cards set task_id = footprint_status_id, license_id = null")
        tx.execute("update weights set parameters = 1, fault = 'broken'")
        tx.execute("update lfs_pointers set size = 1")
        tx.execute("insert into tags (tag_id, repo_id) select l.id, r.id from repos r, labels l where l.name = 'none'")
    reindex(filled)
    after = dump(filled)
    for name in ("cards", "weights", "lfs_pointers", "tags"):
        assert after[name] == before[name]
    assert len(client.get("/api/registry/v1/repos/models/alice/m/tensors/main/model.safetensors").get_json()) == 1


def test_the_text_of_a_foreign_pointer_stays_a_text(
    registry: Registry, client: FlaskClient, alice: Headers, token: Token
) -> None:
    push(client, alice, "alice/secret", {"w.bin": SECRET}, private=True)
    mallory = token("mallory")
    create(client, mallory, "mallory/m")
    assert commit(client, mallory, "mallory/m", [inline("w.txt", POINTER)]).status_code == 200
    reindex(registry)
    assert client.get("/mallory/m/resolve/main/w.txt").data == POINTER
    reindex(registry, trust_pointers=True)  # which the administrator was warned of
    assert client.get("/mallory/m/resolve/main/w.txt").data == SECRET


def test_who_holds_what_can_be_made_again_from_pointers_that_are_trusted(filled: Registry) -> None:
    before = dump(filled, "repo_blobs", "lfs_pointers")
    with filled.engine.write() as tx:
        tx.execute("delete from repo_blobs")
        tx.execute("delete from lfs_pointers")
    reindex(filled, trust_pointers=True)
    assert dump(filled, "repo_blobs", "lfs_pointers") == before


def test_a_repo_that_cannot_be_read_is_left_as_it_was(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/good", {"README.md": README})
    push(client, alice, "alice/sick", {"README.md": README, "a.txt": b"a"})
    before = dump(registry, "cards", "commits", "touches")
    with registry.engine.write() as tx:
        tx.execute(
            "update git_objects set data = x'00' where type = 2 and id in"
            " (select max(object_id) from git_repo_objects g join git_objects o on o.id = g.object_id"
            "  where o.type = 2)"
        )
    done = CliRunner().invoke(admin, ["reindex", "--data", str(registry.settings.data), "--json"])
    assert done.exit_code == 1
    assert list(json.loads(done.stdout)["failed"]) == ["model alice/sick"]
    after = dump(registry, "cards", "commits")
    assert after["cards"] == before["cards"]


def test_pushes_beside_it_are_not_lost(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    digest = ""
    for number in range(3):
        create(client, alice, f"alice/m{number}")
        content = safetensors_bytes([float(number)])
        digest = upload(client, alice, f"alice/m{number}", content)
        commit(client, alice, f"alice/m{number}", [large("model.safetensors", digest, len(content))])
    seen: list[int] = []

    def push_one() -> None:
        seen.append(1)
        push(client, alice, "alice/m2", {f"n{len(seen)}.txt": b"n"})

    reindex(registry, progress=push_one)
    paths = {item["path"] for item in client.get("/api/models/alice/m2/tree/main").get_json()}
    assert paths >= {"n1.txt", "n2.txt", "n3.txt", "model.safetensors"}
    before = dump(registry, "cards", "card_heads", "metrics", "tags", "card_words", "weights", "commits")
    reindex(registry)
    after = dump(registry, "cards", "card_heads", "metrics", "tags", "card_words", "weights", "commits")
    assert {name for name in before if without_numbers(before, name) != without_numbers(after, name)} == set()
