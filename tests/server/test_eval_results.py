"""`.eval_results/*.yaml` is read for the metrics of a model, beside its card and its README."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.core.cards import full_card
from tests.server.pushing import push
from tests.server.wire import create

from registry_core.card import parse_card
from registry_core.eval_results import eval_results

REPO = "alice/m"
GPQA = b"- dataset: {id: Idavidrein/gpqa, task_id: gpqa_diamond}\n  value: 0.412\n"


@pytest.fixture
def alice(client: FlaskClient, token: Callable[[str], dict[str, str]]) -> dict[str, str]:
    headers = token("alice")
    create(client, headers, REPO)
    return headers


def metrics(client: FlaskClient) -> dict[str, float]:
    (item,) = client.get("/api/registry/v1/find").json["items"]
    found: dict[str, float] = item["metrics"]
    return found


def test_entries_of_the_newer_form_are_metrics(client: FlaskClient, alice: dict[str, str]) -> None:
    push(client, alice, REPO, {".eval_results/gpqa.yaml": GPQA, "README.md": b"# M\n"})
    assert metrics(client) == {"gpqa_diamond": 0.412}
    answer = client.get("/api/registry/v1/find", query_string={"where": "gpqa_diamond > 0.4"}).json
    assert [item["id"] for item in answer["items"]] == [REPO]


def test_the_card_leads_and_nothing_counts_twice(client: FlaskClient, alice: dict[str, str]) -> None:
    card: dict[str, Any] = full_card()
    own = eval_results(parse_card(card)).encode()
    other = own.replace(b"0.9778", b"0.5")
    files = {
        "footprint.json": json.dumps(card).encode(),
        ".eval_results/a.yaml": own,
        ".eval_results/b.yaml": other,
    }
    push(client, alice, REPO, files)
    assert metrics(client) == {"accuracy": 0.9778}


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[[", b"- 3\n", b"- dataset: {id: a, task_id: b}\n  value: .nan\n", b"x" * 300_000]
)
def test_a_file_that_cannot_be_read_has_no_metrics(client: FlaskClient, alice: dict[str, str], content: bytes) -> None:
    push(client, alice, REPO, {".eval_results/x.yaml": content, "README.md": b"# M\n"})
    assert metrics(client) == {}
