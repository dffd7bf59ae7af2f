"""A card has the level that its evidence bears, and says what the next one needs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.core.cards import golden_card, minimal_card, minimal_phase, quantity
from tests.core.recorded_evidence import ENVIRONMENT, ROW, SAMPLES, Recorded

from registry_core.card import parse_card
from registry_core.grades import Grade, Reproduction, SignatureCheck
from registry_core.levels import grade
from registry_core.sentences import sentence

SIGNED = SignatureCheck(valid=True, key_id="0" * 64, signer="ada", reason=None)
REPEATED = Reproduction(account="bob", same_hardware_class=True, energy_ratio=1.1, score_within_tolerance=True)


def graded(found: Recorded, **more: Any) -> Grade:
    return grade(found.card(), found.evidence(), **more)


def test_e0_is_a_number_and_a_person() -> None:
    found = grade(parse_card(golden_card()))
    assert found.level == "E0"
    assert any("energy_gpu" in text for text in found.missing)


def test_e1_is_what_the_server_computes_again_from_device_hours() -> None:
    card = golden_card()
    phase = card["phases"][0]
    energy = 32 * 400 * 0.70 / 1000
    phase["energy_gpu"] = quantity(energy, "kWh", "estimated", method="device_hours_tdp")
    phase["energy_other"] = quantity(energy * 0.4, "kWh", "estimated", method="host_share")
    phase["energy_it"] = quantity(energy * 1.4, "kWh", "derived")
    del phase["co2e_location"]
    assert grade(parse_card(card)).level == "E1"
    phase["energy_gpu"]["value"] = energy * 1.02
    phase["energy_it"]["value"] = energy * 1.42
    assert grade(parse_card(card)).level == "E0"


def test_e1_is_a_model_whose_row_is_attached() -> None:
    found = Recorded("nvml")
    for part in ("energy_gpu", "energy_cpu"):
        found.phase[part] |= {"source": "estimated", "method": "tdp_constant"}
    assert graded(found).level == "E1"
    assert any("80%" in text or "80 %" in text for text in graded(found).missing)


def test_e1_needs_an_intensity_with_its_dataset() -> None:
    phase = minimal_phase(energy_it=quantity(0.001, "kWh", "derived"))
    assert "Give the intensity with its dataset and year." in grade(parse_card(minimal_card(phases=[phase]))).missing


def test_a_row_that_holds_pue_twice_backs_nothing() -> None:
    found = Recorded("nvml")
    found.change(ROW, pue=1.2)
    assert graded(found).level == "E0"


def test_the_rows_of_all_processes_back_a_merged_run() -> None:
    found = Recorded("nvml")
    row = json.loads(found.files[ROW])
    half = {name: row[name] / 2 for name in ("cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "emissions")}
    found.files[ROW] = json.dumps({"fragments": [{**row, **half}, {**row, **half}]}).encode()
    assert graded(found).level == "E2"
    found.files[ROW] = json.dumps({"fragments": [{**row, **half}]}).encode()
    assert graded(found).level == "E0"


def test_processes_that_all_saw_one_host_are_backed_by_its_samples() -> None:
    found = Recorded("nvml")
    row = json.loads(found.files[ROW])
    found.files[ROW] = json.dumps({"fragments": [row, row]}).encode()
    assert graded(found).level == "E2"
    found.samples(keep=slice(0, 30))
    assert graded(found).level == "E0"


def test_a_window_of_zeus_goes_before_what_codecarbon_says_of_the_gpus() -> None:
    found = Recorded("nvml")
    found.change(ROW, zeus={"time": 600.0, "gpu_energy": {str(gpu): 180_000.0 for gpu in range(4)}, "cpu_energy": None})
    assert graded(found).level == "E2"
    found.change(ROW, zeus={"time": 600.0, "gpu_energy": {"0": 180_000.0}})
    assert graded(found).level == "E0"


def test_hosts_that_wrote_nothing_may_count_by_the_mean() -> None:
    found = Recorded("nvml")
    found.phase["coverage"]["hosts_total"] = 2
    assert graded(found).level == "E2"
    for part in ("energy_gpu", "energy_cpu", "energy_ram", "energy_it", "co2e_location"):
        found.phase[part]["value"] *= 2
    found.phase["groups"][0]["device_count"] = 8
    found.phase["groups"][1]["device_count"] = 2
    assert graded(found).level == "E2"


def test_e2_is_measured_with_row_and_configuration() -> None:
    found = graded(Recorded("nvml"))
    assert (found.level, found.findings) == ("E2", ())
    assert found.missing == ("Sign the card, its samples and the weights.",)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        (ENVIRONMENT, {"tool": {"name": "my-script", "version": "1"}}),
        (ENVIRONMENT, {"tool": {"name": "codecarbon"}}),
        (ENVIRONMENT, {"configuration": {}}),
        (ENVIRONMENT, {"configuration": {"country_iso_code": {"value": "FRA", "layer": "default"}}}),
        (ENVIRONMENT, {"span": {"covered_seconds": 59.0}}),
    ],
    ids=["tool", "version", "configuration", "country", "window"],
)
def test_e2_needs_each_of_its_requirements(path: str, change: dict[str, Any]) -> None:
    found = Recorded("nvml")
    found.change(path, **change)
    assert graded(found, signature=SIGNED).level == "E1"


def test_e2_needs_a_method_for_every_component() -> None:
    found = Recorded("nvml")
    found.phase["energy_cpu"]["method"] = "unknown"
    assert "Name the method of every component." in graded(found, signature=SIGNED).missing


def test_e3_is_signed_and_its_samples_add_up() -> None:
    assert graded(Recorded("nvml"), signature=SIGNED).level == "E3"


def test_e3_needs_a_valid_signature() -> None:
    broken = SignatureCheck(valid=False, key_id="0" * 64, signer=None, reason="another file")
    found = graded(Recorded("nvml"), signature=broken)
    assert found.level == "E2"
    assert found.missing == ("Sign again: another file.",)


def test_e3_needs_samples_that_add_up_to_the_card() -> None:
    found = Recorded("nvml")
    found.samples(keep=slice(0, 50))  # the last minute is gone
    missing = graded(found, signature=SIGNED)
    assert missing.level == "E2"
    assert "0.195 kWh" in missing.missing[0]


def test_e3_needs_samples_without_gaps() -> None:
    found = Recorded("meter")
    header, *lines = found.files[SAMPLES].decode().splitlines()
    found.files[SAMPLES] = "\n".join([header, *lines[:50], *lines[56:]]).encode()
    assert "Sample without gaps longer than five intervals." in graded(found, signature=SIGNED).missing


def test_e3_needs_frequent_samples() -> None:
    found = Recorded("nvml")
    lines = found.files[SAMPLES].decode().splitlines()
    found.files[SAMPLES] = "\n".join([lines[0], *lines[1:6], *lines[-5:]]).encode()  # the first and the last minute
    assert graded(found, signature=SIGNED).missing[0].startswith("Sample counters every 60 s")


def test_e3_needs_all_hosts() -> None:
    found = Recorded("nvml")
    found.phase["coverage"]["hosts_total"] = 2
    assert "Sample all 2 hosts." in graded(found, signature=SIGNED).missing


def test_e4_is_repeated_by_somebody_else() -> None:
    found = graded(Recorded("nvml"), signature=SIGNED, reproductions=[REPEATED])
    assert (found.level, found.missing) == ("E4", ())


@pytest.mark.parametrize(
    "repeated",
    [
        Reproduction("bob", True, 1.16, True),
        Reproduction("bob", True, None, True),
        Reproduction("bob", False, 1.0, True),
        Reproduction("bob", True, 1.0, False),
    ],
    ids=["other energy", "no energy", "other hardware", "other score"],
)
def test_a_rerun_that_differs_confirms_nothing(repeated: Reproduction) -> None:
    assert graded(Recorded("nvml"), signature=SIGNED, reproductions=[repeated]).level == "E3"


def test_e4_is_a_meter_at_the_node() -> None:
    assert graded(Recorded("meter"), signature=SIGNED).level == "E4"
    found = Recorded("meter")
    found.phase["energy_it"]["method"] = "rapl_package"
    assert graded(found, signature=SIGNED).level == "E3"


def test_an_error_lowers_to_e0_and_a_warning_by_one() -> None:
    warned, wrong = Recorded("nvml"), Recorded("nvml")
    warned.phase["wall_time"]["value"] = 610.0  # F14
    wrong.phase["pue"]["value"], wrong.phase["co2e_location"]["value"] = 3.5, 0.22 * 3.5 * 56.039 / 1000
    assert graded(warned, signature=SIGNED).level == "E2"
    assert graded(wrong, signature=SIGNED).level == "E0"
    assert graded(wrong, signature=SIGNED).missing[0].startswith("Resolve F7")


def test_two_kinds_of_warning_lower_by_two() -> None:
    found = Recorded("nvml")
    found.phase["wall_time"]["value"] = 610.0
    found.phase["groups"][0]["device_model"] = "NVIDIA A100-SXM4-80GB MIG 1g.10gb"
    assert graded(found, signature=SIGNED).level == "E1"


def test_the_weakest_phase_counts_unless_it_is_tiny() -> None:
    found = Recorded("nvml")
    declared = {**minimal_phase(stage="development"), "intensity": found.phase["intensity"]}
    declared |= {"intensity_meta": found.phase["intensity_meta"], "scope": "process"}
    declared["coverage"] = {**declared["coverage"], "ram": True}
    found.document["phases"].append(declared)
    assert graded(found).level == "E2"
    declared["energy_cpu"], declared["energy_it"] = quantity(0.1, "kWh", "declared"), quantity(0.1, "kWh", "derived")
    assert graded(found).level == "E0"


def test_a_sentence_says_how_the_number_is_known() -> None:
    golden = parse_card(golden_card())
    assert sentence(golden, 0) == "measured by CodeCarbon 3.3.2 (NVML counter) on 2026-11-21, GPU only, ±10 %"
    assert sentence(Recorded("meter").card(), 0) == (
        "measured by PTDaemon 1.11.1 (power supply) on 2026-11-02, whole nodes, ±5 %"
    )
    assert sentence(Recorded("nvml").card(), 0).startswith(
        "measured by CodeCarbon 3.3.2 (NVML counter, RAPL) on 2026-11-02, GPU, CPU and memory, -"
    )
    assert sentence(parse_card(minimal_card()), 0) == (
        "estimated by CodeCarbon 3.3.2 (a model of the processor's load) on 2026-11-21, CPU only, -67 % to +200 %"
    )


def test_a_sentence_about_nothing_says_so() -> None:
    phase = minimal_phase()
    del phase["energy_cpu"], phase["energy_it"]
    phase["coverage"] = {**phase["coverage"], "cpu": False}
    assert sentence(parse_card(minimal_card(phases=[phase])), 0) == "not known: nothing was measured on 2026-11-21"
