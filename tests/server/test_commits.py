"""Commits: what becomes visible, for whom it fails, and that nothing is seen of what failed."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import subprocess
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.core.cards import minimal_card
from tests.server.pushing import push
from tests.server.wire import batch, commit, create, delete, delete_folder, git_id, inline, large, upload

from registry_core.errors import Invalid, NotFound
from registry_core.ids import RepoId, RepoPath, Revision
from registry_server.catalog import history
from registry_server.routes.hub.commits import read_lines
from registry_server.usecases import accounts, commits
from registry_server.usecases.commits import InlineFile, Message
from registry_server.usecases.context import Registry

REPO = "alice/digits"
Token = Callable[[str], dict[str, str]]


@pytest.fixture
def alice(token: Token, client: FlaskClient) -> dict[str, str]:
    """Alice's headers; her repo is there."""
    headers = token("alice")
    create(client, headers, REPO)
    return headers


def head(client: FlaskClient) -> str:
    return str(client.get(f"/api/models/{REPO}").json["sha"])


def log(client: FlaskClient) -> list[str]:
    return [entry["id"] for entry in client.get(f"/api/models/{REPO}/commits/main").json]


def paths(client: FlaskClient, revision: str = "main") -> set[str]:
    items = client.get(f"/api/models/{REPO}/tree/{revision}?recursive=true").json
    return {item["path"] for item in items if item["type"] == "file"} - {".gitattributes"}


def content(client: FlaskClient, path: str, revision: str = "main") -> bytes:
    return client.get(f"/{REPO}/resolve/{revision}/{path}").data


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def export(registry: Registry, folder: Path) -> None:
    """Every object of the catalog as a loose object of a bare repository."""
    subprocess.run(["git", "init", "--quiet", "--bare", folder], check=True)
    names = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
    with registry.engine.read() as tx:
        rows = tx.execute("select oid, type, size, sha256, data from git_objects")
    for row in rows:
        if row["data"] is not None:
            data = zlib.decompress(row["data"])
        else:
            with registry.blobs.open(f"sha256/{row['sha256'].hex()}") as blob:
                data = blob.read()
        target = folder / "objects" / row["oid"].hex()[:2] / row["oid"].hex()[2:]
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(zlib.compress(f"{names[row['type']]} {row['size']}\0".encode() + data))


# What a commit is


def test_git_finds_no_fault_in_any_commit(
    registry: Registry, client: FlaskClient, alice: dict[str, str], tmp_path: Path
) -> None:
    push(
        client,
        alice,
        REPO,
        {"a.txt": b"a", "sub/ö #?.txt": b"b", "model.safetensors": b"w" * 999, "big.txt": b"x" * 300_000},
    )
    commit(client, alice, REPO, [delete("a.txt"), inline("sub/c", b"")], title="Ünïcode\nand a second line")
    client.post(f"/api/models/{REPO}/tag/main", json={"tag": "v1", "message": "First"}, headers=alice)
    bare = tmp_path / "bare"
    export(registry, bare)
    git(bare, "update-ref", "refs/heads/main", head(client))
    git(bare, "fsck", "--strict", "--no-dangling")
    assert git(bare, "log", "--format=%H", "main").split() == log(client)
    listed = git(bare, "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "main").split("\n")
    assert set(listed) - {".gitattributes"} == paths(client)
    assert git(bare, "show", "main:sub/ö #?.txt") == "b"
    pointer = git(bare, "show", "main:model.safetensors").split("\n")
    assert pointer[1:] == [f"oid sha256:{hashlib.sha256(b'w' * 999).hexdigest()}", "size 999"]


@pytest.mark.parametrize("title", ["\0nul", "a\0b", "\x07bell", "\ud800", "a\rb", "", "   ", "x" * 4000])
def test_any_title_makes_a_commit_that_git_accepts(
    registry: Registry, client: FlaskClient, alice: dict[str, str], tmp_path: Path, title: str
) -> None:
    answer = commit(client, alice, REPO, [inline("a", b"a")], title=title)
    assert answer.status_code in (200, 400), answer.text
    export(registry, tmp_path / "bare")
    git(tmp_path / "bare", "fsck", "--strict", "--no-dangling")


def test_a_repo_begins_with_its_gitattributes(client: FlaskClient, alice: dict[str, str]) -> None:
    (first,) = client.get(f"/api/models/{REPO}/commits/main").json
    assert first["title"] == "initial commit"
    assert [item["path"] for item in client.get(f"/api/models/{REPO}/tree/main").json] == [".gitattributes"]


def test_a_commit_answers_its_id_and_its_address(client: FlaskClient, alice: dict[str, str]) -> None:
    answer = commit(client, alice, REPO, [inline("a", b"a")]).json
    assert answer["success"] is True
    assert answer["commitOid"] == head(client)
    assert answer["commitUrl"] == f"http://localhost/{REPO}/commit/{answer['commitOid']}"


def test_an_old_commit_keeps_its_files(client: FlaskClient, alice: dict[str, str]) -> None:
    first = push(client, alice, REPO, {"a.txt": b"one", "w.safetensors": b"1"})
    push(client, alice, REPO, {"a.txt": b"two", "w.safetensors": b"22"})
    assert content(client, "a.txt", first) == b"one"
    assert content(client, "w.safetensors", first) == b"1"
    assert content(client, "w.safetensors") == b"22"


def test_deletions_of_files_and_folders(client: FlaskClient, alice: dict[str, str]) -> None:
    push(client, alice, REPO, {"a": b"a", "x/b": b"b", "x/y/c": b"c", "z/d": b"d"})
    commit(client, alice, REPO, [delete("a"), delete_folder("x/")])
    assert paths(client) == {"z/d"}


def test_deletedfile_may_name_a_folder(client: FlaskClient, alice: dict[str, str]) -> None:
    push(client, alice, REPO, {"a": b"a", "x/b": b"b"})
    commit(client, alice, REPO, [delete("x")])
    assert paths(client) == {"a"}


def test_deleting_a_missing_file_is_not_found(client: FlaskClient, alice: dict[str, str]) -> None:
    before = head(client)
    answer = commit(client, alice, REPO, [inline("a", b"a"), delete("nope.txt")])
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert answer.headers["X-Error-Message"].startswith("A file with this name doesn't exist")
    assert head(client) == before


def test_a_large_file_is_renamed_without_sending_it_again(client: FlaskClient, alice: dict[str, str]) -> None:
    push(client, alice, REPO, {"old.safetensors": b"weights"})
    digest = hashlib.sha256(b"weights").hexdigest()
    answer = commit(client, alice, REPO, [large("new.safetensors", digest), delete("old.safetensors")])
    assert answer.status_code == 200
    assert paths(client) == {"new.safetensors"}
    assert content(client, "new.safetensors") == b"weights"


def test_operations_count_in_their_order(client: FlaskClient, alice: dict[str, str]) -> None:
    commit(client, alice, REPO, [inline("a", b"1"), delete("a"), inline("a", b"2"), inline("a", b"3")])
    assert content(client, "a") == b"3"


def test_large_text_in_the_commit_is_served_in_ranges(client: FlaskClient, alice: dict[str, str]) -> None:
    text = b"".join(b"%07d\n" % i for i in range(300_000 // 8))
    push(client, alice, REPO, {"log.txt": text})
    answer = client.get(f"/{REPO}/resolve/main/log.txt", headers={"Range": "bytes=150000-150015"})
    assert (answer.status_code, answer.data) == (206, text[150_000:150_016])
    assert answer.headers["ETag"] == f'"{git_id(text)}"'
    assert content(client, "log.txt") == text
    (item,) = [item for item in client.get(f"/api/models/{REPO}/tree/main").json if item["path"] == "log.txt"]
    assert (item["oid"], item["size"], "lfs" in item) == (git_id(text), len(text), False)


# Parents, retries and other people


def test_a_stale_parent_is_refused(client: FlaskClient, alice: dict[str, str]) -> None:
    first = push(client, alice, REPO, {"a": b"1"})
    push(client, alice, REPO, {"b": b"2"})
    answer = commit(client, alice, REPO, [inline("a", b"3")], parent=first)
    assert answer.status_code == 412
    assert "A commit has happened since" in answer.headers["X-Error-Message"]
    assert content(client, "a") == b"1"


def test_a_parent_may_be_abbreviated(client: FlaskClient, alice: dict[str, str]) -> None:
    first = push(client, alice, REPO, {"a": b"1"})
    assert commit(client, alice, REPO, [inline("a", b"2")], parent=first[:7]).status_code == 200


@pytest.mark.parametrize("parent", ["0" * 40, "f" * 5])
def test_a_parent_that_never_was_is_stale(client: FlaskClient, alice: dict[str, str], parent: str) -> None:
    assert commit(client, alice, REPO, [inline("a", b"2")], parent=parent).status_code == 412


@pytest.mark.parametrize("parent", ["main", "0" * 41, "abcd", "G" * 40, "0" * 40 + "\n"])
def test_a_parent_that_is_no_commit_id_is_a_bad_request(
    client: FlaskClient, alice: dict[str, str], parent: str
) -> None:
    assert commit(client, alice, REPO, [inline("a", b"2")], parent=parent).status_code == 400


def test_the_same_commit_again_makes_none(client: FlaskClient, alice: dict[str, str]) -> None:
    operations = [inline("a", b"1"), inline("b/c", b"2")]
    first = commit(client, alice, REPO, operations).json["commitOid"]
    assert commit(client, alice, REPO, operations).json["commitOid"] == first
    assert len(log(client)) == 2


def test_a_retry_with_the_old_parent_is_answered_like_the_first_try(client: FlaskClient, alice: dict[str, str]) -> None:
    parent = push(client, alice, REPO, {"old": b"0"})
    operations = [inline("a", b"1"), delete("old")]
    first = commit(client, alice, REPO, operations, parent=parent).json["commitOid"]
    retry = commit(client, alice, REPO, operations, parent=parent)
    assert (retry.status_code, retry.json["commitOid"]) == (200, first)
    assert len(log(client)) == 3


def test_another_commit_with_the_old_parent_is_still_stale(client: FlaskClient, alice: dict[str, str]) -> None:
    parent = head(client)
    commit(client, alice, REPO, [inline("a", b"1")], parent=parent)
    assert commit(client, alice, REPO, [inline("a", b"2")], parent=parent).status_code == 412


def at_once(tries: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of `work`, run by that many threads that start together."""
    barrier = threading.Barrier(tries)

    def run(i: int) -> Any:
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(tries) as pool:
        return list(pool.map(run, range(tries)))


def test_commits_at_once_without_a_parent_all_land(app: Flask, client: FlaskClient, alice: dict[str, str]) -> None:
    def work(i: int) -> int:
        return commit(app.test_client(), alice, REPO, [inline(f"f{i}", b"%d" % i)]).status_code

    assert at_once(8, work) == [200] * 8
    assert paths(client) == {f"f{i}" for i in range(8)}
    assert len(log(client)) == 9


def test_of_commits_at_once_on_one_parent_one_wins(app: Flask, client: FlaskClient, alice: dict[str, str]) -> None:
    parent = head(client)

    def work(i: int) -> int:
        return commit(app.test_client(), alice, REPO, [inline(f"f{i}", b"%d" % i)], parent=parent).status_code

    assert sorted(at_once(6, work)) == [200] + [412] * 5
    assert len(log(client)) == 2
    assert len(paths(client)) == 1


def test_a_commit_that_lost_the_race_leaves_nothing(
    registry: Registry, client: FlaskClient, alice: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's commit lands between the look at the head and the write, once."""
    swap, make = history.swap_ref, commits.commit_object
    lost = iter([True])
    numbers = itertools.count()

    def swap_but_first_lose(*arguments: Any) -> bool:
        return not next(lost, False) and swap(*arguments)

    def numbered(*, message: str, **rest: Any) -> Any:  # else both tries of one second make the same commit
        return make(message=f"{message}{next(numbers)}", **rest)

    monkeypatch.setattr(history, "swap_ref", swap_but_first_lose)
    monkeypatch.setattr(commits, "commit_object", numbered)
    assert commit(client, alice, REPO, [inline("a", b"1")]).status_code == 200
    assert next(numbers) == 2
    with registry.engine.read() as tx:
        made = {row["oid"].hex() for row in tx.execute("select oid from git_objects where type = 1")}
    assert made == set(log(client))


def test_a_repo_that_goes_away_meanwhile_takes_no_commit(
    registry: Registry, client: FlaskClient, alice: dict[str, str]
) -> None:
    def operations() -> Iterator[InlineFile]:
        yield InlineFile(RepoPath("a"), b"1")
        assert client.delete("/api/repos/delete", json={"name": REPO}, headers=alice).status_code == 200

    caller = accounts.authenticate(registry, alice["Authorization"].removeprefix("Bearer "))
    with pytest.raises(NotFound):
        commits.commit(registry, caller, "model", RepoId(REPO), Revision("main"), Message("x"), operations())


# What is refused, and leaves nothing


BAD_PATHS = ["../evil", "a/../../evil", "a/./b", "a//b", "/etc/passwd", "a\\b", "..\\evil", ".git/config", "s/.GIT/x"]
BAD_PATHS += ["a\nb", "a\0b", "a\x7f", "", ".", "..", "C:evil", "x" * 256, "d/" * 600 + "f"]


@pytest.mark.parametrize("operation", [lambda path: inline(path, b"x"), delete, delete_folder])
def test_paths_that_could_leave_the_repo_are_refused(
    client: FlaskClient, alice: dict[str, str], operation: Callable[[str], Any]
) -> None:
    for path in BAD_PATHS:
        answer = commit(client, alice, REPO, [operation(path)])
        assert (answer.status_code, answer.json["code"]) == (422, "invalid_path"), path
    assert len(log(client)) == 1


@pytest.mark.parametrize(
    "revision", ["nope", "v1", "0" * 40, "refs%2Fheads%2Fnope", "refs%2Ftags%2Fv1", "refs%2Fpr%2F1"]
)
def test_commits_go_to_branches_that_exist(client: FlaskClient, alice: dict[str, str], revision: str) -> None:
    client.post(f"/api/models/{REPO}/tag/main", json={"tag": "v1"}, headers=alice)
    answer = commit(client, alice, REPO, [inline("a", b"x")], revision=revision)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound")


def test_another_branch_moves_alone(client: FlaskClient, alice: dict[str, str]) -> None:
    client.post(f"/api/models/{REPO}/branch/dev%2F1", json={}, headers=alice)
    before = head(client)
    answer = commit(client, alice, REPO, [inline("a", b"x")], revision="dev%2F1")
    assert answer.status_code == 200
    assert head(client) == before
    assert paths(client, "dev%2F1") == {"a"}
    assert paths(client, "refs%2Fheads%2Fdev%2F1") == {"a"}


def test_bytes_that_were_not_uploaded_are_refused(client: FlaskClient, alice: dict[str, str]) -> None:
    before = head(client)
    answer = commit(client, alice, REPO, [inline("a", b"a"), large("w.safetensors", "1" * 64, 10)])
    assert answer.status_code == 400
    assert "w.safetensors" in answer.json["error"]
    assert head(client) == before


def test_a_large_file_with_another_size_is_refused(client: FlaskClient, alice: dict[str, str]) -> None:
    digest = upload(client, alice, REPO, b"weights")
    assert commit(client, alice, REPO, [large("w.bin", digest, 8)]).status_code == 400
    assert commit(client, alice, REPO, [large("w.bin", digest, 7)]).status_code == 200


def test_an_empty_large_file_is_kept(client: FlaskClient, alice: dict[str, str]) -> None:
    digest = upload(client, alice, REPO, b"")
    assert commit(client, alice, REPO, [large("w.bin", digest, 0)]).status_code == 200
    answer = client.get(f"/{REPO}/resolve/main/w.bin")
    assert (answer.status_code, answer.data, answer.headers["X-Linked-Size"]) == (200, b"", "0")


# Cards


def card_bytes(**changes: Any) -> bytes:
    return json.dumps(minimal_card(**changes)).encode()


def card_of(files: dict[str, bytes]) -> bytes:
    described = [
        {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for path, data in files.items()
    ]
    return card_bytes(subject={"files": described})


def status(client: FlaskClient, revision: str = "main") -> str:
    return str(client.get(f"/api/registry/v1/repos/models/{REPO}/revision/{revision}").json["footprint_status"])


def test_a_faulty_card_is_refused_with_all_its_faults(client: FlaskClient, alice: dict[str, str]) -> None:
    before = head(client)
    faulty = card_bytes(created_at="yesterday", phases=[], surprise=1)
    answer = commit(client, alice, REPO, [inline("a.txt", b"a"), inline("footprint.json", faulty)])
    assert answer.status_code == 400
    assert answer.json["code"] == "invalid_card"
    faults = "\n".join(answer.json["faults"])
    assert all(word in faults for word in ("surprise", "created_at", "phases")), faults
    assert head(client) == before
    assert client.get(f"/{REPO}/resolve/main/a.txt").status_code == 404


@pytest.mark.parametrize("card", [b"", b"{", b"[]", b"null", b"\xff", b'{"a": NaN}', b"[" * 10_000, b'{"a":"\\ud800"}'])
def test_a_card_that_is_no_json_object_is_refused(client: FlaskClient, alice: dict[str, str], card: bytes) -> None:
    answer = commit(client, alice, REPO, [inline("footprint.json", card)])
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_card")


def test_the_card_status_follows_the_files(client: FlaskClient, alice: dict[str, str]) -> None:
    weights = b"weights"
    card = card_of({"model.safetensors": weights})
    assert status(client) == "none"
    first = push(client, alice, REPO, {"footprint.json": card})
    assert status(client) == "incomplete"
    second = push(client, alice, REPO, {"model.safetensors": weights})
    assert status(client) == "complete"
    third = push(client, alice, REPO, {"model.safetensors": b"other"})
    assert status(client) == "mismatch"
    commit(client, alice, REPO, [delete("footprint.json")])
    assert status(client) == "none"
    assert [status(client, revision) for revision in (first, second, third)] == ["incomplete", "complete", "mismatch"]


def test_find_sees_the_card_of_main_only(client: FlaskClient, alice: dict[str, str]) -> None:
    client.post(f"/api/models/{REPO}/branch/dev", json={}, headers=alice)
    commit(client, alice, REPO, [inline("footprint.json", card_bytes())], revision="dev")
    (item,) = client.get("/api/registry/v1/find").json["items"]
    assert (item["footprint_status"], item["energy_kwh"]) == ("none", None)
    commit(client, alice, REPO, [inline("footprint.json", card_bytes())])
    (item,) = client.get("/api/registry/v1/find").json["items"]
    assert item["footprint_status"] == "incomplete"
    assert item["duration_seconds"] == 60


def test_a_card_that_came_as_a_large_file_is_no_card_when_it_is_faulty(
    client: FlaskClient, alice: dict[str, str]
) -> None:
    digest = upload(client, alice, REPO, b"{}")
    assert commit(client, alice, REPO, [large("footprint.json", digest, 2)]).status_code == 200
    assert status(client) == "none"


# Bodies


def raw_commit(client: FlaskClient, headers: dict[str, str], body: bytes) -> Any:
    return client.post(f"/api/models/{REPO}/commit/main", data=body, headers=headers)


def line(key: str, **value: Any) -> bytes:
    return json.dumps({"key": key, "value": value}).encode() + b"\n"


HEADER = line("header", summary="s", description="")

BAD_BODIES = {
    "nothing": b"",
    "only newlines": b"\n\n\n",
    "no json": b"hello\n",
    "no header": line("file", path="a", content="YQ==", encoding="base64"),
    "two headers": HEADER + HEADER,
    "header is a list": b"[]\n",
    "header without summary": line("header", description=""),
    "summary is a number": line("header", summary=1),
    "unknown key": HEADER + line("rename", path="a"),
    "key with a newline": HEADER + line("x\r\ny", path="a"),
    "no value": HEADER + b'{"key":"file"}\n',
    "value is null": HEADER + b'{"key":"file","value":null}\n',
    "no path": HEADER + line("file", content="YQ=="),
    "path is a lone surrogate": HEADER + line("file", path="\ud800", content="YQ=="),
    "path is a number": HEADER + line("file", path=1, content="YQ=="),
    "content is no base64": HEADER + line("file", path="a", content="a$b="),
    "content is cut base64": HEADER + line("file", path="a", content="YQ="),
    "content is not ascii": HEADER + line("file", path="a", content="ä"),
    "unknown encoding": HEADER + line("file", path="a", content="YQ==", encoding="hex"),
    "content is a lone surrogate": HEADER + line("file", path="a", content="\ud800", encoding="utf-8"),
    "oid is short": HEADER + line("lfsFile", path="a", algo="sha256", oid="12"),
    "oid is upper case": HEADER + line("lfsFile", path="a", algo="sha256", oid="A" * 64),
    "unknown algorithm": HEADER + line("lfsFile", path="a", algo="md5", oid="1" * 64),
    "size is a text": HEADER + line("lfsFile", path="a", oid="1" * 64, size="7"),
    "size is huge": HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"%s","size":1%s}}\n' % (b"1" * 64, b"0" * 99),
    "size has 5000 digits": HEADER
    + b'{"key":"lfsFile","value":{"path":"a","oid":"%s","size":%s}}' % (b"1" * 64, b"9" * 5000),
    "utf-16": HEADER + '{"key":"file"}'.encode("utf-16"),
    "not utf-8": HEADER + b'{"key":"\xff"}\n',
    "deep": HEADER + b"[" * 100_000 + b"\n",
    "cut in the middle": HEADER + line("file", path="a", content="YQ==")[:-9],
    "nan": HEADER + b'{"key":"lfsFile","value":{"path":"a","oid":"%s","size":NaN}}' % (b"1" * 64),
}


def test_a_malformed_body_is_a_bad_request(client: FlaskClient, alice: dict[str, str]) -> None:
    for what, body in BAD_BODIES.items():
        answer = raw_commit(client, alice, body)
        assert (what, answer.status_code) == (what, 400)
        assert answer.json["error"], what
    assert len(log(client)) == 1


def test_blank_lines_and_carriage_returns_are_nothing(client: FlaskClient, alice: dict[str, str]) -> None:
    body = b"\n" + HEADER.replace(b"\n", b"\r\n") + b"\r\n" + line("file", path="a", content="YQ==")
    assert raw_commit(client, alice, body).status_code == 200


def test_plain_text_may_be_sent_as_it_is(client: FlaskClient, alice: dict[str, str]) -> None:
    raw_commit(client, alice, HEADER + line("file", path="a", content="ä", encoding="utf-8"))
    assert content(client, "a") == "ä".encode()


GOOD = HEADER + b"".join(
    [
        line("file", path="a/b", content=base64.b64encode(b"hello").decode(), encoding="base64"),
        line("lfsFile", path="w", algo="sha256", oid="1" * 64, size=3),
        line("deletedFile", path="x"),
        line("deletedFolder", path="y/"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good body with a few bytes cut out, put in or repeated."""
    body = GOOD
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        stop = min(len(body), start + draw(st.integers(0, 30)))
        noise = draw(
            st.one_of(
                st.binary(max_size=6), st.sampled_from([b"\n", b'"', b"{", b"null", b"-1e999", b"\\ud800", b"\\u0000"])
            )
        )
        body = body[:start] + noise + body[stop:]
    return body


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutated())
@example(b"\xef\xbb\xbf" + GOOD)
def test_no_mutated_body_is_a_fault_of_ours(client: FlaskClient, alice: dict[str, str], body: bytes) -> None:
    answer = raw_commit(client, alice, body)
    assert answer.status_code in (200, 400, 404, 422), answer.text


def test_25_001_operations_are_refused(client: FlaskClient, alice: dict[str, str]) -> None:
    body = HEADER + b"".join(line("file", path=f"f{i}", content="") for i in range(25_001))
    answer = raw_commit(client, alice, body)
    assert answer.status_code == 400
    assert "25000" in answer.json["error"]
    assert len(log(client)) == 1


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 20
            yield b"x" * (1 << 20)

    tracemalloc.start()
    try:
        with pytest.raises(Invalid, match="32 MiB"):
            list(read_lines(endless()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sent <= 34 << 20
    assert peak < 80 << 20


@given(st.lists(st.binary(max_size=20)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_body_is_cut(parts: list[bytes], size: int) -> None:
    body = b"\n".join(parts)
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    assert list(read_lines(pieces)) == [part for part in body.split(b"\n") if part.strip()]


# A push in steps


def test_what_is_stored_is_not_asked_for_again(client: FlaskClient, alice: dict[str, str]) -> None:
    upload(client, alice, REPO, b"weights")
    answer = batch(client, alice, REPO, hashlib.sha256(b"weights").hexdigest(), 7).get_json(force=True)
    assert "actions" not in answer["objects"][0]


def test_preupload_tells_how_each_file_travels(client: FlaskClient, alice: dict[str, str]) -> None:
    push(client, alice, REPO, {"a.txt": b"a", "w.safetensors": b"w"})
    files = [
        {"path": "a.txt", "size": 1, "sample": "YQ=="},
        {"path": "w.safetensors", "size": 1, "sample": "dw=="},
        {"path": "new.txt", "size": 10_000_001, "sample": "YQ=="},
        {"path": "nul", "size": 2, "sample": base64.b64encode(b"a\0").decode()},
        {"path": "latin1", "size": 9, "sample": base64.b64encode("größe".encode("latin-1") * 2).decode()},
        {"path": "cut", "size": 9, "sample": base64.b64encode("ä".encode()[:1]).decode()},
        {"path": "skip.log", "size": 1, "sample": ""},
    ]
    answer = client.post(
        f"/api/models/{REPO}/preupload/main", json={"files": files, "gitIgnore": "*.log\n"}, headers=alice
    ).json
    assert answer["commitOid"] == head(client)
    told = {file["path"]: (file["uploadMode"], file["shouldIgnore"], file.get("oid")) for file in answer["files"]}
    assert told == {
        "a.txt": ("regular", False, git_id(b"a")),
        "w.safetensors": ("lfs", False, hashlib.sha256(b"w").hexdigest()),
        "new.txt": ("lfs", False, None),
        "nul": ("lfs", False, None),
        "latin1": ("lfs", False, None),
        "cut": ("regular", False, None),
        "skip.log": ("regular", True, None),
    }


@pytest.mark.parametrize("sample", ["ä", "a$", "YQ="])
def test_a_sample_that_is_no_base64_is_a_bad_request(client: FlaskClient, alice: dict[str, str], sample: str) -> None:
    body = {"files": [{"path": "a", "size": 1, "sample": sample}]}
    assert client.post(f"/api/models/{REPO}/preupload/main", json=body, headers=alice).status_code == 400


def test_a_deleted_repo_takes_no_commit_and_a_new_one_starts_empty(client: FlaskClient, alice: dict[str, str]) -> None:
    old = push(client, alice, REPO, {"a": b"1", "w.bin": b"w"})
    assert client.delete("/api/repos/delete", json={"name": REPO}, headers=alice).status_code == 200
    assert commit(client, alice, REPO, [inline("a", b"x")]).status_code == 404
    create(client, alice, REPO)
    assert paths(client) == set()
    assert client.get(f"/api/models/{REPO}/revision/{old}").status_code == 404


def test_the_log_knows_author_and_words(client: FlaskClient, alice: dict[str, str]) -> None:
    commit(client, alice, REPO, [inline("a", b"x")], title="  First line\nsecond")
    entry = client.get(f"/api/models/{REPO}/commits/main").json[0]
    assert entry["title"] == "First line"
    assert entry["authors"][0]["user"] == "alice"
