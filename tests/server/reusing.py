"""Models that are reused, and statements that say so, signed by real keys."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from tests.core.cards import golden_card, quantity
from tests.server.pushing import push, with_files

from registry_core.card import card_digest, parse_card
from registry_core.reuse_statement import PAYLOAD_TYPE, SignedReuse, statement_payload
from registry_core.signing import KeyPair, key_id, new_key, sign_statement
from registry_server.catalog import accounts, keys
from registry_server.usecases.context import Registry

Headers = dict[str, str]
API = "/api/registry/v1"
TASK = "image-classification"
SCORE = {
    **{"task": TASK, "dataset": "digits", "split": "test", "metric": "accuracy", "value": 0.95},
    **{"higher_is_better": True, "n": 450},
}


def model_card(kwh: float, bases: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """A card of so much energy, E1 and at least half of it, by TDP, in France; from scratch unless it has bases."""
    card = golden_card()
    phase = card["phases"][0]
    (group,) = phase["groups"]
    gpu = kwh / 1.2 / 1.4  # PUE, and the rest of the host
    group["hours"] = gpu * 1000 / (group["tdp_w"] * 0.70 * group["device_count"])
    end = datetime.fromisoformat(phase["started_at"]) + timedelta(hours=group["hours"])
    phase |= {
        "ended_at": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "wall_time": quantity(group["hours"] * 3600, "s"),
        "device_time": quantity(group["hours"] * group["device_count"], "device_hour"),
        "energy_gpu": _estimated(gpu, "device_hours_tdp"),
        "energy_other": _estimated(gpu * 0.4, "host_share"),
        "energy_it": quantity(gpu * 1.4, "kWh", "derived"),
    }
    del phase["co2e_location"]
    card["model"]["base_models"] = bases or []
    return {**card, "quality": [deepcopy(SCORE)], **changes}


def _estimated(kwh: float, method: str) -> dict[str, Any]:
    return quantity(kwh, "kWh", "estimated", method=method, low=kwh / 2, high=kwh * 2)


def base(repo: str, revision: str | None) -> dict[str, Any]:
    named = {"repo_id": repo, "relation": "finetune"}
    return {**named, "revision": revision} if revision else named


def add_model(client: FlaskClient, headers: Headers, repo: str, card: dict[str, Any], *, private: bool = False) -> str:
    """Push a model with this card, and weights of its own; its commit."""
    files = with_files(card, {"model.safetensors": repo.encode()})
    return push(client, headers, repo, files, private=private)


def add_key(registry: Registry, account: str) -> KeyPair:
    """A new key that the account registered."""
    pair = new_key()
    with registry.engine.write() as tx:
        owner = accounts.by_name(tx, account)
        assert owner is not None
        id, public = bytes.fromhex(key_id(pair.public)), bytes.fromhex(pair.public)
        keys.add(tx, owner.id, id, public, "test", "2026-01-01T00:00:00.000Z")
    return pair


def envelope_of(
    client: FlaskClient, pair: KeyPair, repo: str, commit: str, headers: Headers, **changes: Any
) -> dict[str, Any]:
    """A signed statement on a commit; `changes` replace what it says."""
    detail = client.get(f"{API}/repos/models/{repo}/revision/{commit}", headers=headers).get_json()
    said = {
        "convention": "reuse-convention/1",
        "repo_id": repo,
        "commit_id": commit,
        "card_digest": str(card_digest(parse_card(detail["footprint"]))),
        "task": TASK,
        "alternative": "train_own",
        "made_at": "2026-11-22T10:00:00Z",
    }
    payload = statement_payload(SignedReuse.model_validate({**said, **changes}))
    document: dict[str, Any] = json.loads(sign_statement(PAYLOAD_TYPE, payload, pair.private_pem))
    return document


def state(client: FlaskClient, headers: Headers, pair: KeyPair, repo: str, commit: str, **changes: Any) -> Any:
    """What the server answers to a statement, which it must take in."""
    answer = client.post(
        f"{API}/repos/models/{repo}/reuses/{commit}",
        json=envelope_of(client, pair, repo, commit, headers, **changes),
        headers=headers,
    )
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def ledger(client: FlaskClient, headers: Headers | None = None, query: str = "") -> Any:
    answer = client.get(f"{API}/ledger{query}", headers=headers or {})
    assert answer.status_code == 200, answer.text
    return answer.get_json()
