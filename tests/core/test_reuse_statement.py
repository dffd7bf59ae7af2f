"""A reuse statement survives signing and reading, and what moving and evaluating a model takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.claims import claim, claims

from registry_core.errors import Invalid
from registry_core.records import RerunReport
from registry_core.reuse import Claim
from registry_core.reuse_ledger import ledger
from registry_core.reuse_spent import rerun_kwh, transfer_kwh
from registry_core.reuse_statement import SignedReuse, parse_statement, statement_payload
from registry_core.reuse_text import ledger_json
from registry_core.reuse_views import of_model, of_organisation

SAID: dict[str, Any] = {
    "convention": "reuse-convention/1",
    "repo_id": "lab/base",
    "commit_id": "0" * 40,
    "card_digest": "0" * 64,
    "task": "image-classification",
    "alternative": "train_own",
    "organisation": "shop",
    "made_at": "2026-11-22T10:00:00Z",
}


def report(**changes: Any) -> RerunReport:
    found = {"task": "t", "dataset": "d", "split": "test", "metric": "accuracy", "claimed": 0.9, "observed": 0.9}
    found |= {"tolerance": 0.1, "n": 10, "verdict": "pass", "duration_seconds": 1.0, "commit_id": "0" * 40}
    return RerunReport(**{**found, "energy_kwh": 2.0, "energy_source": "measured", **changes})


@pytest.mark.parametrize(
    "more",
    [{}, {"alternative_kwh": 3.5, "cancelled_job": "https://jobs.example/7"}, {"evidence": {"rerun": 3}}],
)
def test_a_statement_is_read_as_it_was_written(more: dict[str, Any]) -> None:
    said = SignedReuse.model_validate({**SAID, **more})
    assert parse_statement(statement_payload(said)) == said


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"convention": "reuse-convention/2"}, "convention"),
        ({"alternative": "perhaps"}, "alternative"),
        ({"alternative_kwh": -1}, "alternative_kwh"),
        ({"cancelled_job": "javascript:alert(1)"}, "cancelled_job"),
        ({"task": "Image Classification"}, "task"),
        ({"commit_id": "main"}, "commit_id"),
        ({"net_kwh": 0}, "net_kwh"),
        ({"evidence": {"rerun": 0}}, "evidence.rerun"),
    ],
)
def test_every_fault_of_a_statement_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_statement(json.dumps({**SAID, **changes}).encode())
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [named]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_statement(data)


def test_moving_a_model_takes_what_the_table_says() -> None:
    # kWh = GB x kWh/GB
    assert transfer_kwh(5_000_000_000).value == pytest.approx(0.3)
    assert transfer_kwh(0).value == 0
    found = transfer_kwh(1_000_000_000)
    assert found.low < found.value == found.high


def test_a_rerun_takes_its_energy_at_the_facility() -> None:
    found = rerun_kwh(report(energy_methods={"gpu": "nvml_counter", "cpu": "cpu_load_model"}))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((2 * 1.56, 2 * 0.33 * 1.1, 2 * 3 * 2.0))
    assert found.source == "estimated"  # the PUE is
    unknown = rerun_kwh(report())
    assert unknown is not None
    assert unknown.high == found.high
    assert rerun_kwh(report(energy_kwh=None)) is None


@given(claims())
def test_what_models_see_of_a_ledger_adds_up_to_it(found: list[Claim]) -> None:
    whole = ledger(found)
    parts = [of_model(whole, row.name, ()) for row in whole.by_model]
    assert sum(part.total_kwh.value for part in parts) == pytest.approx(whole.total_kwh.value)
    for part in parts:
        assert part.refused == ()
        assert all(any(share.model == part.by_model[0].name for share in event.shares) for event in part.events)
    for row in whole.by_organisation:
        assert of_organisation(whole, row.name, ()).total_kwh == row.energy_kwh


def test_a_view_keeps_the_refusals_of_its_own_claims() -> None:
    whole = ledger([claim("1"), claim("2", alternative="nothing"), claim("3", alternative="nothing")])
    assert [refusal.id for refusal in of_model(whole, "lab/base", {"3"}).refused] == ["3"]
    assert ledger_json(of_organisation(whole, "users-org", {"2"}))["refused"][0]["id"] == "2"
