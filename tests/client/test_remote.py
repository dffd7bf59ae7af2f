"""Our own calls, against a small app that answers as the server does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from registry_client.remote import Remote
from registry_core import errors
from registry_core.ids import CommitId, RepoId, RepoPath, Revision
from registry_core.records import FindPage, Manifest, ManifestFile, Publication, Rerun, RerunReport, Tensor

REPO = RepoId("demo/digits")
MAIN = Revision("main")
COMMIT = CommitId("a" * 40)
API = "/api/registry/v1"


@dataclass
class Answer:
    """What the app says, and the request that it heard."""

    body: Any = None
    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict)
    heard: dict[str, Any] = field(default_factory=dict)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.heard = {**environ, "body": environ["wsgi.input"].read(length)}
        start_response(self.status, [("Content-Type", "application/json"), *self.headers.items()])
        return [self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()]


def remote(answer: Answer, token: str | None = "secret") -> Remote:
    return Remote("http://registry.test", token, transport=httpx2.WSGITransport(answer))


def summary(**changed: Any) -> dict[str, Any]:
    return {
        "id": "demo/digits",
        "commit_id": COMMIT,
        "private": False,
        "task": "image-classification",
        "library": None,
        "license": "apache-2.0",
        "tags": [],
        "parameters": 2410,
        "size_bytes": 9900,
        "energy_kwh": 0.0001,
        "co2e_kg": None,
        "water_litres": None,
        "cost": None,
        "currency": None,
        "duration_seconds": 1,
        "footprint_status": "complete",
        "energy_source": "estimated",
        "metrics": {"accuracy": 0.97},
        "published_commit_id": None,
        "last_verdict": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        **changed,
    }


def test_find_sends_what_was_given_and_nothing_else() -> None:
    answer = Answer({"items": [summary()], "next_cursor": None})
    page = remote(answer).find("digits", where=["accuracy >= 0.9", "parameters < 1e6"], sort="-energy")
    assert isinstance(page, FindPage)
    assert page.items[0].metrics == {"accuracy": 0.97}
    assert answer.heard["PATH_INFO"] == f"{API}/find"
    assert parse_qs(answer.heard["QUERY_STRING"]) == {
        "q": ["digits"],
        "where": ["accuracy >= 0.9", "parameters < 1e6"],
        "sort": ["-energy"],
    }


def test_keys_of_a_newer_server_are_passed_over() -> None:
    answer = Answer({"items": [summary(shiny="new")], "next_cursor": None, "total": 1})
    assert remote(answer).find().items[0].id == "demo/digits"


def test_detail_and_manifest_speak_in_records() -> None:
    body = {
        "id": REPO,
        "revision": "main",
        "commit_id": COMMIT,
        "files": [{"path": "a", "digest": "b", "size_bytes": 1}],
    }
    assert remote(Answer(body)).manifest(REPO, MAIN) == Manifest(REPO, "main", COMMIT, [ManifestFile("a", "b", 1)])


def test_revision_travels_as_one_segment() -> None:
    answer = Answer([])
    assert remote(answer).tensors(REPO, Revision("refs/pr/1"), RepoPath("a b/model.safetensors")) == []
    assert answer.heard["PATH_INFO"] == f"{API}/repos/models/demo/digits/tensors/refs/pr/1/a b/model.safetensors"
    sent = httpx2.Request("GET", f"http://x{API}/repos/models/demo/digits/manifest/refs%2Fpr%2F1")
    assert "refs%2Fpr%2F1" in str(sent.url)


def test_tensors_reruns_and_publication() -> None:
    assert remote(Answer([{"name": "w", "dtype": "F32", "shape": [2, 3]}])).tensors(REPO, MAIN, RepoPath("m")) == [
        Tensor("w", "F32", [2, 3])
    ]
    body = {"id": REPO, "commit_id": COMMIT, "account": "alice", "published_at": "2026-01-01T00:00:00Z"}
    answer = Answer(body, "201 CREATED")
    assert remote(answer).publish(REPO, MAIN) == Publication(REPO, COMMIT, "alice", "2026-01-01T00:00:00Z")
    assert answer.heard["REQUEST_METHOD"] == "POST"


def test_rerun_report_survives_the_way_there_and_back() -> None:
    report = RerunReport(
        commit_id=COMMIT,
        task="image-classification",
        dataset="digits",
        split="test",
        metric="accuracy",
        claimed=0.97,
        observed=0.96,
        tolerance=0.02,
        n=450,
        verdict="pass",
        duration_seconds=0.1,
        energy_kwh=None,
        energy_source=None,
    )
    answer = Answer()
    body = {"number": 1, "account": "alice", "created_at": "2026-01-01T00:00:00Z"}
    answer.body = {**body, "report": {**report.__dict__}}
    assert remote(answer).post_rerun(REPO, report) == Rerun(1, "alice", "2026-01-01T00:00:00Z", report)
    assert json.loads(answer.heard["body"]) == report.__dict__
    assert remote(Answer([answer.body])).reruns(REPO)[0].report == report


def test_token_is_shown_when_there_is_one() -> None:
    answer = Answer({"name": "alice", "type": "user", "orgs": [{"name": "lab", "roleInOrg": "write"}]})
    identity = remote(answer).whoami()
    assert (identity.name, identity.orgs[0].name) == ("alice", "lab")
    assert answer.heard["HTTP_AUTHORIZATION"] == "Bearer secret"
    remote(answer, token=None).whoami()
    assert "HTTP_AUTHORIZATION" not in answer.heard


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("400 BAD REQUEST", "invalid_where", errors.InvalidWhere),
        ("401 UNAUTHORIZED", "repo_not_found", errors.RepoNotFound),
        ("401 UNAUTHORIZED", "", errors.Unauthenticated),
        ("403 FORBIDDEN", "", errors.Forbidden),
        ("404 NOT FOUND", "", errors.NotFound),
        ("404 NOT FOUND", "revision_not_found", errors.RevisionNotFound),
        ("404 NOT FOUND", "entry_not_found", errors.EntryNotFound),
        ("409 CONFLICT", "", errors.AlreadyExists),
        ("412 PRECONDITION FAILED", "", errors.StaleParent),
        ("418 TEAPOT", "unheard_of", errors.Refused),
        ("502 BAD GATEWAY", "", errors.Unavailable),
        ("507 FULL", "", errors.StorageFull),
    ],
)
def test_answer_becomes_the_error_of_its_code_or_status(status: str, code: str, kind: type[Exception]) -> None:
    answer = Answer({"error": "No.", "code": code, "hint": "Try.", "faults": ["one", "two"]}, status)
    with pytest.raises(errors.RegistryError) as caught:
        remote(answer).detail(REPO, MAIN)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == ("No.", "Try.")
    assert caught.value.faults == ("one", "two")


def test_code_in_the_header_is_enough() -> None:
    answer = Answer(b"<html>", "404 NOT FOUND", {"X-Registry-Code": "account_not_found"})
    with pytest.raises(errors.AccountNotFound, match=r"registry\.test answered 404"):
        remote(answer).whoami()


def test_codes_of_other_hubs_are_understood() -> None:
    answer = Answer({"error": "Repository not found"}, "401 UNAUTHORIZED", {"X-Error-Code": "RepoNotFound"})
    with pytest.raises(errors.RepoNotFound):
        remote(answer).detail(REPO, MAIN)


@pytest.mark.parametrize("body", [b"<html>not ours</html>", b"", {"items": 3}, [1]])
def test_answer_that_is_not_ours_is_a_failed_remote(body: Any) -> None:
    with pytest.raises(errors.RemoteFailed, match="FindPage"):
        remote(Answer(body)).find()


def test_unreachable_server_is_named_with_a_hint() -> None:
    with pytest.raises(errors.RemoteFailed, match=r"http://127\.0\.0\.1:1 cannot be reached") as caught:
        Remote("http://127.0.0.1:1").find()
    assert "registry serve" in caught.value.hint


@pytest.mark.parametrize("error", [httpx2.ReadTimeout("slow"), httpx2.RemoteProtocolError("cut"), httpx2.ReadError("")])
def test_no_foreign_exception_escapes(error: Exception) -> None:
    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(errors.RemoteFailed):
        Remote("http://registry.test", transport=httpx2.MockTransport(fail)).find()


def test_renamed_repo_is_followed() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if "old" in request.url.path:
            return httpx2.Response(307, headers={"Location": request.url.path.replace("old", "new")})
        return httpx2.Response(200, json={"id": "demo/new", "revision": "main", "commit_id": COMMIT, "files": []})

    moved = Remote("http://registry.test", transport=httpx2.MockTransport(answer))
    assert moved.manifest(RepoId("demo/old"), MAIN).id == "demo/new"
