"""The Hub protocol word for word: statuses, headers and shapes that unmodified clients rely on."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.server.pushing import push
from tests.server.wire import batch, commit, create, git_id, inline
from werkzeug.test import TestResponse

from registry_server.usecases import accounts
from registry_server.usecases.context import Registry

REPO = "alice/Digits"
API = f"/api/models/{REPO}"
WEIGHTS = safetensors_bytes([0.5, 1.0, -1.0])
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
README = (
    b"---\nlicense: mit\nlibrary_name: transformers\npipeline_tag: fill-mask\ntags: [tiny]\nlanguage: en\n---\n# Hi\n"
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Headers = dict[str, str]
Token = Callable[[str], Headers]


@pytest.fixture
def head(client: FlaskClient, alice: Headers) -> str:
    """The id of a commit with a README, weights and a folder, on main of alice's model."""
    return push(
        client,
        alice,
        REPO,
        {"README.md": README, "model.safetensors": WEIGHTS, "config.json": b"{}", "sub/a.txt": b"0123456789"},
    )


def errors(answer: TestResponse) -> tuple[int, str | None]:
    """Status and the code that clients look at first; what is said in the body is in the header, too."""
    if answer.status_code >= 400 and answer.data:
        assert answer.json["error"]
        assert answer.headers["X-Error-Message"].startswith(
            answer.json["error"][:20].encode("ascii", "replace").decode()
        )
    return answer.status_code, answer.headers.get("X-Error-Code")


# Who am I


def test_whoami_names_the_account_its_organisations_and_the_token(
    registry: Registry, client: FlaskClient, alice: Headers
) -> None:
    accounts.add_organisation(registry, "team", [("alice", "write")])
    me = client.get("/api/whoami-v2", headers=alice).json
    assert (me["name"], me["type"], me["fullname"]) == ("alice", "user", "alice")
    assert [(org["name"], org["roleInOrg"]) for org in me["orgs"]] == [("team", "write")]
    assert me["auth"]["accessToken"]["role"] == "write"
    assert me["auth"]["accessToken"]["displayName"]
    reading = {"Authorization": f"Bearer {accounts.add_user(registry, 'alice', token_role='read')}"}
    assert client.get("/api/whoami-v2", headers=reading).json["auth"]["accessToken"]["role"] == "read"


def test_whoami_without_a_token_or_with_a_wrong_one(client: FlaskClient) -> None:
    assert client.get("/api/whoami-v2").status_code == 401
    answer = client.get("/api/whoami-v2", headers={"Authorization": "Bearer hf_wrong"})
    assert answer.status_code == 401
    assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"


def test_basic_credentials_carry_the_token_as_the_password(client: FlaskClient, alice: Headers) -> None:
    token = alice["Authorization"].removeprefix("Bearer ")
    for user in ("alice", "", "anything"):
        basic = base64.b64encode(f"{user}:{token}".encode()).decode()
        answer = client.get("/api/whoami-v2", headers={"Authorization": f"Basic {basic}"})
        assert answer.json["name"] == "alice"


def test_the_fixed_answers(client: FlaskClient) -> None:
    assert client.get("/api/agent-harnesses").json == {"standardEnvVars": [], "harnesses": {}}
    assert client.head("/api/telemetry/some/topic").status_code == 204


@pytest.mark.parametrize(
    "address", [API, f"/{REPO}/resolve/main/config.json", "/api/models", "/api/models/alice/nope", "/nope"]
)
def test_the_request_id_comes_back(client: FlaskClient, head: str, address: str) -> None:
    assert client.get(address, headers={"X-Request-Id": "abc"}).headers["X-Request-Id"] == "abc"
    both = {"X-Request-Id": "abc", "X-Amzn-Trace-Id": "def"}
    assert client.get(address, headers=both).headers["X-Request-Id"] == "abc"
    assert client.get(address, headers={"X-Amzn-Trace-Id": "def"}).headers["X-Request-Id"] == "def"


# Names


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/api/models/gpt2"),
        ("GET", "/api/models/gpt2/revision/main"),
        ("GET", "/api/models/gpt2/commits/main"),
        ("GET", "/api/models/gpt2/tree/main"),
        ("GET", "/gpt2/resolve/main/config.json"),
        ("HEAD", "/gpt2/resolve/main/sub/config.json"),
        ("DELETE", "/api/models/gpt2/like"),
        ("GET", "/api/datasets/squad"),
        ("GET", "/datasets/squad/resolve/main/x"),
        ("GET", "/api/spaces/alice/x"),
        ("GET", "/api/models/alice/nope"),
        ("GET", "/api/models/nobody/nope"),
        ("GET", "/api/models/alice/no--pe"),
        ("GET", "/api/models/alice/nope.git"),
        ("GET", "/api/models/..%2f/x"),
        ("GET", "/api/models/alice/" + "x" * 97),
        ("GET", "/alice/nope/resolve/main/a"),
        ("HEAD", "/alice/nope/resolve/main/a"),
        ("GET", "/datasets/alice/Digits/resolve/main/README.md"),
        ("POST", "/alice/nope.git/info/lfs/objects/batch"),
        ("POST", "/api/models/alice/nope/commit/main"),
        ("POST", "/api/models/alice/nope/preupload/main"),
        ("POST", "/api/models/alice/nope/paths-info/main"),
        ("GET", "/api/models/alice/nope/refs"),
    ],
)
def test_what_is_not_there_is_repo_not_found(
    client: FlaskClient, alice: Headers, head: str, method: str, address: str
) -> None:
    body: Any = {"operation": "upload", "objects": [], "files": [], "paths": []}
    if "commit/" in address:
        body = {"key": "header", "value": {"summary": "x"}}
    given = json.dumps(body).encode() if method == "POST" else None
    for headers, status in ((alice, 404), ({}, 401)):
        answer = client.open(
            address, method=method, data=given, headers={**headers, "Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.headers.get("X-Error-Code")) == (status, "RepoNotFound")


def test_names_are_looked_up_in_any_case_and_answered_as_they_are_stored(client: FlaskClient, head: str) -> None:
    for spelling in ("alice/digits", "ALICE/DIGITS"):
        info = client.get(f"/api/models/{spelling}").json
        assert (info["id"], info["modelId"], info["author"]) == (REPO, REPO, "alice")
        assert client.get(f"/{spelling}/resolve/main/config.json").data == b"{}"


# Creating and removing


def test_create_answers_where_the_repo_is(client: FlaskClient, alice: Headers) -> None:
    answer = client.post("/api/repos/create", json={"name": "m", "organization": None}, headers=alice)
    assert (answer.status_code, answer.json["url"], answer.json["name"]) == (200, "http://localhost/alice/m", "alice/m")
    again = client.post("/api/repos/create", json={"name": "m", "organization": "alice"}, headers=alice)
    assert (again.status_code, again.json["url"]) == (409, "http://localhost/alice/m")
    assert "conflicting" not in again.json["error"]
    data = client.post("/api/repos/create", json={"name": "m", "type": "dataset"}, headers=alice)
    assert (data.status_code, data.json["url"]) == (200, "http://localhost/datasets/alice/m")


@pytest.mark.parametrize(
    ("body", "private"),
    [
        ({}, False),
        ({"private": True}, True),
        ({"private": False}, False),
        ({"private": None}, False),
        ({"visibility": "private"}, True),
        ({"visibility": "public"}, False),
        ({"sdk": None, "lfsmultipartthresh": 5, "resourceGroupId": None, "visibility": "private"}, True),
    ],
)
def test_bodies_of_old_and_new_clients_make_a_repo(
    client: FlaskClient, alice: Headers, body: dict[str, Any], private: bool
) -> None:
    assert client.post("/api/repos/create", json={"name": "m", **body}, headers=alice).status_code == 200
    assert client.get("/api/models/alice/m", headers=alice).json["private"] is private


def test_create_refuses(client: FlaskClient, alice: Headers) -> None:
    def made(headers: Headers, **body: Any) -> int:
        return client.post("/api/repos/create", json=body, headers=headers).status_code

    assert made({}, name="m") == 401
    assert made(alice, name="m", organization="bob") == 403
    assert made(alice, name="m", type="space") == 400
    assert made(alice, name="a--b") == 400
    assert made(alice, name="m", private="yes") == 400
    assert made(alice) == 400


def test_delete_and_settings(client: FlaskClient, alice: Headers, head: str) -> None:
    assert client.put(f"{API}/settings", json={"visibility": "private"}, headers=alice).json["private"] is True
    assert errors(client.get(API)) == (401, "RepoNotFound")
    assert client.put(f"{API}/settings", json={"private": False}, headers=alice).json["private"] is False
    assert client.put(f"{API}/settings", json={}, headers=alice).json["private"] is False
    assert client.put(f"{API}/settings", json={"gated": "sometimes"}, headers=alice).status_code == 400
    assert errors(client.put("/api/models/alice/nope/settings", json={}, headers=alice)) == (404, "RepoNotFound")
    gone = {"name": "Digits", "organization": "alice"}
    assert client.delete("/api/repos/delete", json=gone, headers=alice).status_code == 200
    assert errors(client.delete("/api/repos/delete", json=gone, headers=alice)) == (404, "RepoNotFound")


# Information


def test_info_has_what_clients_read(client: FlaskClient, head: str) -> None:
    for address in (API, f"{API}/revision/main", f"{API}/revision/{head}", f"{API}/revision/{head[:8]}"):
        info = client.get(address).json
        assert info["sha"] == head
        assert (info["private"], info["gated"], info["disabled"]) == (False, False, False)
        assert {"tiny", "transformers", "fill-mask", "en", "license:mit"} <= set(info["tags"])
        assert (info["pipeline_tag"], info["library_name"]) == ("fill-mask", "transformers")
        assert info["cardData"]["license"] == "mit"
        assert info["safetensors"] == {"parameters": {"F32": 3}, "total": 3}
        assert [sorted(item) for item in info["siblings"]] == [["rfilename"]] * 5
        assert MOMENT.fullmatch(info["createdAt"])
        assert MOMENT.fullmatch(info["lastModified"])


def test_info_with_blobs(client: FlaskClient, head: str) -> None:
    by_name = {item["rfilename"]: item for item in client.get(f"{API}?blobs=True").json["siblings"]}
    assert by_name["sub/a.txt"] == {"rfilename": "sub/a.txt", "size": 10, "blobId": git_id(b"0123456789")}
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize {len(WEIGHTS)}\n".encode()
    assert by_name["model.safetensors"] == {
        "rfilename": "model.safetensors",
        "size": len(WEIGHTS),
        "blobId": git_id(pointer),
        "lfs": {"sha256": SHA256, "size": len(WEIGHTS), "pointerSize": len(pointer)},
    }


def test_the_security_status_is_given_when_asked_for(client: FlaskClient, head: str) -> None:
    assert "securityRepoStatus" not in client.get(API).json
    status = client.get(f"{API}?securityStatus=true").json["securityRepoStatus"]
    assert set(status) == {"scansDone", "filesWithIssues"}


@pytest.mark.parametrize("kind", ["models", "datasets"])
def test_expand_gives_the_named_keys_and_refuses_unknown_ones(client: FlaskClient, alice: Headers, kind: str) -> None:
    create(client, alice, "alice/m", kind=kind.removesuffix("s"))
    for address in (f"/api/{kind}/alice/m", f"/api/{kind}"):
        answer = client.get(f"{address}?expand=sha&expand[]=tags&expand=gated")
        item = answer.json[0] if isinstance(answer.json, list) else answer.json
        assert set(item) == {"_id", "id", "sha", "tags", "gated"}
        assert client.get(f"{address}?expand=nope").status_code == 400
        assert client.get(f"{address}?expand=downloadsAllTime").status_code == 200
    assert client.get(f"/api/{kind}?expand=safetensors").status_code == (200 if kind == "models" else 400)


def test_unknown_revisions(client: FlaskClient, alice: Headers, head: str) -> None:
    for revision in ("nope", "0" * 40, "refs%2Fpr%2F1", "a..b", "%20", "x" * 300, head[:6], "main%0a"):
        for method, address in (
            ("GET", f"{API}/revision/{revision}"),
            ("GET", f"{API}/tree/{revision}"),
            ("GET", f"{API}/commits/{revision}"),
            ("HEAD", f"/{REPO}/resolve/{revision}/config.json"),
            ("GET", f"/{REPO}/resolve/{revision}/config.json"),
        ):
            answer = client.open(address, method=method, headers=alice)
            assert (answer.status_code, answer.headers.get("X-Error-Code")) == (404, "RevisionNotFound"), address
            assert answer.headers["X-Error-Message"].startswith("Invalid rev id: ")


# Lists


def test_a_list_is_an_array_with_an_absolute_link_to_the_next(client: FlaskClient, alice: Headers) -> None:
    for i in range(5):
        create(client, alice, f"alice/m{i}")
    seen, address = [], "/api/models?limit=2&search=m&full=true"
    while address:
        answer = client.get(address, headers={"Host": "hub.example:8443"})
        seen += [item["id"] for item in answer.json]
        link = answer.headers.get("Link", "")
        if not link:
            break
        found = re.fullmatch(r'<http://hub\.example:8443(/api/models\?[^>]*)>; rel="next"', link)
        assert found
        assert "search=m" in found[1]
        address = found[1]
    assert seen == [f"alice/m{i}" for i in (4, 3, 2, 1, 0)]


def test_list_items_and_filters(client: FlaskClient, alice: Headers, token: Token, head: str) -> None:
    create(client, token("bob"), "bob/other")

    def ids(query: str) -> list[str]:
        answer = client.get(f"/api/models?{query}")
        assert answer.status_code == 200, answer.text
        return sorted(item["id"] for item in answer.json)

    both = [REPO, "bob/other"]
    assert ids("") == both
    assert ids("author=ALICE") == [REPO]
    assert ids("author=nobody") == []
    assert ids("search=digit") == [REPO]
    assert ids("search=a&search=digit") == [REPO]
    assert ids("search=zzz") == []
    assert ids("filter=tiny&filter=license:mit") == [REPO]
    assert ids("filter=tiny&filter=nope") == []
    assert ids("pipeline_tag=fill-mask") == [REPO]
    assert ids("num_parameters=min:3,max:3") == [REPO]
    assert ids("num_parameters=min:1K") == []
    assert ids("sort=downloads&direction=-1") == ids("sort=lastModified") == both
    item = client.get("/api/models?author=alice").json[0]
    assert {"_id", "id", "modelId", "author", "private", "gated", "downloads", "likes", "tags"} <= set(item)
    assert "cardData" not in item
    assert "sha" not in item
    rich = client.get("/api/models?author=alice&full=True&cardData=true").json[0]
    assert (rich["sha"], rich["cardData"]["license"]) == (head, "mit")
    for faulty in ("sort=nope", "limit=x", "limit=-1", "cursor=x", "num_parameters=lots"):
        assert client.get(f"/api/models?{faulty}").status_code == 400


def test_sorting_is_newest_first(client: FlaskClient, alice: Headers) -> None:
    for name in ("a", "b", "c"):
        create(client, alice, f"alice/{name}")
    commit(client, alice, "alice/a", [inline("x", b"")])
    assert [item["id"] for item in client.get("/api/models?sort=createdAt").json] == ["alice/c", "alice/b", "alice/a"]
    assert client.get("/api/models?sort=lastModified&limit=1").json[0]["id"] == "alice/a"


# Trees and paths


def test_a_tree_lists_files_and_folders(client: FlaskClient, head: str) -> None:
    flat = client.get(f"{API}/tree/main?recursive=false&expand=false").json
    assert [(item["type"], item["path"]) for item in flat] == [
        ("file", ".gitattributes"),
        ("file", "README.md"),
        ("file", "config.json"),
        ("file", "model.safetensors"),
        ("directory", "sub"),
    ]
    assert flat[4]["size"] == 0
    assert re.fullmatch("[0-9a-f]{40}", flat[4]["oid"])
    assert flat[3]["lfs"] == {"oid": SHA256, "size": len(WEIGHTS), "pointerSize": 127}
    deep = client.get(f"{API}/tree/main?recursive=True").json
    assert [item["path"] for item in deep if item["path"].startswith("sub")] == ["sub", "sub/a.txt"]
    assert [item["path"] for item in client.get(f"{API}/tree/main/sub").json] == ["sub/a.txt"]


@pytest.mark.parametrize("path", ["nope", "sub/nope", "config.json", "config.json/x", "..", "%00"])
def test_a_tree_of_what_is_no_folder_is_entry_not_found(client: FlaskClient, head: str, path: str) -> None:
    assert errors(client.get(f"{API}/tree/main/{path}")) == (404, "EntryNotFound")


def test_a_large_tree_comes_in_pages(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/many")
    names = [f"f{i:04}.txt" for i in range(1100)] + ["zä #%?.txt"]
    assert commit(client, alice, "alice/many", [inline(name, b"") for name in names]).status_code == 200
    first = client.get("/api/models/alice/many/tree/main?recursive=true&expand=false")
    assert len(first.json) == 1000
    found = re.fullmatch(r'<http://localhost(/[^>]*)>; rel="next"', first.headers["Link"])
    assert found
    second = client.get(found[1])
    assert "Link" not in second.headers
    assert [item["path"] for item in [*first.json, *second.json]] == [".gitattributes", *names]


@pytest.mark.parametrize("form", [True, False])
def test_paths_info_answers_for_the_paths_that_exist(client: FlaskClient, head: str, form: bool) -> None:
    asked: Any = {"paths": ["config.json", "sub", "sub/", "nope", "..", "", "model.safetensors"], "expand": True}
    answer = client.post(f"{API}/paths-info/main", **({"data": asked} if form else {"json": asked}))
    assert [(item["type"], item["path"]) for item in answer.json] == [
        ("file", "config.json"),
        ("directory", "sub"),
        ("directory", "sub"),
        ("file", "model.safetensors"),
    ]
    assert answer.json[0]["oid"] == git_id(b"{}")


def test_paths_info_takes_a_thousand_paths(client: FlaskClient, head: str) -> None:
    for form in ({"data": {"paths": ["nope"] * 1000}}, {"json": {"paths": ["nope"] * 1000}}):
        assert client.post(f"{API}/paths-info/main", **form).json == []
    assert client.post(f"{API}/paths-info/main", json={"paths": ["nope"] * 1001}).status_code in (400, 413)


# Branches, tags and the log


@pytest.mark.parametrize("what", ["branch", "tag"])
def test_a_name_cannot_be_a_folder_of_another(client: FlaskClient, alice: Headers, head: str, what: str) -> None:
    """As in git, which keeps each ref as a file."""

    def make(name: str) -> Any:
        if what == "tag":
            return client.post(f"{API}/tag/main", json={"tag": name}, headers=alice)
        return client.post(f"{API}/branch/{quote(name, safe='')}", json={}, headers=alice)

    assert make("a/b/c").status_code == 200
    for name in ("a", "a/b", "a/b/c/d"):
        answer = make(name)
        assert answer.status_code == 400, name
        assert "cannot stand beside" in answer.headers["X-Error-Message"]
        assert "a/b/c" in answer.json["error"]
    for name in ("a/b/d", "a/b-c", "ab", "a0", "a.b", "a/b/c0"):
        assert make(name).status_code == 200, name


def test_of_two_names_that_exclude_each_other_one_is_made(
    registry: Registry, client: FlaskClient, alice: Headers, head: str
) -> None:
    app = client.application
    names = [f"x{turn}{tail}" for turn in range(8) for tail in ("", "%2Fy")]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(app.test_client().post, f"{API}/branch/{name}", json={}, headers=alice) for name in names]
    assert sorted(call.result().status_code for call in calls) == [200] * 8 + [400] * 8


def test_branches(client: FlaskClient, alice: Headers, head: str) -> None:
    def branch(name: str, method: str = "POST", **body: Any) -> tuple[int, str | None]:
        return errors(client.open(f"{API}/branch/{name}", method=method, json=body, headers=alice))

    assert branch("dev%2F1") == (200, None)
    assert branch("old", startingPoint=head) == (200, None)
    assert branch("dev%2F1")[0] == 409
    answer = client.post(f"{API}/branch/dev%2F1", json={}, headers=alice)
    assert answer.headers["X-Error-Message"] == "Reference refs/heads/dev/1 already exists"
    for bad in ("refs%2Fheads%2Fx", "a..b", "a%20b", "-x", "x.lock", "0" * 40):
        assert branch(bad)[0] == 400, bad
    assert branch("x", startingPoint="nope") == (404, "RevisionNotFound")
    refs = client.get(f"{API}/refs?include_prs=1").json
    assert {ref["name"]: ref["ref"] for ref in refs["branches"]} == {
        "dev/1": "refs/heads/dev/1",
        "main": "refs/heads/main",
        "old": "refs/heads/old",
    }
    assert {ref["targetCommit"] for ref in refs["branches"]} == {head}
    assert (refs["converts"], refs["tags"], refs["pullRequests"]) == ([], [], [])
    assert branch("main", "DELETE") == (403, None)
    assert branch("dev%2F1", "DELETE") == (200, None)
    assert branch("dev%2F1", "DELETE") == (404, "RevisionNotFound")


def test_tags(client: FlaskClient, alice: Headers, head: str) -> None:
    def tag(revision: str, name: str, **body: Any) -> tuple[int, str | None]:
        return errors(client.post(f"{API}/tag/{revision}", json={"tag": name, **body}, headers=alice))

    assert tag("main", "v1") == (200, None)
    assert tag("main", "v2", message="Second") == (200, None)
    assert tag("main", "v3", message=None) == (200, None)
    assert tag("main", "v1")[0] == 409
    assert tag("main", "a b")[0] == 400
    assert tag("nope", "v4") == (404, "RevisionNotFound")
    assert client.post(f"{API}/tag/main", json={}, headers=alice).status_code == 400
    refs = client.get(f"{API}/refs").json
    assert {ref["name"]: ref["targetCommit"] for ref in refs["tags"]} == dict.fromkeys(("v1", "v2", "v3"), head)
    commit(client, alice, REPO, [inline("later", b"")])
    assert client.get(f"{API}/revision/v2").json["sha"] == head
    assert errors(client.delete(f"{API}/tag/v1", headers=alice)) == (200, None)
    assert errors(client.delete(f"{API}/tag/v1", headers=alice)) == (404, "RevisionNotFound")


def test_the_log_comes_in_pages(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/log")
    made = [
        commit(client, alice, "alice/log", [inline("a", b"%d" % i)], title=f"n{i}").json["commitOid"] for i in range(60)
    ]
    seen: list[dict[str, Any]] = []
    address: str | None = "/api/models/alice/log/commits/main?expand%5B%5D=formatted"
    while address:
        answer = client.get(address)
        seen += answer.json
        link = re.fullmatch(r'<http://localhost(/[^>]*)>; rel="next"', answer.headers.get("Link", ""))
        address = link[1] if link else None
    assert [entry["id"] for entry in seen[:-1]] == made[::-1]
    assert seen[0]["title"] == "n59"
    assert seen[0]["formatted"] == {"title": "n59", "message": ""}
    assert seen[0]["authors"][0]["user"] == "alice"
    assert MOMENT.fullmatch(seen[0]["date"])
    middle = client.get(f"/api/models/alice/log/commits/{made[3]}").json
    assert [entry["title"] for entry in middle] == ["n3", "n2", "n1", "n0", "initial commit"]


# Downloads


def resolve(client: FlaskClient, path: str, method: str = "GET", **headers: str) -> TestResponse:
    names = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.open(f"/{REPO}/resolve/main/{path}", method=method, headers=names)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_of_a_small_and_a_large_file(client: FlaskClient, head: str, method: str) -> None:
    small = resolve(client, "sub/a.txt", method)
    assert small.status_code == 200
    assert small.headers["ETag"] == f'"{git_id(b"0123456789")}"'
    assert "X-Linked-Etag" not in small.headers
    large = resolve(client, "model.safetensors", method)
    assert large.headers["ETag"] == large.headers["X-Linked-Etag"] == f'"{SHA256}"'
    for answer, content in ((small, b"0123456789"), (large, WEIGHTS)):
        assert answer.headers["X-Repo-Commit"] == head
        assert answer.headers["Content-Length"] == answer.headers["X-Linked-Size"] == str(len(content))
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert "Content-Encoding" not in answer.headers
        assert answer.data == (content if method == "GET" else b"")


@pytest.mark.parametrize("path", ["sub/a.txt", "model.safetensors"])
def test_ranges(client: FlaskClient, head: str, path: str) -> None:
    content = resolve(client, path).data
    size = len(content)
    for text, part in {
        "bytes=0-3": (0, 4),
        "bytes=4-": (4, size),
        "bytes=-3": (size - 3, size),
        "bytes=0-100000": (0, size),
        f"bytes={size - 1}-": (size - 1, size),
        "bytes=-100000": (0, size),
    }.items():
        answer = resolve(client, path, Range=text)
        assert (answer.status_code, answer.data) == (206, content[slice(*part)]), text
        assert answer.headers["Content-Range"] == f"bytes {part[0]}-{part[1] - 1}/{size}"
        assert answer.headers["Content-Length"] == str(part[1] - part[0])
        assert answer.headers["X-Repo-Commit"] == head
    past = resolve(client, path, Range=f"bytes={size}-")
    assert (past.status_code, past.data, past.headers["Content-Range"]) == (416, b"", f"bytes */{size}")
    for text in ("bytes=3-1", "bytes=a-b", "lines=0-3", "bytes=0-1,3-4", "x", "bytes=", ""):
        answer = resolve(client, path, Range=text)
        assert (answer.status_code, answer.data) == (200, content), text


def test_a_head_tells_the_whole_length_whatever_range_comes_with_it(client: FlaskClient, head: str) -> None:
    answer = resolve(client, "sub/a.txt", "HEAD", Range="bytes=0-0")
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, "10")


def test_conditions(client: FlaskClient, head: str) -> None:
    etag = resolve(client, "sub/a.txt").headers["ETag"]
    for given in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = resolve(client, "sub/a.txt", If_None_Match=given)
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag), given
    assert resolve(client, "sub/a.txt", If_None_Match='"x"').status_code == 200
    assert resolve(client, "sub/a.txt", Range="bytes=1-2", If_Range=etag).data == b"12"
    for given in ('"x"', f"W/{etag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        answer = resolve(client, "sub/a.txt", Range="bytes=1-2", If_Range=given)
        assert (answer.status_code, answer.data) == (200, b"0123456789"), given


def test_a_missing_file_names_the_commit_that_was_looked_at(client: FlaskClient, head: str) -> None:
    for path in ("nope", "sub", "sub/nope", "config.json/x", "..%2f..", "%00"):
        for method in ("GET", "HEAD"):
            answer = resolve(client, path, method)
            assert (answer.status_code, answer.headers.get("X-Error-Code")) == (404, "EntryNotFound"), path
            assert answer.headers["X-Repo-Commit"] == head
            assert answer.headers["X-Error-Message"] == "Entry not found"


NAMES = [
    "with space.txt",
    "100%.txt",
    "a#b.txt",
    "what?.txt",
    "a+b.txt",
    "ünï/cödé.txt",
    "a;b&c=d.txt",
    "%2F.txt",
    "日本/語.bin",
]
NAMES += ["~tilde.txt", "(a)[b]{c}.txt", "quote'.txt", 'double".txt', "dots...txt", " lead", "trail "]


def test_any_name_goes_up_and_comes_down(client: FlaskClient, alice: Headers) -> None:
    files = {name: name.encode() for name in NAMES}
    made = push(client, alice, "alice/names", files)
    listed = {item["path"] for item in client.get("/api/models/alice/names/tree/main?recursive=true").json}
    assert set(NAMES) <= listed
    for name in NAMES:
        for encoded in (quote(name), quote(name, safe="")):
            answer = client.get(f"/alice/names/resolve/main/{encoded}")
            assert (answer.status_code, answer.data) == (200, name.encode()), encoded
            assert answer.headers["Content-Disposition"].endswith(quote(name.rpartition("/")[2], safe=""))
        tree = client.get(f"/api/models/alice/names/tree/{made}/{quote(name, safe='')}")
        assert tree.headers["X-Error-Code"] == "EntryNotFound"
    (item,) = client.post("/api/models/alice/names/paths-info/main", json={"paths": ["ünï/cödé.txt"]}).json
    assert item["size"] == len("ünï/cödé.txt".encode())


def test_slashes_in_revisions_are_kept_apart(client: FlaskClient, alice: Headers, head: str) -> None:
    client.post(f"{API}/branch/dev%2F1", json={}, headers=alice)
    commit(client, alice, REPO, [inline("sub/b.txt", b"dev")], revision="dev%2F1")
    for address in (
        f"/{REPO}/resolve/dev%2F1/sub/b.txt",
        f"/{REPO}/resolve/dev%2f1/sub%2Fb.txt",
        f"/{REPO}/resolve/refs%2Fheads%2Fdev%2F1/sub/b.txt",
    ):
        assert client.get(address).data == b"dev"
    assert client.get(f"{API}/revision/dev%2F1").status_code == 200
    assert [item["path"] for item in client.get(f"{API}/tree/dev%2F1/sub").json] == ["sub/a.txt", "sub/b.txt"]
    assert client.post(f"{API}/paths-info/dev%2F1", json={"paths": ["sub/b.txt"]}).json


# LFS


def test_an_lfs_batch(client: FlaskClient, alice: Headers, head: str) -> None:
    answer = batch(client, alice, REPO, "2" * 64, 5)
    assert answer.headers["Content-Type"].startswith("application/vnd.git-lfs+json")
    document = json.loads(answer.data)
    assert document["transfer"] == "basic"
    (item,) = document["objects"]
    assert (item["oid"], item["size"]) == ("2" * 64, 5)
    assert item["actions"]["upload"]["href"].startswith("http://localhost/lfs/")
    (held,) = json.loads(batch(client, alice, REPO, SHA256, len(WEIGHTS)).data)["objects"]
    assert "actions" not in held
    (download,) = json.loads(batch(client, {}, REPO, SHA256, len(WEIGHTS), "download").data)["objects"]
    assert client.get(download["actions"]["download"]["href"]).data == WEIGHTS


def test_batch_bodies_of_all_clients(client: FlaskClient, alice: Headers, head: str) -> None:
    objects = [{"oid": "2" * 64, "size": 5}]
    bodies: list[dict[str, Any]] = [
        {"operation": "upload", "transfers": ["basic", "multipart", "xet"], "objects": objects, "hash_algo": "sha256"},
        {"operation": "upload", "objects": objects, "ref": {"name": "refs/heads/main"}},
        {"operation": "upload", "transfers": ["lfs-standalone-file", "basic", "ssh"], "objects": objects},
    ]
    for body in bodies:
        headers = {**alice, "Content-Type": "application/vnd.git-lfs+json"}
        answer = client.post(f"/{REPO}.git/info/lfs/objects/batch", data=json.dumps(body), headers=headers)
        assert json.loads(answer.data)["transfer"] == "basic"
    for bad in ({"operation": "steal", "objects": []}, {"operation": "upload", "objects": [{"oid": "x", "size": 1}]}):
        assert client.post(f"/{REPO}.git/info/lfs/objects/batch", json=bad, headers=alice).status_code == 400
    assert client.post(f"/{REPO}.git/info/lfs/locks/verify", json={}, headers=alice).status_code in (404, 501)


# validate-yaml


@pytest.mark.parametrize(
    ("content", "status", "warned"),
    [
        ("---\nlicense: mit\n---\n# x", 200, False),
        ("\n---\nlicense: mit\n---\n", 200, False),
        ("# no head", 200, True),
        ("", 200, True),
        ("---\nmodel-index: foo\n---\n", 400, None),
        ("---\nlicense: [1\n---\n", 400, None),
        ("---\n- a\n---\n", 400, None),
    ],
)
def test_validate_yaml(client: FlaskClient, content: str, status: int, warned: bool | None) -> None:
    for kind in ("model", "dataset"):
        if kind == "dataset" and "model-index" in content:
            continue
        headers = {"Accept": "text/plain"}
        answer = client.post("/api/validate-yaml", json={"content": content, "repoType": kind}, headers=headers)
        assert answer.status_code == status, answer.text
        assert bool(answer.json["errors"]) == (status == 400)
        assert all(item["message"] for item in [*answer.json["errors"], *answer.json["warnings"]])
        if warned is not None:
            assert bool(answer.json["warnings"]) == warned


def test_auth_check(client: FlaskClient, alice: Headers, token: Token, head: str) -> None:
    assert client.get(f"{API}/auth-check").status_code == 200
    assert client.get(f"{API}/auth-check/write", headers=alice).status_code == 200
    assert client.get(f"{API}/auth-check/write", headers=token("bob")).status_code == 403
    assert client.get(f"{API}/auth-check/write").status_code == 401


@pytest.mark.parametrize("name", ["resolve", "revision", "tree", "commits", "commit", "refs", "like", "main"])
def test_a_repo_may_be_called_like_a_part_of_an_address(client: FlaskClient, alice: Headers, name: str) -> None:
    made = push(client, alice, f"alice/{name}", {"a/b.txt": b"x"})
    assert client.get(f"/alice/{name}/resolve/main/a/b.txt").data == b"x"
    for call in ("", "/revision/main", "/tree/main", "/tree/main/a", "/commits/main", "/refs"):
        assert client.get(f"/api/models/alice/{name}{call}").status_code == 200, call
    assert client.get(f"/api/models/alice/{name}").json["sha"] == made
