"""find and the Hub's list: what matches, in which order, in how many statements."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.server.pushing import push
from tests.server.wire import create

from registry_core.ids import RepoId
from registry_core.sorting import parse_sort
from registry_core.where import Value, evaluate, parse_where
from registry_server.catalog import accounts, cards, engine, repos
from registry_server.catalog.accounts import ANONYMOUS
from registry_server.catalog.cards import CardIndex, MetricEntry
from registry_server.catalog.queries import Query
from registry_server.usecases import models
from registry_server.usecases.context import Registry

FIND = "/api/registry/v1/find"
NUMBERS = ["energy_kwh", "co2e_kg", "water_litres", "cost", "duration_seconds", "parameters", "size_bytes"]
METRICS = ["accuracy", "f1"]
TASKS = ["fill-mask", "image-classification"]

Headers = dict[str, str]
Token = Callable[[str], Headers]


# A small catalog, straight into the tables


def fill(registry: Registry, models_: list[CardIndex]) -> list[int]:
    """Public models alice/m0, alice/m1 … with these cards, in the place of all there were; their row ids."""
    with registry.engine.write() as tx:
        owner = accounts.by_name(tx, "alice") or accounts.add(tx, "alice", "user", is_admin=False, at="2026")
        tx.execute("delete from repos")
        rows = []
        for i, card in enumerate(models_):
            repo = repos.add(tx, "model", RepoId(f"alice/m{i}"), owner.id, private=False, at=f"2026-01-{i + 1:02}")
            cards.index(tx, repo.row_id, card)
            rows.append(repo.row_id)
    return rows


def found(registry: Registry, **asked: Any) -> list[str]:
    return [item.id for item in models.find(registry, ANONYMOUS, Query(**asked)).items]


def value_of(card: CardIndex, task: str | None) -> Callable[[str], Value | None]:
    """What the words of the language mean for one model."""

    def value(name: str) -> Value | None:
        if name == "author":
            return "alice"
        if name in {field.name for field in dataclasses.fields(CardIndex)}:
            column: Value | None = getattr(card, name)
            return column
        entries = [entry for entry in card.metrics if entry.metric == name and task in (None, entry.task)]
        return entries[0].value if entries else None

    return value


_number = st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0, 1e-9, 2.5, 1e12]))
_whole = st.one_of(st.none(), st.sampled_from([0, 1, 2, 10**15]))


@st.composite
def card_indexes(draw: st.DrawFn) -> CardIndex:
    claims = draw(
        st.lists(
            st.tuples(st.sampled_from(TASKS), st.sampled_from(METRICS), st.sampled_from([0.0, 0.5, 0.9, 1.0])),
            max_size=4,
        )
    )
    entries, of_task, of_model = [], set(), set()
    for task, metric, value in claims:
        entries.append(
            MetricEntry(task, metric, "d", None, value, (task, metric) not in of_task, metric not in of_model)
        )
        of_task.add((task, metric))
        of_model.add(metric)
    return CardIndex(
        commit_oid=bytes(20),
        task=draw(st.sampled_from([None, *TASKS])),
        library=draw(st.sampled_from([None, "transformers"])),
        license=draw(st.sampled_from([None, "mit", "MIT", "it's"])),
        currency=draw(st.sampled_from([None, "EUR"])),
        parameters=draw(_whole),
        size_bytes=draw(_whole),
        **{name: draw(_number) for name in ("energy_kwh", "co2e_kg", "water_litres", "cost", "duration_seconds")},
        metrics=entries,
    )


_literal = st.sampled_from(["0", "0.5", "1", "1e-9", "-1", "2.5", "1000000000000"])
_text = st.sampled_from(['"mit"', "'MIT'", '"fill-mask"', '"it\'s"', '"alice"', '"x"'])
_leaf = st.one_of(
    st.builds(
        "{} {} {}".format, st.sampled_from(NUMBERS + METRICS), st.sampled_from("< <= > >= == !=".split()), _literal
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["task", "library", "license", "author"]),
        st.sampled_from(["==", "!="]),
        _text,
    ),
    st.builds(
        "{} {} ({}, {})".format,
        st.sampled_from(NUMBERS + METRICS),
        st.sampled_from(["in", "not in"]),
        _literal,
        _literal,
    ),
    st.builds("{} <= {} < {}".format, _literal, st.sampled_from(NUMBERS + METRICS), _literal),
    st.builds('metric("{}") >= {}'.format, st.sampled_from(METRICS), _literal),
)
_conditions = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.builds("(not {})".format, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(card_indexes(), max_size=8), st.lists(_conditions, max_size=2), st.sampled_from([None, *TASKS]))
def test_conditions_mean_in_sql_what_they_mean_in_the_core(
    registry: Registry, catalog: list[CardIndex], wheres: list[str], task: str | None
) -> None:
    fill(registry, catalog)
    conditions = [parse_where(text) for text in wheres]
    expected = {
        f"alice/m{i}"
        for i, card in enumerate(catalog)
        if task in (None, card.task) and all(evaluate(one, value_of(card, task)) is True for one in conditions)
    }
    assert set(found(registry, task=task, conditions=conditions, limit=100)) == expected


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(card_indexes(), max_size=9),
    st.sampled_from(["energy", "co2e", "-cost", "parameters", "-size", "accuracy", "-accuracy", "f1", "-duration"]),
    st.integers(1, 4),
    st.sampled_from([None, TASKS[0]]),
)
def test_pages_in_any_order_hold_every_model_once(
    registry: Registry, catalog: list[CardIndex], sort: str, limit: int, task: str | None
) -> None:
    fill(registry, catalog)
    order = parse_sort(sort)
    seen: list[str] = []
    offset = 0
    while True:
        page = models.find(registry, ANONYMOUS, Query(task=task, sort=order, limit=limit, offset=offset))
        assert len(page.items) <= limit
        seen += [item.id for item in page.items]
        if page.next_cursor is None:
            break
        assert len(page.items) == limit
        offset = models.offset_of(page.next_cursor)
    expected = {f"alice/m{i}" for i, card in enumerate(catalog) if task in (None, card.task)}
    assert len(seen) == len(set(seen))
    assert set(seen) == expected
    values = [value_of(catalog[int(name.removeprefix("alice/m"))], task)(order.name) for name in seen]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=order.descending) + [None] * (len(values) - len(known))  # type: ignore[type-var]


def test_what_is_missing_matches_no_comparison_and_no_negation(registry: Registry) -> None:
    fill(registry, [CardIndex(bytes(20)), CardIndex(bytes(20), energy_kwh=0.0)])
    for text in (
        "energy_kwh < 1",
        "energy_kwh == 0",
        "not energy_kwh > 1",
        "energy_kwh != 5",
        "energy_kwh not in (3, 4)",
    ):
        assert found(registry, conditions=[parse_where(text)]) == ["alice/m1"], text
    assert found(registry, conditions=[parse_where("accuracy < 1")]) == []
    assert found(registry, conditions=[parse_where("not accuracy < 1")]) == []


def test_a_metric_means_the_first_entry_for_the_asked_task(registry: Registry) -> None:
    entries = [
        MetricEntry("fill-mask", "accuracy", "d", None, 0.5, leads_task=True, leads_model=True),
        MetricEntry("fill-mask", "accuracy", "e", None, 0.99, leads_task=False, leads_model=False),
        MetricEntry("image-classification", "accuracy", "d", None, 0.9, leads_task=True, leads_model=False),
    ]
    fill(registry, [CardIndex(bytes(20), task="image-classification", metrics=entries)])
    above = [parse_where("accuracy > 0.8")]
    assert found(registry, conditions=above) == []
    assert found(registry, conditions=above, task="image-classification") == ["alice/m0"]


# Full text


TEXTS = {
    "alice/digits-small": b"---\ntags: [tiny, vision]\n---\nA classifier of hand-written digits.\n",
    "alice/grosz": "---\ntags: [größe]\n---\nSchätzt die Größe von Bäumen. 日本語 текст\n".encode(),
    "alice/none": b"",
}


@pytest.fixture
def texts(client: FlaskClient, token: Token) -> None:
    for repo, readme in TEXTS.items():
        push(client, token("alice"), repo, {"README.md": readme})


@pytest.mark.parametrize(
    ("words", "repos_"),
    [
        ("digits", ["digits-small"]),
        ("DIGI", ["digits-small"]),
        ("classif writ", ["digits-small"]),
        ("classifier nothing", []),
        ("vision", ["digits-small"]),
        ("small", ["digits-small"]),
        ("größe", ["grosz"]),
        ("GRÖSSE", []),
        ("grö", ["grosz"]),
        ("текст", ["grosz"]),
        ("日本", ["grosz"]),
        ("alice", ["digits-small", "grosz", "none"]),
    ],
)
def test_words_may_be_cut_short(client: FlaskClient, texts: None, words: str, repos_: list[str]) -> None:
    items = client.get(FIND, query_string={"q": words}).json["items"]
    assert sorted(item["id"] for item in items) == [f"alice/{name}" for name in repos_]


INJECTIONS = [
    '"',
    "'",
    "*",
    "a OR b",
    "NEAR(a b)",
    "name:digits",
    "-digits",
    "a AND NOT b",
    '"a" "',
    "(",
    "^a",
    "{a b}: x",
]
INJECTIONS += [
    "'; drop table repos; --",
    "%",
    "_",
    "\0",
    "a\0b",
    "²",
    "💥",
    "a" * 3000,
    " ".join("abcdefgh" * 8),
    "\u0301",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_what_people_type_is_never_a_language(client: FlaskClient, texts: None, text: str) -> None:
    for name in ("q", "author", "tag", "task"):
        assert client.get(FIND, query_string={name: text}).status_code == 200
    for name in ("where", "sort", "cursor", "limit"):
        assert client.get(FIND, query_string={name: text}).status_code in (200, 400)
    for name in ("search", "filter", "author", "pipeline_tag"):
        assert client.get("/api/models", query_string={name: text}).status_code == 200
    assert len(client.get(FIND).json["items"]) == 3


NO_CONDITIONS = [
    "1",
    "energy_kwh",
    "energy_kwh < '1'",
    "energy_kwh < 1; drop table repos",
    "__import__('os')",
    "a.b < 1",
]
NO_CONDITIONS += [
    "task < 'a'",
    "energy_kwh < 1 --",
    "energy < 1",
    "x < " + "9" * 400,
    "lambda: 1",
    "a < 1 or " * 60 + "a < 1",
]
NO_CONDITIONS += ["(" * 300 + "a<1" + ")" * 300]


@pytest.mark.parametrize("where", NO_CONDITIONS)
def test_a_condition_that_is_none_is_told(client: FlaskClient, where: str) -> None:
    answer = client.get(FIND, query_string={"where": where})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_where")
    assert answer.json["hint"]


# The parameters


@pytest.mark.parametrize(
    ("limit", "status"),
    [("1", 200), ("100", 200), ("0", 400), ("101", 400), ("-1", 400), ("x", 400), ("1.0", 400), ("", 200)],
)
def test_the_limit_has_bounds(client: FlaskClient, limit: str, status: int) -> None:
    assert client.get(FIND, query_string={"limit": limit}).status_code == status


def test_an_unknown_parameter_is_told_with_the_known_ones(client: FlaskClient) -> None:
    answer = client.get(FIND, query_string={"tsak": "fill-mask"})
    assert answer.status_code == 400
    assert "tsak" in answer.json["error"]
    assert "task" in answer.json["hint"]


def test_a_cursor_that_is_none_is_told(client: FlaskClient) -> None:
    for cursor in ("x", "-1", "1e3", "9" * 20, "１２"):
        assert client.get(FIND, query_string={"cursor": cursor}).status_code == 400


def test_pages_over_http_do_not_overlap(client: FlaskClient, registry: Registry) -> None:
    fill(registry, [CardIndex(bytes(20), energy_kwh=float(i % 3)) for i in range(11)])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get(
            FIND, query_string={"limit": 4, "sort": "energy", **({"cursor": cursor} if cursor else {})}
        ).json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"alice/m{i}" for i in range(11))


# What it costs


@pytest.fixture
def statements(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement from here on."""
    asked: list[str] = []
    execute = engine._SqliteTransaction.execute

    def counted(self: Any, sql: str, params: Any = {}) -> Any:  # noqa: B006
        asked.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(engine._SqliteTransaction, "execute", counted)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        FIND,
        f"{FIND}?q=a&task=fill-mask&author=alice&tag=x&tag=y&where=accuracy>0.5&where=energy_kwh<1&sort=-accuracy",
        f"{FIND}?q=a&facets=task,library,license&where=accuracy>0.5&sort=energy",
        f"{FIND}?at_least=accuracy=0.5&task=fill-mask&facets=task",
        "/api/models?limit=50&cardData=true",
        "/api/models?limit=50&full=true&cardData=true&config=true",
        "/api/models?expand=usedStorage&expand=siblings&expand=config&expand=safetensors",
        "/api/datasets?full=true",
        "/?q=a",
        "/api/models?search=m&filter=x&author=alice&sort=lastModified&num_parameters=min:1",
        "/api/datasets",
    ],
)
def test_a_list_takes_two_statements_at_most(
    client: FlaskClient, registry: Registry, token: Token, statements: list[str], address: str
) -> None:
    headers = token("bob")
    fill(registry, [CardIndex(bytes(20), task="fill-mask", tags=["x", "y"]) for _ in range(30)])
    assert client.get(address, headers=headers).status_code == 200
    statements.clear()
    assert client.get(address, headers=headers).status_code == 200
    beside_the_token = [sql for sql in statements if "tokens" not in sql]
    assert 1 <= len(beside_the_token) <= 2


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"task": "fill-mask", "sort": "energy"}, "cards_by_energy"),
        ({"task": "fill-mask", "sort": "co2e"}, "cards_by_co2e"),
        ({"task": "fill-mask", "sort": "duration"}, "cards_by_duration"),
        ({"sort": "energy"}, "cards_by_energy_alone"),
    ],
)
def test_sorting_by_a_footprint_walks_along_its_index(
    registry: Registry, statements: list[str], asked: dict[str, str], index: str
) -> None:
    fill(registry, [CardIndex(bytes(20), task="fill-mask", energy_kwh=float(i)) for i in range(50)])
    statements.clear()
    query = Query(task=asked.get("task"), sort=parse_sort(asked["sort"]))
    models.find(registry, ANONYMOUS, query)
    (sql,) = statements
    params = {"is_model": 1, "task": "fill-mask", "caller": 0, "caller_is_admin": 0, "limit": 20, "offset": 0}
    with registry.engine.read() as tx:
        plan = [row["detail"] for row in tx.execute(f"explain query plan {sql}", params)]
    assert any(f"INDEX {index}" in step and " c " in f"{step} " for step in plan), plan
    # One sort is left: that of the page itself, once it is found.
    assert sum("TEMP B-TREE" in step for step in plan) == 1, plan


# What is told is told in JSON that every reader takes

HOSTILE_HEADS = [
    "x: .nan",
    "x: .inf",
    "co2_eq_emissions: .nan",
    'license: "\\uD800"',
    'tags: ["\\uD800", "\\0", ""]',
    "tags: [1, null, {a: b}, [c]]",
    "tags: notalist",
    "pipeline_tag: [a]",
    "language: {a: b}",
    "license: 2026-01-01",
    "1: one\nnull: none\ntrue: yes",
    "library_name: " + "x" * 5000,
    "tags: [" + ", ".join(f"t{i}" for i in range(3000)) + "]",
    "base_model: [a/b, 7]\ndatasets: 5",
    "x: " + "9" * 5000,
    "x: 0x" + "f" * 4000,
    "x: 2026-13-45T99:99:99",
    "x: !!python/object:os.system {}",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
    "a: &a {x: *a}",
    "- 1",
    "x: \x01",
    *(
        "model-index:\n- name: m\n  results:\n  - task: {type: fill-mask}\n    dataset: {type: d, name: d}\n"
        f"    metrics:\n    - {{type: {name}, value: {value}}}"
        for name, value in [
            ("accuracy", ".nan"),
            ("accuracy", ".inf"),
            ("accuracy", "'0.9'"),
            ("accuracy", "true"),
            ("accuracy", "9" * 400),
            ('"\\uD800"', "0.5"),
            ("''", "0.5"),
            ("task", "0.5"),
            ("x" * 1000, "0.5"),
        ]
    ),
]


def strict(answer: Any) -> Any:
    """The answer as JSON, without the words that only Python reads as numbers."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(answer.data, parse_constant=refuse)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_no_head_of_a_readme_breaks_a_commit_or_a_reader(client: FlaskClient, token: Token, kind: str) -> None:
    headers = token("alice")
    for head in HOSTILE_HEADS:
        push(client, headers, "alice/m", {"README.md": f"---\n{head}\n---\n# x\n".encode()}, kind=kind)
        addresses = [
            f"/api/{kind}s?full=true&cardData=true",
            f"/api/{kind}s/alice/m",
            f"/api/registry/v1/repos/{kind}s/alice/m",
        ]
        for address in [*addresses, *([f"{FIND}?sort=-accuracy"] if kind == "model" else [])]:
            answer = client.get(address)
            assert answer.status_code == 200, (head, address)
            assert "alice/m" in json.dumps(strict(answer))
        assert client.post("/api/validate-yaml", json={"content": f"---\n{head}\n---\n"}).status_code in (200, 400)


@pytest.mark.parametrize("name", ["evaluation.yaml", ".gitattributes", ".gitignore", "README.md"])
def test_no_bytes_of_a_file_that_is_read_break_a_commit_or_a_reader(
    client: FlaskClient, token: Token, name: str
) -> None:
    headers = token("alice")
    contents = [
        b"",
        b"\xff\xfe\x00",
        b"---\n" * 99,
        b"[" * 5000,
        b"a: " * 5000,
        b"\0" * 99,
        b"---\n\xff\n---\n",
        b"&a [*a]",
        b"*" * 3000,
    ]
    contents += [
        b"* filter=lfs\n" * 999,
        b"[attr]x\n!a filter=lfs\n\\\n[z-a filter=lfs\n",
        b'"quoted name" filter=lfs\n"open filter=lfs\n',
    ]
    for content in contents:
        push(client, headers, "alice/m", {name: content})
        assert client.get("/api/registry/v1/repos/models/alice/m").status_code == 200
        files = {"files": [{"path": path, "size": 1, "sample": "YQ=="} for path in ("a", "quoted name", "z")]}
        assert client.post("/api/models/alice/m/preupload/main", json=files, headers=headers).status_code == 200


def test_the_hub_list_and_find_name_the_same_models(client: FlaskClient, registry: Registry, token: Token) -> None:
    fill(registry, [CardIndex(bytes(20), tags=["a"], parameters=i) for i in range(5)])
    create(client, token("alice"), "alice/data", kind="dataset")
    create(client, token("alice"), "alice/hidden", private=True)
    listed = [item["id"] for item in client.get("/api/models").json]
    assert listed == [item["id"] for item in client.get(FIND).json["items"]]
    assert [item["id"] for item in client.get("/api/datasets").json] == ["alice/data"]
