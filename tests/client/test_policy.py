"""`registry policy`: decisions about folders and models, their words and exit codes."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import card, quantity, write_model

from registry_client import cli, push
from registry_client.policy import check_policy
from registry_core.errors import NotFound


def good_card() -> dict[str, Any]:
    """What the policy `minimal` is content with: it says that there is no base model."""
    found = card()
    found["model"]["base_models"] = []
    return found


def folder_of(path: Path, **changes: Any) -> Path:
    """A model whose only phase has these fields."""
    document = deepcopy(good_card())
    document["phases"][0] |= changes
    return write_model(path, footprint=document)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "model")


def checked(arguments: list[str], capsys: pytest.CaptureFixture[str], *, code: int) -> dict[str, Any]:
    assert cli.run(["policy", "check", *arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_folder_that_is_fit_is_allowed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file: file.read_bytes() for file in model.iterdir()}
    assert cli.run(["policy", "check", str(model)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("push allowed by minimal/1.0: ")
    assert told.err.splitlines()[-1] == f"Next: registry push {model} OWNER/NAME"
    assert {file: file.read_bytes() for file in model.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"pue": quantity(0.5, "1")}, "MEA-03", "findings[].message"),
        ({"intensity_meta": {**card()["phases"][0]["intensity_meta"], "basis": "market"}}, "SCI-04", "basis"),
    ],
)
def test_refusal_names_rule_field_and_value(
    changes: dict[str, Any], rule: str, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(tmp_path / "model", **changes)
    assert cli.run(["policy", "check", str(folder)]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "BLOCKS" in line]
    assert rule in line
    assert field in line
    decision = checked([str(folder)], capsys, code=1)
    assert decision["allowed"] is False
    (blocking,) = [outcome for outcome in decision["outcomes"] if outcome["effect"] == "block"]
    assert blocking["value"] in line


def test_base_models_have_to_be_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = card()
    del document["model"]["base_models"]
    folder = write_model(tmp_path / "model", footprint=document)
    decision = checked([str(folder)], capsys, code=1)
    blocking = {outcome["rule"]: outcome for outcome in decision["outcomes"] if outcome["effect"] == "block"}
    assert blocking.keys() == {"EU-07", "ORG-02"}
    assert "model.base_models is not given" in blocking["EU-07"]["message"]


def test_what_the_server_knows_does_not_change_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = good_card()
    document["model"]["base_models"] = [{"repo_id": "alice/base", "relation": "finetune"}]
    folder = write_model(tmp_path / "model", footprint=document)
    decision = checked([str(folder)], capsys, code=0)
    statuses = {outcome["rule"]: outcome["status"] for outcome in decision["outcomes"]}
    assert statuses["EU-07"] == statuses["ORG-02"] == "decided at push"
    assert cli.run(["policy", "check", str(folder)]) == 0
    assert "decided at push: EU-07, ORG-02" in capsys.readouterr().out


def test_folder_without_a_card_is_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decision = checked([str(write_model(tmp_path / "model"))], capsys, code=0)
    assert {outcome["status"] for outcome in decision["outcomes"]} == {"not applicable"}
    assert decision["card_digest"] is None


def test_invalid_card_is_refused_with_all_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path / "model", scope="garage", stage="sleeping")
    assert cli.run(["policy", "check", str(folder)]) == 1
    told = capsys.readouterr().err
    assert "phases[0].scope" in told
    assert "phases[0].stage" in told


def test_pickle_warns_at_push_and_blocks_at_publish(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "extra.bin").write_bytes(b"pickle")
    policy = tmp_path / "safe.yaml"
    policy.write_text("policy: safe/1.0\ntitle: Safe\nextends: rules/1.0\nonly: [SAF-01]\n")
    for act, code, effect in (("push", 0, "warn"), ("publish", 1, "block")):
        decision = checked([str(model), "--policy", str(policy), "--act", act], capsys, code=code)
        (outcome,) = decision["outcomes"]
        assert (outcome["effect"], outcome["value"]) == (effect, "extra.bin")


def test_readme_that_a_push_would_draft_agrees(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decision = checked([str(model), "--policy", "open-lab"], capsys, code=0)
    assert {outcome["rule"]: outcome["status"] for outcome in decision["outcomes"]}["HUB-01"] == "pass"
    (model / "README.md").write_text("---\nco2_eq_emissions: 1e+16\n---\n")
    decision = checked([str(model), "--policy", "open-lab"], capsys, code=0)
    assert {outcome["rule"]: outcome["status"] for outcome in decision["outcomes"]}["HUB-01"] == "fail"


LAB = """\
policy: lab/1.0
title: Our lab
extends: minimal/1.0
param:
  allowed_licences: [MIT]
  max_kwh: 5
rules:
  - id: LAB-01
    standard: Lab
    on: [push]
    severity: warn
    require: card.totals.all.energy_it_kwh.value <= param.max_kwh
    message: At most {param.max_kwh} kWh.
    field: totals.all.energy_it_kwh
"""


def test_policy_file_of_an_organisation(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "lab.yaml"
    policy.write_text(LAB)
    decision = checked([str(model), "--policy", str(policy)], capsys, code=1)
    outcomes = {outcome["rule"]: outcome for outcome in decision["outcomes"]}
    assert outcomes["ORG-02"]["effect"] == "block"
    assert outcomes["ORG-02"]["value"] == "Apache-2.0"
    assert outcomes["LAB-01"]["status"] == "pass"
    policy.write_text(LAB.replace("[MIT]", "[MIT, Apache-2.0]"))
    assert checked([str(model), "--policy", str(policy)], capsys, code=0)["policy"] == "lab/1.0"


def test_example_of_the_page_runs(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "lab.yaml").write_text(example)
    decision = checked([str(model), "--policy", str(tmp_path / "lab.yaml"), "--act", "publish"], capsys, code=1)
    outcomes = {outcome["rule"]: outcome for outcome in decision["outcomes"]}
    assert outcomes["LAB-01"]["status"] == "not applicable"
    assert outcomes["MEA-04"]["effect"] == "block"
    assert outcomes["ORG-01"]["status"] == "decided at push"


def test_faulty_policy_file_is_wrong_usage(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "lab.yaml"
    policy.write_text(LAB.replace("on: [push]", "on: [noon]").replace("param.max_kwh\n", "param.max_kwh &&\n"))
    assert cli.run(["policy", "check", str(model), "--policy", str(policy)]) == 2
    told = capsys.readouterr().err
    assert "rules[0].on" in told
    assert "rules[0].require" in told


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nothing-here"], 3),
        (["MODEL", "--policy", "nobody"], 3),
        (["MODEL", "--policy", "nothing.yaml"], 3),
        (["MODEL", "--act", "dance"], 2),
        ([], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int, model: Path) -> None:
    given = [str(model) if argument == "MODEL" else argument for argument in arguments]
    assert cli.run(["policy", "check", *given]) == code


def test_list_and_show(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.run(["policy", "list", "--json"]) == 0
    listed = {found["policy"]: found for found in json.loads(capsys.readouterr().out)}
    assert {name: found["rules"] for name, found in listed.items()} == {
        "minimal/1.0": 6,
        "publish/1.0": 32,
        "open-lab/1.0": 37,
        "rules/1.0": 37,
    }
    assert cli.run(["policy", "show", "minimal", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["digest"] == listed["minimal/1.0"]["digest"]
    assert [rule["id"] for rule in shown["rules"]] == "EU-07 EU-08 SCI-04 GHG-02 MEA-03 ORG-02".split()
    assert cli.run(["policy", "show", "publish"]) == 0
    assert "warn at push, block at publish" in capsys.readouterr().out
    (tmp_path / "lab.yaml").write_text(LAB)
    assert cli.run(["policy", "show", str(tmp_path / "lab.yaml")]) == 0
    assert "LAB-01" in capsys.readouterr().out
    assert cli.run(["policy", "show", "nobody"]) == 3


def test_model_on_a_server_is_judged_like_its_folder(model: Path, server: Any, repo_id: str) -> None:
    at = {"endpoint": server.endpoint, "token": server.token}
    push(model, repo_id, **at)
    here, there = check_policy(model, policy="open-lab"), check_policy(repo_id, policy="open-lab", **at)
    assert there.repo_id == repo_id
    assert there.card_digest == here.card_digest
    assert {found.rule: found.status for found in there.outcomes} == {
        found.rule: found.status for found in here.outcomes
    }
    flags = ["--endpoint", server.endpoint, "--token", server.token]
    assert cli.run(["policy", "check", f"{repo_id}@main", *flags]) == 0
    assert cli.run(["policy", "check", repo_id, "--policy", "publish", "--act", "publish", *flags]) == 1
    with pytest.raises(NotFound):
        check_policy("alice/nothing", **at)
