"""Policy files, what they inherit, waivers, and decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cards import DIGEST, minimal_card

from registry_core import plain_yaml
from registry_core.card import parse_card
from registry_core.errors import InvalidPolicy, NotFound, Refused
from registry_core.grades import Finding, Grade
from registry_core.policy import expressions
from registry_core.policy.deciding import Decision, PolicyInput, decide
from registry_core.policy.facts import card_facts, file_facts
from registry_core.policy.reading import parse_policy
from registry_core.policy.rules import Policy, policy_document
from registry_core.policy.shipped import SHIPPED, shipped_policy
from registry_core.policy.waivers import Waiver, parse_waiver, waiver_bytes

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PUBLISH = shipped_policy("publish")
RULE: dict[str, Any] = {
    "id": "LAB-01",
    "standard": "Lab",
    "on": ["push", "publish"],
    "severity": "block",
    "require": "card.totals.all.energy_it_kwh.value < param.max_kwh",
    "message": "At most {param.max_kwh} kWh, not {value}.",
    "field": "totals.all.energy_it_kwh",
}


def read(**document: Any) -> Policy:
    return parse_policy(plain_yaml.dump({"policy": "lab/1.0", "title": "Lab", **document}), shipped_policy)


def faults_of(**document: Any) -> dict[str, str]:
    with pytest.raises(InvalidPolicy) as caught:
        read(**document)
    return dict(fault.split(": ", 1) for fault in caught.value.faults)


def judged(policy: Policy, act: str = "push", *waivers: Waiver, findings: tuple[Finding, ...] = ()) -> Decision:
    card = parse_card(minimal_card())
    known = PolicyInput(
        act=act,  # type: ignore[arg-type]
        moment=NOW,
        card=card_facts(card, grade=Grade("E1", findings, ())),
        files=file_facts({}),
        repo_id="team/model",
        card_digest=DIGEST,
    )
    return decide(policy, known, waivers, is_signed=lambda waiver: waiver.signature == f"by {waiver.approver}")


# -- reading


def test_a_rule_of_ones_own_decides() -> None:
    assert judged(read(param={"max_kwh": 1}, rules=[RULE])).allowed
    refused = judged(read(param={"max_kwh": 0.0001}, rules=[RULE]))
    assert not refused.allowed
    (outcome,) = refused.having("block")
    assert outcome.message == "At most 0.0001 kWh, not 0.001. totals.all.energy_it_kwh is 0.001."


def test_all_faults_are_named_at_once() -> None:
    broken = [
        {**RULE, "require": "card.x >", "severity": "deny"},
        {**RULE, "id": "lab", "on": []},
        {**RULE, "when": "planet.size > 1", "missing": "maybe", "colour": "red"},
    ]
    faults = faults_of(param={"max_kwh": None}, extends="nothing/1.0", rules=[*broken, RULE, RULE], colour="red")
    assert {
        "colour",
        "extends",
        "rules[3].message",
        "rules[4].id",
        "rules[0].require",
        "rules[1].id",
        "rules[1].on",
        "rules[2].when",
        "rules[2].missing",
        "rules[2].colour",
        "param.max_kwh",
    } <= faults.keys()
    assert "is not CEL" in faults["rules[0].require"]
    assert "planet" in faults["rules[2].when"]


@pytest.mark.parametrize("missing", ["standard", "on", "severity", "require", "message", "field"])
def test_new_rule_is_complete(missing: str) -> None:
    rule = {key: value for key, value in RULE.items() if key != missing}
    assert "LAB-01 is a new rule" in faults_of(rules=[rule])[f"rules[0].{missing}"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"rules": [RULE, RULE]}, "rules[1].id"),
        ({}, "rules"),
        ({"only": ["EU-07"], "rules": [RULE]}, "only"),
        ({"extends": "nothing/1.0"}, "extends"),
        ({"extends": "minimal/9.9"}, "extends"),
        ({"extends": "minimal/1.0", "only": ["SAF-01"]}, "only[0]"),
        ({"rules": [{**RULE, "severity": {"push": "warn"}}]}, "rules[0].severity"),
        ({"rules": [{**RULE, "severity": {"push": "warn", "publish": "warn", "pull": "info"}}]}, "rules[0].severity"),
        ({"extends": "minimal/1.0", "param": {"min_evidence": "E9"}}, "param.min_evidence"),
        ({"extends": "minimal/1.0", "param": {"max_tco2e": -1}}, "param.max_tco2e"),
        ({"extends": "minimal/1.0", "param": {"most": -(2**53)}}, "param.most"),
        ({"extends": "minimal/1.0", "param": {"allowed_licences": "MIT"}}, "param.allowed_licences"),
        ({"extends": "minimal/1.0", "param": {"budget_period": "week"}}, "param.budget_period"),
        ({"rules": [{**RULE, "id": f"LAB-{number:03}"} for number in range(101)]}, "rules"),
        ({"policy": "Lab", "rules": [RULE]}, "policy"),
        ({"a.b[0]": 1, "rules": [RULE]}, "a.b[0]"),
    ],
)
def test_fault_has_a_place(document: dict[str, Any], place: str) -> None:
    assert place in faults_of(**document)


@pytest.mark.parametrize("text", ["", "[", "- a", "policy: &a b", "\x00", "null", "policy: lab/1.0\npolicy: lab/1.0"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy(text, shipped_policy)


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("card.l.map(x, x)", "map"),
        ("card.l . filter (x, true)", "filter"),
        ("r'\\' == '' || card.l.map(x, x) == []", "map"),
        ("card.a.all(x, card.b.all(y, x == y))", "inside another"),
        (" && ".join(["card.a.all(x, x)"] * 5), "comprehensions"),
        ("card.a == 1 || " * 60 + "true", "longer than"),
        ("shell('ls')", "shell"),
        ("now > 1", "now"),
        ("(" * 290 + "1" + ")" * 290, "not CEL"),
        ("", "not CEL"),
    ],
)
def test_expression_that_is_refused(expression: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        expressions.check(expression)


def test_words_in_texts_are_no_comprehensions() -> None:
    text = "card.a == '.map(' && card.b.all(x, x != \".filter(x\") && card.c.all(x, x)"
    assert expressions.check(text) == text


@given(st.text(max_size=80))
def test_any_expression_is_read_or_refused(text: str) -> None:
    try:
        expressions.check(text)
    except ValueError:
        return
    expressions.evaluate(text, expressions.context_of({"card": {}, "param": {}}))


TOKENS = "card param .a .all( x , ) ( [ ] && || ! ? : 1 2.5 'b' has( size( == > in + - null true .map( {".split()


@given(st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join))
def test_any_mixture_of_words_is_read_or_refused(text: str) -> None:
    try:
        expressions.check(text)
    except ValueError:
        return
    answer = expressions.evaluate(text, expressions.context_of({"card": {"a": [1, 2]}, "param": {}}))
    assert answer.kind in ("yes", "no", "missing", "absent", "broken")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*RULE, "rules", "param", "extends", "only", "when"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["policy", "title", "rules", "param", "extends", "only", "severity"]), JSON))
def test_any_document_is_a_policy_or_has_faults(document: dict[str, Any]) -> None:
    try:
        text = plain_yaml.dump({"policy": "lab/1.0", "title": "Lab", **document})
    except (ValueError, OverflowError):
        return
    try:
        policy = parse_policy(text, shipped_policy)
    except InvalidPolicy:
        return
    assert policy.rules


# -- evaluating


def test_hostile_facts_end_soon() -> None:
    facts = {"card": {"l": [f"tag-{number}" for number in range(1000)]}}
    context = expressions.context_of(facts)
    text = expressions.check(" && ".join(["card.l.all(x, x in card.l)"] * 4))
    assert expressions.evaluate(text, context).kind == "yes"
    with pytest.raises(Refused, match=r"card\.l has 1001 items"):
        expressions.context_of({"card": {"l": list(range(1001))}})


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("card.a > 0.5", "yes"),
        ("card.a == 2", "no"),
        ("card.b > 1.0", "missing"),
        ("card.list[9] > 1.0", "missing"),
        ("has(card.b)", "no"),
        ("registry.x > 1.0", "absent"),
        ("card.a > 0.5 || registry.x", "yes"),
        ("card.a", "broken"),
        ("card.a > 'x'", "broken"),
        ("card.a * param.factor > 1.0", "yes"),
        ("1 / 0 > 1", "broken"),
    ],
)
def test_answers(expression: str, kind: str) -> None:
    context = expressions.context_of(
        {"card": {"a": 1, "b": None, "list": []}, "param": {"factor": 2}, "registry": None}
    )
    assert expressions.evaluate(expressions.check(expression), context).kind == kind


@pytest.mark.parametrize("missing", ["fail", "warn", "skip"])
def test_a_rule_that_cannot_be_evaluated_stays_shut(missing: str) -> None:
    decision = judged(read(param={"max_kwh": 1}, rules=[{**RULE, "require": "card.schema > 3.0", "missing": missing}]))
    assert not decision.allowed
    assert "does not fit" in decision.outcomes[0].message


# -- inheriting


def test_shipped_policies_are_what_they_say() -> None:
    by_name = {name: shipped_policy(name) for name in SHIPPED}
    assert [rule.id for rule in by_name["minimal"].rules] == "EU-07 EU-08 SCI-04 GHG-02 MEA-03 ORG-02".split()
    loud = [rule.id for rule in by_name["rules"].rules if set(rule.severity.values()) != {"info"}]
    assert [rule.id for rule in by_name["publish"].rules] == loud
    assert {word for rule in by_name["open-lab"].rules for word in rule.severity.values()} == {"info"}
    assert len(by_name["open-lab"].rules) == len(by_name["rules"].rules) == 37
    assert shipped_policy("minimal/1.0") is not None
    with pytest.raises(NotFound):
        shipped_policy("minimal/2.0")


def test_organisation_changes_what_it_inherits() -> None:
    ours = read(
        extends="publish/1.0",
        only=["MEA-01", "EU-02"],
        severity="warn",
        param={"min_evidence": "E3", "max_kwh": 1},
        rules=[{"id": "MEA-01", "severity": {"promote": "block"}}, RULE],
    )
    by_id = {rule.id: rule for rule in ours.rules}
    assert list(by_id) == ["EU-02", "MEA-01", "LAB-01"]
    assert by_id["MEA-01"].severity == {"publish": "warn", "promote": "block"}
    assert by_id["MEA-01"].require == next(rule.require for rule in PUBLISH.rules if rule.id == "MEA-01")
    assert set(by_id["EU-02"].severity.values()) == {"warn"}
    assert ours.param["min_evidence"] == "E3"
    assert "E3" in judged(ours, "publish").outcomes[1].message


def test_digest_changes_with_all_that_decides() -> None:
    one = read(extends="minimal/1.0")
    assert one.digest == read(extends="minimal/1.0").digest
    assert one.digest != read(extends="minimal/1.0", param={"max_age": 1}).digest
    assert one.digest != read(extends="minimal/1.0", rules=[{"id": "EU-07", "severity": "warn"}]).digest
    document = policy_document(one)
    assert (
        parse_policy(
            plain_yaml.dump(
                {**document, "rules": [{**rule, "on": list(rule["severity"])} for rule in document["rules"]]}
            ),
            shipped_policy,
        ).digest
        == one.digest
    )


@pytest.mark.parametrize(
    ("period", "start"),
    [("month", "2026-11-01"), ("quarter", "2026-10-01"), ("year", "2026-01-01"), (None, "2026-01-01")],
)
def test_budget_period(period: str | None, start: str) -> None:
    param = {"budget_tco2e": 10} | ({"budget_period": period} if period else {})
    found = read(extends="minimal/1.0", param=param).budget_start(NOW)
    assert found == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert read(extends="minimal/1.0").budget_start(NOW) is None


# -- deciding


def test_without_a_card_its_rules_do_not_apply() -> None:
    files = file_facts({"model.bin": (DIGEST, 1)})
    decision = decide(shipped_policy("publish"), PolicyInput("push", NOW, None, files))
    assert decision.allowed
    assert {outcome.rule: outcome.status for outcome in decision.outcomes if outcome.status != "not applicable"} == {
        "SAF-01": "fail"
    }
    published = decide(shipped_policy("publish"), PolicyInput("publish", NOW, None, files))
    assert [outcome.rule for outcome in published.having("block")] == ["SAF-01"]


def test_a_rule_acts_only_when_it_says_so() -> None:
    assert judged(read(param={"max_kwh": 0}, rules=[RULE]), "pull").outcomes == ()
    severity = {"push": "warn", "publish": "block"}
    policy = read(param={"max_kwh": 0}, rules=[{**RULE, "severity": severity}])
    assert judged(policy, "push").allowed
    assert not judged(policy, "publish").allowed


def test_what_only_a_server_knows_is_decided_at_push() -> None:
    rules = [
        {**RULE, "id": f"LAB-0{number}", "require": require}
        for number, require in enumerate(
            ["registry.x", "group.x > 1.0", "parent.x == 1.0", "card.schema == '' && group.x"]
        )
    ]
    decision = judged(read(param={"max_kwh": 1}, rules=rules))
    assert [outcome.status for outcome in decision.outcomes] == ["decided at push"] * 3 + ["fail"]
    assert [outcome.effect for outcome in decision.outcomes] == ["none"] * 3 + ["block"]


def test_decision_names_what_it_was_about() -> None:
    policy = shipped_policy("minimal")
    decision = judged(policy)
    assert (decision.policy, decision.policy_digest) == ("minimal/1.0", policy.digest)
    assert (decision.card_digest, decision.repo_id, decision.act) == (DIGEST, "team/model", "push")
    assert decision.decided_at == "2026-11-22T00:00:00+00:00"


# -- waivers

SEVERE = (Finding("F7", "error", "phases[0].pue", "The PUE is 0.5."),)
WAIVER = Waiver(
    rule="MEA-03",
    reason="The meter was replaced",
    approver="bob",
    expires="2026-12-01T00:00:00Z",
    repo="team/model",
    signature="by bob",
)


def severe(*waivers: Waiver) -> Decision:
    return judged(read(extends="rules/1.0", only=["MEA-03"]), "push", *waivers, findings=SEVERE)


def test_waiver_that_counts_is_shown() -> None:
    assert not severe().allowed
    decision = severe(WAIVER)
    assert decision.allowed
    (outcome,) = decision.outcomes
    assert (outcome.status, outcome.effect, outcome.waiver) == ("fail", "none", WAIVER)


def test_waiver_of_a_card_counts_for_that_card() -> None:
    assert severe(replace(WAIVER, repo=None, card_digest=DIGEST)).allowed


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "2026-11-22T00:00:00Z"},
        {"rule": "MEA-01"},
        {"repo": "team/other"},
        {"repo": None, "card_digest": "f" * 64},
        {"repo": None},
        {"signature": None},
        {"signature": "by eve"},
        {"approver": "eve"},
    ],
    ids=str,
)
def test_waiver_that_does_not_count(change: dict[str, Any]) -> None:
    assert not severe(replace(WAIVER, **change)).allowed


def test_without_a_check_of_signatures_no_waiver_counts() -> None:
    known = PolicyInput("push", NOW, {"findings": [{"severity": "error", "message": "x"}]}, {}, repo_id="team/model")
    policy = read(extends="rules/1.0", only=["MEA-03"])
    assert not decide(policy, known, [WAIVER]).allowed


def test_waiver_is_read_strictly() -> None:
    fields = {name: value for name, value in vars(WAIVER).items() if value is not None}
    assert parse_waiver(fields) == WAIVER
    assert waiver_bytes(WAIVER) == waiver_bytes(replace(WAIVER, signature="another"))
    assert waiver_bytes(WAIVER) != waiver_bytes(replace(WAIVER, expires="2027-12-01T00:00:00Z"))
    for change in ({"card_digest": DIGEST}, {"expires": "tomorrow"}, {"rule": "x"}, {"extra": 1}, {"reason": ""}):
        with pytest.raises(InvalidPolicy):
            parse_waiver({**fields, **change})
    with pytest.raises(InvalidPolicy):
        parse_waiver({name: value for name, value in fields.items() if name != "repo"})
