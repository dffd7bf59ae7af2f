"""Conformance reports over HTTP: as JSON, and as pages."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from tests.core.cards import full_card
from tests.server.pushing import push
from tests.server.wire import create

from registry_core.reports import STANDARDS

Headers = dict[str, str]

API = "/api/registry/v1/repos/models"


@pytest.fixture
def model(client: FlaskClient, alice: Headers) -> str:
    """A model with a whole card, and its commit id."""
    files = {"footprint.json": json.dumps(full_card()).encode(), "README.md": b"---\nlibrary_name: transformers\n---\n"}
    return push(client, alice, "alice/model", files)


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_report_is_there_as_json_and_as_a_page(client: FlaskClient, model: str, standard: str) -> None:
    answer = client.get(f"{API}/alice/model/reports/{standard}/main")
    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["head"]["repo_id"], found["head"]["commit_id"]) == ("alice/model", model)
    assert found["lines"]
    page = client.get(f"/alice/model/reports/{standard}")
    assert page.status_code == 200
    assert found["head"]["card_digest"] in page.text
    assert all(line["id"] in page.text for line in found["lines"])


def test_a_recipient_gets_their_lines(client: FlaskClient, model: str) -> None:
    def ids(query: str) -> set[str]:
        lines = client.get(f"{API}/alice/model/reports/eu-form/main{query}").get_json()["lines"]
        return {line["id"] for line in lines}

    assert "eu.energy" in ids("?recipient=AIO") - ids("?recipient=DP")
    assert "eu.energy" not in client.get("/alice/model/reports/eu-form?recipient=DP").text


def test_what_nobody_knows_is_refused_with_what_there_is(client: FlaskClient, model: str) -> None:
    answer = client.get(f"{API}/alice/model/reports/iso-9001/main")
    assert answer.status_code == 400
    assert "eu-form" in answer.get_json()["hint"]
    assert client.get("/alice/model/reports/iso-9001").status_code == 400
    assert client.get(f"{API}/alice/model/reports/sci/main?recipient=AIO").status_code == 400
    assert client.get(f"{API}/alice/model/reports/sci/nowhere").status_code == 404


def test_without_a_card_there_is_no_report(client: FlaskClient, alice: Headers) -> None:
    create(client, alice, "alice/empty")
    answer = client.get(f"{API}/alice/empty/reports/sci/main")
    assert answer.status_code == 404
    assert "no footprint card" in answer.get_json()["error"]


def test_the_report_of_a_private_model_is_as_absent_as_the_model(client: FlaskClient, alice: Headers) -> None:
    files = {"footprint.json": json.dumps(full_card()).encode()}
    create(client, alice, "alice/hidden", private=True)
    push(client, alice, "alice/hidden", files)
    hidden, absent = (client.get(f"{API}/alice/{name}/reports/sci/main") for name in ("hidden", "absent"))
    assert hidden.status_code == absent.status_code == 404
    assert hidden.data == absent.data
    assert client.get(f"{API}/alice/hidden/reports/sci/main", headers=alice).status_code == 200
    assert client.get("/alice/hidden/reports/sci").data == client.get("/alice/absent/reports/sci").data
