"""Find before you train, over HTTP: groups, Pareto layers, candidates, lineages, classes; and what strangers see."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from tests.client.models import safetensors_bytes
from tests.core.cards import minimal_card, minimal_phase, quantity
from tests.server.passing import later
from tests.server.pushing import push, with_files

from registry_core.grades import Level
from registry_core.ids import RepoId
from registry_server.catalog import accounts, cards, engine, repos
from registry_server.catalog.cards import CardIndex, MetricEntry
from registry_server.commands.admin import admin
from registry_server.usecases import accounts as accounts_of
from registry_server.usecases import classing, lineages
from registry_server.usecases.context import Registry

API = "/api/registry/v1"
TASK = "image-classification"

Headers = dict[str, str]
Client = FlaskClient


# A small catalog, straight into the tables


def entry(score: float, metric: str = "accuracy", **changes: Any) -> MetricEntry:
    fields: dict[str, Any] = {"stderr": 0.001, "higher_is_better": True, "leads_task": True, "leads_model": True}
    return MetricEntry(TASK, metric, "digits", "test", score, **{**fields, **changes})


def indexed(score: float, energy_kwh: float | None, level: Level = "E2", **changes: Any) -> CardIndex:
    """A card with one score and an energy that is known within a tenth."""
    energy = {} if energy_kwh is None else {"energy_low_kwh": 0.9 * energy_kwh, "energy_high_kwh": 1.1 * energy_kwh}
    return CardIndex(
        bytes(20),
        task=TASK,
        energy_kwh=energy_kwh,
        energy_source="measured",
        level=level,
        metrics=[entry(score, **changes)],
        **energy,
    )


def fill(registry: Registry, models: dict[str, CardIndex], *, private: bool = False) -> None:
    """These models of alice's, with their cards."""
    with registry.engine.write() as tx:
        owner = accounts.by_name(tx, "alice") or accounts.add(tx, "alice", "user", is_admin=False, at="2026")
        for name, card in models.items():
            repo = repos.add(tx, "model", RepoId(f"alice/{name}"), owner.id, private=private, at="2026-01-01")
            cards.index(tx, repo.row_id, card)


@pytest.fixture
def three(registry: Registry) -> None:
    """A cheap one, a good one, and one that both beat; and one whose energy somebody only declares."""
    fill(
        registry,
        {
            "cheap": indexed(0.90, 1.0),
            "good": indexed(0.99, 10.0),
            "poor": indexed(0.89, 20.0),
            "declared": indexed(0.999, 0.001, level="E0"),
        },
    )


def get(client: Client, address: str, headers: Headers | None = None) -> Any:
    answer = client.get(API + address, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement from here on."""
    asked: list[str] = []
    execute = engine._SqliteTransaction.execute

    def counted(self: Any, sql: str, params: Any = {}) -> Any:  # noqa: B006
        asked.append(sql)
        return execute(self, sql, params)

    monkeypatch.setattr(engine._SqliteTransaction, "execute", counted)
    return asked


# Groups and layers


def test_groups_of_a_task_come_with_counts_largest_first(client: Client, registry: Registry, three: None) -> None:
    fill(registry, {"f1": indexed(0.5, 1.0, metric="f1"), "unclear": indexed(0.5, 1.0, higher_is_better=None)})
    found = get(client, f"/groups?task={TASK}")
    assert [(each["group"]["metric"], each["models"]) for each in found["groups"]] == [("accuracy", 4), ("f1", 1)]
    assert get(client, "/groups?task=translation")["groups"] == []
    assert client.get(f"{API}/groups").status_code == 400


def test_layers_are_those_of_score_and_energy(client: Client, three: None) -> None:
    found = get(client, f"/pareto?task={TASK}&metric=accuracy")
    order = [(each["peer"]["id"], each["layer"]) for each in found["ranked"]]
    assert order == [("alice/cheap", 1), ("alice/good", 1), ("alice/poor", 2), ("alice/declared", None)]
    assert (found["axis"], found["models"], found["contrary"]) == ("own", 4, 0)
    assert found["group"] == {
        "task": TASK,
        "dataset": "digits",
        "config": None,
        "split": "test",
        "revision": None,
        "metric": "accuracy",
    }


def test_the_largest_group_is_meant_unless_one_is_named(client: Client, registry: Registry, three: None) -> None:
    fill(registry, {"f1": indexed(0.5, 1.0, metric="f1")})
    assert get(client, f"/pareto?task={TASK}")["group"]["metric"] == "accuracy"
    assert get(client, f"/pareto?task={TASK}&metric=f1")["models"] == 1
    assert get(client, f"/pareto?task={TASK}&dataset=digits&split=test&limit=2")["models"] == 4
    for asked in ("&metric=bleu", "&dataset=mnist", "&revision=2"):
        assert client.get(f"{API}/pareto?task={TASK}{asked}").status_code == 404
    for asked in ("&axis=lineage", "&limit=0", "&limit=1001"):
        assert client.get(f"{API}/pareto?task={TASK}{asked}").status_code == 400


def test_a_card_that_has_its_metric_the_wrong_way_round_is_left_out(
    client: Client, registry: Registry, three: None
) -> None:
    fill(registry, {"contrary": indexed(0.1, 0.1, higher_is_better=False)})
    found = get(client, f"/pareto?task={TASK}")
    assert (found["models"], found["contrary"], len(found["ranked"])) == (5, 1, 4)


# Candidates


def test_candidates_reach_the_score_and_the_cheapest_comes_first(client: Client, three: None) -> None:
    found = get(client, f"/candidates?task={TASK}&at_least=accuracy%3D0.89")
    assert [each["peer"]["id"] for each in found["candidates"]] == ["alice/cheap", "alice/good", "alice/declared"]
    assert found["candidates"][0]["basis"] == "group_median"
    assert found["candidates"][0]["saving_kwh"]["value"] == pytest.approx(10.0)
    assert found["at_least"] == {"accuracy": 0.89}
    assert get(client, f"/candidates?task={TASK}&at_least=accuracy%3D0.9999")["candidates"] == []


def test_an_estimate_made_before_is_what_is_saved(client: Client, three: None) -> None:
    found = get(client, f"/candidates?task={TASK}&estimate_kwh=3.5")["candidates"]
    assert {(each["basis"], each["saving_kwh"]["value"]) for each in found} == {("pre_estimate", 3.5)}
    for text in ("much", "-1", "nan", "inf"):
        assert client.get(f"{API}/candidates?task={TASK}&estimate_kwh={text}").status_code == 400
    assert client.get(f"{API}/candidates?task={TASK}&at_least=accuracy").status_code == 400


# What strangers see


def test_a_ranking_that_is_remembered_follows_every_change(client: Client, registry: Registry, three: None) -> None:
    def front() -> list[str]:
        ranked = get(client, f"/pareto?task={TASK}")["ranked"]
        return [each["peer"]["id"] for each in ranked if each["layer"] == 1]

    alice = {"Authorization": f"Bearer {accounts_of.add_user(registry, 'alice')}"}
    assert front() == front() == ["alice/cheap", "alice/good"]
    fill(registry, {"better": indexed(0.995, 0.5)})
    assert front() == ["alice/better"]
    moved = {"fromRepo": "alice/better", "toRepo": "alice/best", "type": "model"}
    assert client.post("/api/repos/move", json=moved, headers=alice).status_code == 200
    assert front() == ["alice/best"]
    client.put("/api/models/alice/best/settings", json={"private": True}, headers=alice)
    assert front() == ["alice/cheap", "alice/good"]


def test_private_models_are_in_no_count_no_rank_and_no_candidate_of_a_stranger(
    client: Client, registry: Registry, three: None, token: Callable[[str], Headers]
) -> None:
    addresses = [
        f"/groups?task={TASK}",
        f"/pareto?task={TASK}",
        f"/candidates?task={TASK}",
        f"/candidates?task={TASK}&at_least=accuracy%3D0.5",
    ]
    alice, bob = token("alice"), token("bob")
    before = [get(client, address) for address in addresses]
    fill(registry, {"hidden": indexed(1.0, 0.0001)}, private=True)
    for headers in (None, bob):
        assert [get(client, address, headers) for address in addresses] == before
    assert [get(client, address, alice) for address in addresses] != before
    assert get(client, f"/pareto?task={TASK}", alice)["ranked"][0]["peer"]["id"] == "alice/hidden"
    assert "alice/hidden" not in client.get(f"/pareto?task={TASK}").text


@pytest.mark.parametrize("address", ["/groups?task={}", "/pareto?task={}", "/candidates?task={}"])
def test_more_models_take_no_more_statements(
    client: Client, registry: Registry, three: None, statements: list[str], address: str
) -> None:
    fill(registry, {f"m{number}": indexed(0.5 + number / 100, 1.0 + number) for number in range(30)})
    statements.clear()
    get(client, address.format(TASK))
    assert len(statements) <= 3


# Lineages, of pushed models


def card(energy_kwh: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A card of a card of its own: the energy of its devices, in a facility without overhead."""
    energy = quantity(energy_kwh, "kWh", "estimated", method="cpu_load_model")
    phase = minimal_phase(
        energy_cpu=energy, energy_it=quantity(energy_kwh, "kWh", "derived"), pue=quantity(1.0, "1", "declared")
    )
    return minimal_card(phases=[phase], **{"model": made_from(), **changes})


def made_from(*bases: str, relation: str = "finetune", **more: Any) -> dict[str, Any]:
    named = [{"repo_id": name, "relation": relation, **more} for name in bases]
    return {"task": TASK, "license": "Apache-2.0", "base_models": named}


def pushed(client: Client, headers: Headers, name: str, document: dict[str, Any], **more: Any) -> str:
    weights = more.pop("weights", safetensors_bytes([0.5, 1.0]))
    return push(client, headers, name, with_files(document, {"model.safetensors": weights}), **more)


def test_a_lineage_has_own_cumulative_and_induced_energy(client: Client, alice: Headers, bob: Headers) -> None:
    leaf_model = made_from("alice/middle")
    leaf_model["base_models"].append({"repo_id": "elsewhere/unknown", "relation": "merge", "external": True})
    pushed(client, alice, "alice/root", card(4.0))
    pushed(client, alice, "alice/middle", card(2.0, model=made_from("alice/root")))
    pushed(client, bob, "bob/leaf", card(1.0, model=leaf_model))
    leaf = get(client, "/repos/models/bob/leaf/lineage/main")
    assert leaf["own"]["energy_facility_kwh"]["value"] == pytest.approx(1.0)
    assert leaf["cumulative"]["energy_facility_kwh"]["value"] == pytest.approx(7.0)
    assert [each["id"] for each in leaf["ancestors"]] == ["alice/middle", "alice/root"]
    assert (leaf["unknown"], leaf["is_complete"]) == (["elsewhere/unknown"], False)
    assert (leaf["induced_kwh"], leaf["descendants"]) == (None, [])
    root = get(client, "/repos/models/alice/root/lineage/main")
    assert root["induced_kwh"]["value"] == pytest.approx(3.0)
    assert {each["id"] for each in root["descendants"]} == {"alice/middle", "bob/leaf"}
    assert root["cumulative"] == root["own"]
    assert "nothing is netted" in root["note"]


def test_a_lineage_is_known_again_after_reindexing(client: Client, registry: Registry, alice: Headers) -> None:
    from registry_server.usecases import reindexing

    pushed(client, alice, "alice/root", card(4.0))
    pushed(client, alice, "alice/leaf", card(1.0, model=made_from("alice/root")))
    with registry.engine.write() as tx:
        tx.execute("delete from bases")
    assert get(client, "/repos/models/alice/root/lineage/main")["descendants"] == []
    reindexing.reindex(registry)
    assert [each["id"] for each in get(client, "/repos/models/alice/root/lineage/main")["descendants"]] == [
        "alice/leaf"
    ]


def test_a_model_among_its_own_ancestors_is_counted_once(client: Client, alice: Headers) -> None:
    pushed(client, alice, "alice/two", card(2.0))
    pushed(client, alice, "alice/one", card(1.0, model=made_from("alice/two")))
    pushed(client, alice, "alice/two", card(2.0, model=made_from("alice/one")))
    found = get(client, "/repos/models/alice/one/lineage/main")
    assert found["cumulative"]["energy_facility_kwh"]["value"] == pytest.approx(3.0)
    assert len(found["cuts"]) == 1
    assert "alice/one" in found["cuts"][0]
    assert client.get("/alice/one").status_code == 200


def test_private_relatives_of_a_lineage_are_unknown_to_strangers(client: Client, alice: Headers) -> None:
    pushed(client, alice, "alice/secret", card(4.0), private=True)
    pushed(client, alice, "alice/open", card(2.0, model=made_from("alice/secret")))
    before = get(client, "/repos/models/alice/open/lineage/main")
    assert (before["unknown"], before["ancestors"]) == (["alice/secret"], [])
    pushed(client, alice, "alice/child", card(1.0, model=made_from("alice/open")), private=True)
    assert get(client, "/repos/models/alice/open/lineage/main") == before
    own_view = get(client, "/repos/models/alice/open/lineage/main", alice)
    assert [each["id"] for each in own_view["ancestors"]] == ["alice/secret"]
    assert own_view["induced_kwh"]["value"] == pytest.approx(1.0)
    hidden, absent = (client.get(f"{API}/repos/models/alice/{name}/lineage/main") for name in ("secret", "absent"))
    assert (hidden.status_code, hidden.data) == (absent.status_code, absent.data)
    assert "alice/child" not in client.get("/alice/open").text


def test_a_large_family_is_cut_and_says_so(
    client: Client, alice: Headers, monkeypatch: pytest.MonkeyPatch, statements: list[str]
) -> None:
    pushed(client, alice, "alice/root", card(4.0))
    for number in range(4):
        pushed(client, alice, f"alice/child{number}", card(1.0 + number, model=made_from("alice/root")))
    statements.clear()
    found = get(client, "/repos/models/alice/root/lineage/main")
    assert (len(found["descendants"]), found["is_complete"]) == (4, True)
    assert len(statements) <= 10 * 5
    monkeypatch.setattr(lineages, "MOST_RELATIVES", 3)
    found = get(client, "/repos/models/alice/root/lineage/main")
    assert (len(found["descendants"]), found["is_complete"]) == (3, True)
    assert found["cuts"] == ["There are more than 3 descendants; the others are left out."]


def test_without_a_card_there_is_no_lineage(client: Client, alice: Headers) -> None:
    push(client, alice, "alice/bare", {"README.md": b"# Bare\n"})
    assert client.get(f"{API}/repos/models/alice/bare/lineage/main").status_code == 404
    assert client.get("/alice/bare").status_code == 200


# Compression


SCORE = {"task": TASK, "dataset": "digits", "split": "test", "metric": "accuracy", "higher_is_better": True}


def test_a_compressed_model_stands_beside_its_parent(client: Client, alice: Headers) -> None:
    weights = safetensors_bytes([1.0] * 1000)
    parent = pushed(client, alice, "alice/parent", card(quality=[{**SCORE, "value": 0.8}]), weights=weights)
    model = made_from("alice/parent", relation="pruned", revision=parent)
    document = card(model=model, quality=[{**SCORE, "value": 0.6}])
    pushed(client, alice, "alice/small", document, weights=safetensors_bytes([1.0] * 250))
    found = get(client, "/repos/models/alice/small")["compression"]
    assert (found["parent"], found["parent_commit_id"], found["relation"]) == ("alice/parent", parent, "pruned")
    assert found["rate_params"] == pytest.approx(4.0)
    assert found["rate_bytes"] > 3.5
    assert found["score_retention"] == pytest.approx(0.75)
    assert found["energy_ratio"] is None
    assert get(client, "/repos/models/alice/parent")["compression"] is None
    assert "75 % at least" in client.get("/alice/small").text
    client.put("/api/models/alice/parent/settings", json={"private": True}, headers=alice)
    assert get(client, "/repos/models/alice/small")["compression"] is None
    assert get(client, "/repos/models/alice/small", alice)["compression"] is not None


# Classes


def enough(count: int = 8) -> dict[str, CardIndex]:
    return {f"m{number}": indexed(0.9, 8.0) for number in range(count)} | {"frugal": indexed(0.95, 0.5)}


def test_classes_are_those_of_a_snapshot_and_stay(client: Client, registry: Registry) -> None:
    fill(registry, enough())
    detail = get(client, "/repos/models/alice/frugal/classes")
    assert detail == []
    taken = classing.take_snapshot(registry)
    assert taken.classes == {"A": 1, "E": 8}
    (found,) = get(client, "/repos/models/alice/frugal/classes")
    assert (found["letter"], found["metric"], found["peers"], found["axis"]) == ("A", "accuracy", 9, "own")
    assert found["taken_on"] == registry.now().date().isoformat()
    assert "not an EU energy label" in found["disclaimer"]
    fill(registry, {f"better{number}": indexed(0.97, 0.01) for number in range(40)})
    assert get(client, "/repos/models/alice/frugal/classes") == [found]
    classing.take_snapshot(later(registry, days=92))
    newer, older = get(client, "/repos/models/alice/frugal/classes")
    assert older == found
    assert (newer["letter"], newer["taken_on"] > older["taken_on"]) == ("G", True)


def test_hidden_models_change_no_class_and_have_none(client: Client, registry: Registry, token: Any) -> None:
    alice = token("alice")
    fill(registry, enough())
    fill(registry, {f"hidden{number}": indexed(0.97, 0.001) for number in range(40)}, private=True)
    assert classing.take_snapshot(registry).classes == {"A": 1, "E": 8}
    assert get(client, "/repos/models/alice/hidden1/classes", alice) == []
    assert client.get(f"{API}/repos/models/alice/hidden1/classes").status_code == 404


def test_a_model_without_a_class_says_why(client: Client, registry: Registry, alice: Headers) -> None:
    pushed(client, alice, "alice/alone", card(quality=[{**SCORE, "value": 0.8}]))
    before = get(client, "/repos/models/alice/alone")
    assert before["classes"] == []
    assert before["no_class"].startswith("no class yet")
    assert "No class yet" in client.get("/alice/alone").text
    classing.take_snapshot(registry)
    (found,) = get(client, "/repos/models/alice/alone")["classes"]
    assert found["letter"] is None
    assert found["reason"] in ("not enough peers", "energy only declared")
    assert found["reason"] in client.get("/alice/alone").text


def test_the_page_of_a_model_shows_its_class_with_what_it_is_not(
    client: Client, registry: Registry, alice: Headers
) -> None:
    pushed(client, alice, "alice/shown", card(quality=[{**SCORE, "value": 0.8}]))
    fill(registry, enough())
    with registry.engine.write() as tx:
        tx.execute("update cards set level = 2")
    classing.take_snapshot(registry)
    text = client.get("/alice/shown").text
    assert "It is not an EU energy label" in text
    assert '<b class="letter">' in text


def test_the_command_takes_a_snapshot(registry: Registry, tmp_path: Path) -> None:
    fill(registry, enough())
    result = CliRunner().invoke(admin, ["classes", "--data", str(tmp_path / "data"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["classes"] == {"A": 1, "E": 8}
    assert "A: 1" in CliRunner().invoke(admin, ["classes", "--data", str(tmp_path / "data")]).stdout


# Pages


def test_the_front_is_a_picture_and_a_table(client: Client, three: None) -> None:
    page = client.get(f"/pareto?task={TASK}")
    assert page.status_code == 200
    assert page.text.count('<g class="front">') == 2
    assert page.text.count('<g class="behind">') == 2
    assert "alice/poor: 0.89, 20 kWh, layer 2" in page.text
    assert page.text.count("◆ front") == 2
    assert "<script" not in page.text
    assert client.get("/pareto?task=translation").status_code == 404
    assert client.get("/pareto").status_code == 400


def test_a_model_without_energy_is_in_the_table_alone(client: Client, registry: Registry) -> None:
    fill(registry, {"unknown": indexed(0.9, None)})
    text = client.get(f"/pareto?task={TASK}").text
    assert "alice/unknown" in text
    assert '<svg class="scatter"' not in text
    fill(registry, {"zero": indexed(0.9, 0.0), "same": indexed(0.9, 1.0)})
    assert "2 without a known energy" in client.get(f"/pareto?task={TASK}").text


def test_the_list_of_a_task_leads_to_its_front(client: Client, three: None) -> None:
    assert f'href="/pareto?task={TASK}"' in client.get(f"/?task={TASK}").text
    assert "/pareto" not in client.get("/").text
