"""More of the Hub protocol by raw HTTP: moving, duplicating, pull requests, squashing, lists, overviews."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.server.pushing import let_publish, push
from tests.server.test_safety import BODIES, addresses_of_a_repo, shown
from tests.server.wire import commit, create, inline, large

from registry_server.app import app_of
from registry_server.usecases import accounts, downloads
from registry_server.usecases.context import Registry

Token = Callable[[str], dict[str, str]]
Headers = dict[str, str]

WEIGHTS = safetensors_bytes([0.5, 1.0])
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def move(client: FlaskClient, headers: Headers, old: str, new: str, kind: str = "model") -> Any:
    body = {"fromRepo": old, "toRepo": new, "type": kind}
    return client.post("/api/repos/move", json=body, headers=headers)


# -- moving


def test_a_moved_repo_keeps_everything(client: FlaskClient, alice: Headers) -> None:
    made = push(client, alice, "alice/old", {"w.safetensors": WEIGHTS, "README.md": b"---\ntags: [zebra]\n---\n"})
    client.post("/api/models/alice/old/tag/main", json={"tag": "v1"}, headers=alice)
    assert move(client, alice, "alice/old", "alice/New").status_code == 200
    info = client.get("/api/models/alice/new").json
    assert (info["id"], info["sha"], info["tags"]) == ("alice/New", made, ["zebra"])
    assert client.get("/alice/New/resolve/v1/w.safetensors").data == WEIGHTS
    assert [item["id"] for item in client.get("/api/models").json] == ["alice/New"]
    assert [item["id"] for item in client.get("/api/registry/v1/find?q=New").json["items"]] == ["alice/New"]
    assert client.get("/api/registry/v1/find?q=old").json["items"] == []


@pytest.mark.parametrize(
    ("method", "address", "location"),
    [
        ("GET", "/api/models/alice/old?expand=sha", "/api/models/alice/new?expand=sha"),
        ("GET", "/api/models/alice/OLD/revision/main", "/api/models/alice/new/revision/main"),
        (
            "GET",
            "/api/models/alice/old/tree/main/sub?recursive=true",
            "/api/models/alice/new/tree/main/sub?recursive=true",
        ),
        ("GET", "/api/models/alice/old/tree/refs%2Fheads%2Fmain", "/api/models/alice/new/tree/refs%2Fheads%2Fmain"),
        ("GET", "/alice/old/resolve/main/a%20b.txt", "/alice/new/resolve/main/a%20b.txt"),
        ("HEAD", "/alice/old/resolve/main/old/alice/old", "/alice/new/resolve/main/old/alice/old"),
        (
            "POST",
            "/api/models/alice/old/preupload/main?create_pr=1",
            "/api/models/alice/new/preupload/main?create_pr=1",
        ),
        ("POST", "/alice/old.git/info/lfs/objects/batch", "/alice/new.git/info/lfs/objects/batch"),
        ("POST", "/api/models/alice/old/commit/main", "/api/models/alice/new/commit/main"),
        ("GET", "/api/registry/v1/repos/models/alice/old", "/api/registry/v1/repos/models/alice/new"),
        ("GET", "/alice/old", "/alice/new"),
    ],
)
def test_the_old_name_leads_to_the_new_one(
    client: FlaskClient, alice: Headers, method: str, address: str, location: str
) -> None:
    create(client, alice, "alice/old")
    move(client, alice, "alice/old", "alice/new")
    bodies = {"batch": BODIES[4], "commit": BODIES[2], "preupload": BODIES[6]}
    data = next((body for part, body in bodies.items() if f"/{part}" in address), b"")
    answer = client.open(address, method=method, data=data, headers=alice)
    assert (answer.status_code, answer.headers["Location"]) == (307, location)


def test_names_lead_on_through_several_moves_and_back(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/a")
    for old, new in (("alice/a", "alice/b"), ("alice/b", "alice/c")):
        assert move(client, alice, old, new).status_code == 200
    for name in ("a", "b"):
        assert client.get(f"/api/models/alice/{name}").headers["Location"] == "/api/models/alice/c"
    assert move(client, alice, "alice/c", "alice/a").status_code == 200
    assert client.get("/api/models/alice/a").json["id"] == "alice/a"
    assert client.get("/api/models/alice/c").headers["Location"] == "/api/models/alice/a"
    assert move(client, alice, "alice/a", "alice/A").status_code == 200
    assert client.get("/api/models/alice/a").json["id"] == "alice/A"


def test_a_new_repo_takes_an_old_name(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/old")
    move(client, alice, "alice/old", "alice/new")
    push(client, alice, "alice/old", {"a": b"again"})
    assert client.get("/api/models/alice/old").json["id"] == "alice/old"
    assert client.get("/alice/old/resolve/main/a").data == b"again"


def test_deleting_by_an_old_name_deletes_nothing(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/old")
    move(client, alice, "alice/old", "alice/new")
    answer = client.delete("/api/repos/delete", json={"name": "alice/old"}, headers=alice)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RepoNotFound")
    assert client.get("/api/models/alice/new").status_code == 200
    client.delete("/api/repos/delete", json={"name": "alice/new"}, headers=alice)
    assert client.get("/api/models/alice/old").status_code == 401


def test_moving_needs_rights_on_both_sides_and_a_free_name(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    accounts.add_organisation(registry, "team", [("alice", "write")])
    for name in ("alice/m", "alice/taken", "bob/m"):
        create(client, bob if name.startswith("bob") else alice, name)
    taken = move(client, alice, "alice/m", "alice/taken")
    assert (taken.status_code, taken.json["error"]) == (409, "A model repository called alice/taken already exists")
    assert move(client, alice, "alice/m", "bob/n").status_code == 403
    assert move(client, bob, "alice/m", "bob/n").status_code == 403
    assert move(client, {}, "alice/m", "alice/n").status_code == 401
    assert move(client, alice, "alice/nope", "alice/n").status_code == 404
    assert move(client, alice, "alice/m", "nobody/n").status_code == 403
    assert move(client, alice, "alice/m", "team/m").status_code == 200
    assert client.get("/api/models/team/m").json["author"] == "team"
    assert move(client, alice, "team/m", "alice/m").status_code == 403  # writes to the team, does not manage it


def test_nobody_learns_of_a_private_repo_by_its_old_name(
    app: Flask, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    made = push(client, alice, "alice/old", {"a.txt": b"a"}, private=True)
    move(client, alice, "alice/old", "alice/secret")
    pairs = zip(addresses_of_a_repo(app, "alice/old", made), addresses_of_a_repo(app, "alice/xyz", made), strict=True)
    for (method, address), (_, other) in pairs:
        for body in BODIES[:3] if method in ("POST", "PUT", "DELETE") else [b""]:
            for headers in ({}, bob):
                here = client.open(address, method=method, data=body, headers=headers)
                there = client.open(other, method=method, data=body, headers=headers)
                assert shown(here, "alice/old") == shown(there, "alice/xyz"), (method, address)
    assert client.get("/api/models/alice/old", headers=alice).status_code == 307


def test_a_private_repo_under_an_old_name_does_not_end_the_redirect_of_strangers(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    create(client, alice, "alice/old")
    move(client, alice, "alice/old", "alice/new")
    before = client.get("/api/models/alice/old", headers=bob)
    create(client, alice, "alice/old", private=True)
    after = client.get("/api/models/alice/old", headers=bob)
    assert shown(after, "alice/old") == shown(before, "alice/old")
    assert client.get("/api/models/alice/old", headers=alice).json["private"] is True


# -- pull requests


def propose(client: FlaskClient, headers: Headers, repo: str, operations: list[dict[str, Any]], **more: Any) -> Any:
    return commit(client, headers, repo, operations, revision="main?create_pr=1", **more)


def titles(client: FlaskClient, repo: str, revision: str) -> list[str]:
    return [entry["title"] for entry in client.get(f"/api/models/{repo}/commits/{revision}").json]


def test_whoever_reads_a_repo_may_propose_a_change(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    made = push(client, alice, "alice/m", {"a.txt": b"a"})
    answer = propose(client, bob, "alice/m", [inline("a.txt", b"better")], title="Better")
    assert answer.status_code == 200, answer.text
    assert answer.json["pullRequestUrl"].endswith("/alice/m/discussions/1")
    assert "/commit/" in answer.json["commitUrl"]
    pull = "refs%2Fpr%2F1"
    assert client.get("/api/models/alice/m").json["sha"] == made
    assert client.get(f"/api/models/alice/m/revision/{pull}").json["sha"] == answer.json["commitOid"]
    assert client.get(f"/alice/m/resolve/{pull}/a.txt").data == b"better"
    assert client.get("/alice/m/resolve/main/a.txt").data == b"a"
    assert titles(client, "alice/m", pull) == ["Better", "Push", "initial commit"]
    assert client.get(f"/api/models/alice/m/tree/{pull}?expand=true").json[-1]["lastCommit"]["title"] == "Better"
    assert client.post(f"/api/models/alice/m/paths-info/{pull}", json={"paths": ["a.txt"]}).json[0]["size"] == 6
    refs = client.get("/api/models/alice/m/refs?include_prs=1").json
    assert refs["pullRequests"] == [{"name": "1", "ref": "refs/pr/1", "targetCommit": answer.json["commitOid"]}]
    assert "pullRequests" not in client.get("/api/models/alice/m/refs").json
    second = propose(client, alice, "alice/m", [inline("b.txt", b"b")])
    assert second.json["pullRequestUrl"].endswith("/discussions/2")


def test_who_may_add_to_a_pull_request(client: FlaskClient, alice: Headers, bob: Headers, token: Token) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    propose(client, bob, "alice/m", [inline("a.txt", b"1")])
    answers = {
        name: commit(client, headers, "alice/m", [inline(f"{name}.txt", b"x")], revision="refs%2Fpr%2F1").status_code
        for name, headers in {"bob": bob, "alice": alice, "carol": token("carol"), "": {}}.items()
    }
    assert answers == {"bob": 200, "alice": 200, "carol": 403, "": 401}
    assert commit(client, alice, "alice/m", [inline("x", b"x")], revision="refs%2Fpr%2F7").status_code == 404
    assert commit(client, bob, "alice/m", [inline("x", b"x")], revision="refs%2Fpr%2F7").status_code == 403
    assert commit(client, bob, "alice/m", [inline("x", b"x")]).status_code == 403
    assert client.post("/api/models/alice/m/branch/refs%2Fpr%2F9", json={}, headers=alice).status_code == 400


def test_proposing_needs_a_token_that_writes_and_a_branch(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    made = push(client, alice, "alice/m", {"a.txt": b"a"})
    push(client, alice, "alice/secret", {"a.txt": b"a"}, private=True)
    reading = {"Authorization": f"Bearer {accounts.add_user(registry, 'bob', token_role='read')}"}
    change = [inline("a.txt", b"1")]
    assert propose(client, {}, "alice/m", change).status_code == 401
    assert propose(client, reading, "alice/m", change).status_code == 403
    assert propose(client, bob, "alice/secret", change).status_code == 404
    for revision in ("nope", made, "refs%2Fpr%2F1"):
        answer = commit(client, bob, "alice/m", change, revision=f"{revision}?create_pr=1")
        assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound"), revision
    assert propose(client, bob, "alice/m", change, parent="0" * 40).status_code == 412
    assert client.get("/api/models/alice/m/refs?include_prs=1").json["pullRequests"] == []


def test_large_files_travel_to_a_pull_request(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    create(client, alice, "alice/m")
    announced = {"files": [{"path": "w.safetensors", "size": len(WEIGHTS), "sample": ""}]}
    asked = client.post("/api/models/alice/m/preupload/main?create_pr=1", json=announced, headers=bob)
    assert asked.json["files"][0]["uploadMode"] == "lfs"
    assert client.post("/api/models/alice/m/preupload/main", json=announced, headers=bob).status_code == 403
    objects = {"operation": "upload", "objects": [{"oid": DIGEST, "size": len(WEIGHTS)}]}
    granted = client.post("/alice/m.git/info/lfs/objects/batch", json=objects, headers=bob).get_json(force=True)
    assert client.put(granted["objects"][0]["actions"]["upload"]["href"], data=WEIGHTS).status_code == 200
    for_main = objects | {"ref": {"name": "main"}}
    assert client.post("/alice/m.git/info/lfs/objects/batch", json=for_main, headers=bob).status_code == 403
    assert propose(client, bob, "alice/m", [large("w.safetensors", DIGEST, len(WEIGHTS))]).status_code == 200
    assert client.get("/alice/m/resolve/refs%2Fpr%2F1/w.safetensors").data == WEIGHTS
    assert client.get("/api/models/alice/m/xet-write-token/main", headers=bob).status_code == 403
    for call in ("None?create_pr=1", "refs%2Fpr%2F1"):
        assert client.get(f"/api/models/alice/m/xet-write-token/{call}", headers=bob).status_code == 200, call
    assert client.get("/api/models/alice/m/xet-write-token/refs%2Fpr%2F2", headers=bob).status_code == 403


def test_a_pull_request_can_be_opened_before_its_commits(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    body = {"title": "  My change ", "description": "Why", "pullRequest": True}
    assert client.post("/api/models/alice/m/discussions", json=body, headers=bob).json["num"] == 1
    commit(client, bob, "alice/m", [inline("a.txt", b"1")], revision="refs%2Fpr%2F1", title="First")
    commit(client, bob, "alice/m", [inline("a.txt", b"2")], revision="refs%2Fpr%2F1", title="Second")
    detail = client.get("/api/models/alice/m/discussions/1?diff=1").json
    assert (detail["title"], detail["status"], detail["author"]["name"]) == ("My change", "draft", "bob")
    assert detail["changes"] == {"base": "refs/heads/main"}
    events = [(event["type"], event["data"].get("subject")) for event in detail["events"]]
    assert events == [("comment", None), ("commit", "First"), ("commit", "Second")]
    assert detail["events"][0]["data"]["latest"]["raw"] == "Why"
    propose(client, alice, "alice/m", [inline("b", b"b")], title="Another")
    listing = "/api/models/alice/m/discussions"
    assert [item["title"] for item in client.get(listing).json["discussions"]] == ["Another", "My change"]
    assert client.get(f"{listing}?author=bob").json["count"] == 1
    assert client.get(f"{listing}?status=closed").json["discussions"] == []
    assert client.get(f"{listing}?type=discussion").json["count"] == 0
    assert client.get(f"{listing}?p=1").json == {"discussions": [], "count": 2, "start": 50}
    assert client.get(f"{listing}/9").status_code == 404
    assert client.get("/alice/m/discussions/1", follow_redirects=True).status_code == 200


def test_other_discussions_are_not_offered(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    body = {"title": "A question", "description": "?", "pullRequest": False}
    answer = client.post("/api/models/alice/m/discussions", json=body, headers=alice)
    assert answer.status_code == 501
    short = {"title": " x ", "pullRequest": True}
    assert client.post("/api/models/alice/m/discussions", json=short, headers=alice).status_code == 400


def test_a_proposal_takes_nothing_that_its_author_may_not_name(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    push(client, alice, "alice/secret", {"w.safetensors": WEIGHTS}, private=True)
    push(client, alice, "alice/m", {"a.txt": b"a"})
    assert propose(client, bob, "alice/m", [large("w.safetensors", DIGEST, len(WEIGHTS))]).status_code == 400


# -- copies


def test_a_duplicate_has_the_files_of_main_in_one_commit(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    files = {"w.safetensors": WEIGHTS, "s/a.txt": b"a" * 300_000, "README.md": b"---\ntags: [zebra]\n---\n"}
    push(client, alice, "alice/m", files)
    commit(client, alice, "alice/m", [inline("b.txt", b"b")])
    body = {"repository": "bob/copy"}
    answer = client.post("/api/models/alice/m/duplicate", json=body, headers=bob)
    assert (answer.status_code, answer.json["filesCopyPending"]) == (200, False)
    assert answer.json["url"].endswith("/bob/copy")
    assert titles(client, "bob/copy", "main") == ["Duplicate from alice/m"]
    for path, content in {**files, "b.txt": b"b"}.items():
        assert client.get(f"/bob/copy/resolve/main/{path}").data == content
    assert client.get("/api/models/bob/copy").json["tags"] == ["zebra"]
    client.delete("/api/repos/delete", json={"name": "alice/m"}, headers=alice)
    assert client.get("/bob/copy/resolve/main/w.safetensors").data == WEIGHTS
    assert client.get("/bob/copy/resolve/main/s/a.txt").data == files["s/a.txt"]
    again = commit(client, bob, "bob/copy", [inline("c.txt", b"c")])
    assert again.status_code == 200


def test_a_duplicate_is_as_private_as_its_source_unless_told(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"a": b"a"}, private=True)
    for name, more, private in (
        ("c", {}, True),
        ("d", {"visibility": "public"}, False),
        ("e", {"private": True}, True),
    ):
        client.post("/api/models/alice/m/duplicate", json={"repository": f"alice/{name}", **more}, headers=alice)
        assert client.get(f"/api/models/alice/{name}", headers=alice).json["private"] is private


def test_who_may_duplicate_what(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/secret", {"w.safetensors": WEIGHTS}, private=True)
    push(client, alice, "alice/m", {"a": b"a"})
    create(client, bob, "bob/taken")

    def duplicate(source: str, target: str, headers: Headers) -> Any:
        return client.post(f"/api/models/{source}/duplicate", json={"repository": target}, headers=headers)

    assert duplicate("alice/secret", "bob/copy", bob).headers["X-Error-Code"] == "RepoNotFound"
    assert duplicate("alice/m", "alice/copy", bob).status_code == 403
    assert duplicate("alice/m", "bob/copy", {}).status_code == 401
    taken = duplicate("alice/m", "bob/taken", bob)
    assert (taken.status_code, taken.json["url"].rpartition("/")[2]) == (409, "taken")
    assert client.get("/api/models/bob/copy", headers=bob).status_code == 404


def copy(client: FlaskClient, headers: Headers, source: str, target: str, digest: str = DIGEST) -> Any:
    body = {
        "target": {"type": "model", "name": target},
        "files": [{"xetHash": "0" * 64, "sha256": digest, "filename": "w"}],
    }
    return client.post(f"/api/models/{source}/lfs-files/duplicate", json=body, headers=headers)


def test_large_files_are_copied_between_repos_without_their_bytes(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    push(client, alice, "alice/m", {"w.safetensors": WEIGHTS})
    create(client, bob, "bob/m")
    assert copy(client, bob, "alice/m", "bob/m").json == {"failed": []}
    client.put("/api/models/alice/m/settings", json={"private": True}, headers=alice)
    assert commit(client, bob, "bob/m", [large("w.safetensors", DIGEST)]).status_code == 200
    assert client.get("/bob/m/resolve/main/w.safetensors").data == WEIGHTS


def test_a_copy_by_digest_brings_nothing_foreign(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/secret", {"w.safetensors": WEIGHTS}, private=True)
    create(client, bob, "bob/m")
    assert copy(client, bob, "alice/secret", "bob/m").headers["X-Error-Code"] == "RepoNotFound"
    known, unknown = (copy(client, bob, "bob/m", "bob/m", digest) for digest in (DIGEST, "1" * 64))
    assert known.text.replace(DIGEST, "…") == unknown.text.replace("1" * 64, "…")
    assert [item["sha256"] for item in known.json["failed"]] == [DIGEST]
    assert commit(client, bob, "bob/m", [large("w.safetensors", DIGEST, len(WEIGHTS))]).status_code == 400
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{DIGEST}\nsize {len(WEIGHTS)}\n".encode()
    push(client, bob, "bob/m", {"w.txt": pointer})
    answer = client.post("/api/models/bob/m/duplicate", json={"repository": "bob/copy"}, headers=bob)
    assert answer.status_code == 200
    assert client.get("/bob/copy/resolve/main/w.txt").data == pointer
    assert copy(client, bob, "bob/copy", "bob/m").json["failed"]


# -- giving up history


def test_a_squashed_branch_is_one_commit(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    for number in range(3):
        push(client, alice, "alice/m", {f"{number}.txt": b"x", "w.safetensors": WEIGHTS})
    before = client.get("/api/models/alice/m/tree/main").json
    client.post("/api/models/alice/m/branch/dev", json={}, headers=alice)
    api = "/api/models/alice/m/super-squash"
    assert client.post(f"{api}/main", json={"message": "One"}, headers=bob).status_code == 403
    assert client.post(f"{api}/nope", json={}, headers=alice).headers["X-Error-Code"] == "RevisionNotFound"
    assert client.post(f"{api}/main", json={"message": "One\nand more"}, headers=alice).status_code == 200
    assert titles(client, "alice/m", "main") == ["One"]
    assert len(titles(client, "alice/m", "dev")) == 4
    assert client.get("/api/models/alice/m/tree/main").json == before
    last = client.get("/api/models/alice/m/tree/main?expand=true").json
    assert {item["lastCommit"]["title"] for item in last} == {"One"}
    assert client.get("/api/models/alice/m").json["sha"] == client.get("/api/models/alice/m/commits/main").json[0]["id"]
    assert commit(client, alice, "alice/m", [inline("a", b"a")]).status_code == 200


def test_large_files_of_all_history_are_listed(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/m", {"sub/w.safetensors": WEIGHTS, "a.txt": b"x" * 300_000})
    other = safetensors_bytes([2.0])
    push(client, alice, "alice/m", {"sub/w.safetensors": other})
    files = {file["fileOid"]: file for file in client.get("/api/models/alice/m/lfs-files", headers=alice).json}
    assert {oid: (file["filename"], file["ref"], file["size"]) for oid, file in files.items()} == {
        DIGEST: ("w.safetensors", None, len(WEIGHTS)),
        hashlib.sha256(other).hexdigest(): ("sub/w.safetensors", "refs/heads/main", len(other)),
    }
    assert client.get("/api/models/alice/m/lfs-files", headers=bob).status_code == 403
    assert client.get(f"/api/models/alice/m/lfs-files?cursor={'f' * 64}", headers=alice).json == []


def delete_large(client: FlaskClient, headers: Headers, *, rewrite: bool) -> int:
    body = {"deletions": {"sha": [DIGEST, "1" * 64], "rewriteHistory": rewrite}}
    return client.post("/api/models/alice/m/lfs-files/batch", json=body, headers=headers).status_code


def test_a_large_file_is_taken_out_of_the_history(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/m", {"a.txt": b"x" * 300_000, "keep/b": b"b"})
    first = client.get("/api/models/alice/m").json["sha"]
    old = push(client, alice, "alice/m", {"sub/w.safetensors": WEIGHTS, "c": b"c"})
    client.post("/api/models/alice/m/tag/main", json={"tag": "v1", "message": "First"}, headers=alice)
    let_publish(client, alice)
    client.post("/api/registry/v1/repos/models/alice/m/publish/main", headers=alice)
    commit(client, alice, "alice/m", [inline("d", b"d")], title="Last")
    assert delete_large(client, bob, rewrite=True) == 403
    assert delete_large(client, alice, rewrite=True) == 200
    assert titles(client, "alice/m", "main") == ["Last", "Push", "Push", "initial commit"]
    for revision in ("main", "v1"):
        paths = {item["path"] for item in client.get(f"/api/models/alice/m/tree/{revision}?recursive=true").json}
        assert paths - {"d"} == {".gitattributes", "a.txt", "keep", "keep/b", "c"}
    assert client.get(f"/api/models/alice/m/revision/{first}").status_code == 200
    assert client.get(f"/api/models/alice/m/revision/{old}").headers["X-Error-Code"] == "RevisionNotFound"
    published = client.get("/api/registry/v1/repos/models/alice/m").json["published_commit_id"]
    assert published == client.get("/api/models/alice/m/revision/v1").json["sha"]
    assert client.get("/api/models/alice/m/lfs-files", headers=alice).json == []
    assert client.get("/alice/m/resolve/main/a.txt").data == b"x" * 300_000
    last = {
        item["path"]: item["lastCommit"]["title"] for item in client.get("/api/models/alice/m/tree/main?expand=1").json
    }
    assert (last["c"], last["d"]) == ("Push", "Last")
    assert delete_large(client, alice, rewrite=True) == 200  # nothing left to do
    # Its owner may put it back.
    push(client, alice, "alice/m", {"w.safetensors": WEIGHTS})
    assert client.get("/alice/m/resolve/main/w.safetensors").data == WEIGHTS


def test_without_rewriting_a_pointer_is_left(client: FlaskClient, alice: Headers) -> None:
    made = push(client, alice, "alice/m", {"w.safetensors": WEIGHTS})
    assert delete_large(client, alice, rewrite=False) == 200
    assert client.get("/api/models/alice/m").json["sha"] == made
    assert client.get("/alice/m/resolve/main/w.safetensors").data.startswith(b"version https://git-lfs")


# -- reading more


def test_raw_answers_with_what_stands_in_git(client: FlaskClient, alice: Headers) -> None:
    made = push(client, alice, "alice/m", {"w.safetensors": WEIGHTS, "a.txt": b"small"})
    pointer = client.get("/alice/m/raw/main/w.safetensors")
    assert pointer.text.split("\n")[1] == f"oid sha256:{DIGEST}"
    assert pointer.headers["X-Repo-Commit"] == made
    assert pointer.headers["Content-Type"] == "application/octet-stream"
    assert client.get("/alice/m/raw/main/a.txt", headers={"Range": "bytes=1-2"}).data == b"ma"
    assert client.head("/alice/m/raw/main/a.txt").headers["Content-Length"] == "5"
    assert client.get("/alice/m/raw/main/nope").headers["X-Error-Code"] == "EntryNotFound"


def test_headers_of_shards_come_at_once(client: FlaskClient, alice: Headers) -> None:
    weight_map = {"a": "one.safetensors", "b": "two.safetensors"}
    index = {"metadata": {"total_size": 12}, "weight_map": weight_map}
    other = safetensors_bytes([1.0])
    files = {"x/one.safetensors": WEIGHTS, "x/two.safetensors": other, "x/index.json": json.dumps(index).encode()}
    push(client, alice, "alice/m", {**files, "x/no.json": b"[]", "x/lost.json": b'{"weight_map": {"a": "../../x"}}'})
    api = "/api/models/alice/m/safetensors-metadata"
    answer = client.get(f"{api}/x/index.json").json
    assert answer["index"] == {"metadata": {"total_size": 12}}
    assert set(answer["headers"]) == set(weight_map.values())
    for path, data in (("one.safetensors", WEIGHTS), ("two.safetensors", other)):
        length = int.from_bytes(data[:8], "little")
        assert answer["headers"][path] == json.loads(data[8 : 8 + length])
    assert list(client.get(f"{api}/x/one.safetensors").json["headers"]) == ["x/one.safetensors"]
    for path, status in (("x/no.json", 400), ("x/lost.json", 400), ("x/nope.json", 404), ("x/w.safetensors", 404)):
        assert client.get(f"{api}/{path}").status_code == status, path


def test_an_account_is_told_of_with_what_the_caller_sees(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    accounts.add_organisation(registry, "team", [("alice", "admin")])
    create(client, alice, "alice/m")
    create(client, alice, "alice/secret", private=True)
    create(client, alice, "team/data", kind="dataset")
    assert client.get("/api/users/ALICE/overview", headers=bob).json["numModels"] == 1
    assert client.get("/api/users/alice/overview", headers=alice).json["numModels"] == 2
    overview = client.get("/api/organizations/team/overview").json
    assert (overview["name"], overview["numUsers"], overview["numDatasets"]) == ("team", 1, 1)
    for address in ("users/team", "users/nobody", "organizations/alice"):
        assert client.get(f"/api/{address}/overview").status_code == 404
    members = "/api/organizations/team/members"
    assert [user["user"] for user in client.get(members, headers=alice).json] == ["alice"]
    assert (client.get(members, headers=bob).status_code, client.get(members).status_code) == (403, 401)


def test_ones_own_repos_with_their_sizes(registry: Registry, client: FlaskClient, alice: Headers, bob: Headers) -> None:
    accounts.add_organisation(registry, "team", [("alice", "read")])
    push(client, alice, "alice/m", {"w.safetensors": WEIGHTS}, private=True)
    (found,) = client.get("/api/settings/repositories", headers=alice).json
    assert (found["id"], found["type"], found["visibility"]) == ("alice/m", "model", "private")
    assert len(WEIGHTS) < found["storage"] == client.get("/api/models/alice/m", headers=alice).json["usedStorage"]
    assert client.get("/api/settings/repositories", headers=bob).json == []
    assert client.get("/api/settings/repositories").status_code == 401
    assert client.get("/api/organizations/team/settings/repositories", headers=alice).json == []
    assert client.get("/api/organizations/team/settings/repositories", headers=bob).status_code == 403
    assert client.get("/api/organizations/nope/settings/repositories", headers=bob).status_code == 404


def test_tags_by_what_they_mean(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    head = b"---\nlicense: mit\nlibrary_name: peft\npipeline_tag: text-generation\ntags: [zebra]\nlanguage: en\n---\n"
    push(client, alice, "alice/m", {"README.md": head}, private=True)
    found = client.get("/api/models-tags-by-type", headers=alice).json
    assert {sort: [tag["id"] for tag in tags] for sort, tags in found.items()} == {
        "license": ["license:mit"],
        "library": ["peft"],
        "pipeline_tag": ["text-generation"],
        "other": ["en", "zebra"],
    }
    assert found["license"] == [{"id": "license:mit", "label": "mit", "type": "license"}]
    assert list(client.get("/api/models-tags-by-type?type=library", headers=alice).json) == ["library"]
    assert client.get("/api/models-tags-by-type", headers=bob).json == {}


# -- lists


def names(client: FlaskClient, query: str, kind: str = "models") -> list[str]:
    answer = client.get(f"/api/{kind}?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json]


def test_filters_that_say_where_models_run_match_nothing_here(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    for query in ("apps=vllm", "inference=warm", "inference_provider=x"):
        assert names(client, query) == [], query
    assert names(client, "gated=false") == ["alice/m"]


def test_data_sets_are_found_by_prefixed_tags(client: FlaskClient, alice: Headers) -> None:
    head = b"---\nlanguage: [en, de]\nlicense: mit\ntask_categories: [text-classification]\n"
    head += b"size_categories: 1K<n<10K\n---\n"
    push(client, alice, "alice/d", {"README.md": head}, kind="dataset")
    push(client, alice, "alice/m", {"README.md": head})
    for tag in ("language:en", "license:mit", "task_categories:text-classification", "size_categories:1K%3Cn%3C10K"):
        assert names(client, f"filter={tag}", "datasets") == ["alice/d"], tag
    assert names(client, "filter=language:en&filter=language:fr", "datasets") == []
    assert names(client, "filter=en&filter=license:mit") == ["alice/m"]


def test_a_full_list_has_files_and_a_config(client: FlaskClient, alice: Headers) -> None:
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 3}
    made = push(client, alice, "alice/m", {"config.json": json.dumps(config).encode()})
    push(client, alice, "alice/odd", {"config.json": b"[" * 100_000})
    listing = {item["id"]: item for item in client.get("/api/models?full=True&config=True").json}
    found = listing["alice/m"]
    assert found["sha"] == made
    assert [file["rfilename"] for file in found["siblings"]] == [".gitattributes", "config.json"]
    assert found["config"] == {"architectures": ["BertModel"], "model_type": "bert"}
    assert "config" not in listing["alice/odd"]
    (plain,) = client.get("/api/models?search=alice/m").json
    assert not {"siblings", "config", "sha", "cardData", "usedStorage"} & plain.keys()
    (used,) = client.get("/api/models?search=alice/m&expand=usedStorage&expand=downloadsAllTime").json
    assert used.keys() == {"_id", "id", "usedStorage", "downloadsAllTime"}
    assert client.get("/api/models/alice/m").json["config"]["model_type"] == "bert"


def test_costly_lists_come_in_smaller_pages(client: FlaskClient, alice: Headers, monkeypatch: Any) -> None:
    from registry_server.routes.hub import info

    monkeypatch.setattr(info, "_COSTLY_PAGE", 2)
    for number in range(3):
        create(client, alice, f"alice/m{number}")
    answer = client.get("/api/models?full=true&limit=10")
    assert len(answer.json) == 2
    assert "cursor=2" in answer.headers["Link"]
    assert len(client.get("/api/models?limit=10").json) == 3


def test_downloads_are_counted(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"w.safetensors": WEIGHTS, "a.txt": b"abc"})
    create(client, alice, "alice/other")
    file, weights = "/alice/m/resolve/main/a.txt", "/alice/m/resolve/main/w.safetensors"
    etag = client.get(file).headers["ETag"]  # 1
    client.get(file, headers={"Range": "bytes=0-1"})  # 2
    client.get(weights)  # 3
    client.get(weights, headers={"Range": "bytes=0-100000"})  # 4: all of it
    for headers in ({"Range": "bytes=1-"}, {"If-None-Match": etag}):
        client.get(file, headers=headers)
    client.get(weights, headers={"Range": "bytes=0-7"})  # a look at the header
    client.head(file)
    assert client.get("/alice/m/resolve/main/nope").status_code == 404
    assert client.get("/api/models/alice/m").json["downloads"] == 0  # not written yet
    downloads.write(registry)
    downloads.write(registry)
    info = client.get("/api/models/alice/m").json
    assert info["downloads"] == 4
    assert names(client, "sort=downloads") == ["alice/m", "alice/other"]
    assert client.get("/api/models?expand=downloads&search=alice/m").json[0]["downloads"] == 4


def test_downloads_wait_while_the_catalog_cannot_take_them(registry: Registry, monkeypatch: Any) -> None:
    from registry_core.errors import StorageFull

    def full(*_: Any) -> None:
        raise StorageFull("full")

    registry.downloads.add(1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(downloads.repos, "add_downloads", full)
        downloads.write(registry)
    assert registry.downloads.take() == {1: 2}


def test_waiting_downloads_are_written_at_the_end(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/m", {"a.txt": b"abc"})
    client.get("/alice/m/resolve/main/a.txt")
    stop = threading.Event()
    stop.set()
    downloads.keep_writing(registry, stop)
    assert client.get("/api/models/alice/m").json["downloads"] == 1


# -- settings


def test_visibility_changes_by_the_old_and_the_new_word(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m")
    api = "/api/models/alice/m"
    for body, private in (
        ({"private": True}, True),
        ({"visibility": "public"}, False),
        ({"visibility": "private"}, True),
    ):
        assert client.put(f"{api}/settings", json=body, headers=alice).json["private"] is private
        assert client.get(api, headers=alice).json["private"] is private
    ignored = {"private": False, "description": "x", "discussionsDisabled": True, "gated": False}
    assert client.put(f"{api}/settings", json=ignored, headers=alice).json == {"private": False, "gated": False}
    wrong = client.put(f"{api}/settings", json={"gated": "sometimes"}, headers=alice)
    assert wrong.status_code == 400


# -- what is not offered


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("POST", "/api/models/alice/m/discussions/1/comment", 501),
        ("POST", "/api/models/alice/m/discussions/1/merge", 501),
        ("POST", "/api/models/alice/m/discussions/1/comment/abc/edit", 501),
        ("POST", "/api/models/alice/m/like", 501),
        ("DELETE", "/api/models/alice/m/like", 501),
        ("GET", "/api/models/alice/m/likers", 501),
        ("GET", "/api/datasets/alice/m/leaderboard", 501),
        ("GET", "/api/users/alice/likes", 501),
        ("GET", "/api/users/alice/followers", 501),
        ("GET", "/api/organizations/team/followers", 501),
        ("GET", "/api/collections", 501),
        ("POST", "/api/collections", 501),
        ("GET", "/api/collections/alice/abc-123", 501),
        ("GET", "/api/settings/webhooks", 501),
        ("GET", "/api/papers/search?q=x", 501),
        ("GET", "/api/daily_papers", 501),
        ("GET", "/api/tasks", 501),
        ("POST", "/api/jobs/alice", 501),
        ("GET", "/api/scheduled-jobs/alice", 501),
        ("GET", "/api/buckets/alice", 501),
        ("POST", "/api/buckets/alice/b", 501),
        ("GET", "/api/spaces", 501),
        ("GET", "/api/kernels", 501),
        ("GET", "/api/spaces/alice/s", 404),
        ("GET", "/api/kernels/alice/k/refs", 404),
        ("POST", "/api/spaces/alice/s/restart", 501),
        ("DELETE", "/api/spaces/alice/s/secrets", 501),
        ("POST", "/oauth/device", 501),
        ("POST", "/oauth/token", 501),
        ("GET", "/alice/m.git/info/refs?service=git-upload-pack", 501),
        ("POST", "/alice/m.git/git-upload-pack", 501),
        ("POST", "/alice/m.git/git-receive-pack", 501),
        ("GET", "/datasets/alice/m.git/info/refs?service=git-upload-pack", 501),
        ("GET", "/api/whatever", 404),
    ],
)
def test_what_is_not_offered_says_so(
    client: FlaskClient, alice: Headers, method: str, address: str, status: int
) -> None:
    create(client, alice, "alice/m")
    answer = client.open(address, method=method, headers=alice)
    assert answer.status_code == status, answer.text
    assert answer.json["error"]
    if status == 501:
        assert answer.headers["X-Error-Message"] == answer.json["error"]
        absent = address.replace("alice/m", "alice/absent")
        assert client.open(absent, method=method, headers=alice).text == answer.text


# -- very large files in parts


@pytest.fixture
def parted(registry: Registry) -> FlaskClient:
    """A client of a server for which 40 bytes are a very large file, and 16 a part."""
    small = dataclasses.replace(registry.settings, multipart_bytes=40, part_bytes=16)
    return app_of(dataclasses.replace(registry, settings=small)).test_client()


def announce(client: FlaskClient, headers: Headers, data: bytes, *transfers: str) -> dict[str, Any]:
    objects = [{"oid": hashlib.sha256(data).hexdigest(), "size": len(data)}]
    body = {"operation": "upload", "objects": objects, "transfers": list(transfers), "ref": {"name": "main"}}
    answer = client.post("/alice/m.git/info/lfs/objects/batch", json=body, headers=headers)
    return dict(answer.get_json(force=True))


def send_parts(client: FlaskClient, upload_action: dict[str, Any], data: bytes) -> None:
    size = int(upload_action["header"]["chunk_size"])
    for number in range(-(-len(data) // size)):
        part = data[number * size : (number + 1) * size]
        sent = client.put(upload_action["header"][str(number + 1)], data=part)
        assert sent.status_code == 200, sent.text
        assert sent.headers["ETag"].startswith('"')


def parts_kept(registry: Registry) -> int:
    return len([key for key in list(registry.blobs.keys()) if key.startswith("part/")])


def test_a_very_large_file_is_sent_in_parts(registry: Registry, parted: FlaskClient, alice: Headers) -> None:
    create(parted, alice, "alice/m")
    data = bytes(range(50))
    answer = announce(parted, alice, data, "basic", "multipart", "xet")
    assert answer["transfer"] == "multipart"
    actions = answer["objects"][0]["actions"]
    assert set(actions["upload"]["header"]) == {"chunk_size", "1", "2", "3", "4"}
    assert parted.post(actions["upload"]["href"]).status_code == 400
    send_parts(parted, actions["upload"], data)
    assert parts_kept(registry) == 4
    assert parted.post(actions["verify"]["href"]).status_code == 404
    assert parted.post(actions["upload"]["href"], json={"oid": "x", "parts": []}).status_code == 200
    assert parted.post(actions["verify"]["href"]).status_code == 200
    assert parts_kept(registry) == 0
    assert commit(parted, alice, "alice/m", [large("w.bin", hashlib.sha256(data).hexdigest(), 50)]).status_code == 200
    assert parted.get("/alice/m/resolve/main/w.bin").data == data
    assert "actions" not in announce(parted, alice, data, "multipart")["objects"][0]


def test_parts_are_offered_only_to_who_can_and_for_what_is_large(parted: FlaskClient, alice: Headers) -> None:
    create(parted, alice, "alice/m")
    for data, transfers in ((bytes(50), ["basic"]), (bytes(40), ["basic", "multipart"])):
        answer = announce(parted, alice, data, *transfers)
        assert answer["transfer"] == "basic"
        assert "header" not in answer["objects"][0]["actions"]["upload"]


def test_only_the_announced_bytes_are_put_together(registry: Registry, parted: FlaskClient, alice: Headers) -> None:
    create(parted, alice, "alice/m")
    data = bytes(range(50))
    actions = announce(parted, alice, data, "multipart")["objects"][0]["actions"]
    header = actions["upload"]["header"]
    for content in (b"", data[:15], data[:17]):
        assert parted.put(header["1"], data=content).status_code == 400
    send_parts(parted, actions["upload"], data[::-1])
    answer = parted.post(actions["upload"]["href"])
    assert (answer.status_code, answer.json["code"]) == (400, "digest_differs")
    assert parted.post(actions["verify"]["href"]).status_code == 404
    for call, signed in (("upload", header["1"]), ("part", actions["upload"]["href"]), ("complete", header["1"])):
        address = f"/lfs/{call}/{signed.rpartition('/')[2]}"
        method = "POST" if call == "complete" else "PUT"
        assert parted.open(address, method=method, data=data).status_code == 403, call
    send_parts(parted, actions["upload"], data)
    assert parted.post(actions["upload"]["href"]).status_code == 200


def test_abandoned_parts_are_freed(registry: Registry, parted: FlaskClient, alice: Headers) -> None:
    from registry_server.usecases.collecting import collect

    create(parted, alice, "alice/m")
    actions = announce(parted, alice, bytes(50), "multipart")["objects"][0]["actions"]
    send_parts(parted, actions["upload"], bytes(50))
    collect(registry)
    assert parts_kept(registry) == 4
    later = dataclasses.replace(registry, now=lambda: datetime.now(UTC) + timedelta(days=3))
    collect(later)
    assert parts_kept(registry) == 0
