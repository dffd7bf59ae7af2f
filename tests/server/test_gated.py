"""Gated repos: everybody sees what they are, and those whom the owner admits read their files."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.server.pushing import push
from tests.server.wire import batch, commit, create, large
from werkzeug.test import TestResponse

Headers = dict[str, str]

WEIGHTS = b"weights for those who are admitted " * 9
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def gate(client: FlaskClient, alice: Headers, gated: str | bool) -> None:
    answer = client.put("/api/models/alice/model/settings", json={"gated": gated}, headers=alice)
    assert answer.status_code == 200
    assert answer.json == {"private": False, "gated": gated}


@pytest.fixture
def model(client: FlaskClient, alice: Headers) -> None:
    """A model whose owner admits people one by one."""
    push(client, alice, "alice/model", {"w.safetensors": WEIGHTS, "a.txt": b"hello"})
    gate(client, alice, "manual")


def fetch(client: FlaskClient, headers: Headers | None = None) -> TestResponse:
    return client.get("/alice/model/resolve/main/w.safetensors", headers=headers)


def ask(client: FlaskClient, headers: Headers) -> Any:
    return client.post("/api/models/alice/model/ask-access", headers=headers).json["status"]


def handle(client: FlaskClient, headers: Headers, **body: str) -> int:
    return client.post("/api/models/alice/model/user-access-request/handle", json=body, headers=headers).status_code


@pytest.mark.usefixtures("model")
def test_strangers_see_the_repo_and_read_no_file(client: FlaskClient, bob: Headers) -> None:
    info = client.get("/api/models/alice/model").json
    assert (info["gated"], len(info["siblings"])) == ("manual", 3)
    assert client.get("/api/models?author=alice").json[0]["gated"] == "manual"
    assert [len(client.get(f"/api/models?author=alice&gated={word}").json) for word in ("true", "false")] == [1, 0]
    assert client.get("/alice/model").status_code == 200
    for headers, status in ((None, 401), (bob, 403)):
        for path in ("resolve/main/a.txt", "resolve/main/w.safetensors", "raw/main/a.txt"):
            answer = client.get(f"/alice/model/{path}", headers=headers)
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (status, "GatedRepo")
            assert "you are not in the authorized list" in answer.headers["X-Error-Message"]
        assert client.get("/api/models/alice/model/auth-check", headers=headers).status_code == status
        assert client.get("/api/models/alice/model/xet-read-token/main", headers=headers).status_code == status
        assert batch(client, headers or {}, "alice/model", DIGEST, len(WEIGHTS), "download").status_code == status


@pytest.mark.usefixtures("model")
def test_the_digest_of_a_gated_file_brings_nothing(client: FlaskClient, bob: Headers) -> None:
    create(client, bob, "bob/thief")
    assert commit(client, bob, "bob/thief", [large("w.safetensors", DIGEST, len(WEIGHTS))]).status_code == 400
    body = {"repository": "bob/copy"}
    assert client.post("/api/models/alice/model/duplicate", json=body, headers=bob).status_code == 403


@pytest.mark.usefixtures("model")
def test_who_asked_and_was_accepted_reads_until_that_is_taken_back(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    assert ask(client, bob) == ask(client, bob) == "pending"
    assert fetch(client, bob).status_code == 403
    (request,) = client.get("/api/models/alice/model/user-access-request/pending", headers=alice).json
    assert request["user"]["user"] == "bob"
    assert handle(client, alice, user="bob", status="accepted") == 200
    assert fetch(client, bob).data == WEIGHTS
    assert fetch(client).status_code == 401
    assert handle(client, alice, user="bob", status="accepted") == 409
    assert handle(client, alice, requestId=request["requestId"], status="rejected", rejectionReason="no") == 200
    assert fetch(client, bob).status_code == 403
    assert ask(client, bob) == "rejected"


@pytest.mark.usefixtures("model")
def test_an_owner_may_grant_what_nobody_asked_for(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    body = {"user": "bob"}
    grant = "/api/models/alice/model/user-access-request/grant"
    assert client.post(grant, json={"user": "nobody"}, headers=alice).status_code == 404
    assert client.post(grant, json=body, headers=alice).status_code == 200
    assert fetch(client, bob).data == WEIGHTS
    assert client.post(grant, json=body, headers=alice).status_code == 409


@pytest.mark.usefixtures("model")
def test_a_repo_may_admit_everybody_who_asks(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    gate(client, alice, "auto")
    assert fetch(client, bob).status_code == 403
    assert ask(client, bob) == "accepted"
    assert fetch(client, bob).data == WEIGHTS
    gate(client, alice, False)
    assert fetch(client).data == WEIGHTS
    assert client.post("/api/models/alice/model/ask-access", headers=bob).status_code == 400


@pytest.mark.usefixtures("model")
def test_only_those_who_manage_the_repo_admit(client: FlaskClient, bob: Headers) -> None:
    ask(client, bob)
    assert handle(client, bob, user="bob", status="accepted") == 403
    assert client.get("/api/models/alice/model/user-access-request/pending", headers=bob).status_code == 403
    assert client.put("/api/models/alice/model/settings", json={"gated": False}, headers=bob).status_code == 403
    assert client.post("/api/models/alice/model/ask-access").status_code == 401


@pytest.mark.usefixtures("model")
def test_the_owner_reads_and_a_malformed_request_is_told(client: FlaskClient, alice: Headers) -> None:
    assert fetch(client, alice).data == WEIGHTS
    assert handle(client, alice, status="accepted") == 400
    assert handle(client, alice, requestId="x", status="accepted") == 400
    assert handle(client, alice, requestId=f"{999:024x}", status="accepted") == 404
    assert handle(client, alice, user="bob", status="maybe") == 400


@pytest.mark.usefixtures("model")
def test_admission_to_a_repo_that_became_private_shows_nothing(
    client: FlaskClient, alice: Headers, bob: Headers
) -> None:
    ask(client, bob)
    handle(client, alice, user="bob", status="accepted")
    client.put("/api/models/alice/model/settings", json={"private": True}, headers=alice)
    assert fetch(client, bob).headers["X-Error-Code"] == "RepoNotFound"
