"""Requests made to break the server: whatever arrives, the fault is never ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.pushing import push
from werkzeug.routing import Rule

SEGMENTS = st.one_of(
    st.sampled_from(
        "alice m main a.txt .. %00 %0d%0aX:y %1f %2f %ff%fe refs%2Fheads%2Fmain dev v1 ' ;-- models".split()
    ),
    st.sampled_from(["ä", "1e999", "null", "-1", "9" * 5000, "x" * 300, "%F0%9F%90%8D", "%7B%7D", '"%22']),
    st.text(max_size=8).map(lambda text: quote(text.encode("utf-8", "replace"), safe="") or "x"),
)
KEYS = st.sampled_from(
    "name type organization private visibility operation objects oid size files path paths sample gitIgnore tag message"
    " startingPoint content repoType key value summary parentCommit encoding commit_id n verdict software gated".split()
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["alice/m", "main", "a" * 64, "\0", "\r", "../x", "YQ==", "model", "header", "file", "upload"]),
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=30),
    DOCUMENTS.map(lambda value: json.dumps(value).encode()),
    st.lists(DOCUMENTS, max_size=3).map(lambda lines: b"\n".join(json.dumps(value).encode() for value in lines)),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        "Range If-Range If-None-Match Content-Type Content-Encoding X-Request-Id X-Forwarded-Host X-Forwarded-For"
        " Accept Accept-Encoding Cookie Expect If-Modified-Since X-HTTP-Method-Override Origin Referer Host".split()
    ),
    st.one_of(
        st.sampled_from("bytes=0- bytes=-5 bytes=5-1 bytes=0-1,3-4 bytes=a-b W/* * gzip application/json".split()),
        st.sampled_from(
            ["multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]
        ),
        st.sampled_from(
            ['"x"', "text/plain; charset=nope", "x" * 3000, f"bytes={'9' * 30}-", "bytes=-0", "[::1", "a:b"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
    ),
    max_size=4,
)
AUTHORIZATIONS = st.sampled_from(
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic",
        "Basic !",
        "Basic ä",
        "Basic AAAAAAAAA",
        "Digest x",
        "ÿ",
        "Basic Og==",
    ]
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            "expand expand[] limit cursor sort direction search author filter full cardData q task tag where recursive"
            " blobs num_parameters pareto create_pr pipeline_tag securityStatus kind".split()
        ),
        st.one_of(
            SEGMENTS, st.sampled_from(["energy", "-accuracy", "accuracy>0.5", "min:1e9,max:9T", "true", "9" * 5000])
        ),
    ),
    max_size=4,
).map(lambda pairs: "&".join(f"{key}={value}" for key, value in pairs))


@st.composite
def requests_to(draw: st.DrawFn, rules: list[Rule]) -> tuple[str, str]:
    """A method and an address that comes to one of the rules, more or less."""
    rule = draw(st.sampled_from(rules))
    address = ""
    for is_argument, part in rule._trace:
        if not is_argument:
            address += part
        elif part == "kind":
            address += draw(st.sampled_from(["models", "datasets", "spaces"]))
        else:
            address += draw(SEGMENTS)
    query = draw(QUERIES)
    method = draw(st.sampled_from([*sorted(rule.methods or ()), "PATCH"]))
    return method, address.partition("|")[2] + (f"?{query}" if query else "")


@pytest.fixture
def alice(client: FlaskClient, token: Callable[[str], dict[str, str]]) -> dict[str, str]:
    headers = token("alice")
    push(client, headers, "alice/m", {"a.txt": b"a" * 200_000, "w.safetensors": b"w", "README.md": b"# x"})
    client.post("/api/models/alice/m/branch/dev", json={}, headers=headers)
    return headers


@pytest.mark.parametrize("part", range(4))
def test_no_request_is_a_fault_of_ours(app: Flask, client: FlaskClient, alice: dict[str, str], part: int) -> None:
    rules = list(app.url_map.iter_rules())[part::4]

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests_to(rules), BODIES, HEADERS, st.one_of(st.just(alice["Authorization"]), AUTHORIZATIONS))
    def run(request: tuple[str, str], body: bytes, headers: dict[str, str], authorization: str) -> None:
        method, address = request
        given_headers = {**headers, **({"Authorization": authorization} if authorization else {})}
        answer = client.open(address, method=method, data=body, headers=given_headers)
        answer.get_data()
        answer.close()
        assert answer.status_code < 500 or answer.status_code == 501, (method, address, answer.text)
        for value in answer.headers.values():  # what gunicorn would refuse to send
            assert all(char == "\t" or (" " <= char <= "ÿ" and char != "\x7f") for char in value), (address, value)

    run()


@pytest.mark.parametrize(
    "address",
    [
        "/api/registry/v1/find?" + "&".join(["tag=a"] * 1300),
        "/api/registry/v1/find?" + "&".join(["where=a>1"] * 800),
        "/api/registry/v1/find?q=" + "+".join(["a"] * 4000),
        "/api/registry/v1/find?limit=" + "9" * 5000,
        "/api/models?" + "&".join(["filter="] * 1020),
        "/api/models?" + "&".join(["search="] * 1020),
        "/api/models?limit=" + "9" * 5000,
        "/api/models?num_parameters=" + ",".join(["min:1"] * 1200),
        "/api/models?num_parameters=min:" + "9" * 5000,
        "/api/models?cursor=" + "9" * 500,
        "/api/models?" + "&".join(["expand=sha"] * 700),
        "/api/models/alice/m/revision/%0d%0aSet-Cookie:x",
        "/api/models/alice/m/revision/%07",
        "/alice/m/resolve/main/" + "d/" * 2000,
    ],
    ids=lambda address: address[:34],
)
def test_no_address_is_a_fault_of_ours(client: FlaskClient, alice: dict[str, str], address: str) -> None:
    assert client.get(address).status_code in (200, 400, 404)


@pytest.mark.parametrize("authorization", ["Basic ä", "Basic !", "Bearer", "Bearer ", "Bearer ä", "Digest x", "", " "])
def test_credentials_that_are_none_are_refused(client: FlaskClient, authorization: str) -> None:
    answer = client.get("/api/models", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
