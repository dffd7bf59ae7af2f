"""The index behind find: every way to read it gives one answer, facets and groups show nobody's secrets, upgrades."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.cards import full_card
from tests.server.older import take_back_to
from tests.server.pushing import push, with_files
from tests.server.test_find import FIND, TASKS, card_indexes, fill, found
from tests.server.wire import commit, create, delete, inline

from registry_core.card import parse_card
from registry_core.groups import GroupKey, group_of
from registry_core.sorting import parse_sort
from registry_core.where import parse_where
from registry_server.app import app_of, open_registry
from registry_server.catalog import accounts, cards, counting, finding, peers, repos, words
from registry_server.catalog.accounts import ANONYMOUS, Caller
from registry_server.catalog.cards import CardIndex, MetricEntry
from registry_server.catalog.queries import Query
from registry_server.usecases import models
from registry_server.usecases.context import Registry

Headers = dict[str, str]
Token = Callable[[str], Headers]

ALL = "task,library,license"


# One answer, wherever a statement begins

WORDS = ["alpha", "alphabet", "beta", "Größe"]
TAGS = ["x", "y"]


@st.composite
def worded_cards(draw: st.DrawFn) -> CardIndex:
    text = " ".join(draw(st.lists(st.sampled_from(WORDS), max_size=3)))
    return replace(draw(card_indexes()), body=text, tags=draw(st.lists(st.sampled_from(TAGS), max_size=2)))


queries = st.builds(
    Query,
    text=st.sampled_from([None, "alph", "alpha", "beta alpha", "größe", "m1"]),
    task=st.sampled_from([None, *TASKS]),
    author=st.sampled_from([None, "ALICE", "bob"]),
    tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True),
    conditions=st.lists(
        st.sampled_from(["accuracy >= 0.5", "energy_kwh < 1", "f1 < 1 or energy_kwh > 0", "license != 'mit'"]).map(
            parse_where
        ),
        max_size=2,
    ),
    sort=st.sampled_from(
        ["updated", "-updated", "name", "energy", "-energy", "co2e", "parameters", "accuracy", "-accuracy", "-f1"]
    ).map(parse_sort),
    limit=st.integers(1, 5),
    offset=st.integers(0, 3),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(worded_cards(), max_size=8), queries)
def test_it_does_not_matter_where_a_statement_begins(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, catalog: list[CardIndex], query: Query
) -> None:
    fill(registry, catalog)
    answers = []
    for probes in (0, 10**9):  # always along the order; always from the rarest
        monkeypatch.setattr(finding, "_PROBES", probes)
        for asked in (query, replace(query, conditions=[*query.conditions, parse_where("not parameters < 0")])):
            hits = models.find(registry, ANONYMOUS, replace(asked, offset=0, limit=100), counting.FACETS)
            assert hits.facets is not None
            assert hits.facets.total == len(hits.items)
            for facet in counting.FACETS:
                stated = Counter(getattr(item, facet) for item in hits.items)
                stated.pop(None, None)
                assert hits.facets.counts[facet] == stated
        page = models.find(registry, ANONYMOUS, query)
        answers.append(([item.id for item in page.items], page.next_cursor))
    assert answers[0] == answers[1]


def test_a_text_without_a_word_matches_nothing(client: FlaskClient, registry: Registry) -> None:
    fill(registry, [CardIndex(bytes(20))])
    for text in ("?!", " ", "_", "*"):
        answer = client.get(FIND, query_string={"q": text, "facets": ALL}).json
        assert answer["items"] == []
        assert answer["facets"] == {"total": 0, "is_exact": True, "counts": {"task": {}, "library": {}, "license": {}}}
    assert len(client.get(FIND, query_string={"q": ""}).json["items"]) == 1


@given(st.text(max_size=30))
def test_what_is_kept_is_found_by_each_of_its_words(text: str) -> None:
    kept = words.kept(words.folded(text))
    assert all(f" {word}" in kept for word in words.asked(text))
    assert kept.encode().decode() == kept


def test_forms_of_a_word_ask_for_one_beginning() -> None:
    assert words.asked("Trained trains training") == ["train"]
    assert words.asked("classes class") == ["class"]
    assert words.asked("sing bus ing") == ["sing", "bus", "ing"]


def test_a_repo_is_found_by_its_new_name_and_not_by_its_old_one(client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    push(client, alice, "alice/zebra", {"README.md": b"# striped\n"})
    body = {"fromRepo": "alice/zebra", "toRepo": "alice/quagga", "type": "model"}
    assert client.post("/api/repos/move", json=body, headers=alice).status_code == 200
    assert [item["id"] for item in client.get(FIND, query_string={"q": "quag"}).json["items"]] == ["alice/quagga"]
    assert client.get(FIND, query_string={"q": "zebra"}).json["items"] == []
    assert len(client.get(FIND, query_string={"q": "striped"}).json["items"]) == 1


def test_no_word_of_a_deleted_repo_is_left(client: FlaskClient, registry: Registry, token: Token) -> None:
    alice = token("alice")
    push(client, alice, "alice/zebra", {"README.md": b"---\ntags: [t]\n---\n# striped\n"})
    answer = client.delete(
        "/api/repos/delete", json={"type": "model", "name": "zebra", "organization": "alice"}, headers=alice
    )
    assert answer.status_code == 200
    with registry.engine.read() as tx:
        for table in ("cards", "card_heads", "metrics", "tags", "card_words", "card_vocabulary"):
            assert tx.execute(f"select * from {table}") == [], table


# Facets


def facets_of(client: FlaskClient, headers: Headers | None = None, **asked: str) -> Any:
    answer = client.get(FIND, query_string={"facets": ALL, **asked}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json["facets"]


def head(task: str, license_: str) -> bytes:
    return f"---\npipeline_tag: {task}\nlicense: {license_}\n---\n# text\n".encode()


def test_facets_count_what_the_caller_sees_and_nothing_else(client: FlaskClient, token: Token) -> None:
    alice, bob = token("alice"), token("bob")
    push(client, alice, "alice/open", {"README.md": head("fill-mask", "mit")})
    push(client, alice, "alice/secret", {"README.md": head("fill-mask", "other")}, private=True)
    push(client, alice, "alice/data", {"README.md": head("fill-mask", "data-only")}, kind="dataset")
    for asked in ({}, {"q": "text"}, {"task": "fill-mask"}, {"author": "alice"}, {"where": "license != 'x'"}):
        for headers in (None, bob):
            seen = facets_of(client, headers, **asked)
            assert (seen["total"], seen["counts"]["license"]) == (1, {"mit": 1}), asked
        assert facets_of(client, alice, **asked)["counts"]["license"] == {"mit": 1, "other": 1}, asked


def test_facets_change_as_soon_as_a_repo_does(client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    push(client, alice, "alice/m", {"README.md": head("fill-mask", "mit")})
    settings_ = "/api/models/alice/m/settings"
    assert facets_of(client)["total"] == 1
    for private in (True, False, True):
        assert client.put(settings_, json={"private": private}, headers=alice).status_code == 200
        for _ in range(2):
            assert facets_of(client)["total"] == (0 if private else 1)
            assert facets_of(client, q="text")["total"] == (0 if private else 1)
            assert len(client.get(FIND).json["items"]) == (0 if private else 1)
    assert client.put(settings_, json={"private": False}, headers=alice).status_code == 200
    push(client, alice, "alice/m", {"README.md": head("fill-mask", "apache-2.0")})
    assert facets_of(client)["counts"]["license"] == {"apache-2.0": 1}
    body = {"type": "model", "name": "m", "organization": "alice"}
    assert client.delete("/api/repos/delete", json=body, headers=alice).status_code == 200
    assert facets_of(client)["total"] == 0


def test_counting_ends_at_a_bound_and_says_so(
    client: FlaskClient, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(registry, [CardIndex(bytes(20), task=TASKS[0], water_litres=1.0, energy_kwh=1.0) for _ in range(5)])
    monkeypatch.setattr(counting, "MOST_COUNTED", 3)
    bounded = facets_of(client, where="water_litres < 2")
    assert (bounded["total"], bounded["is_exact"]) == (3, False)
    along_an_index = facets_of(client, where="energy_kwh < 2")
    assert (along_an_index["total"], along_an_index["is_exact"]) == (5, True)


def test_unknown_facets_are_told(client: FlaskClient) -> None:
    answer = client.get(FIND, query_string={"facets": "task,author"})
    assert answer.status_code == 400
    assert "author" in answer.json["error"]


def test_the_list_page_offers_facets(client: FlaskClient, registry: Registry) -> None:
    fill(registry, [CardIndex(bytes(20), task="fill-mask", license="mit"), CardIndex(bytes(20), license="it's")])
    page = client.get("/").text
    assert "fill-mask" in page
    assert 'href="/models?task=fill-mask"' in page or "task=fill-mask" in page
    narrowed = client.get("/", query_string={"task": "fill-mask"}).text
    assert "alice/<b>m0</b>" in narrowed
    assert "alice/<b>m1</b>" not in narrowed
    assert client.get("/", query_string={"where": 'license == "it\'s"'}).status_code == 200


# A score to reach


def scored(value: float, *, stderr: float | None = None, higher: bool | None = True, metric: str = "accuracy") -> Any:
    return MetricEntry(
        TASKS[0], metric, "d", "test", value, leads_task=True, leads_model=True, stderr=stderr, higher_is_better=higher
    )


def test_at_least_takes_off_one_standard_error_and_sorts_by_energy(client: FlaskClient, registry: Registry) -> None:
    fill(
        registry,
        [
            CardIndex(bytes(20), task=TASKS[0], energy_kwh=3.0, metrics=[scored(0.96, stderr=0.01)]),
            CardIndex(bytes(20), task=TASKS[0], energy_kwh=1.0, metrics=[scored(0.955, stderr=0.01)]),
            CardIndex(bytes(20), task=TASKS[0], energy_kwh=2.0, metrics=[scored(0.95)]),
            CardIndex(bytes(20), task=TASKS[0], energy_kwh=0.5),
            CardIndex(bytes(20), task=TASKS[0], energy_kwh=9.0, metrics=[scored(8.0, higher=False, metric="wer")]),
        ],
    )
    for more in ({}, {"task": TASKS[0]}):
        items = client.get(FIND, query_string={"at_least": "accuracy=0.95", **more}).json["items"]
        assert [item["id"] for item in items] == ["alice/m2", "alice/m0"]
    assert [item["id"] for item in client.get(FIND, query_string={"at_least": "wer=10"}).json["items"]] == ["alice/m4"]
    assert client.get(FIND, query_string={"at_least": "wer=5"}).json["items"] == []


@pytest.mark.parametrize("text", ["accuracy", "=0.9", "accuracy=", "accuracy=x", "accuracy=nan", "energy_kwh=1"])
def test_a_score_that_is_none_is_told(client: FlaskClient, text: str) -> None:
    answer = client.get(FIND, query_string={"at_least": text})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_where")


# Comparison groups


def from_scratch() -> dict[str, Any]:
    """A full card of a model without bases, which would have to be found here."""
    document = full_card()
    document["model"]["base_models"] = []
    return document


GROUP = GroupKey(TASKS[0], "d", None, "test", None, "accuracy")


def test_peers_are_those_of_one_group_that_the_caller_sees(client: FlaskClient, registry: Registry) -> None:
    other = replace(scored(0.5), dataset="e")
    same_again = replace(scored(0.1), leads_task=False, leads_model=False)
    rows = fill(
        registry,
        [
            CardIndex(
                bytes(20),
                task=TASKS[0],
                energy_kwh=2.0,
                energy_low_kwh=1.0,
                energy_high_kwh=4.0,
                level="E2",
                energy_source="measured",
                license="mit",
                metrics=[scored(0.9, stderr=0.02), same_again],
            ),
            CardIndex(bytes(20), task=TASKS[0], metrics=[scored(0.8)]),
            CardIndex(bytes(20), task=TASKS[0], metrics=[other]),
            CardIndex(bytes(20), task=TASKS[0], metrics=[scored(0.7, higher=None)]),
            CardIndex(bytes(20), task=TASKS[0], metrics=[scored(0.6)]),
        ],
    )
    with registry.engine.write() as tx:
        tx.execute("update repos set private = 1 where id = :repo", {"repo": rows[4]})
    with registry.engine.read() as tx:
        found_ = peers.peers(tx, ANONYMOUS, GROUP)
        owner = accounts.by_name(tx, "alice")
        assert owner is not None
        own = peers.peers(tx, Caller(owner.id, "alice", False, "", "read"), GROUP)
        groups = peers.groups_of_task(tx, ANONYMOUS, TASKS[0], "accuracy")
    assert [peer.id for peer in found_] == ["alice/m0", "alice/m1"]
    assert [peer.id for peer in own] == ["alice/m0", "alice/m1", "alice/m4"]
    first = found_[0]
    assert first.energy_kwh is not None
    assert (first.score, first.stderr, first.level, first.license) == (0.9, 0.02, "E2", "mit")
    assert (first.energy_kwh.low, first.energy_kwh.value, first.energy_kwh.high) == (1.0, 2.0, 4.0)
    assert (found_[1].level, found_[1].energy_kwh) == ("E0", None)
    assert dict(groups) == {GROUP: 2, replace(GROUP, dataset="e"): 1}


def test_a_pushed_card_is_a_peer_in_its_groups(client: FlaskClient, registry: Registry, token: Token) -> None:
    document = from_scratch()
    push(client, token("alice"), "alice/m", with_files(document, {"model.safetensors": b"x"}))
    scores = parse_card(document).quality
    assert scores
    with registry.engine.read() as tx:
        repo = repos.visible(tx, ANONYMOUS, "model", repos.RepoId("alice/m"))
        assert repo is not None
        groups = peers.groups_of_repo(tx, repo)
        assert groups[: len(scores)] == [group_of(score) for score in scores]
        peer = peers.peers(tx, ANONYMOUS, groups[0])[0]
        indexed = cards.of_repo(tx, repo)
    assert indexed is not None
    assert peer.score == scores[0].value
    assert peer.energy_kwh is not None
    assert peer.energy_kwh.value == indexed.card.energy_kwh
    assert peer.energy_kwh.low < peer.energy_kwh.value < peer.energy_kwh.high


# What only the Hub shows


def test_the_hub_list_names_the_files_of_each_head(client: FlaskClient, token: Token) -> None:
    alice = token("alice")
    config = {"architectures": ["A"], "model_type": "t", "hidden_size": 3}
    push(client, alice, "alice/m", {"config.json": json.dumps(config).encode(), "a/ü.txt": b"1"})
    create(client, alice, "alice/empty")
    commit(client, alice, "alice/m", [inline("b.txt", b"2")])
    commit(client, alice, "alice/m", [delete("a/ü.txt")])
    listed = {item["id"]: item for item in client.get("/api/models?full=true&config=true").json}
    alone = {name: client.get(f"/api/models/{name}").json for name in listed}
    for name, item in listed.items():
        assert item["siblings"] == alone[name]["siblings"]
        assert item.get("config") == alone[name].get("config")
    assert {file["rfilename"] for file in listed["alice/m"]["siblings"]} >= {"config.json", "b.txt"}
    assert "a/ü.txt" not in {file["rfilename"] for file in listed["alice/m"]["siblings"]}
    assert listed["alice/m"]["config"] == {"architectures": ["A"], "model_type": "t"}
    used = client.get("/api/models?expand=usedStorage").json
    assert {item["id"]: item["usedStorage"] for item in used}["alice/m"] == (
        client.get("/api/models/alice/m?expand=usedStorage").json["usedStorage"]
    )


# Upgrades


def ungraded(answer: Any) -> Any:
    """The answer without what only a reindex adds to cards of an older version."""
    items = answer["items"] if isinstance(answer, dict) and "items" in answer else []
    for item in items:
        assert item.pop("level") in (None, "E0")
    return answer


def test_a_catalog_of_an_older_version_answers_as_before(client: FlaskClient, registry: Registry, token: Token) -> None:
    alice = token("alice")
    document = from_scratch()
    push(
        client,
        alice,
        "alice/m",
        {**with_files(document, {"model.safetensors": b"x"}), "README.md": head("fill-mask", "mit")},
    )
    push(client, alice, "alice/hidden", {"README.md": head("fill-mask", "mit")}, private=True)
    push(client, alice, "alice/data", {"README.md": head("fill-mask", "mit")}, kind="dataset")
    addresses = [
        f"{FIND}?q=text&facets={ALL}",
        f"{FIND}?sort=energy&facets={ALL}&task={document['model']['task']}",
        f"{FIND}?sort=-{document['quality'][0]['metric']}",
        f"{FIND}?tag=license:mit",
        "/api/models?full=true&cardData=true&config=true&expand=safetensors",
        "/api/models?full=true&cardData=true&config=true",
        "/api/models/alice/m",
        "/api/datasets",
    ]
    before = [[client.get(address, headers=who).json for who in (None, alice)] for address in addresses]
    registry.engine.close()
    take_back_to(2, registry.settings.catalog_path)
    upgraded = open_registry(registry.settings)
    again = app_of(upgraded).test_client()
    after = [[again.get(address, headers=who).json for who in (None, alice)] for address in addresses]
    upgraded.engine.close()
    for address, was, now in zip(addresses, before, after, strict=True):
        assert [ungraded(answer) for answer in now] == [ungraded(answer) for answer in was], address


def test_words_of_every_kind_are_found(registry: Registry) -> None:
    fill(registry, [CardIndex(bytes(20), body="日本語 текст", tags=["größe"])])
    for text in ("日本", "ТЕКСТ", "GRÖße", "alice m0"):
        assert found(registry, text=text) == ["alice/m0"], text
