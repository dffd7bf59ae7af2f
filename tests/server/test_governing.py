"""Policies on the server: at push and at publish, of owners, with waivers; keys and what they sign."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.core.cards import full_card, golden_card, minimal_card
from tests.server.pushing import push
from tests.server.reusing import SCORE, model_card
from tests.server.wire import commit, create, inline
from werkzeug.test import TestResponse

from registry_core.card import card_digest, parse_card
from registry_core.policy.waivers import PAYLOAD_TYPE, Waiver, waiver_bytes
from registry_core.signing import KeyPair, new_key, sign_card, sign_statement
from registry_server.usecases.context import Registry

Headers = dict[str, str]
Token = Callable[[str], Headers]

API = "/api/registry/v1"
MODEL = f"{API}/repos/models/alice/model"


def push_card(client: FlaskClient, headers: Headers, card: dict[str, Any], repo: str = "alice/model") -> TestResponse:
    create(client, headers, repo)
    return commit(client, headers, repo, [inline("footprint.json", json.dumps(card).encode())])


def set_policy(client: FlaskClient, headers: Headers, act: str, *rules: str, owner: str = "alice") -> TestResponse:
    source = "\n".join(["policy: lab/1.0", "title: Ours", "extends: rules/1.0", *rules])
    return client.put(f"{API}/owners/{owner}/policies/{act}", data=source, headers=headers)


def publish(client: FlaskClient, headers: Headers) -> TestResponse:
    return client.post(f"{MODEL}/publish/main", headers=headers)


def detail(client: FlaskClient, headers: Headers | None = None) -> Any:
    return client.get(MODEL, headers=headers).json


# At push


def test_a_card_that_meets_the_policy_is_kept_with_its_decision(client: FlaskClient, alice: Headers) -> None:
    assert push_card(client, alice, minimal_card()).status_code == 200
    (judgement,) = detail(client)["judgements"]
    assert judgement["account"] == "alice"
    decision = judgement["decision"]
    assert (decision["policy"], decision["act"], decision["allowed"]) == ("minimal/1.0", "push", True)
    assert decision["card_digest"] == card_digest(parse_card(minimal_card()))
    assert {outcome["rule"] for outcome in decision["outcomes"]} >= {"EU-07", "MEA-03", "ORG-02"}


def test_a_refused_push_names_every_rule_and_leaves_nothing(client: FlaskClient, alice: Headers) -> None:
    card = minimal_card()
    del card["model"]["base_models"]
    card["phases"][0] |= {"energy_cpu": {"value": 0, "unit": "kWh", "source": "measured"}}
    card["phases"][0]["energy_it"] = {"value": 0, "unit": "kWh", "source": "derived"}
    answer = push_card(client, alice, card)
    assert (answer.status_code, answer.json["code"]) == (400, "policy_refused")
    assert {fault.partition(":")[0] for fault in answer.json["faults"]} >= {"EU-07", "MEA-03"}
    assert client.get("/alice/model/resolve/main/footprint.json").status_code == 404
    assert detail(client)["judgements"] == []


def test_a_measurement_that_failed_is_absent_and_no_reason_to_refuse(client: FlaskClient, alice: Headers) -> None:
    card = minimal_card()
    phase = card["phases"][0]
    del phase["energy_cpu"], phase["energy_it"]
    phase["coverage"]["cpu"] = False
    assert push_card(client, alice, card).status_code == 200
    assert detail(client)["trust"]["level"] == "E0"


def test_a_base_must_be_found_by_who_pushes(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    card = minimal_card()
    card["model"]["base_models"] = [{"repo_id": "bob/base", "revision": "main", "relation": "finetune"}]
    assert push_card(client, alice, card).status_code == 400
    create(client, bob, "bob/base", private=True)
    commit(client, bob, "bob/base", [inline("README.md", b"---\nlicense: apache-2.0\n---\n")])
    hidden = push_card(client, alice, card)
    assert hidden.status_code == 400
    client.put("/api/models/bob/base/settings", json={"private": False}, headers=bob)
    assert push_card(client, alice, card).status_code == 200, hidden.text


def test_what_brings_no_card_is_not_asked(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/model", {"a.txt": b"hello"})
    assert detail(client)["judgements"] == []


def test_a_card_may_come_before_its_weights(client: FlaskClient, alice: Headers) -> None:
    push(client, alice, "alice/model", {"model.safetensors": b"\x02" + bytes(7) + b"{}"})
    assert push_card(client, alice, minimal_card()).status_code == 200
    assert detail(client)["footprint_status"] == "mismatch"


# At publish, and of owners


def test_publishing_asks_for_more_than_a_push(client: FlaskClient, alice: Headers) -> None:
    push_card(client, alice, minimal_card())
    refused = publish(client, alice)
    assert refused.status_code == 400
    assert {fault.partition(":")[0] for fault in refused.json["faults"]} >= {"SCI-01", "MEA-01", "HUB-02", "ORG-03"}
    assert detail(client)["published_commit_id"] is None
    assert set_policy(client, alice, "publish", "only: [EU-07]").status_code == 200
    assert publish(client, alice).status_code == 200
    assert [judged["decision"]["policy"] for judged in detail(client)["judgements"]] == ["lab/1.0", "minimal/1.0"]
    assert client.delete(f"{API}/owners/alice/policies/publish", headers=alice).json["policy"] == "publish/1.0"
    assert publish(client, alice).status_code == 400


def test_a_budget_counts_what_other_models_took(client: FlaskClient, alice: Headers) -> None:
    budget = "param: {budget_tco2e: 0.0015, budget_period: year}"
    assert set_policy(client, alice, "push", "only: [ORG-01]", budget).status_code == 200
    assert push_card(client, alice, golden_card(), "alice/one").status_code == 200
    assert push_card(client, alice, full_card(), "alice/one").status_code == 200  # replaces what it took
    over = push_card(client, alice, golden_card(), "alice/two")
    assert over.status_code == 400
    assert over.json["faults"][0].startswith("ORG-01")


def test_only_those_who_manage_an_owner_set_its_policy(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    assert set_policy(client, bob, "push", "only: [EU-07]").status_code == 403
    assert set_policy(client, {}, "push", "only: [EU-07]").status_code == 401
    assert set_policy(client, alice, "pull", "only: [EU-07]").status_code == 404
    faulty = set_policy(client, alice, "push", "rules: [{id: LAB-01}]")
    assert faulty.status_code == 400
    assert len(faulty.json["faults"]) > 2
    assert client.put(f"{API}/owners/alice/policies/push", data=b"\xff", headers=alice).status_code == 400
    assert client.get(f"{API}/owners/alice/policies/push", headers=alice).json["policy"] == "minimal/1.0"
    assert client.get(f"{API}/owners/alice/policies/push", headers=bob).status_code == 403


# Keys and waivers


@pytest.fixture
def key() -> KeyPair:
    return new_key()


def register(client: FlaskClient, headers: Headers, key: KeyPair) -> TestResponse:
    return client.post(f"{API}/keys", json={"public": key.public, "name": "laptop"}, headers=headers)


def test_a_key_is_filed_once_for_one_account(client: FlaskClient, alice: Headers, bob: Headers, key: KeyPair) -> None:
    filed = register(client, alice, key).json
    assert (filed["account"], filed["public"]) == ("alice", key.public)
    assert register(client, alice, key).json == filed
    assert register(client, bob, key).status_code == 409
    assert client.get(f"{API}/keys", headers=alice).json == [filed]
    assert client.delete(f"{API}/keys/{filed['key_id']}", headers=bob).status_code == 404
    assert client.delete(f"{API}/keys/{filed['key_id']}", headers=alice).status_code == 200
    assert client.get(f"{API}/keys", headers=alice).json == []
    assert register(client, alice, key).status_code == 409
    assert client.post(f"{API}/keys", json={"public": "xyz", "name": "n"}, headers=alice).status_code == 400
    assert client.get(f"{API}/keys").status_code == 401
    assert client.delete(f"{API}/keys/nonsense", headers=alice).status_code == 404


def test_who_signed_is_shown_until_the_key_is_revoked(client: FlaskClient, alice: Headers, key: KeyPair) -> None:
    import hashlib

    card = minimal_card()
    data = json.dumps(card).encode()
    weights = {file["path"]: file["sha256"] for file in card["subject"]["files"]}
    signed = {"footprint.json": hashlib.sha256(data).hexdigest(), **weights}
    envelope = sign_card(card_digest(parse_card(card)), signed, key.private_pem)
    create(client, alice, "alice/model")
    commit(client, alice, "alice/model", [inline("footprint.json", data), inline("footprint.att.json", envelope)])
    assert detail(client)["trust"]["signature"]["reason"] == "nobody registered the key it names"
    filed = register(client, alice, key).json
    found = detail(client)["trust"]["signature"]
    assert (found["valid"], found["signer"]) == (True, "alice")
    assert "Signed by alice" in client.get("/alice/model").text
    client.delete(f"{API}/keys/{filed['key_id']}", headers=alice)
    assert detail(client)["trust"]["signature"]["valid"] is False


def signed(waiver: Waiver, key: KeyPair) -> dict[str, Any]:
    envelope = sign_statement(PAYLOAD_TYPE, waiver_bytes(waiver), key.private_pem).decode()
    return {name: value for name, value in asdict(replace(waiver, signature=envelope)).items() if value is not None}


WAIVER = Waiver("MEA-01", "There is no counter in these machines.", "alice", "2999-01-01T00:00:00Z", repo="alice/model")


def test_a_signed_waiver_lets_an_act_go_on_and_is_shown(client: FlaskClient, alice: Headers, key: KeyPair) -> None:
    push_card(client, alice, minimal_card())
    set_policy(client, alice, "publish", "only: [MEA-01]")
    assert publish(client, alice).status_code == 400
    register(client, alice, key)
    assert client.post(f"{MODEL}/waivers", json=signed(WAIVER, key), headers=alice).status_code == 201
    assert publish(client, alice).status_code == 200
    (outcome,) = detail(client)["judgements"][0]["decision"]["outcomes"]
    assert (outcome["status"], outcome["waiver"]["approver"]) == ("fail", "alice")
    assert "Waived by alice" in client.get("/alice/model").text
    assert [waived["rule"] for waived in client.get(f"{MODEL}/waivers").json] == ["MEA-01"]


def test_a_waiver_counts_no_longer_than_its_key_and_its_day(
    client: FlaskClient, alice: Headers, key: KeyPair, registry: Registry
) -> None:
    push_card(client, alice, minimal_card())
    set_policy(client, alice, "publish", "only: [MEA-01]")
    filed = register(client, alice, key).json
    client.post(f"{MODEL}/waivers", json=signed(WAIVER, key), headers=alice)
    client.delete(f"{API}/keys/{filed['key_id']}", headers=alice)
    assert publish(client, alice).status_code == 400


def test_waivers_that_would_not_count_are_refused(
    client: FlaskClient, alice: Headers, bob: Headers, key: KeyPair
) -> None:
    push_card(client, alice, minimal_card())

    def tried(waiver: Waiver, by: KeyPair = key, headers: Headers = alice) -> int:
        return client.post(f"{MODEL}/waivers", json=signed(waiver, by), headers=headers).status_code

    assert tried(WAIVER) == 400  # a key that nobody registered
    register(client, alice, key)
    other = new_key()
    register(client, bob, other)
    assert tried(WAIVER, other) == 400  # another's key
    assert tried(replace(WAIVER, approver="bob")) == 400
    assert tried(replace(WAIVER, repo="alice/other")) == 400
    assert tried(replace(WAIVER, expires="2020-01-01T00:00:00Z")) == 400
    assert tried(replace(WAIVER, approver="bob"), other, bob) == 403
    changed = signed(WAIVER, key) | {"rule": "SCI-01"}
    assert client.post(f"{MODEL}/waivers", json=changed, headers=alice).status_code == 400
    assert client.post(f"{MODEL}/waivers", json={"rule": 1}, headers=alice).status_code == 400
    assert client.get(f"{MODEL}/waivers").json == []


def test_a_decision_on_a_public_model_does_not_tell_of_private_ones(client: FlaskClient, alice: Headers) -> None:
    set_policy(client, alice, "push", "only: [ORG-08]")
    create(client, alice, "alice/better", private=True)
    better = model_card(2.0, quality=[{**SCORE, "value": 0.999}])
    commit(client, alice, "alice/better", [inline("footprint.json", json.dumps(better).encode())])
    push_card(client, alice, model_card(100.0))
    (outcome,) = detail(client)["judgements"][0]["decision"]["outcomes"]
    assert outcome["status"] == "pass"
    client.put("/api/models/alice/better/settings", json={"private": False}, headers=alice)
    commit(client, alice, "alice/model", [inline("footprint.json", json.dumps(model_card(101.0)).encode())])
    (outcome,) = detail(client)["judgements"][0]["decision"]["outcomes"]
    assert outcome["status"] == "insufficient data"  # it asks for a justification
