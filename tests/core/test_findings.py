"""Every finding: a card that triggers it, and a card nearby that does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.core.cards import full_card, golden_card, minimal_card, minimal_phase, quantity
from tests.core.recorded_evidence import ENVIRONMENT, ROW, SAMPLES, Recorded

from registry_core.card import parse_card
from registry_core.findings import findings
from registry_core.grades import Finding

Change = Callable[[Recorded], None]


def found_in(change: Change, name: str = "nvml") -> dict[str, Finding]:
    found = Recorded(name)
    change(found)
    return {finding.code: finding for finding in findings(found.card(), found.evidence())}


def row(**fields: Any) -> Change:
    return lambda found: found.change(ROW, **fields)


def environment(**fields: Any) -> Change:
    return lambda found: found.change(ENVIRONMENT, **fields)


def phase(**fields: Any) -> Change:
    """Fields of the phase; co2e_location is left out, so that the card stays valid."""

    def change(found: Recorded) -> None:
        found.phase.update(fields)
        found.phase.pop("co2e_location", None)

    return change


def group(**fields: Any) -> Change:
    return lambda found: found.phase["groups"][0].update(fields)


def both(*changes: Change) -> Change:
    def change(found: Recorded) -> None:
        for one in changes:
            one(found)

    return change


def setting(name: str, value: Any, layer: str) -> Change:
    def change(found: Recorded) -> None:
        configuration = json.loads(found.files[ENVIRONMENT])["configuration"]
        found.change(ENVIRONMENT, configuration={**configuration, name: {"value": value, "layer": layer}})

    return change


def samples(edit: Callable[[list[str]], list[str]]) -> Change:
    def change(found: Recorded) -> None:
        header, *lines = found.files[SAMPLES].decode().splitlines()
        found.files[SAMPLES] = "\n".join([header, *edit(lines)]).encode()

    return change


def second_phase(**fields: Any) -> Change:
    """The phase again, as an evaluation."""

    def change(found: Recorded) -> None:
        found.document["phases"].append({**found.phase, "stage": "evaluation", **fields})

    return change


def second_file(found: Recorded) -> None:
    again = SAMPLES.replace("footprint/", "footprint/again/")
    found.files[again] = found.files[SAMPLES]
    found.document["evidence"]["samples"].append(again)


def later(found: Recorded) -> None:
    """Two phases, the second an hour after the first."""
    second_phase(started_at="2026-11-02T09:00:00.000Z", ended_at="2026-11-02T09:10:00.000Z")(found)


def intensity(value: float, **meta: Any) -> Change:
    def change(found: Recorded) -> None:
        phase(intensity=quantity(value, "gCO2e/kWh", "estimated"))(found)
        found.phase["intensity_meta"].update({"dataset": "the operator", **meta})

    return change


nowhere = setting("country_iso_code", None, "default")
QUEBEC = {"country_iso_code": "CAN", "region": "quebec", "emissions": 0.22 * 3.94 / 1000}
CO2_ONLY = {**golden_card()["phases"][0]["intensity_meta"], "gases": "co2_only"}

FOUND: list[tuple[str, str, Change]] = [
    ("F1", "error", both(row(**QUEBEC), nowhere)),
    ("F1", "error", both(row(emissions=0.22 * 0.475), nowhere)),
    ("F2", "error", intensity(80.0, dataset="the table of CodeCarbon 3.3.2")),
    ("F2", "error", phase(intensity=quantity(50.0, "gCO2e/kWh", "estimated"))),
    ("F3", "error", setting("force_cpu_power", 10, "file")),
    ("F3", "error", setting("measure_power_secs", 15, "environment")),
    ("F4", "error", group(device_count=80)),
    ("F4", "error", group(tdp_w=200)),
    ("F5", "warn", intensity(0.056)),
    ("F5", "warn", intensity(5.0)),
    ("F5", "warn", intensity(1600.0)),
    ("F6", "warn", row(energy_consumed=0.25)),
    ("F6", "warn", phase(energy_it=quantity(0.2, "kWh", method="psu"))),
    ("F7", "error", phase(pue=quantity(0.9, "1", "declared"))),
    ("F7", "error", phase(pue=quantity(3.1, "1", "declared"))),
    ("F7", "warn", phase(pue=quantity(1.0, "1", "declared"))),
    ("F8", "error", second_phase()),
    ("F8", "error", second_file),
    ("F8", "error", environment(notes=["another measurement of this computer ran at the same time"])),
    ("F9", "error", phase(energy_gpu=quantity(0, "kWh"), energy_cpu=quantity(0, "kWh"), energy_ram=quantity(0, "kWh"),
                          energy_it=quantity(0, "kWh", "derived"))),
    ("F10", "warn", lambda found: found.phase["coverage"].update(cpu=False)),
    ("F10", "warn", lambda found: found.phase["coverage"].update(gpu=False)),
    ("F11", "warn", phase(scope="process")),
    ("F12", "warn", environment(tool={"name": "codecarbon", "version": "3.2.9"})),
    ("F12", "warn", environment(tool={"name": "carbontracker", "version": "2.4.7"})),
    ("F13", "warn", samples(lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",1.0"])),
    ("F14", "warn", phase(wall_time=quantity(610, "s"))),
    ("F15", "warn", group(device_model="NVIDIA A100-SXM4-40GB MIG 3g.20gb")),
    ("F15", "warn", environment(notes=["the GPU runs in MIG mode"])),
    ("F17", "error", phase(device_time=quantity(1.0, "device_hour"))),
    ("F17", "error", group(hours=0.2)),
    ("F18", "error", second_phase(intensity_meta=CO2_ONLY)),
]  # fmt: skip

NOT_FOUND: list[tuple[str, Change]] = [
    ("F1", row(**QUEBEC)),  # told explicitly
    ("F1", nowhere),
    ("F2", intensity(80.0)),  # of another dataset
    ("F2", both(row(region="ile-de-france", emissions=0.01))),  # of a finer place
    ("F3", setting("force_ram_power", 0, "explicit")),
    ("F3", setting("force_cpu_power", None, "file")),
    ("F4", group(tdp_w=700)),
    ("F4", group(device_model="a device nobody knows", tdp_w=300)),
    ("F5", intensity(5.0, zone="ISL")),
    ("F5", intensity(5.0, basis="market")),
    ("F5", intensity(1500.0)),
    ("F6", row(energy_consumed=0.2205)),
    ("F6", phase(energy_it=quantity(0.3, "kWh", method="psu"))),  # a node has more than its parts
    ("F7", phase(pue=quantity(3.0, "1", "declared"))),
    ("F7", both(phase(pue=quantity(1.0, "1", "declared")), lambda found: found.phase.pop("pue_origin"))),
    ("F8", later),
    ("F8", both(second_phase(), lambda found: [phase.update(scope="device") for phase in found.document["phases"]])),
    ("F9", lambda _: None),
    ("F10", both(lambda found: found.phase["coverage"].update(cpu=False),
                 lambda found: found.phase.update(energy_other=quantity(0.08, "kWh", "estimated", method="host_share"),
                                                  energy_it=quantity(0.3, "kWh", "derived")),
                 lambda found: found.phase.pop("co2e_location"))),
    ("F11", phase(scope="machine")),
    ("F12", environment(tool={"name": "codecarbon", "version": "3.3.0"})),
    ("F12", environment(tool={"name": "codecarbon", "version": "newest"})),
    ("F13", samples(lambda lines: lines)),
    ("F14", phase(wall_time=quantity(605, "s"))),
    ("F14", phase(wall_time=quantity(1100, "s"), included_runs=2)),
    ("F15", environment(notes=["MIGHTY machine"])),
    ("F17", phase(device_time=quantity(0.67, "device_hour"))),
    ("F18", second_phase()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "severity", "change"), FOUND, ids=[f"{code}-{n}" for n, (code, *_) in enumerate(FOUND)]
)
def test_it_is_found(code: str, severity: str, change: Change) -> None:
    found = found_in(change)
    assert code in found
    assert found[code].severity == severity
    assert found[code].message.endswith(".")


@pytest.mark.parametrize(("code", "change"), NOT_FOUND, ids=[f"{code}-{n}" for n, (code, _) in enumerate(NOT_FOUND)])
def test_nothing_is_found_nearby(code: str, change: Change) -> None:
    assert code not in found_in(change)


@pytest.mark.parametrize("name", ["nvml", "meter"])
def test_a_good_card_has_no_findings(name: str) -> None:
    assert found_in(lambda _: None, name) == {}


def test_a_finding_names_its_place() -> None:
    assert found_in(phase(pue=quantity(0.9, "1", "declared")))["F7"].place == "phases[0].pue"
    assert found_in(second_phase())["F8"].place == "phases[1]"


@pytest.mark.parametrize(
    ("head", "is_found"),
    [
        ({"co2_eq_emissions": 645.56928}, False),
        ({"co2_eq_emissions": {"emissions": 650.0}}, False),
        ({"co2_eq_emissions": {"emissions": 660.0}}, True),
        ({"co2_eq_emissions": 0.64556928}, True),
        ({"co2_eq_emissions": "a lot"}, False),
        ({}, False),
    ],
)
def test_f16_compares_the_readme_in_grams(head: dict[str, Any], is_found: bool) -> None:
    codes = [finding.code for finding in findings(parse_card(golden_card()), head=head)]
    assert ("F16" in codes) is is_found


def test_f16_knows_kilograms() -> None:
    found = findings(parse_card(golden_card()), head={"co2_eq_emissions": 0.64556928})
    assert "kilograms" in found[-1].message


def test_energy_that_is_missing_is_f9_and_not_zero() -> None:
    failed = minimal_phase(site={"country": "FRA"})
    del failed["energy_cpu"], failed["energy_it"]
    failed["coverage"] = {**failed["coverage"], "cpu": False}
    found = findings(parse_card(minimal_card(phases=[failed])))
    assert [finding.code for finding in found] == ["F9"]
    assert "missing" in found[0].message


def test_a_meter_at_the_node_covers_what_is_behind_it() -> None:
    def blind(found: Recorded) -> None:
        found.phase["coverage"].update(cpu=False, ram=False)

    assert "F10" not in found_in(blind, "meter")


def test_all_findings_can_be_triggered() -> None:
    assert {code for code, *_ in FOUND} | {"F16"} == {f"F{number}" for number in range(1, 19)}


def test_findings_stand_in_the_order_of_their_numbers() -> None:
    found = [int(finding.code[1:]) for finding in findings(parse_card(full_card()))]
    assert found == sorted(found)
