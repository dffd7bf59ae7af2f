"""The pages: what people read, what strangers cannot see, and what no browser may run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.core.cards import full_card, golden_card, minimal_card
from tests.server.pushing import let_publish, push, with_files

from registry_core.errors import Unavailable
from registry_server.app import app_of
from registry_server.catalog.engine import _SqliteTransaction
from registry_server.routes import web
from registry_server.usecases.context import Registry

README = b"---\nlicense: mit\npipeline_tag: image-classification\ntags: [digits]\n---\n# Digits\n\nReads digits.\n"
WEIGHTS = safetensors_bytes([0.5, -1.0, 2.0], name="conv.weight")
RECIPE = (
    b"dataset: {package: scikit-learn, name: digits}\nsplit: {seed: 0, test_fraction: 0.25}\nmetric: accuracy\nn: 450\n"
)

Headers = dict[str, str]


def model(card: dict[str, Any] | None = None, **more: bytes) -> dict[str, bytes]:
    """The files of a model; `more` by path."""
    files = {"model.safetensors": WEIGHTS}
    return {**(with_files(card, files) if card else files), "README.md": README, **more}


def report(commit: str, **changes: Any) -> dict[str, Any]:
    found = {
        "commit_id": commit,
        "task": "image-classification",
        "dataset": "digits",
        "split": "test",
        "metric": "accuracy",
        "claimed": 0.9778,
        "observed": 0.9511,
        "tolerance": 0.02,
        "n": 450,
        "verdict": "fail",
        "duration_seconds": 1.4,
        "energy_kwh": 2.1e-6,
        "energy_source": "estimated",
        "device_name": "AMD EPYC",
    }
    return {**found, **changes}


def add_rerun(client: FlaskClient, headers: Headers, repo: str, commit: str, **changes: Any) -> None:
    address = f"/api/registry/v1/repos/models/{repo}/reruns"
    assert client.post(address, json=report(commit, **changes), headers=headers).status_code == 201


def text_of(page: str) -> str:
    """What a person reads: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@contextmanager
def statements(patch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The SQL that runs inside the block."""
    seen: list[str] = []
    execute = _SqliteTransaction.execute

    def counted(self: _SqliteTransaction, sql: str, params: Any = {}) -> Any:  # noqa: B006
        seen.append(sql)
        return execute(self, sql, params)

    with patch.context() as inside:
        inside.setattr(_SqliteTransaction, "execute", counted)
        yield seen


# The list


def test_empty_list_says_how_to_begin(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "No models yet" in page.text
    assert "registry push FOLDER OWNER/NAME" in page.text


def test_list_shows_each_model_with_its_numbers(client: FlaskClient, alice: Headers) -> None:
    commit = push(client, alice, "alice/digits", model(full_card()))
    push(client, alice, "alice/bare", {"notes.txt": b"soon"})
    add_rerun(client, alice, "alice/digits", commit)
    let_publish(client, alice)
    client.post("/api/registry/v1/repos/models/alice/digits/publish/main", headers=alice)
    page = client.get("/models").text
    text = text_of(page)
    for words in ("digits", "image-classification", "accuracy 0.9778", "12.2 kWh", "estimated", "686 g", "8 h 00 min"):
        assert words in text
    assert "✗ failed" in text
    assert "★ recommended" in text
    assert "card complete" in text
    assert "no card" in text
    assert 'aria-label="100 % of the largest on this page"' in page


def test_list_takes_two_statements_however_many_models(
    client: FlaskClient, alice: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        push(client, alice, f"alice/m{i}", model(minimal_card()))
    with statements(monkeypatch) as seen:
        assert client.get("/?q=digits&sort=energy").status_code == 200
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=energetic", {"b"}),
        ("where=energy_kwh+<+1", {"a"}),
        ("where=energy_kwh+<+100&where=energy_kwh+>+1", {"b"}),
        ("task=image-classification", {"a", "b"}),
        ("task=translation", set()),
        ("author=ALICE", {"a", "b"}),
        ("author=nobody", set()),
        ("tag=digits&tag=license:mit", {"a", "b"}),
        ("tag=letters", set()),
        ("q=", {"a", "b"}),
    ],
)
def test_list_is_searched(client: FlaskClient, alice: Headers, query: str, names: set[str]) -> None:
    push(client, alice, "alice/a", model(minimal_card()))
    push(client, alice, "alice/b", model(golden_card(), **{"README.md": README + b"Energetic."}))
    page = client.get(f"/?{query}").text
    assert set(re.findall(r'href="/alice/(\w+)"', page)) == names
    assert names or "No model matches" in page


def test_list_is_sorted(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/small", model(minimal_card()))
    push(client, alice, "alice/large", model(golden_card()))
    assert re.findall(r'href="/alice/(\w+)"', client.get("/?sort=energy").text) == ["small", "large"]
    page = client.get("/?sort=-energy").text
    assert re.findall(r'href="/alice/(\w+)"', page) == ["large", "small"]
    assert '<option value="-energy" selected>' in page


def test_next_page_keeps_the_search(client: FlaskClient, alice: Headers) -> None:
    for i in range(21):
        push(client, alice, f"alice/m{i:02}", {"README.md": README})
    first = client.get("/?q=digits&sort=name").text
    following = re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = client.get(following).text
    assert re.findall(r'href="/alice/(\w+)"', second) == ["m20"]
    assert "First page" in second
    assert 'rel="next"' not in second
    assert "The list ends before this page" in client.get("/?cursor=500").text


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("where=energy+<&q=kept", "where", "The condition cannot be read"),
        ("where=energy+<+5&q=kept", "where", "write energy_kwh"),
        ("sort=--&q=kept", "sort", "cannot be sorted"),
    ],
)
def test_fault_stands_beside_its_field_and_the_form_is_kept(
    client: FlaskClient, query: str, field: str, words: str
) -> None:
    page = client.get(f"/?{query}")
    assert page.status_code == 400
    assert 'value="kept"' in page.text
    assert f'aria-invalid="true" aria-describedby="{field}-fault"' in page.text
    beside = re.findall(rf'<span class="fault" id="{field}-fault">(.*?)</span>', page.text)
    assert len(beside) == 1
    assert words in beside[0]


def test_wrong_cursor_leads_to_the_first_page(client: FlaskClient) -> None:
    page = client.get("/?cursor=x&q=kept")
    assert page.status_code == 400
    assert '<a href="/models?q=kept">Go to the first page</a>' in page.text


def test_what_was_asked_for_is_escaped(client: FlaskClient) -> None:
    page = client.get("/?q=%22><script>&where=<b>&sort=<b>&author=<b>&task='%22<").text
    assert "<script" not in page
    assert "<b>" not in page


# One model


def test_model_page_tells_cost_quality_verdicts_and_files(client: FlaskClient, alice: Headers) -> None:
    commit = push(client, alice, "alice/digits", model(full_card(), **{"evaluation.yaml": RECIPE}))
    add_rerun(client, alice, "alice/digits", commit, reason="0.0267 below the claim")
    add_rerun(client, alice, "alice/digits", commit, verdict="pass", observed=0.97, energy_kwh=None, energy_source=None)
    page = client.get("/alice/digits")
    assert page.status_code == 200
    text = text_of(page.text)
    assert "<title>alice/digits · Model Commons</title>" in page.text
    assert "12.2 kWh" in text
    assert "10.6 kWh to 14 kWh" in text
    assert "Measured by CodeCarbon 3.3.2 (nvml_counter, rapl_package, ram_dimm_model)" in text
    assert "times the declared PUE 1.2, +14 % / −13 %." in text
    assert "Energy times 56.04 g/kWh (FRA 2023, national mix, annual)" in text
    assert "80.00 EUR" in text
    assert "GPU 9.6 kWh, measured by nvml_counter" in text
    assert "pretraining" in text
    assert "4 × A100" in text
    assert "✗ failed 0.0267 below the claim accuracy digits, test 0.9778 0.9511 ±0.02 450 2.1 mWh estimated" in text
    assert text.index("✓ passed accuracy digits, test") < text.index("✗ failed")
    assert "Tensors of model.safetensors (1)" in text
    assert "conv.weight F32 3" in text
    assert "registry pull alice/digits" in text
    assert "export HF_ENDPOINT=http://localhost" in text
    link = re.findall(r'href="([^"]+)" download>model.safetensors', page.text)[0]
    assert link == f"/alice/digits/resolve/{commit}/model.safetensors"
    assert client.get(link).data == WEIGHTS


def test_bare_model_says_what_is_missing_and_what_to_do(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/bare", {"notes.txt": b"soon"})
    text = text_of(client.get("/alice/bare").text)
    assert "no card" in text
    assert "registry track" in text
    assert "No result is stated" in text
    assert "evaluation.yaml" in text
    assert "There is none. A README.md tells" in text


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (lambda: {**model(minimal_card()), "model.safetensors": safetensors_bytes([9.0])}, "card of other files"),
        (lambda: model(minimal_card()) | {"model.safetensors": b""}, "card of other files"),
        (lambda: {"footprint.json": model(minimal_card())["footprint.json"]}, "card awaits files"),
    ],
)
def test_card_that_does_not_fit_its_files_is_said_to(
    client: FlaskClient, alice: Headers, files: Callable[[], dict[str, bytes]], words: str
) -> None:
    push(client, alice, "alice/odd", files())
    assert words in client.get("/alice/odd").text
    assert words in client.get("/").text


def test_older_revision_has_its_own_page_and_points_to_main(client: FlaskClient, alice: Headers) -> None:
    old = push(client, alice, "alice/digits", {"README.md": b"# Before"})
    let_publish(client, alice)
    client.post("/api/registry/v1/repos/models/alice/digits/publish/main", headers=alice)
    push(client, alice, "alice/digits", {"README.md": b"# After"})
    for address in (f"/alice/digits/tree/{old}", f"/alice/digits/commit/{old}"):
        page = client.get(address).text
        assert "Before" in page
        assert "★ recommended" in page
        assert '<a href="/alice/digits">Go to main</a>' in page
        assert f"registry pull alice/digits@{old}" in page
    main = client.get("/alice/digits/tree/main").text
    assert "After" in main
    assert f'recommends <a href="/alice/digits/commit/{old}"' in main
    assert client.get("/alice/digits/tree/nowhere").status_code == 404
    assert client.get("/alice/digits/tree/..").status_code == 404


def test_readme_finds_its_pictures_in_its_own_commit(client: FlaskClient, alice: Headers) -> None:
    commit = push(client, alice, "alice/digits", {"README.md": b"![A digit](img/a.png)", "img/a.png": b"png"})
    assert f'src="/alice/digits/resolve/{commit}/img/a.png"' in client.get("/alice/digits").text


def test_dataset_page_shows_files_and_readme(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/leaves", {"README.md": b"# Leaves", "a.csv": b"1"}, kind="dataset")
    page = client.get("/datasets/alice/leaves")
    text = text_of(page.text)
    assert page.status_code == 200
    assert "hf download alice/leaves --repo-type dataset" in text
    assert "a.csv" in text
    assert "What it cost" not in text
    assert client.get("/alice/leaves").status_code == 404
    assert "alice/leaves" not in client.get("/").text


def test_owner_leads_to_what_the_owner_has(client: FlaskClient) -> None:
    answer = client.get("/alice")
    assert answer.status_code == 302
    assert answer.location == "/models?author=alice"
    assert client.get("/-not-a-name").status_code == 404


# What strangers see


def test_private_and_absent_models_give_the_same_page_to_everyone(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/hidden", model(minimal_card()), private=True)
    pages = [
        client.get(f"/alice/{name}{rest}", headers=headers)
        for name in ("hidden", "absent")
        for rest in ("", "/tree/main", "/commit/main")
        for headers in ({}, alice, {"Authorization": "Bearer wrong"})
    ]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text.replace("hidden", "absent") for page in pages}) == 1
    assert len({tuple(page.headers) for page in pages}) == 1


def test_list_shows_nothing_private_even_to_its_owner(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/hidden", model(minimal_card()), private=True)
    assert "/alice/hidden" not in client.get("/?author=alice", headers=alice).text


# Errors and addresses


def test_error_page_says_what_happened_and_what_to_do(client: FlaskClient) -> None:
    for headers in ({}, {"Accept": "application/json"}):
        page = client.get("/alice/none", headers=headers)
        assert page.status_code == 404
        assert page.mimetype == "text/html"
        assert "There is no model or data set of this name here, or it is private." in page.text
        assert "Check the spelling" in page.text
    assert "There is no page at this address." in client.get("/alice/m/nothing/here").text


def test_fault_of_ours_is_a_page_without_a_traceback(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(web.models, "find", broken)
    page = client.get("/")
    assert page.status_code == 500
    assert "The server failed to make this page." in page.text
    assert "secret detail" not in page.text


@pytest.mark.parametrize("address", ["/api/nothing", "/api/nothing/more", "/lfs/nothing", "/api/models/a/b/c/d"])
def test_pages_leave_the_addresses_of_programs_alone(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert answer.mimetype == "application/json"


@pytest.mark.parametrize("address", ["/settings", "/login/x", "/static/none", "/datasets/alice", "/models/m"])
def test_reserved_names_own_no_page(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404


# What a browser may do


@pytest.mark.parametrize("address", ["/", "/alice/digits", "/datasets/alice/none", "/no/such/page", "/?where=<"])
def test_pages_run_nothing_and_load_nothing_foreign(client: FlaskClient, alice: Headers, address: str) -> None:
    hostile = b'<script>x()</script> <img src="https://evil.example/x.png" onerror="x()"> ![](data:image/png;base64,AA)'
    push(client, alice, "alice/digits", model(full_card()) | {"README.md": hostile})
    page = client.get(address)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)
    assert all(source.startswith("/") for source in re.findall(r'\ssrc="([^"]*)"', page.text))


def test_style_is_kept_until_it_changes(client: FlaskClient) -> None:
    address = re.findall(r'href="(/static/style.css\?v=[0-9a-f]{12})"', client.get("/").text)[0]
    with client.get(address) as style:
        assert style.mimetype == "text/css"
        assert style.cache_control.max_age == 365 * 24 * 3600
        etag = style.headers["ETag"]
    with client.get(address, headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304
    assert client.get("/static/..%2froutes/web.py").status_code == 404


# Health


def test_healthz_answers_when_the_server_can_serve(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_healthz_names_what_fails(registry: Registry, app: Flask) -> None:
    class Locked:
        def read(self) -> Any:
            raise Unavailable("The catalog is busy with another writer.")

    registry.settings.blobs_path.rename(registry.settings.data / "elsewhere")
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"status": "failing", "failing": ["blobs"]})
    locked: Any = Locked()
    answer = app_of(replace(registry, engine=locked)).test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (503, {"status": "failing", "failing": ["catalog", "blobs"]})
