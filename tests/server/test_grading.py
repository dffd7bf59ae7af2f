"""The evidence level of a pushed card: what raises it, what takes it down, and that it is worked out once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.core.recorded_evidence import SAMPLES, Recorded
from tests.server.reusing import add_key
from tests.server.test_safety import REPORT
from tests.server.wire import commit, create, inline

from registry_core.card import card_digest, parse_card
from registry_core.signing import covered, sign_card
from registry_server.usecases import reading
from registry_server.usecases.context import Registry

Headers = dict[str, str]

API = "/api/registry/v1/repos/models/alice/model"
USE = {
    "unit_of_work": "sample",
    "energy_per_unit": {"value": 1e-6, "unit": "kWh per unit", "source": "measured"},
    "hardware": "NVIDIA A100",
}


def trust(client: FlaskClient) -> Any:
    return client.get(API).json["trust"]


@pytest.fixture
def files() -> dict[str, bytes]:
    """A card whose evidence was constructed to hold, with what one unit of its use takes."""
    found = Recorded("nvml")
    found.document |= {"use_phase": [USE]}
    found.document["model"]["base_models"] = []
    return {**found.files, "footprint.json": json.dumps(found.document).encode()}


def send(client: FlaskClient, headers: Headers, files: dict[str, bytes]) -> None:
    create(client, headers, "alice/model")
    answer = commit(client, headers, "alice/model", [inline(path, content) for path, content in files.items()])
    assert answer.status_code == 200, answer.text


def signed(files: dict[str, bytes], registry: Registry) -> bytes:
    card = parse_card(files["footprint.json"])
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return sign_card(card_digest(card), covered(card, digests), add_key(registry, "alice").private_pem)


def rerun(client: FlaskClient, headers: Headers, energy_kwh: float) -> None:
    report = {**REPORT, "energy_kwh": energy_kwh, "energy_source": "measured", "device_name": "NVIDIA A100"}
    assert client.post(f"{API}/reruns", json=report, headers=headers).status_code == 201


def test_a_signature_over_all_evidence_makes_e3_and_a_rerun_by_somebody_else_e4(
    client: FlaskClient, alice: Headers, bob: Headers, registry: Registry, files: dict[str, bytes]
) -> None:
    send(client, alice, files)
    assert trust(client)["level"] == "E2"
    commit(client, alice, "alice/model", [inline("footprint.att.json", signed(files, registry))])
    assert trust(client)["level"] == "E3"
    rerun(client, alice, 10e-6)  # of ten samples, by the author
    assert trust(client)["level"] == "E3"
    rerun(client, bob, 30e-6)
    assert trust(client)["level"] == "E3"
    rerun(client, bob, 10.5e-6)
    assert trust(client)["level"] == "E4"


def test_evidence_that_nobody_signed_makes_a_signature_void(
    client: FlaskClient, alice: Headers, registry: Registry, files: dict[str, bytes]
) -> None:
    send(client, alice, {**files, "footprint.att.json": signed(files, registry)})
    assert trust(client)["signature"]["valid"] is True
    commit(client, alice, "alice/model", [inline("footprint/env-9-other.json", b"{}")])
    found = trust(client)
    assert found["signature"]["reason"] == "it does not cover footprint/env-9-other.json"
    assert found["level"] == "E2"


def test_samples_are_read_once_for_push_policy_and_every_page(
    client: FlaskClient, alice: Headers, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    content = reading.content

    def noted(registry: Registry, tx: Any, file: reading.File) -> bytes:
        read.append(file.path)
        return content(registry, tx, file)

    monkeypatch.setattr(reading, "content", noted)
    send(client, alice, files)
    for _ in range(3):
        assert trust(client)["level"] == "E2"
    assert read.count(SAMPLES) == 1


def test_a_level_that_could_not_be_worked_out_is_not_remembered(
    client: FlaskClient, alice: Headers, registry: Registry, files: dict[str, bytes]
) -> None:
    send(client, alice, files)
    oid = hashlib.sha1(b"blob %d\0" % len(files[SAMPLES]) + files[SAMPLES]).digest()
    with registry.engine.read() as tx:
        (sound,) = [row["data"] for row in tx.execute("select data from git_objects where oid = :oid", {"oid": oid})]
    registry.gradings._found.clear()  # as after a start
    for data in (b"damaged", sound):
        with registry.engine.write() as tx:
            tx.execute("update git_objects set data = :data where oid = :oid", {"data": data, "oid": oid})
        missing = trust(client)["missing"]
        assert ("Attach the raw samples." in missing) is (data == b"damaged")
