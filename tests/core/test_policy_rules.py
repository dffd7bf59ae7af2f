"""Every shipped rule with a card that passes, one that fails, and one that says too little."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.core.cards import DIGEST, full_card, quantity

from registry_core.card import card_digest, parse_card
from registry_core.compression import Weights, compression
from registry_core.evidence import read_evidence
from registry_core.footprint import totals
from registry_core.grades import Finding, Grade, SignatureCheck
from registry_core.policy.deciding import Outcome, PolicyInput, decide
from registry_core.policy.facts import card_facts, file_facts, sampling_facts
from registry_core.policy.reading import parse_policy
from registry_core.policy.registry_facts import KnownModel, group_facts, parent_facts, registry_facts
from registry_core.policy.rules import Policy, Rule
from registry_core.policy.shipped import shipped_policy
from registry_core.policy.waivers import parse_waiver
from registry_core.records import Rerun, RerunReport

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GONE = object()
SAMPLES = "footprint/samples-0-pretraining-ab.csv"


def sample_file(count: int, seconds: int) -> str:
    start = datetime(2026, 11, 21, 8, tzinfo=UTC)
    moments = [start + timedelta(seconds=seconds * number) for number in range(count)]
    rows = [f"{moment:%Y-%m-%dT%H:%M:%SZ},d,300," for moment in moments]
    return "\n".join(["t_utc,device_id,power_w,energy_counter_j", *rows])


def good_world() -> dict[str, Any]:
    """A card, and what the registry knows, that every rule is content with."""
    document = full_card()
    phase = document["phases"][0]
    phase["intensity_meta"] |= {"year": 2025}
    phase["coverage"] |= {"cpu": True, "ram": True, "host_rest": True}
    document["evidence"]["samples"] = [SAMPLES]
    document["model"] |= {
        "license": "Apache-2.0",
        "tags": ["gpai", "compressed"],
        "base_models": [{"repo_id": "team/base", "revision": "main", "relation": "quantized"}],
    }
    document["declarations"] |= {"pre_estimate_kwh": 9, "why_not_reuse": "team/small knows too few classes"}
    document["narrative"] = {
        "eu.energy_methodology": "Energy was read from the counters of all accelerators " * 4,
        "sci.functional_unit": "One image classified, effective",
        "sci.development": "There were no earlier runs at all",
        "lca.stages": "Manufacture: covered. Training: covered. Use: covered. End of life: not covered, unknown.",
        "lca.water": "The operator does not say",
        "frugal.claims": f"Half the energy of its parent, see card {DIGEST}.",
    }
    grams = totals(parse_card(document)).all.co2e_location_kg.value * 1000
    return {
        "card": document,
        "parent_card": deepcopy(document),
        "grade": Grade("E2", (), ()),
        "tree": {"model.safetensors": (DIGEST, 1000), "README.md": ("b" * 64, 10)},
        "readme": f"---\nco2_eq_emissions:\n  emissions: {grams:.3f}\n---\nA model.\n",
        "samples": sample_file(61, 1),
        "signature": SignatureCheck(True, "c" * 64, "alice", None),
        "reuse": {"convention": "reuse-convention/1", "avoided_kwh": 3.0},
        "group": group_facts(["team/small"], []),
        "known": {"team/base": KnownModel("team/base", True, "MIT", True)},
        "ancestors": [KnownModel("team/base", True, "MIT", True)],
        "rerun_value": 0.97,
        "rerun_at": "2026-11-01T00:00:00Z",
        "param": {"max_tco2e": 1.0, "allowed_licences": ("Apache-2.0", "MIT")},
        "spent_co2e_kg": 10.0,
        "parent_bytes": 4000,
        "facts": {},
    }


def changed(world: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The world with values put at, or taken from, places such as card/phases/0/pue."""
    for place, value in changes.items():
        *way, last = place.split("/")
        target: Any = world
        for step in way:
            target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
        if value is not GONE:
            target[int(last) if isinstance(target, list) else last] = value
        else:
            del target[last]
    return world


def judged(world: dict[str, Any], rule: str, act: str = "publish") -> Outcome:
    card = parse_card(world["card"])
    evidence = read_evidence(card, {SAMPLES: world["samples"].encode()}.get)
    facts = card_facts(
        card,
        grade=world["grade"],
        tree=world["tree"],
        readme=world["readme"],
        sampling=sampling_facts(evidence) if evidence else None,
        signature=world["signature"],
        reuse=world["reuse"],
    )
    parent = compression(
        card, Weights(1000, 1000), parse_card(world["parent_card"]), Weights(world["parent_bytes"], 1000)
    )
    known = PolicyInput(
        act=act,
        moment=NOW,
        card={**facts, **world["facts"]},
        files=file_facts(world["tree"] or {}),
        parent=parent_facts(parent),
        group=world["group"],
        registry=registry_facts(
            card,
            moment=NOW,
            known=world["known"],
            ancestors=world["ancestors"],
            reruns=[rerun_of(world)] if world["rerun_at"] else [],
            spent_co2e_kg=world["spent_co2e_kg"],
        ),
        repo_id="team/model",
        card_digest=str(card_digest(card)),
    )
    catalogue = shipped_policy("rules")
    policy = Policy("test/1", "Test", {**catalogue.param, **world["param"]}, catalogue.rules)
    (found,) = [outcome for outcome in decide(policy, known).outcomes if outcome.rule == rule]
    return found


def rerun_of(world: dict[str, Any]) -> Rerun:
    report = RerunReport(
        commit_id="d" * 40,
        task="image-classification",
        dataset="digits",
        split="test",
        metric="accuracy",
        claimed=0.9778,
        observed=world["rerun_value"],
        tolerance=0.02,
        n=450,
        verdict="pass",
        duration_seconds=1.0,
        energy_kwh=None,
        energy_source=None,
    )
    return Rerun(1, "bob", world["rerun_at"], report)


@dataclass
class Case:
    """What is changed in the good world: to fail, to say too little, and, where it is needed, to pass."""

    fails: dict[str, Any]
    lacks: dict[str, Any]
    passes: dict[str, Any] = field(default_factory=dict)


PHASE = "card/phases/0"
NO_ENERGY = {
    f"{PHASE}/energy_gpu": GONE,
    f"{PHASE}/energy_cpu": GONE,
    f"{PHASE}/energy_ram": GONE,
    f"{PHASE}/energy_other": GONE,
    f"{PHASE}/energy_it": GONE,
    f"{PHASE}/co2e_location": GONE,
    f"{PHASE}/coverage": {
        **dict.fromkeys(("gpu", "cpu", "ram", "host_rest", "network"), False),
        "hosts_total": 1,
        "hosts_measured": 1,
    },
}
DECLARED_ENERGY = {
    **{key: value for key, value in NO_ENERGY.items() if "coverage" not in key},
    f"{PHASE}/energy_it": quantity(10.2, "kWh", "declared"),
}
NO_WATER = {f"{PHASE}/{name}": GONE for name in ("water_onsite", "water_offsite", "wue_on", "wue_off")}
MARKET = {f"{PHASE}/intensity_meta/basis": "market", f"{PHASE}/co2e_location": GONE}
NO_INTENSITY = {f"{PHASE}/{name}": GONE for name in ("intensity", "intensity_meta", "co2e_location")}

CASES = {
    "EU-01": Case(fails=DECLARED_ENERGY, lacks=NO_ENERGY),
    "EU-02": Case(
        fails={"card/narrative/eu.energy_methodology": "By a tool."},
        lacks={"card/narrative/eu.energy_methodology": GONE},
    ),
    "EU-03": Case(
        passes={**NO_ENERGY, "card/narrative/eu.energy": "The cloud provider withholds meter data"},
        fails={**NO_ENERGY, "card/narrative/eu.energy": "N/A"},
        lacks=NO_ENERGY,
    ),
    "EU-04": Case(fails={f"{PHASE}/wall_time": quantity(0, "s")}, lacks={"facts/totals": {}}),
    "EU-05": Case(
        fails={f"{PHASE}/compute_flop": quantity(0, "FLOP", "estimated")},
        lacks={f"{PHASE}/compute_flop": GONE},
    ),
    "EU-06": Case(fails={"card/use_phase/0/hardware": GONE}, lacks={"card/use_phase": GONE}),
    "EU-07": Case(
        fails={"known": {}},
        lacks={"card/model/base_models": GONE},
    ),
    "EU-08": Case(
        fails={"tree/extra.safetensors": ("e" * 64, 5)},
        lacks={"tree": None},
    ),
    "SCI-01": Case(fails=MARKET, lacks=NO_INTENSITY),
    "SCI-02": Case(fails={f"{PHASE}/groups/0/factor_kg": 0}, lacks={f"{PHASE}/groups/0/factor_kg": GONE}),
    "SCI-03": Case(
        fails={"card/narrative/sci.functional_unit": "One image", f"{PHASE}/compute_flop_kind": GONE},
        lacks={"card/narrative/sci.functional_unit": GONE},
    ),
    "SCI-04": Case(fails=MARKET, lacks={"facts/phases": None}),
    "SCI-05": Case(
        fails={"card/narrative/sci.development": "none"},
        lacks={"card/narrative/sci.development": GONE},
    ),
    "SCI-06": Case(
        fails={f"{PHASE}/coverage/host_rest": False},
        lacks={
            f"{PHASE}/coverage/host_rest": False,
            f"{PHASE}/energy_other": GONE,
        },
    ),
    "GHG-01": Case(
        fails=NO_INTENSITY,
        lacks={**NO_ENERGY},
    ),
    "GHG-02": Case(fails={"reuse/convention": "our own"}, lacks={"reuse/convention": GONE}),
    "LCA-01": Case(
        fails={"card/narrative/lca.stages": "Training: covered."},
        lacks={"card/narrative/lca.stages": GONE},
    ),
    "LCA-02": Case(
        fails={**NO_WATER, "card/narrative/lca.water": "unknown"},
        lacks={**NO_WATER, "card/narrative/lca.water": GONE},
    ),
    "LCA-03": Case(fails={"facts/gases": ["co2_only", "co2e"]}, lacks=NO_INTENSITY),
    "FRU-01": Case(
        fails={"card/declarations/pre_estimate_kwh": 1.0},
        lacks={"card/declarations/pre_estimate_kwh": GONE},
    ),
    "FRU-02": Case(
        fails={"card/declarations/why_not_reuse": "nothing fits"},
        lacks={"card/declarations/why_not_reuse": GONE},
    ),
    "FRU-03": Case(
        fails={"readme": "A carbon neutral model.\n"},
        lacks={"readme": None, "card/narrative/frugal.claims": GONE},
    ),
    "MEA-01": Case(fails={"grade": Grade("E1", (), ("samples",))}, lacks={"grade": None}),
    "MEA-02": Case(fails={"samples": sample_file(61, 15)}, lacks={"samples": ""}),
    "MEA-03": Case(
        fails={"grade": Grade("E0", (Finding("F7", "error", "phases[0].pue", "The PUE is 0.5."),), ())},
        lacks={"grade": None},
    ),
    "MEA-04": Case(
        fails={"signature": SignatureCheck(False, "c" * 64, None, "the card is another one")},
        lacks={"signature": None},
    ),
    "HUB-01": Case(
        fails={"readme": "---\nco2_eq_emissions: 6.8e+02\n---\n"},
        lacks={"readme": "---\nlicense: mit\n---\n"},
    ),
    "HUB-02": Case(fails={"card/quality/0/n": GONE}, lacks={"card/quality": GONE}),
    "ORG-01": Case(fails={"param/max_tco2e": 0.000001}, lacks=NO_ENERGY),
    "ORG-02": Case(
        fails={"card/model/license": "GPL-3.0-only"},
        lacks={"known": {"team/base": KnownModel("team/base", True, None, True)}},
    ),
    "ORG-03": Case(fails={"card/data/personal_data": "unknown"}, lacks={"card/data": GONE}),
    "ORG-04": Case(fails={f"{PHASE}/intensity_meta/year": 2019}, lacks=NO_INTENSITY),
    "ORG-05": Case(fails={"rerun_value": 0.9}, lacks={"rerun_at": None}),
    "ORG-06": Case(fails={"parent_bytes": 1100}, lacks={"parent_card/quality": GONE}),
    "ORG-07": Case(
        fails={"ancestors": [KnownModel("team/base", True, None, False)]},
        lacks={"card/model/base_models": GONE},
    ),
    "SAF-01": Case(fails={"tree/model.bin": ("e" * 64, 5)}, lacks={}),
    "ORG-08": Case(
        fails={"group/dominated_by": ["team/small"], "card/narrative/org.justification": "none"},
        lacks={"group/dominated_by": ["team/small"]},
    ),
}


def test_there_are_37_rules_and_each_has_its_cases() -> None:
    assert list(CASES) == [rule.id for rule in shipped_policy("rules").rules]
    assert len(CASES) == 37


@pytest.mark.parametrize("rule", CASES)
def test_rule_passes(rule: str) -> None:
    outcome = judged(changed(good_world(), CASES[rule].passes), rule)
    assert (outcome.status, outcome.effect) == ("pass", "none"), outcome.message


@pytest.mark.parametrize("rule", CASES)
def test_rule_fails_with_its_severity_and_names_field_and_value(rule: str) -> None:
    outcome = judged(changed(good_world(), CASES[rule].fails), rule)
    assert (outcome.status, outcome.effect) == ("fail", outcome.severity), outcome.message
    assert outcome.field in outcome.message
    assert (outcome.value or "is not given") in outcome.message


MISSING = {
    **dict.fromkeys(CASES, "fail"),
    **dict.fromkeys("EU-05 EU-06 SCI-02 SCI-05 SCI-06 LCA-01 LCA-02 FRU-01 FRU-02 ORG-07 SAF-01".split(), "warn"),
    "ORG-08": "skip",
}
"""The column Missing of the specification."""
SEVERITY = {
    **dict.fromkeys(CASES, "warn"),
    **dict.fromkeys(
        "EU-01 EU-07 EU-08 SCI-01 SCI-04 GHG-01 GHG-02 MEA-01 MEA-03 HUB-02 ORG-01 ORG-02 ORG-03 ORG-06 SAF-01".split(),
        "block",
    ),
    **dict.fromkeys("EU-06 LCA-01 LCA-02 FRU-01 ORG-08".split(), "info"),
}
"""The column Default, at publish."""


@pytest.mark.parametrize("rule", [rule for rule in CASES if rule != "SAF-01"])
def test_rule_has_too_little_data(rule: str) -> None:
    outcome = judged(changed(good_world(), CASES[rule].lacks), rule)
    assert outcome.status == "insufficient data", outcome.message
    order = ["none", "info", "warn", "block"]
    most = {"fail": "block", "warn": "warn", "skip": "none"}[MISSING[rule]]
    assert outcome.effect == min(SEVERITY[rule], most, key=order.index)
    assert "is not given" in outcome.message


def test_pickles_that_nobody_listed_are_too_little_data() -> None:
    policy = shipped_policy("rules")
    (outcome,) = [
        found for found in decide(policy, PolicyInput("publish", NOW, None, {})).outcomes if found.rule == "SAF-01"
    ]
    assert (outcome.status, outcome.effect) == ("insufficient data", "warn")


def test_defaults_are_those_of_the_specification() -> None:
    catalogue = {rule.id: rule for rule in shipped_policy("rules").rules}
    assert {id_: rule.missing for id_, rule in catalogue.items()} == MISSING
    assert {id_: rule.severity["publish"] for id_, rule in catalogue.items()} == SEVERITY
    only_at_publish = {id_ for id_, rule in catalogue.items() if "push" not in rule.severity}
    assert only_at_publish == {"EU-01", "MEA-01", "HUB-02", "ORG-05"}
    assert catalogue["SAF-01"].severity["push"] == "warn"


def test_a_rule_about_other_models_does_not_apply() -> None:
    world = changed(good_world(), {"card/model/tags": []})
    for rule in ("EU-01", "ORG-06"):
        assert judged(world, rule).status == "not applicable"


def test_budget_of_the_organisation_counts_what_was_spent() -> None:
    world = changed(good_world(), {"param": {"budget_tco2e": 0.02, "budget_period": "year"}})
    assert judged(world, "ORG-01").status == "pass"
    assert judged(changed(world, {"spent_co2e_kg": 19.9}), "ORG-01").effect == "block"
    assert judged(changed(world, {"spent_co2e_kg": None}), "ORG-01").status == "insufficient data"


@pytest.mark.parametrize(
    ("path", "told"),
    [("model.safetensors", "model.safetensors has other bytes"), ("b/x.gguf", "b/x.gguf is not named")],
)
def test_weights_are_named_with_their_digest(path: str, told: str) -> None:
    outcome = judged(changed(good_world(), {"tree": {path: ("e" * 64, 5)}}), "EU-08")
    assert (outcome.effect, outcome.value) == ("block", told)
    state = {"training_args.bin": ("e" * 64, 5), "checkpoint-1/optimizer.pt": ("e" * 64, 5)}
    assert judged(changed(good_world(), {"tree": state}), "EU-08").status == "pass"


def test_run_on_many_devices_is_judged() -> None:
    names = [f"footprint/samples-0-pretraining-{number}.csv" for number in range(1200)]
    world = changed(good_world(), {"card/evidence/samples": [*names, SAMPLES]})
    files = world["card"]["subject"]["files"]
    files += [{**files[0], "path": f"part-{number}.safetensors"} for number in range(1200)]
    assert judged(world, "MEA-02").status == "pass"
    assert judged(changed(world, {"samples": sample_file(10, 1)}), "MEA-02").effect == "warn"


def test_external_base_need_not_resolve() -> None:
    base = {"repo_id": "elsewhere/base", "relation": "finetune", "external": True}
    world = changed(good_world(), {"card/model/base_models": [base], "known": {}})
    assert judged(world, "EU-07").status == "pass"
    assert judged(world, "ORG-02").status == "pass"
    estimated = KnownModel("elsewhere/base", False, None, False, external=True)
    assert judged(changed(world, {"ancestors": [estimated]}), "ORG-07").status == "fail"
    told = {"card/narrative/org.external_estimates": "elsewhere/base: about 3 MWh, from its paper"}
    assert judged(changed(world, told), "ORG-07").status == "pass"


@pytest.mark.parametrize(
    ("licence", "base", "status"),
    [
        ("Apache-2.0", "MIT", "pass"),
        ("MIT", "GPL-3.0-only", "fail"),
        ("MIT OR GPL-3.0-only", "GPL-3.0-only", "pass"),
        ("MIT", "CC-BY-ND-4.0", "fail"),
        ("MIT", "other", "insufficient data"),
        ("LicenseRef-ours", "LicenseRef-ours", "pass"),
        ("CC-BY-SA-4.0", "CC-BY-SA-3.0", "pass"),
        ("MIT", "CC-BY-NC-4.0", "fail"),
    ],
)
def test_licences_of_model_and_base(licence: str, base: str, status: str) -> None:
    changes = {
        "card/model/license": licence,
        "param": {"allowed_licences": ("*",)},
        "known": {"team/base": KnownModel("team/base", True, base, True)},
    }
    assert judged(changed(good_world(), changes), "ORG-02").status == status


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("co2_eq_emissions: {grams}", "pass"),
        ("co2_eq_emissions: {{emissions: {grams}, source: codecarbon}}", "pass"),
        ("co2_eq_emissions:\n  source: codecarbon\n  emissions: {grams}", "pass"),
        ("co2_eq_emissions: 1,287", "fail"),
        ("co2_eq_emissions: 12.5", "fail"),
        ("co2_eq_emissions:\n  source: codecarbon\nemissions: 5", "insufficient data"),
    ],
)
def test_emissions_of_the_readme(head: str, status: str) -> None:
    world = good_world()
    grams = totals(parse_card(world["card"])).all.co2e_location_kg.value * 1000
    readme = f"---\n{head.format(grams=f'{grams:.2f}')}\n---\n"
    assert judged(changed(world, {"readme": readme}), "HUB-01").status == status


# -- docs/policy.md

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policy.md"


def test_page_lists_every_rule_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = re.findall(r"^\| \**([A-Z]+-[0-9]+)\** \| ([^|]*) \| ([a-z]+) \| (.*) \|$", page, re.MULTILINE)
    assert listed == [(rule.id, _severity(rule), rule.missing, rule.message) for rule in shipped_policy("rules").rules]
    bold = re.findall(r"^\| \*\*([A-Z]+-[0-9]+)", page, re.MULTILINE)
    assert bold == [rule.id for rule in shipped_policy("minimal").rules]


def _severity(rule: Rule) -> str:
    words = set(rule.severity.values())
    if len(words) > 1:
        return ", ".join(f"{word} at {act}" for act, word in rule.severity.items())
    return words.pop() if "push" in rule.severity else f"{words.pop()} at publish"


def test_examples_of_the_page_are_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (policy,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(parse_policy(policy, shipped_policy).rules) == 33
    (waiver,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert parse_waiver(waiver).rule == "MEA-03"
