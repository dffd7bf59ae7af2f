"""What nobody may reach: foreign bytes, hidden repos, other people's rights; and requests made to break us."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.core.cards import minimal_card
from tests.server.pushing import push
from tests.server.reusing import add_key, envelope_of, state
from tests.server.wire import batch, commit, create, inline, large, upload
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from registry_core.ids import RESERVED_OWNERS
from registry_core.policy.waivers import PAYLOAD_TYPE, Waiver, waiver_bytes
from registry_core.signing import sign_statement
from registry_server.app import app_of
from registry_server.settings import UPLOAD_GRACE_SECONDS
from registry_server.usecases import accounts
from registry_server.usecases.context import Registry

SECRET = b"weights that only alice has " * 9
SAFETENSORS = safetensors_bytes([0.5, 1.0])
DIGEST = hashlib.sha256(SECRET).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{DIGEST}\nsize {len(SECRET)}\n".encode()

Token = Callable[[str], dict[str, str]]
Headers = dict[str, str]


@pytest.fixture
def mallory(token: Token) -> Headers:
    return token("mallory")


@pytest.fixture
def secret(client: FlaskClient, alice: Headers) -> str:
    """A private repo of alice's with a branch, a tag, a card and weights, and one of a data set with the same name."""
    files = {"model.safetensors": SAFETENSORS, "w.bin": SECRET, "a.txt": b"hello", "sub/b": b""}
    files["footprint.json"] = json.dumps(minimal_card()).encode()
    files["README.md"] = b"---\ntags: [zebra]\n---\n# quagga\n"
    push(client, alice, "alice/secret", files, kind="dataset", private=True)
    made = push(client, alice, "alice/secret", files, private=True)
    for call in ("branch/dev", "tag/main"):
        body = {"tag": "v1"}
        assert client.post(f"/api/models/alice/secret/{call}", json=body, headers=alice).status_code == 200
    assert client.put("/api/models/alice/secret/settings", json={"gated": "manual"}, headers=alice).status_code == 200
    assert client.post("/api/models/alice/secret/ask-access", headers=alice).json["status"] == "pending"
    pull = {"title": "A change", "pullRequest": True}
    assert client.post("/api/models/alice/secret/discussions", json=pull, headers=alice).json["num"] == 1
    return made


@pytest.fixture
def bodies(registry: Registry, client: FlaskClient, alice: Headers, secret: str) -> list[bytes]:
    """What is sent everywhere, and a statement of reuse about the private repo, which alice has made already."""
    pair = add_key(registry, "alice")
    state(client, alice, pair, "alice/secret", secret, organisation="alice")
    said = envelope_of(client, pair, "alice/secret", secret, alice, organisation="alice")
    waiver = Waiver("MEA-01", "No counter here, and so on.", "alice", "2999-01-01T00:00:00Z", repo="alice/secret")
    envelope = sign_statement(PAYLOAD_TYPE, waiver_bytes(waiver), pair.private_pem).decode()
    fields = {name: value for name, value in vars(waiver).items() if value is not None}
    return [*BODIES, json.dumps(said).encode(), json.dumps({**fields, "signature": envelope}).encode()]


# Knowing a digest grants nothing


def test_the_digest_of_foreign_bytes_brings_nothing(
    client: FlaskClient, alice: Headers, mallory: Headers, secret: str
) -> None:
    create(client, mallory, "mallory/thief")
    # The batch asks for the bytes instead of saying that they are there …
    (item,) = batch(client, mallory, "mallory/thief", DIGEST, len(SECRET)).get_json(force=True)["objects"]
    assert "upload" in item["actions"]
    # … a commit refuses them, with and without the size …
    for size in (len(SECRET), None):
        answer = commit(client, mallory, "mallory/thief", [large("w.safetensors", DIGEST, size)])
        assert answer.status_code == 400
    # … as it refuses bytes that nobody has, word for word …
    unknown = commit(client, mallory, "mallory/thief", [large("w.safetensors", "1" * 64, len(SECRET))])
    known = commit(client, mallory, "mallory/thief", [large("w.safetensors", DIGEST, len(SECRET))])
    assert unknown.text.replace("1" * 12, "…") == known.text.replace(DIGEST[:12], "…")
    # … and there is nothing to fetch.
    (item,) = batch(client, mallory, "mallory/thief", DIGEST, len(SECRET), "download").get_json(force=True)["objects"]
    assert item["error"]["code"] == 404


def test_verify_tells_nobody_that_foreign_bytes_are_here(client: FlaskClient, mallory: Headers, secret: str) -> None:
    create(client, mallory, "mallory/thief")
    answers = []
    for digest in (DIGEST, "1" * 64):
        (item,) = batch(client, mallory, "mallory/thief", digest, len(SECRET)).get_json(force=True)["objects"]
        answers.append(client.post(item["actions"]["verify"]["href"], json={"oid": digest, "size": len(SECRET)}))
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text


def test_the_text_of_a_foreign_pointer_comes_back_as_text(client: FlaskClient, mallory: Headers, secret: str) -> None:
    push(client, mallory, "mallory/thief", {"pointer.txt": POINTER})
    answer = client.get("/mallory/thief/resolve/main/pointer.txt")
    assert answer.data == POINTER
    (item,) = client.post("/api/models/mallory/thief/paths-info/main", json={"paths": ["pointer.txt"]}).json
    assert "lfs" not in item
    assert item["size"] == len(POINTER)
    manifest = client.get("/api/registry/v1/repos/models/mallory/thief/manifest/main").json
    assert DIGEST not in {file["digest"] for file in manifest["files"]}
    assert client.get("/api/models/mallory/thief?blobs=true").json["usedStorage"] < 5000


def test_the_text_of_a_pointer_grants_no_copy(client: FlaskClient, mallory: Headers, secret: str) -> None:
    push(client, mallory, "mallory/thief", {"pointer.txt": POINTER})
    assert commit(client, mallory, "mallory/thief", [large("w", DIGEST, len(SECRET))]).status_code == 400
    (item,) = batch(client, mallory, "mallory/thief", DIGEST, 1, "download").get_json(force=True)["objects"]
    assert "error" in item


def test_whoever_has_the_bytes_may_send_them_too(client: FlaskClient, mallory: Headers, secret: str) -> None:
    push(client, mallory, "mallory/own", {"w.safetensors": SECRET})
    assert client.get("/mallory/own/resolve/main/w.safetensors").data == SECRET


def test_readable_bytes_need_not_be_sent_again(client: FlaskClient, alice: Headers, mallory: Headers) -> None:
    push(client, alice, "alice/open", {"w.safetensors": SECRET})
    create(client, mallory, "mallory/copy")
    (item,) = batch(client, mallory, "mallory/copy", DIGEST, len(SECRET)).get_json(force=True)["objects"]
    assert "actions" not in item
    assert commit(client, mallory, "mallory/copy", [large("w", DIGEST, len(SECRET))]).status_code == 200


def test_bytes_of_a_repo_that_was_hidden_meanwhile_are_foreign_again(
    client: FlaskClient, alice: Headers, mallory: Headers
) -> None:
    push(client, alice, "alice/open", {"w.safetensors": SECRET})
    create(client, mallory, "mallory/copy")
    client.put("/api/models/alice/open/settings", json={"private": True}, headers=alice)
    assert commit(client, mallory, "mallory/copy", [large("w", DIGEST, len(SECRET))]).status_code == 400


def test_an_upload_of_long_ago_is_no_proof_any_more(registry: Registry, alice: Headers) -> None:
    client = app_of(registry).test_client()
    create(client, alice, "alice/m")
    upload(client, alice, "alice/m", SECRET)
    later = Registry(
        registry.engine,
        registry.blobs,
        registry.settings,
        lambda: datetime.now(UTC) + timedelta(seconds=UPLOAD_GRACE_SECONDS + 60),
    )
    afterwards = app_of(later).test_client()
    assert commit(afterwards, alice, "alice/m", [large("w", DIGEST, len(SECRET))]).status_code == 400
    assert commit(client, alice, "alice/m", [large("w", DIGEST, len(SECRET))]).status_code == 200


# Signed addresses


@pytest.fixture
def actions(client: FlaskClient, alice: Headers) -> dict[str, str]:
    """The addresses of an upload that was announced and not made."""
    create(client, alice, "alice/m")
    (item,) = batch(client, alice, "alice/m", DIGEST, len(SECRET)).get_json(force=True)["objects"]
    return {name: action["href"] for name, action in item["actions"].items()}


def test_only_the_announced_bytes_are_taken(client: FlaskClient, actions: dict[str, str]) -> None:
    for data in (b"", SECRET[:-1], SECRET + b"x", b"y" + SECRET[1:]):
        answer = client.put(actions["upload"], data=data)
        assert (answer.status_code, answer.json["code"]) == (400, "digest_differs")
    assert client.post(actions["verify"]).status_code == 404
    assert client.put(actions["upload"], data=SECRET).status_code == 200
    assert client.post(actions["verify"]).status_code == 200


def test_addresses_that_were_changed_do_not_work(client: FlaskClient, actions: dict[str, str]) -> None:
    path, _, signed = actions["upload"].rpartition("/")
    payload, _, signature = signed.partition(".")
    changed = base64.urlsafe_b64encode(json.dumps(["upload", 1, 1, "1" * 64, 3]).encode()).decode().rstrip("=")
    for token in (f"{changed}.{signature}", signed[:-1], f"{payload}..", "x", f".{signed}", "%00", "ä" * 9):
        assert client.put(f"{path}/{token}", data=SECRET).status_code == 403, token


def test_addresses_work_in_one_direction_only(client: FlaskClient, alice: Headers, actions: dict[str, str]) -> None:
    signed = {name: href.rpartition("/")[2] for name, href in actions.items()}
    client.put(actions["upload"], data=SECRET)
    commit(client, alice, "alice/m", [large("w", DIGEST, len(SECRET))])
    (item,) = batch(client, alice, "alice/m", DIGEST, len(SECRET), "download").get_json(force=True)["objects"]
    signed["download"] = item["actions"]["download"]["href"].rpartition("/")[2]
    calls = {"upload": client.put, "verify": client.post, "download": client.get}
    for kind, call in calls.items():
        for name, token in signed.items():
            answer = call(f"/lfs/{kind}/{token}", data=SECRET if kind == "upload" else None)
            assert answer.status_code == (200 if kind == name else 403), (kind, name)


def test_addresses_end_after_a_day(
    client: FlaskClient, actions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 24 * 3600 + 5)
    assert client.put(actions["upload"], data=SECRET).status_code == 403


def test_addresses_of_another_server_do_not_work(registry: Registry, actions: dict[str, str]) -> None:
    import dataclasses

    other = dataclasses.replace(registry, settings=dataclasses.replace(registry.settings, secret_key="other"))
    assert app_of(other).test_client().put(actions["upload"], data=SECRET).status_code == 403


# A hidden repo and an absent one are the same

REPORT = {
    **{"commit_id": "main", "task": "t", "dataset": "d", "split": "test", "metric": "accuracy", "claimed": 0.9},
    **{"observed": 0.9, "tolerance": 0.1, "n": 10, "verdict": "pass", "duration_seconds": 1.0},
    **{"energy_kwh": None, "energy_source": None},
}
WAIVER = {
    **{"rule": "EU-07", "reason": "r", "approver": "alice", "expires": "2099-01-01T00:00:00Z"},
    **{"repo": "alice/secret", "signature": "x"},
}
BODIES: list[bytes] = [
    b"",
    b"{}",
    b'{"key":"header","value":{"summary":"s"}}\n{"key":"file","value":{"path":"a","content":"","encoding":"base64"}}',
    json.dumps({"operation": "download", "objects": [{"oid": DIGEST, "size": len(SECRET)}]}).encode(),
    json.dumps({"operation": "upload", "objects": [{"oid": DIGEST, "size": len(SECRET)}]}).encode(),
    json.dumps({"paths": ["a.txt"]}).encode(),
    json.dumps({"files": [{"path": "a.txt", "size": 1, "sample": ""}]}).encode(),
    json.dumps({"tag": "new", "startingPoint": "main", "private": False, "visibility": "public"}).encode(),
    json.dumps(REPORT).encode(),
    json.dumps(WAIVER).encode(),
    json.dumps({"title": "A change", "pullRequest": True}).encode(),
    json.dumps({"user": "alice", "status": "rejected"}).encode(),
    json.dumps({"repository": "alice/copy"}).encode(),
    json.dumps({"target": {"name": "alice/copy", "type": "model"}, "files": [{"sha256": DIGEST}]}).encode(),
    json.dumps({"deletions": {"sha": [DIGEST], "rewriteHistory": True}}).encode(),
]
ARGUMENTS = {
    "kind": ["models", "datasets"],
    "kinds": ["models"],
    "branch": ["dev", "new"],
    "tag": ["v1"],
    "path": ["a.txt", "w.bin", "sub", "model.safetensors", "nope"],
    "write": ["write"],
    "number": ["1", "9"],
    "revision": ["main", "v1", "nope"],
    "scope": ["read", "write"],
    "group": ["like", "scan"],
    "service": ["git-upload-pack"],
    "standard": ["sci", "nope"],
    "status": ["pending"],
    "prefix": ["datasets"],
    "account": ["alice"],
    "owner": ["alice"],
}
"""What stands for the parts of an address; `main` for any other."""


def names_a_repo(rule: Rule) -> bool:
    return {"owner", "name"} <= rule.arguments or {"one", "two"} <= rule.arguments


def addresses_of_a_repo(app: Flask, repo: str, commit_id: str) -> Iterator[tuple[str, str]]:
    """Method and address of everything that the application offers for one repo."""
    for rule in filter(names_a_repo, app.url_map.iter_rules()):
        for address in _filled(rule, repo, commit_id):
            for method in _methods(rule):
                yield method, address


def _methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"OPTIONS"})


def _filled(rule: Rule, repo: str, commit_id: str) -> list[str]:
    owner, _, name = repo.partition("/")
    known = {**ARGUMENTS, "owner": [owner], "name": [name], "one": [owner], "two": [name]}
    known["revision"] = [*known["revision"], commit_id]
    filled = [""]
    for is_argument, part in rule._trace:
        if not is_argument:
            filled = [text + part for text in filled]
        elif part not in rule.arguments or part in (rule.defaults or {}):
            continue
        else:
            filled = [text + value for text in filled for value in known.get(part, ["main"])]
    return [text.partition("|")[2] for text in filled]


def shown(answer: TestResponse, repo: str) -> tuple[int, dict[str, str], str]:
    """The whole answer, without the name that was asked for."""
    name = repo.rpartition("/")[2]
    headers = {key: value.replace(name, "NAME") for key, value in answer.headers.items() if key != "Date"}
    return answer.status_code, headers, answer.text.replace(name, "NAME")


def test_a_hidden_repo_answers_like_an_absent_one_everywhere(
    app: Flask, client: FlaskClient, alice: Headers, mallory: Headers, secret: str, bodies: list[bytes]
) -> None:
    tried = 0
    hidden = list(addresses_of_a_repo(app, "alice/secret", secret))
    absent = list(addresses_of_a_repo(app, "alice/absent", secret))
    for (method, address), (_, other) in zip(hidden, absent, strict=True):
        for body in bodies if method in ("POST", "PUT", "DELETE") else [b""]:
            for headers in ({}, mallory):
                given = {**headers, "Content-Type": "application/json"}
                here = client.open(address, method=method, data=body, headers=given)
                there = client.open(other, method=method, data=body, headers=given)
                assert shown(here, "alice/secret") == shown(there, "alice/absent"), (method, address, body)
                tried += 1
    assert tried > 300
    # And it is all still there, as its owner sees.
    refs = client.get("/api/models/alice/secret/refs", headers=alice).json
    assert {ref["name"]: ref["targetCommit"] for ref in refs["branches"]} == {"main": secret, "dev": secret}
    assert [ref["name"] for ref in refs["tags"]] == ["v1"]
    assert client.get("/api/models/alice/secret", headers=alice).json["private"] is True


FOR_NOBODY = {
    "api.state": "takes a statement signed for this commit, which it reads once the repo is found",
    "api.waive": "takes a waiver signed by its approver, whose signature it reads once the repo is found",
    "hub.discussion_page": "there are no pages of discussions",
    "hub.nameless": "no repo has such a name",
    "hub.no_discussion": "there are none",
    "hub.no_git": "not offered",
    "hub.not_offered": "not offered",
    "lfs.locks": "not offered",
    "web.dataset_page": "pages show private repos to nobody",
    "web.model_page": "pages show private repos to nobody",
    "web.report_page": "pages show private repos to nobody",
}
"""Endpoints that answer the owner of a private repo no better than anybody, with what is sent here."""


def test_every_address_of_a_repo_is_tried_with_something_that_its_owner_finds(
    app: Flask, client: FlaskClient, alice: Headers, secret: str, bodies: list[bytes]
) -> None:
    """Else the comparison with an absent repo would compare one 404 with another for everybody.

    A new route fails here until ARGUMENTS and BODIES hold what its owner would send.
    """
    without = []
    for rule in sorted(filter(names_a_repo, app.url_map.iter_rules()), key=lambda rule: "GET" not in _methods(rule)):
        for method in () if rule.endpoint in FOR_NOBODY else sorted({*_methods(rule)} - {"HEAD"}):
            answers = (
                client.open(address, method=method, data=body, headers={**alice, "Content-Type": "application/json"})
                for address in _filled(rule, "alice/secret", secret)
                for body in (bodies if method != "GET" else [b""])
            )
            if not any(answer.status_code < 300 for answer in answers):
                without.append((method, rule.rule))
    assert without == []


QUERIES = [
    "",
    *("?model=alice/secret", "?repo=alice/secret", "?base_model=alice/secret", "?organisation=alice", "?author=alice"),
    *("?q=quagga", "?search=secret", "?tag=zebra", "?filter=zebra", "?task=image-classification"),
]
"""What an address that names no repo may be asked, so that a hidden one would be found."""

LOOKED_AT_ELSEWHERE = {
    "hub.create": "test_nobody_learns_by_creating_that_a_repo_is_there",
    "hub.delete": "test_nobody_learns_by_creating_that_a_repo_is_there",
}
"""Endpoints that say something else the second time they are asked."""


def test_every_other_address_says_the_same_with_and_without_a_hidden_repo(
    app: Flask, client: FlaskClient, alice: Headers, mallory: Headers, request: pytest.FixtureRequest
) -> None:
    def answers() -> dict[tuple[str, str, bytes, bool], tuple[int, dict[str, str], str]]:
        return {
            (method, address, body, bool(headers)): shown(
                client.open(address, method=method, data=body, headers={**headers, "Content-Type": "application/json"}),
                "alice/secret",
            )
            for rule in app.url_map.iter_rules()
            if not names_a_repo(rule) and rule.endpoint not in LOOKED_AT_ELSEWHERE
            for path in _filled(rule, "alice/secret", "0" * 40)
            for method in _methods(rule)
            for address in ([path + query for query in QUERIES] if method == "GET" else [path])
            for body in (BODIES if method in ("POST", "PUT", "DELETE") else [b""])
            for headers in ({}, mallory)
        }

    before = answers()
    request.getfixturevalue("bodies")
    assert answers() == before


@pytest.mark.parametrize(
    "address",
    [
        "/api/models",
        "/api/models?author=alice",
        "/api/models?search=secret",
        "/api/models?filter=zebra",
        "/api/models?full=true&cardData=true",
        "/api/registry/v1/find",
        "/api/registry/v1/find?q=quagga",
        "/api/registry/v1/find?q=secret",
        "/api/registry/v1/find?author=alice",
        "/api/registry/v1/find?tag=zebra",
        "/api/registry/v1/find?where=author=='alice'",
        "/api/registry/v1/find?where=duration_seconds>0&sort=energy",
        "/api/registry/v1/find?task=image-classification&sort=energy&pareto=",
        "/",
        "/models?author=alice",
        "/alice",
    ],
)
def test_lists_and_searches_do_not_know_a_hidden_repo(
    client: FlaskClient, alice: Headers, mallory: Headers, address: str, token: Token
) -> None:
    before = [client.get(address, headers=headers) for headers in ({}, mallory)]
    create(client, alice, "alice/secret", private=True)
    files = {"model.safetensors": SECRET, "footprint.json": json.dumps(minimal_card()).encode()}
    push(client, alice, "alice/secret", {**files, "README.md": b"---\ntags: [zebra]\n---\n# quagga\n"})
    after = [client.get(address, headers=headers) for headers in ({}, mallory)]
    assert [answer.text for answer in after] == [answer.text for answer in before]
    if address.startswith("/api/") and "pareto" not in address:
        assert "alice/secret" in client.get(address, headers=alice).text


def test_nobody_learns_by_creating_that_a_repo_is_there(client: FlaskClient, mallory: Headers, secret: str) -> None:
    for headers in ({}, mallory):
        answers = [
            client.post("/api/repos/create", json={"name": name, "organization": "alice"}, headers=headers)
            for name in ("secret", "absent")
        ]
        assert shown(answers[0], "alice/secret") == shown(answers[1], "alice/absent")
        answers = [
            client.delete("/api/repos/delete", json={"name": name, "organization": "alice"}, headers=headers)
            for name in ("secret", "absent")
        ]
        assert shown(answers[0], "alice/secret") == shown(answers[1], "alice/absent")
        assert answers[0].headers["X-Error-Code"] == "RepoNotFound"


def test_a_hidden_commit_is_not_found_through_another_repo(client: FlaskClient, mallory: Headers, secret: str) -> None:
    create(client, mallory, "mallory/own")
    for revision in (secret, secret[:10]):
        for call in (
            f"revision/{revision}",
            f"tree/{revision}",
            f"commits/{revision}",
            f"commits/main?cursor={revision}",
        ):
            answer = client.get(f"/api/models/mallory/own/{call}", headers=mallory)
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "RevisionNotFound"), call
    body = {"startingPoint": secret}
    assert client.post("/api/models/mallory/own/branch/x", json=body, headers=mallory).status_code == 404
    assert commit(client, mallory, "mallory/own", [inline("a", b"")], parent=secret).status_code == 412


def test_a_hidden_repo_is_open_to_its_owner_and_its_organisations_members(
    registry: Registry, client: FlaskClient, token: Token
) -> None:
    users = {name: token(name) for name in ("owner", "reader", "stranger")}
    accounts.add_organisation(registry, "team", [("owner", "admin"), ("reader", "read")])
    create(client, users["owner"], "team/hidden", private=True)
    seen = {name: client.get("/api/models/team/hidden", headers=who).status_code for name, who in users.items()}
    assert seen == {"owner": 200, "reader": 200, "stranger": 404}
    assert client.get("/api/models/team/hidden").status_code == 401
    listed = {name: len(client.get("/api/models", headers=who).json) for name, who in users.items()}
    assert listed == {"owner": 1, "reader": 1, "stranger": 0}


# Rights


def writes(client: FlaskClient, repo: str, headers: Headers) -> dict[str, int]:
    """What writing answers, from the least to the most."""
    api = f"/api/models/{repo}"
    preupload = {"files": [{"path": "a", "size": 1, "sample": ""}]}
    return {
        "auth-check": client.get(f"{api}/auth-check/write", headers=headers).status_code,
        "preupload": client.post(f"{api}/preupload/main", json=preupload, headers=headers).status_code,
        "batch": batch(client, headers, repo, "2" * 64, 3).status_code,
        "commit": commit(client, headers, repo, [inline("w.txt", repr(headers).encode())]).status_code,
        "branch": client.post(f"{api}/branch/{hash(str(headers)) % 10**9}", json={}, headers=headers).status_code,
        "tag": client.post(
            f"{api}/tag/main", json={"tag": str(hash(str(headers)) % 10**9)}, headers=headers
        ).status_code,
        "publish": client.post(f"/api/registry/v1/repos/models/{repo}/publish/main", headers=headers).status_code,
        "settings": client.put(f"{api}/settings", json={"private": False}, headers=headers).status_code,
    }


def test_what_each_role_may_do(registry: Registry, client: FlaskClient, token: Token) -> None:
    users = {name: token(name) for name in ("boss", "writer", "reader", "stranger")}
    members: Any = [("boss", "admin"), ("writer", "write"), ("reader", "read")]
    accounts.add_organisation(registry, "team", members)
    create(client, users["boss"], "team/model")
    answers = {name: writes(client, "team/model", headers) for name, headers in users.items()}
    assert set(answers["boss"].values()) == {200}
    assert answers["writer"] == {**dict.fromkeys(answers["boss"], 200), "settings": 403}
    assert set(answers["reader"].values()) == {403}
    assert set(answers["stranger"].values()) == {403}
    assert set(writes(client, "team/model", {}).values()) == {401}

    def deleted(name: str) -> int:
        return client.delete("/api/repos/delete", json={"name": "team/model"}, headers=users[name]).status_code

    assert [deleted(name) for name in ("stranger", "reader", "writer", "boss")] == [403, 403, 403, 200]
    made = {
        name: client.post("/api/repos/create", json={"name": f"team/{name}"}, headers=headers).status_code
        for name, headers in users.items()
    }
    assert made == {"boss": 200, "writer": 200, "reader": 403, "stranger": 403}


def test_a_token_that_may_read_cannot_write(registry: Registry, client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/m", private=True)
    reading = {"Authorization": f"Bearer {accounts.add_user(registry, 'alice', token_role='read')}"}
    assert client.get("/api/models/alice/m", headers=reading).status_code == 200
    assert set(writes(client, "alice/m", reading).values()) == {403}
    assert client.delete("/api/repos/delete", json={"name": "alice/m"}, headers=reading).status_code == 403
    assert client.post("/api/repos/create", json={"name": "n"}, headers=reading).status_code == 403
    report = {**REPORT, "commit_id": "main"}
    answer = client.post("/api/registry/v1/repos/models/alice/m/reruns", json=report, headers=reading)
    assert answer.status_code == 403


def test_nobody_takes_a_name_that_is_an_address_of_ours(client: FlaskClient, alice: Headers) -> None:
    for owner in [*sorted(RESERVED_OWNERS), "API", "Admin"]:
        answer = client.post("/api/repos/create", json={"name": "m", "organization": owner}, headers=alice)
        assert answer.status_code == 400, owner


def test_tokens_are_stored_as_digests_only(registry: Registry, client: FlaskClient, token: Token) -> None:
    headers = token("alice")
    accounts.ensure_admin(registry)
    create(client, headers, "alice/m")
    tokens = [headers["Authorization"].removeprefix("Bearer "), registry.settings.admin_token_path.read_text().strip()]
    kept = [path for path in registry.settings.data.rglob("*") if path.is_file() and path.name != "admin-token"]
    assert any(path.name == "catalog.sqlite3" for path in kept)
    content = b"".join(path.read_bytes() for path in kept)
    for text in tokens:
        assert hashlib.sha256(text.encode()).digest() in content
        assert text.encode() not in content
        assert text[3:].encode() not in content


def test_cookies_prove_nothing(registry: Registry, client: FlaskClient, alice: Headers, secret: str) -> None:
    token = alice["Authorization"].removeprefix("Bearer ")
    for name in ("session", "token", "Authorization", "access_token"):
        client.set_cookie(name, token)
    assert client.get("/api/whoami-v2").status_code == 401
    assert client.get("/api/models/alice/secret").status_code == 401
    assert commit(client, {}, "alice/secret", [inline("a", b"")]).status_code == 401
    assert client.get("/api/registry/v1/find").json["items"] == []
    assert client.get("/alice/secret/resolve/main/a.txt").status_code == 401


def test_no_answer_sets_a_cookie(client: FlaskClient, alice: Headers) -> None:
    for address in ("/", "/api/whoami-v2", "/api/models", "/healthz"):
        assert "Set-Cookie" not in client.get(address, headers=alice).headers


# User bytes are hostile

HOSTILE = {
    "evil.html": b"<!doctype html><script>alert(1)</script>",
    "evil.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "evil.js": b"alert(1)",
    "evil.xhtml": b"<html xmlns='http://www.w3.org/1999/xhtml'/>",
    "no-ending": b"<html><body onload=alert(1)>",
    "na\"me';.html": b"<script>",
    "evil.bin": b"<script>" * 99,
}


def test_no_browser_runs_what_users_bring(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/evil", HOSTILE)
    for path, content in HOSTILE.items():
        for headers in ({}, {"Range": "bytes=0-3"}, {"Accept": "text/html", "Sec-Fetch-Dest": "document"}):
            answer = client.get(f"/alice/evil/resolve/main/{quote(path)}", headers=headers)
            assert content.startswith(answer.data)
            assert answer.data
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert answer.headers.getlist("Content-Type") == ["application/octet-stream"]


def test_a_large_file_by_lfs_is_no_page_either(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/evil", {"evil.bin": b"<script>" * 99})
    digest = hashlib.sha256(b"<script>" * 99).hexdigest()
    (item,) = batch(client, alice, "alice/evil", digest, 792, "download").get_json(force=True)["objects"]
    answer = client.get(item["actions"]["download"]["href"])
    assert answer.data == b"<script>" * 99
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_every_answer_forbids_guessing(app: Flask, client: FlaskClient, alice: Headers, secret: str) -> None:
    for method, address in addresses_of_a_repo(app, "alice/secret", secret):
        if method == "GET":
            answer = client.get(address, headers=alice)
            assert answer.headers["X-Content-Type-Options"] == "nosniff", address


@pytest.mark.parametrize(
    "path",
    [
        "../../../catalog.sqlite3",
        "..%2f..%2f..%2fcatalog.sqlite3",
        "%2e%2e/%2e%2e/admin-token",
        "%2e%2e%2f%2e%2e%2fadmin-token",
        "..%5c..%5cadmin-token",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "a.txt%00.png",
        "a.txt/../../admin-token",
        ".git/config",
        "....//....//admin-token",
        "%c0%ae%c0%ae/admin-token",
        "%1f..%1fadmin-token",
    ],
)
@pytest.mark.parametrize("prefix", ["/alice/m/resolve/main/", "/api/models/alice/m/tree/main/", "/static/"])
def test_no_path_leads_out_of_the_repo(client: FlaskClient, alice: Headers, prefix: str, path: str) -> None:
    push(client, alice, "alice/m", {"a.txt": b"a"})
    answer = client.get(prefix + path)
    assert answer.status_code in (404, 308), answer.text  # 308: two slashes become one
    assert b"root:" not in answer.data
    assert b"SQLite" not in answer.data


def test_a_pattern_made_to_be_slow_is_not(client: FlaskClient, alice: Headers) -> None:
    slow = b"*a" * 12 + b"b filter=lfs\n" + b"**/a/" * 12 + b"b filter=lfs\n"
    push(client, alice, "alice/m", {".gitattributes": slow * 100})
    paths = ["a" * 200, "a/" * 150 + "c", "aaaa.txt"]
    body = {
        "files": [{"path": path, "size": 1, "sample": "YQ=="} for path in paths],
        "gitIgnore": ("*a" * 12 + "b\n" + "**/a/" * 12 + "b\n" + "[" * 99 + "\n") * 100,
    }
    import time

    started = time.monotonic()
    answer = client.post("/api/models/alice/m/preupload/main", json=body, headers=alice)
    assert answer.status_code == 200
    assert {file["uploadMode"] for file in answer.json["files"]} == {"regular"}
    assert time.monotonic() - started < 5
