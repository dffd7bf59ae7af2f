"""A card is read strictly, names all its faults at once, and survives writing and reading."""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from types import MappingProxyType
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cards import DIGEST, full_card, golden_card, minimal_card, minimal_phase, quantity

from registry_core.card import (
    MAX_CARD_BYTES,
    canonical_bytes,
    card_digest,
    check_against_tree,
    parse_card,
)
from registry_core.errors import InvalidCard


def faults(data: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidCard) as caught:
        parse_card(data)
    return caught.value.faults


def with_phase(**changes: Any) -> dict[str, Any]:
    return minimal_card(phases=[minimal_phase(**changes)])


def put(card: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`card` with `value` at `path`, where numbers are places in lists; `...` takes the field away."""
    card = deepcopy(card)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    there: Any = card
    for step in steps:
        there = there[step]
    if value is ...:
        del there[last]
    else:
        there[last] = value
    return card


@pytest.mark.parametrize("card", [minimal_card(), golden_card(), full_card()])
def test_a_good_card_is_read_in_every_form(card: dict[str, Any]) -> None:
    text = json.dumps(card)
    assert parse_card(card) == parse_card(text) == parse_card(text.encode())
    assert parse_card(MappingProxyType(card)) == parse_card(card)


@pytest.mark.parametrize("card", [minimal_card(), golden_card(), full_card()])
def test_canonical_bytes_are_those_of_the_document(card: dict[str, Any]) -> None:
    assert canonical_bytes(parse_card(card)) == rfc8785.dumps(card)
    assert card_digest(parse_card(card)) == hashlib.sha256(rfc8785.dumps(card)).hexdigest()


def test_spelling_does_not_change_the_digest() -> None:
    card = golden_card()
    turned = json.dumps(dict(reversed(card.items())), indent=3).replace('"value": 80', '"value": 8.0E+1')
    assert card_digest(parse_card(turned)) == card_digest(parse_card(card))


def test_a_changed_number_changes_the_digest() -> None:
    other = put(golden_card(), "phases.0.wall_time.value", 28801)
    assert card_digest(parse_card(other)) != card_digest(parse_card(golden_card()))


numbers = st.floats(0, 1e12)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@st.composite
def cards(draw: st.DrawFn) -> dict[str, Any]:
    low, value, high = sorted([draw(numbers), draw(numbers), draw(numbers)])
    energy = quantity(value, "kWh", draw(st.sampled_from(["measured", "estimated", "declared"])))
    phase = minimal_phase(
        energy_it={**energy, "low": low, "high": high, "method": draw(texts)},
        wall_time=quantity(draw(numbers), "s"),
        tokens=quantity(draw(st.integers(0, 10**20)), "token", "declared"),
        included_runs=draw(st.integers(0, 2**53 - 1)),
    )
    return minimal_card(
        phases=[phase] * draw(st.integers(1, 3)),
        narrative=draw(st.dictionaries(texts, texts, max_size=3)),
        generator={"name": draw(texts), "version": draw(texts)},
    )


@given(cards())
def test_a_card_survives_writing_and_reading(document: dict[str, Any]) -> None:
    card = parse_card(document)
    assert parse_card(canonical_bytes(card)) == card
    assert canonical_bytes(parse_card(canonical_bytes(card))) == canonical_bytes(card)


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes | str) -> None:
    assert faults(data)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
PLACES = ["schema", "subject", "model", "phases", "quality", "evidence", "narrative", "phases.0.energy_it"]
PLACES += [
    "phases.0.pue",
    "phases.0.started_at",
    "phases.0.coverage",
    "phases.0.groups",
    "model.license",
    "x",
]


@given(st.sampled_from(PLACES), values)
def test_any_value_anywhere_is_read_or_refused(place: str, value: Any) -> None:
    try:
        canonical_bytes(parse_card(put(full_card(), place, value)))
    except InvalidCard as error:
        found = error.faults
    else:
        return
    assert "\n".join(found).encode()


def test_every_fault_is_named_at_once() -> None:
    card = full_card()
    for path, value in {
        "generator.version": None,
        "model.task": ...,
        "model.license": "FOO",
        "totals": {},
        "zzz": 1,
        "phases.0.ended_at": "2020-01-01T00:00:00Z",
        "phases.0.energy_gpu.unit": "Wh",
        "phases.0.wall_time.source": "derived",
        "phases.0.pue.value": "1.2",
        "phases.0.pue.low": -1,
        "phases.0.coverage.hosts_measured": 3,
        "phases.0.co2e_location.value": 1.0,
        "quality.0.value": float("nan"),
    }.items():
        card = put(card, path, value)
    assert set(faults(card)) == {
        "generator.version: is null; leave a missing field out",
        "model.task: is required",
        "model.license: not in the SPDX licence list: FOO (use LicenseRef-… for your own, or other)",
        "totals: is filled by the server; leave it out",
        "zzz: unknown field",
        "phases[0].ended_at: is 2020-01-01T00:00:00Z, before started_at 2026-11-21T08:00:00Z",
        "phases[0].energy_gpu.unit: expected 'kWh', got 'Wh'",
        "phases[0].wall_time.source: expected 'measured', 'estimated' or 'declared', got 'derived'",
        "phases[0].pue.value: expected a number, got '1.2'",
        "phases[0].pue.low: should be greater than or equal to 0, got -1",
        "phases[0].coverage.hosts_measured: is 3, more than hosts_total 1",
        "quality[0].value: expected a finite number, got nan",
    }


REQUIRED = """
schema created_at generator generator.name generator.version evidence evidence.tool subject subject.files
subject.files.0.path subject.files.0.sha256 subject.files.0.size_bytes model model.task model.license phases
phases.0.stage phases.0.started_at phases.0.ended_at phases.0.wall_time phases.0.device_time phases.0.scope
phases.0.site phases.0.site.country phases.0.coverage phases.0.coverage.gpu phases.0.coverage.cpu
phases.0.coverage.ram phases.0.coverage.host_rest phases.0.coverage.network phases.0.coverage.hosts_measured
phases.0.coverage.hosts_total phases.0.groups phases.0.groups.0.device_kind phases.0.groups.0.device_model
phases.0.groups.0.device_count phases.0.groups.0.hours
"""


@pytest.mark.parametrize("path", REQUIRED.split())
def test_a_required_field_is_missed(path: str) -> None:
    place = path.replace(".0", "[0]")
    assert faults(put(minimal_card(), path, ...)) == (f"{place}: is required",)


@pytest.mark.parametrize(
    "path", ["subject.repo_id", "subject.revision", "model.size_bytes", "totals", "lineage", "label", "reuse"]
)
@pytest.mark.parametrize("version", ["1.0", "1.7"])
def test_a_field_of_the_server_is_refused_in_every_version(path: str, version: str) -> None:
    card = put(minimal_card(schema=f"footprint-card/{version}"), path, "x")
    assert faults(card) == (f"{path}: is filled by the server; leave it out",)


def test_unknown_fields_are_faults_in_the_version_that_is_known() -> None:
    assert faults(minimal_card(mood="good")) == ("mood: unknown field",)
    assert faults(with_phase(mood="good")) == ("phases[0].mood: unknown field",)


def test_unknown_fields_of_a_newer_minor_version_are_kept() -> None:
    card = minimal_card(schema="footprint-card/1.1", mood={"now": ["good"]})
    card["phases"][0]["energy_cpu"]["phase_of_moon"] = 0.5
    parsed = parse_card(card)
    assert json.loads(canonical_bytes(parsed)) == json.loads(json.dumps(card))
    assert parse_card(canonical_bytes(parsed)) == parsed


def test_known_fields_of_a_newer_minor_version_are_checked() -> None:
    card = put(minimal_card(schema="footprint-card/1.1"), "phases.0.wall_time.unit", "min")
    assert faults(card) == ("phases[0].wall_time.unit: expected 's', got 'min'",)


@pytest.mark.parametrize("version", ["2.0", "0.9", "10.0"])
def test_another_major_version_is_refused(version: str) -> None:
    assert "major version" in faults({"schema": f"footprint-card/{version}"})[0]


@pytest.mark.parametrize("schema", ["footprint-card", "footprint-card/1", "footprint-card/1.0.0", "1.0", 1, "card/1.0"])
def test_a_schema_that_names_no_version_is_refused(schema: object) -> None:
    assert [fault.partition(":")[0] for fault in faults(minimal_card(schema=schema))] == ["schema"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'\xef\xbb\xbf{"schema": 1}',
        "[]",
        "null",
        "3",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        '{"a": ' + "[" * 40 + "]" * 40 + "}",
        b" " * (MAX_CARD_BYTES + 1),
        "é" * (MAX_CARD_BYTES // 2 + 1),
        '{"a": ' + "9" * 5000 + "}",
        {"a": object()},
        {"a": b"bytes"},
    ],
)
def test_what_is_no_json_object_is_refused(data: Any) -> None:
    assert faults(data)


def test_a_flood_of_faults_is_cut_short() -> None:
    found = faults(minimal_card(phases=[{}] * 5000))
    assert len(found) == 1001
    assert found[-1] == "…: and 44000 more"
    assert faults(minimal_card(phases=[{}] * 50_000)) == ("has more than 50000 values",)


def test_a_mapping_inside_itself_is_refused() -> None:
    card = minimal_card()
    card["narrative"] = card
    assert faults(card)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_does_not_have_is_refused(literal: str) -> None:
    text = json.dumps(minimal_card()).replace('"value": 60', f'"value": {literal}')
    assert [fault.partition(":")[0] for fault in faults(text)] == ["phases[0].wall_time.value"]


def test_a_key_given_twice_is_refused() -> None:
    text = json.dumps(minimal_card()).replace('"value": 60', '"value": 60, "value": 61')
    assert faults(text) == ("'value': appears twice in one object",)


def test_stray_surrogates_are_refused() -> None:
    text = json.dumps(minimal_card(narrative={"a": "b"})).replace('"b"', '"\\ud800"')
    assert faults(text) == ("narrative.a: is not valid Unicode",)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("created_at", "2026-11-21"),
        ("created_at", "2026-11-21T09:00:00"),
        ("created_at", "2026-11-21T09:00:00+02:00"),
        ("created_at", "2026-13-21T09:00:00Z"),
        ("subject.files", []),
        ("subject.files.0.path", "../etc/passwd"),
        ("subject.files.0.sha256", "A" * 64),
        ("subject.files.0.size_bytes", -1),
        ("subject.files.0.size_bytes", 1.0),
        ("subject.files.0.size_bytes", True),
        ("subject.files.0.size_bytes", 2**53),
        ("model.task", "Image Classification"),
        ("model.task", ""),
        ("model.base_models.0.relation", "cousin"),
        ("data.personal_data", "maybe"),
        ("data.provenance.0", "found"),
        ("phases", []),
        ("phases.0.stage", "training"),
        ("phases.0.scope", "rack"),
        ("phases.0.groups", []),
        ("phases.0.groups.0.device_count", 0),
        ("phases.0.groups.0.utilisation", 0),
        ("phases.0.coverage.gpu", 1),
        ("phases.0.utilisation_gpu.value", 1.5),
        ("phases.0.tokens.unit", "tokens"),
        ("phases.0.site.country", "FR"),
        ("phases.0.site.country", "XXX"),
        ("phases.0.site.country", "fra"),
        ("phases.0.site.subdivision", "Paris"),
        ("phases.0.pue.unit", ""),
        ("phases.0.pue_origin", "guess"),
        ("phases.0.intensity_meta", ...),
        ("phases.0.intensity_meta.basis", "both"),
        ("phases.0.intensity_meta.year", 1066),
        ("phases.0.co2e_market_instrument", ...),
        ("phases.0.cost.currency", "eur"),
        ("phases.0.cost.currency", "EURO"),
        ("phases.0.cost.amount.unit", "USD"),
        ("phases.0.cost.basis", "felt"),
        ("phases.0.electricity_price.unit", "EUR"),
        ("quality.0.n", 0),
        ("quality.0.higher_is_better", "yes"),
        ("use_phase.0.energy_per_unit.unit", "kWh"),
        ("evidence.row", "/row.json"),
        ("evidence.tool_config_digest", "abc"),
        ("declarations.pre_estimate_kwh", "9"),
        ("narrative.SCI", 5),
    ],
)
def test_a_faulty_value_is_named_by_its_place(path: str, value: Any) -> None:
    place = ".".join(path.split(".")).replace(".0", "[0]")
    found = faults(put(full_card(), path, value))
    assert len(found) == 1
    assert found[0].startswith(place.removesuffix(".unit") if "cost.amount" in place else place)


@pytest.mark.parametrize(
    "license",
    ["MIT", "apache-2.0", "MIT OR Apache-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0", "other",
     "LicenseRef-our-own", "(MIT AND LicenseRef-x) OR DocumentRef-a:LicenseRef-b"],
)  # fmt: skip
def test_an_spdx_expression_is_a_licence(license: str) -> None:
    assert parse_card(put(minimal_card(), "model.license", license)).model.license == license


@pytest.mark.parametrize(
    "license",
    ["", "FOO", "MIT AND", "MIT MIT", "MIT/X", "MIT OR other", "LicenseRef-", "LicenseRef-a b", "(" * 501],
)
def test_what_is_no_spdx_expression_is_no_licence(license: str) -> None:
    assert faults(put(minimal_card(), "model.license", license))[0].startswith("model.license: ")


def test_a_file_is_named_once() -> None:
    card = minimal_card()
    card["subject"]["files"] *= 2
    assert faults(card) == ("subject.files: names the file 'model.safetensors' more than once",)


def test_a_run_may_end_in_the_second_it_started() -> None:
    parse_card(with_phase(ended_at="2026-11-21T08:00:00+00:00"))
    assert faults(with_phase(ended_at="2026-11-21T07:59:59.999Z"))


def test_derived_energy_is_the_sum_of_its_parts() -> None:
    parts = {"energy_cpu": quantity(1, "kWh"), "energy_ram": quantity(1, "kWh", "estimated")}
    parse_card(with_phase(**parts, energy_it=quantity(2.009, "kWh", "derived")))
    assert faults(with_phase(**parts, energy_it=quantity(2.011, "kWh", "derived"))) == (
        "phases[0].energy_it: is 2.011, more than 0.5 % from 2 kWh, the sum of the parts",
    )
    assert faults(with_phase(**parts, energy_it=quantity(1.98, "kWh", "derived")))


def test_metered_energy_may_be_more_than_its_parts() -> None:
    parse_card(with_phase(energy_it=quantity(5, "kWh", method="psu")))


def test_derived_energy_needs_parts() -> None:
    assert "none is given" in faults(put(minimal_card(), "phases.0.energy_cpu", ...))[0]


@pytest.mark.parametrize("source", ["derived", "declared", "estimated"])
def test_emissions_are_recomputed_whatever_their_source(source: str) -> None:
    good = put(golden_card(), "phases.0.co2e_location.source", source)
    parse_card(put(good, "phases.0.co2e_location.value", 0.6487))
    assert "0.5 %" in faults(put(good, "phases.0.co2e_location.value", 0.6489))[0]


@pytest.mark.parametrize("missing", ["pue", "energy_it", "intensity"])
def test_derived_emissions_need_what_they_derive_from(missing: str) -> None:
    assert "is derived, which needs" in faults(put(golden_card(), f"phases.0.{missing}", ...))[0]


def test_emissions_do_not_derive_from_a_market() -> None:
    assert "basis is location" in faults(put(golden_card(), "phases.0.intensity_meta.basis", "market"))[0]


def test_emissions_may_be_declared_alone() -> None:
    parse_card(with_phase(co2e_location=quantity(3, "kgCO2e", "declared")))


def test_energy_of_a_facility_has_its_pue_in_it() -> None:
    card = put(put(golden_card(), "phases.0.pue", ...), "phases.0.scope", "facility")
    parse_card(put(card, "phases.0.co2e_location.value", 9.6 * 56.039 / 1000))


def test_a_failed_measurement_covers_nothing() -> None:
    phase = minimal_phase()
    del phase["energy_cpu"], phase["energy_it"]
    assert "without energy all five are false" in faults(minimal_card(phases=[phase]))[0]
    phase["coverage"]["cpu"] = False
    parse_card(minimal_card(phases=[phase]))


TREE = {"model.safetensors": (DIGEST, 1000), "README.md": ("b" * 64, 5)}


@pytest.mark.parametrize(
    ("files", "status"),
    [
        (TREE, "complete"),
        ({}, "incomplete"),
        ({"model.safetensors": ("c" * 64, 1000)}, "mismatch"),
        ({"model.safetensors": (DIGEST, 999)}, "mismatch"),
    ],
)
def test_a_card_is_held_against_the_tree(files: dict[str, tuple[str, int]], status: str) -> None:
    assert check_against_tree(parse_card(minimal_card()), files) == status


def test_other_bytes_weigh_more_than_a_missing_file() -> None:
    card = minimal_card()
    card["subject"]["files"].append({"path": "more.safetensors", "sha256": DIGEST, "size_bytes": 1})
    parsed = parse_card(card)
    assert check_against_tree(parsed, TREE) == "incomplete"
    assert check_against_tree(parsed, {"more.safetensors": ("c" * 64, 1)}) == "mismatch"
