"""Statements of reuse over HTTP: who may make them, when they count, and what of them is shown to whom."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.server.passing import later
from tests.server.pushing import push
from tests.server.reusing import API, SCORE, TASK, add_key, add_model, base, envelope_of, ledger, model_card, state
from tests.server.test_safety import REPORT

from registry_core.signing import KeyPair, new_key
from registry_server.app import app_of
from registry_server.usecases import accounts, reuses
from registry_server.usecases.collecting import collect
from registry_server.usecases.context import Registry

Headers = dict[str, str]
Token = Callable[[str], Headers]


@pytest.fixture
def commit(client: FlaskClient, alice: Headers) -> str:
    """A model of alice's that took 100 kWh: its commit."""
    return add_model(client, alice, "alice/model", model_card(100.0))


@pytest.fixture
def pair(registry: Registry, bob: Headers) -> KeyPair:
    """A key of bob's."""
    return add_key(registry, "bob")


@pytest.fixture
def tuned(client: FlaskClient, bob: Headers, commit: str) -> str:
    """What bob made from it, for 2 kWh."""
    return add_model(client, bob, "bob/tuned", model_card(2.0, [base("alice/model", commit)]))


def test_a_reuse_counts_once_work_shows_it(client: FlaskClient, bob: Headers, pair: KeyPair, commit: str) -> None:
    said = state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert said["counts"] is False
    assert said["event"] is None
    assert any("No work shows the reuse" in reason for reason in said["reasons"])
    assert ledger(client)["events"] == []
    add_model(client, bob, "bob/tuned", model_card(2.0, [base("alice/model", commit)]))
    (event,) = ledger(client)["events"]
    # 0.25 x the low end of what alice's took (half of it, and a PUE that may be 3 % less), less what bob's took.
    assert event["counterfactual_kwh"]["value"] == pytest.approx(48.5)
    assert event["displacement"] == 0.25
    assert event["energy_kwh"]["value"] == pytest.approx(48.5 / 4 - 2, abs=1e-6)
    assert event["shares"][0]["model"] == "alice/model"
    # Of France in the last year that the table has.
    assert event["co2e_kg"]["value"] == pytest.approx(
        event["energy_kwh"]["value"] * event["intensity_g_per_kwh"]["value"] / 1000
    )
    assert 10 < event["intensity_g_per_kwh"]["value"] < 100


def test_the_answer_tells_what_was_avoided(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    said = state(client, bob, pair, "alice/model", commit, organisation="bob", cancelled_job="https://jobs.example/7")
    assert (said["counts"], said["reasons"], said["organisation"], said["account"]) == (True, [], "bob", "bob")
    assert said["event"]["displacement"] == 1.0
    assert said["event"]["energy_kwh"]["value"] == pytest.approx(48.5 - 2, abs=1e-6)


def test_a_rerun_shows_a_reuse(client: FlaskClient, bob: Headers, pair: KeyPair, commit: str) -> None:
    report = {**REPORT, **{name: SCORE[name] for name in ("task", "dataset", "split", "metric")}, "commit_id": commit}
    where = f"{API}/repos/models/alice/model/reruns"
    assert client.post(where, json={**report, "n": 450, "verdict": "fail"}, headers=bob).status_code == 201
    said = state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert any("No work" in reason for reason in said["reasons"])
    few = client.post(where, json={**report, "n": 3, "energy_kwh": 0.1}, headers=bob).get_json()
    refusals = ledger(client)["refused"]
    assert any("did not evaluate what" in reason for reason in refusals[0]["reasons"])
    client.post(where, json={**report, "n": 450}, headers=bob)
    assert any("spent" in reason for reason in ledger(client)["refused"][0]["reasons"])
    whole = client.post(where, json={**report, "n": 450, "energy_kwh": 1.0}, headers=bob).get_json()
    said = state(client, bob, pair, "alice/model", commit, organisation="bob", evidence={"rerun": few["number"]})
    assert not said["counts"]
    found = state(client, bob, pair, "alice/model", commit, organisation="bob", evidence={"rerun": whole["number"]})
    assert found["counts"], found["reasons"]
    assert found["event"]["evidence"] == str(whole["number"])
    # Both reruns whose energy is known, each with a default PUE.
    assert found["event"]["spent_kwh"]["value"] == pytest.approx(1.1 * 1.56, abs=1e-6)
    assert found["event"]["co2e_kg"] is None


def test_a_rerun_by_somebody_else_shows_nothing(
    client: FlaskClient, token: Token, bob: Headers, pair: KeyPair, commit: str
) -> None:
    report = {**REPORT, **{name: SCORE[name] for name in ("task", "dataset", "split", "metric")}, "commit_id": commit}
    report |= {"n": 450, "energy_kwh": 1.0}
    client.post(f"{API}/repos/models/alice/model/reruns", json=report, headers=token("carol"))
    assert not state(client, bob, pair, "alice/model", commit, organisation="bob")["counts"]


# Signatures, and who may speak


def refused(client: FlaskClient, headers: Headers, envelope: Any, status: int, commit: str = "main") -> str:
    answer = client.post(f"{API}/repos/models/alice/model/reuses/{commit}", json=envelope, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.text


def test_signatures_that_are_missing_or_wrong_are_refused(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers, pair: KeyPair, commit: str
) -> None:
    good = envelope_of(client, pair, "alice/model", commit, bob, organisation="bob")
    assert "not a DSSE envelope" in refused(client, bob, {**good, "signatures": []}, 400)
    unknown = envelope_of(client, new_key(), "alice/model", commit, bob, organisation="bob")
    assert "nobody registered the key" in refused(client, bob, unknown, 400)
    other = envelope_of(client, pair, "alice/model", commit, bob, organisation="bob", task="text-classification")
    assert "not that of the key" in refused(client, bob, {**good, "payload": other["payload"]}, 400)
    foreign = envelope_of(client, add_key(registry, "alice"), "alice/model", commit, bob, organisation="bob")
    assert "signed by alice" in refused(client, bob, foreign, 403)
    assert refused(client, {}, good, 401)
    reading = {"Authorization": f"Bearer {accounts.add_user(registry, 'bob', token_role='read')}"}
    assert refused(client, reading, good, 403)
    assert ledger(client)["refused"] == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"nonsense", b'{"payload": 1}', b'{"payload": "", "payloadType": "x", "signatures": [{}]}'],
)
def test_bodies_that_are_no_statement_are_refused(client: FlaskClient, bob: Headers, commit: str, body: bytes) -> None:
    given = {**bob, "Content-Type": "application/json"}
    answer = client.post(f"{API}/repos/models/alice/model/reuses/main", data=body, headers=given)
    assert answer.status_code == 400, answer.text


def test_a_signed_text_that_is_no_statement_names_its_faults(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str
) -> None:
    import json

    from registry_core.reuse_statement import PAYLOAD_TYPE
    from registry_core.signing import sign_statement

    payload = json.dumps({"convention": "reuse-convention/2", "alternative": "maybe", "extra": 1}).encode()
    text = refused(client, bob, json.loads(sign_statement(PAYLOAD_TYPE, payload, pair.private_pem)), 400)
    for word in ("convention", "alternative", "extra", "commit_id"):
        assert word in text


def test_a_statement_speaks_of_where_it_is_sent_to(
    client: FlaskClient, alice: Headers, bob: Headers, pair: KeyPair, commit: str
) -> None:
    later = add_model(client, alice, "alice/model", model_card(90.0))
    said = envelope_of(client, pair, "alice/model", commit, bob, organisation="bob")
    assert "commit: it names" in refused(client, bob, said, 400, later)
    add_model(client, alice, "alice/other", model_card(100.0))
    answer = client.post(f"{API}/repos/models/alice/other/reuses/main", json=said, headers=bob)
    assert answer.status_code == 400
    wrong = envelope_of(client, pair, "alice/model", commit, bob, organisation="bob", card_digest="0" * 64)
    assert "card: it names" in refused(client, bob, wrong, 400, commit)


def test_only_members_who_write_speak_for_an_organisation(
    registry: Registry, client: FlaskClient, token: Token, commit: str
) -> None:
    people = {name: (token(name), add_key(registry, name)) for name in ("boss", "writer", "reader", "stranger")}
    accounts.add_organisation(registry, "lab", [("boss", "admin"), ("writer", "write"), ("reader", "read")])
    for name, (headers, pair) in people.items():
        envelope = envelope_of(client, pair, "alice/model", commit, headers, organisation="lab")
        answer = client.post(f"{API}/repos/models/alice/model/reuses/{commit}", json=envelope, headers=headers)
        assert answer.status_code == (201 if name in ("boss", "writer") else 403), name
    # Who belongs to an organisation does not speak for themselves: one reuse would count twice.
    headers, pair = people["writer"]
    own = envelope_of(client, pair, "alice/model", commit, headers, organisation="writer")
    assert "lab" in refused(client, headers, own, 403, commit)
    nobody = envelope_of(client, pair, "alice/model", commit, headers, organisation="no-such-lab")
    assert refused(client, headers, nobody, 403, commit)


def test_nobody_reuses_their_own(
    registry: Registry, client: FlaskClient, token: Token, alice: Headers, commit: str
) -> None:
    own = state(client, alice, add_key(registry, "alice"), "alice/model", commit, organisation="alice")
    assert "The statement comes from the team that made the model." in own["reasons"]
    # Nor does an organisation that the maker belongs to.
    boss = token("boss")
    accounts.add_organisation(registry, "lab", [("boss", "admin"), ("alice", "read")])
    close = state(client, boss, add_key(registry, "boss"), "alice/model", commit, organisation="lab")
    assert "The statement comes from the team that made the model." in close["reasons"]


def test_a_statement_on_a_model_without_a_card_is_refused(client: FlaskClient, alice: Headers, bob: Headers) -> None:
    push(client, alice, "alice/model", {"a.txt": b"a"})
    assert client.post(f"{API}/repos/models/alice/model/reuses/main", json={}, headers=bob).status_code == 404
    assert client.post(f"{API}/repos/datasets/alice/model/reuses/main", json={}, headers=bob).status_code == 400


# How often


def test_the_same_statement_twice_is_one(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    first, second = (state(client, bob, pair, "alice/model", commit, organisation="bob") for _ in range(2))
    assert first["number"] == second["number"]
    assert len(ledger(client)["events"]) == 1


def test_a_second_reuse_within_twelve_months_adds_nothing(
    registry: Registry, bob: Headers, pair: KeyPair, client: FlaskClient, commit: str, tuned: str
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    first = ledger(client)["total_kwh"]["value"]
    again = state(client, bob, pair, "alice/model", commit, organisation="bob", made_at="2026-11-23T10:00:00Z")
    assert "within 12 months" in again["reasons"][0]
    assert ledger(client)["total_kwh"]["value"] < first  # what it spent is charged to the first
    later = dataclasses.replace(registry, now=lambda: datetime.now(UTC) + timedelta(days=366))
    much_later = app_of(later).test_client()
    assert state(much_later, bob, pair, "alice/model", commit, organisation="bob", made_at="2027-12-01T10:00:00Z")[
        "counts"
    ]


def test_a_chain_shares_what_was_avoided(
    client: FlaskClient, token: Token, alice: Headers, bob: Headers, pair: KeyPair, commit: str
) -> None:
    carol = token("carol")
    middle = add_model(client, carol, "carol/middle", model_card(300.0, [base("alice/model", commit)]))
    add_model(client, bob, "bob/tuned", model_card(2.0, [base("carol/middle", middle)]))
    said = state(client, bob, pair, "carol/middle", middle, organisation="bob")
    assert said["counts"], said["reasons"]
    assert said["event"]["root"] == "alice/model"
    found = ledger(client)
    shares = {row["name"]: row["energy_kwh"]["value"] for row in found["by_model"]}
    assert shares["carol/middle"] == pytest.approx(3 * shares["alice/model"])
    assert sum(shares.values()) == pytest.approx(found["total_kwh"]["value"])
    # Only its own part is told of a model, and the root's maker gets nothing of what it makes of its own.
    (row,) = ledger(client, query="?model=alice/model")["by_model"]
    assert row["energy_kwh"]["value"] == pytest.approx(shares["alice/model"])
    assert len(ledger(client, query="?organisation=carol")["events"]) == 1
    assert ledger(client, query="?organisation=bob")["by_reuser"][0]["name"] == "bob"


def test_what_training_takes_is_looked_up_in_the_group_and_stays(
    client: FlaskClient, token: Token, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    dave = token("dave")
    cheap = model_card(8.0)
    cheap["phases"].insert(0, {**model_card(500.0)["phases"][0], "stage": "development"})
    add_model(client, dave, "dave/small", cheap)
    said = state(client, bob, pair, "alice/model", commit, organisation="bob", cancelled_job="https://jobs.example/7")
    # The final phase alone: development is in no counterfactual.
    assert said["event"]["counterfactual_kwh"]["value"] == pytest.approx(8)
    add_model(client, dave, "dave/tiny", model_card(0.5))
    add_model(client, bob, "bob/other", model_card(0.1, [base("alice/model", commit)]))
    assert ledger(client)["events"][0]["counterfactual_kwh"]["value"] == pytest.approx(8)


def test_a_declared_alternative_lowers_it(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    said = state(client, bob, pair, "alice/model", commit, organisation="bob", alternative_kwh=20.0)
    assert said["event"]["counterfactual_kwh"] == {"value": 20, "low": 20, "high": 20, "source": "declared"}


def test_who_trains_such_models_displaces_more(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    for name in ("one", "two"):
        add_model(client, bob, f"bob/{name}", model_card(60.0))
    said = state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert said["event"]["displacement"] == 0.5


# Until when


def test_a_withdrawn_statement_counts_no_more(
    registry: Registry, client: FlaskClient, token: Token, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    number = state(client, bob, pair, "alice/model", commit, organisation="bob")["number"]
    assert client.delete(f"{API}/reuses/{number}", headers=token("mallory")).status_code == 403
    assert client.delete(f"{API}/reuses/{number}").status_code == 401
    assert client.delete(f"{API}/reuses/999", headers=bob).status_code == 404
    assert len(ledger(client)["events"]) == 1
    for _ in range(2):
        assert client.delete(f"{API}/reuses/{number}", json={"reason": "a slip"}, headers=bob).status_code == 200
    found = ledger(client)
    assert found["events"] == []
    assert found["total_kwh"]["value"] == 0
    assert "a slip" in found["refused"][0]["reasons"][0]


def test_an_administrator_may_disprove_one(
    registry: Registry, client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    number = state(client, bob, pair, "alice/model", commit, organisation="bob")["number"]
    accounts.ensure_admin(registry)
    admin = {"Authorization": f"Bearer {registry.settings.admin_token_path.read_text().strip()}"}
    assert client.delete(f"{API}/reuses/{number}", json={"reason": "no such job"}, headers=admin).status_code == 200
    assert "disproved" in ledger(client)["refused"][0]["reasons"][0]


def test_who_trained_anyway_avoided_nothing(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert len(ledger(client)["events"]) == 1
    add_model(client, bob, "bob/own", model_card(60.0, created_at="2026-12-24T09:00:00Z"))
    found = ledger(client)
    assert found["events"] == []
    assert "bob/own" in found["refused"][0]["reasons"][0]


def test_a_key_that_was_revoked_vouches_for_nothing(
    registry: Registry, client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    from registry_core.signing import key_id
    from registry_server.catalog import keys

    state(client, bob, pair, "alice/model", commit, organisation="bob")
    with registry.engine.write() as tx:
        owner = accounts_id(registry, "bob")
        assert keys.revoke(tx, owner, bytes.fromhex(key_id(pair.public)), "2026-11-22T11:00:00.000Z")
    assert "The signature of the statement does not verify." in ledger(client)["refused"][0]["reasons"]


def accounts_id(registry: Registry, name: str) -> int:
    from registry_server.catalog.accounts import by_name

    with registry.engine.read() as tx:
        found = by_name(tx, name)
    assert found is not None
    return found.id


def test_work_that_goes_takes_its_event_along(
    client: FlaskClient, alice: Headers, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert client.delete("/api/repos/delete", json={"name": "bob/tuned"}, headers=bob).status_code == 200
    assert ledger(client)["events"] == []
    assert len(ledger(client)["refused"]) == 1
    assert client.delete("/api/repos/delete", json={"name": "alice/model"}, headers=alice).status_code == 200
    assert ledger(client)["refused"] == []


def test_a_revision_that_was_squashed_away_and_collected_counts_no_more(
    registry: Registry, client: FlaskClient, alice: Headers, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert client.post("/api/models/alice/model/super-squash/main", json={}, headers=alice).status_code == 200
    assert len(ledger(client)["events"]) == 1  # the commit is still there for whoever knows its id
    collect(later(registry, days=99))
    add_model(client, alice, "alice/model", model_card(90.0))
    found = ledger(client)
    assert found["events"] == []
    assert "no longer there" in found["refused"][0]["reasons"][0]


def test_a_model_that_is_renamed_keeps_its_events(
    client: FlaskClient, alice: Headers, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    move = {"fromRepo": "alice/model", "toRepo": "alice/renamed"}
    assert client.post("/api/repos/move", json=move, headers=alice).status_code == 200
    (event,) = ledger(client)["events"]
    assert event["shares"][0]["model"] == "alice/renamed"


# Nothing of private models is told to strangers


def everything_shown(client: FlaskClient, headers: Headers) -> str:
    pages = ("/ledger", "/ledger?organisation=bob", "/alice/model")
    api = ("", "?format=csv", "?format=sums", "?organisation=bob", "?organisation=alice")
    texts = [client.get(page).text for page in pages]
    texts += [client.get(f"{API}/ledger{query}", headers=headers).text for query in api]
    texts.append(client.get(f"{API}/repos/models/alice/model/ledger", headers=headers).text)
    return "\n".join(texts)


def test_a_reuse_of_a_private_model_is_for_those_who_see_it(
    registry: Registry, client: FlaskClient, token: Token, mallory: Headers
) -> None:
    ann = token("ann")
    eve = token("eve")
    accounts.add_organisation(registry, "makers", [("ann", "admin"), ("eve", "read")])
    accounts.add_organisation(registry, "users", [("eve", "admin")])
    made = add_model(client, ann, "makers/quagga", model_card(100.0), private=True)
    add_model(client, eve, "users/tuned", model_card(2.0, [base("makers/quagga", made)]))
    state(client, eve, add_key(registry, "eve"), "makers/quagga", made, organisation="users")
    assert len(ledger(client, eve)["refused"]) + len(ledger(client, eve)["events"]) == 1
    for headers in ({}, mallory):
        found = ledger(client, headers)
        assert (found["events"], found["refused"], found["by_model"]) == ([], [], [])
        assert "quagga" not in everything_shown(client, headers)


def test_private_work_and_a_model_hidden_later_are_shown_to_those_who_see_them(
    client: FlaskClient, alice: Headers, bob: Headers, mallory: Headers, pair: KeyPair, commit: str
) -> None:
    add_model(client, bob, "bob/tuned", model_card(2.0, [base("alice/model", commit)]), private=True)
    said = state(client, bob, pair, "alice/model", commit, organisation="bob")
    assert said["counts"]
    assert len(ledger(client, bob)["events"]) == 1
    # Alice's model is for all to see, and the work is not.
    for headers in ({}, mallory, alice):
        found = ledger(client, headers)
        assert (found["events"], found["by_model"], found["total_kwh"]["value"]) == ([], [], 0)
        assert "tuned" not in everything_shown(client, headers)
        if headers:
            assert client.delete(f"{API}/reuses/{said['number']}", headers=headers).status_code == 404
    settings = "/api/models/bob/tuned/settings"
    assert client.put(settings, json={"private": False}, headers=bob).status_code == 200
    assert len(ledger(client)["events"]) == 1
    assert client.put("/api/models/alice/model/settings", json={"private": True}, headers=alice).status_code == 200
    for headers in ({}, mallory):
        found = ledger(client, headers)
        assert (found["events"], found["by_model"], found["by_reuser"]) == ([], [], [])
        assert "alice/model" not in str(found)


def test_an_ancestor_that_is_hidden_later_drops_out(
    client: FlaskClient, token: Token, alice: Headers, bob: Headers, pair: KeyPair, commit: str
) -> None:
    carol = token("carol")
    middle = add_model(client, carol, "carol/middle", model_card(300.0, [base("alice/model", commit)]))
    add_model(client, bob, "bob/tuned", model_card(2.0, [base("carol/middle", middle)]))
    state(client, bob, pair, "carol/middle", middle, organisation="bob")
    assert len(ledger(client)["by_model"]) == 2
    client.put("/api/models/alice/model/settings", json={"private": True}, headers=alice)
    (row,) = ledger(client)["by_model"]
    assert row["name"] == "carol/middle"


def test_training_anyway_in_private_ends_an_event_without_being_told(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    add_model(client, bob, "bob/own", model_card(60.0, created_at="2026-12-24T09:00:00Z"), private=True)
    assert ledger(client)["events"] == []
    assert "bob/own" not in everything_shown(client, {})
    assert "bob/own" in ledger(client, bob)["refused"][0]["reasons"][0]


@pytest.fixture
def mallory(token: Token) -> Headers:
    return token("mallory")


# The ledger is not worked out for each who asks


def test_claims_are_worked_out_when_something_happens_and_the_ledger_once(
    client: FlaskClient,
    token: Token,
    bob: Headers,
    pair: KeyPair,
    commit: str,
    tuned: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    ledger(client)
    counts = {"work_out": 0, "ledger": 0}
    for name in counts:
        monkeypatch.setattr(reuses, name, counted(getattr(reuses, name), counts, name))
    for _ in range(3):
        ledger(client)
        ledger(client, bob)  # who sees no more than strangers do
        client.get("/ledger")
        client.get("/alice/model")
    assert counts == {"work_out": 0, "ledger": 0}
    # A model that has nothing to do with it …
    dave = token("dave")
    add_model(client, dave, "dave/other", model_card(1.0))
    ledger(client)
    assert counts == {"work_out": 0, "ledger": 0}
    # … and one of the reuser's.
    add_model(client, bob, "bob/another", model_card(1.0))
    ledger(client)
    ledger(client)
    assert counts == {"work_out": 1, "ledger": 1}


def counted(function: Callable[..., Any], counts: dict[str, int], name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        counts[name] += 1
        return function(*args)

    return call


# As CSV, and as pages


def test_the_ledger_as_csv(client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str) -> None:
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    answer = client.get(f"{API}/ledger?format=csv")
    assert answer.mimetype == "text/csv"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["organisation"], row["models"], row["convention"]) == ("bob", "alice/model", "reuse-convention/1")
    rows = list(csv.DictReader(io.StringIO(client.get(f"{API}/ledger?format=sums").text)))
    assert {(row["by"], row["name"]) for row in rows} == {
        *{("model", "alice/model"), ("team", "alice"), ("organisation", "alice"), ("reuser", "bob")}
    }
    for query in ("format=xml", "models=alice/model", "model=alice/model&organisation=bob"):
        assert client.get(f"{API}/ledger?{query}").status_code == 400
    for query in ("model=alice/nope", "model=nonsense", "organisation=nope"):
        assert client.get(f"{API}/ledger?{query}").status_code == 404
        assert client.get(f"/ledger?{query}").status_code == 404


def test_a_model_tells_what_was_avoided_beside_what_it_induced(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    assert "No reuse of it counts yet" in client.get("/alice/model").text
    state(client, bob, pair, "alice/model", commit, organisation="bob")
    found = client.get(f"{API}/repos/models/alice/model/ledger").get_json()
    assert found["model"] == "alice/model"
    assert found["descendants"] == 1
    assert found["induced_kwh"]["value"] == pytest.approx(2)
    assert len(found["ledger"]["events"]) == 1
    text = client.get("/alice/model").text
    for words in ("avoided, estimate by convention 1", "Induced", "10.1 kWh"):
        assert words in text, words
    page = client.get("/ledger").text
    assert "By organisation that reused them" in page
    for words in ("neutral", "offset", " net ", "<script"):
        assert words not in text.lower()
        assert words not in page.lower()


def test_a_stranger_finds_an_empty_ledger(client: FlaskClient) -> None:
    assert ledger(client)["events"] == []
    assert TASK not in client.get("/ledger").text


def test_the_inventory_shows_what_was_avoided_as_an_annex(
    client: FlaskClient, bob: Headers, pair: KeyPair, commit: str, tuned: str
) -> None:
    said = state(client, bob, pair, "alice/model", commit, organisation="bob")
    found = client.get(f"{API}/repos/models/alice/model/reports/ghg/main").json
    annex = next(table for table in found["tables"] if "outside every sum" in table["title"])
    assert annex["rows"][0][:2] == [said["event"]["id"], "bob"]
