"""Cards from files of other tools: what is taken over, what is put right, what is asked for."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_core.errors import InvalidImport
from registry_core.imports import FORMS, Form, Imported, Said, import_card
from registry_core.imports.phases import Device

SAID = Said(task="fill-mask", license="MIT", country="FRA", stage="finetuning")
ALL_SAID = Said(
    "fill-mask", "MIT", "FRA", "finetuning", datetime(2025, 3, 1, 9, tzinfo=UTC), 2.0, (Device("gpu", "A100", 4),)
)

# The 38 fields of CodeCarbon 3.3.2, in its order; an hour on two GPUs in France.
ROW = {
    "timestamp": "2025-03-01T10:00:00",
    "project_name": "demo",
    "run_id": "0e3c1a52",
    "experiment_id": "5b0fa12a-3dd7-45bb-9766-cc326314d9f1",
    "duration": "3600.0",
    "emissions": "0.0560",
    "emissions_rate": "1.56e-05",
    "cpu_power": "500",
    "gpu_power": "400",
    "ram_power": "100",
    "cpu_energy": "0.5",
    "gpu_energy": "0.4",
    "ram_energy": "0.1",
    "energy_consumed": "1.0",
    "water_consumed": "0.0",
    "country_name": "France",
    "country_iso_code": "FRA",
    "region": "",
    "cloud_provider": "",
    "cloud_region": "",
    "os": "Linux",
    "python_version": "3.11.9",
    "codecarbon_version": "3.3.2",
    "cpu_count": "16",
    "cpu_model": "AMD EPYC 7R13",
    "gpu_count": "2",
    "gpu_model": "2 x NVIDIA A100-SXM4-40GB",
    "longitude": "2.3",
    "latitude": "48.8",
    "ram_total_size": "64",
    "tracking_mode": "machine",
    "cpu_utilization_percent": "50",
    "gpu_utilization_percent": "0.0",
    "ram_utilization_percent": "10",
    "ram_used_gb": "6",
    "on_cloud": "N",
    "pue": "1.0",
    "wue": "0.0",
}


def emissions_csv(*changes: dict[str, str]) -> bytes:
    rows = [{**ROW, **change} for change in (changes or ({},))]
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def phase(imported: Imported, index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = imported.document["phases"][index]
    return found


def faults(form: Form, data: bytes, said: Said = SAID) -> str:
    with pytest.raises(InvalidImport) as caught:
        import_card(form, data, said)
    return "\n".join(caught.value.faults)


class TestCodecarbon:
    def test_energies_are_taken_over_with_what_is_known_of_their_origin(self) -> None:
        assert len(ROW) == 38
        found = phase(import_card("codecarbon", emissions_csv(), SAID))
        assert found["started_at"] == "2025-03-01T09:00:00.000Z"
        assert found["ended_at"] == "2025-03-01T10:00:00.000Z"
        told = {part: found[f"energy_{part}"] for part in ("gpu", "cpu", "ram")}
        assert {part: (energy["value"], energy["source"], energy["method"]) for part, energy in told.items()} == {
            "gpu": (0.4, "measured", "nvml_counter"),
            "cpu": (0.5, "estimated", "unknown"),
            "ram": (0.1, "estimated", "ram_dimm_model"),
        }
        assert found["energy_it"]["value"] == pytest.approx(1.0)
        assert found["device_time"]["value"] == 2.0
        assert [(group["device_model"], group["device_count"]) for group in found["groups"]] == [
            ("NVIDIA A100-SXM4-40GB", 2),
            ("AMD EPYC 7R13", 1),
        ]
        assert found["utilisation_cpu"]["value"] == 0.5
        assert "utilisation_gpu" not in found
        assert "pue" not in found
        assert "wue_on" not in found

    def test_the_intensity_is_that_of_our_own_table(self) -> None:
        found = phase(import_card("codecarbon", emissions_csv({"emissions": "0.123"}), SAID))
        assert found["intensity"]["value"] == pytest.approx(56.039)
        assert found["intensity_meta"]["zone"] == "FRA"

    def test_the_country_of_the_row_counts_where_nobody_says_another(self) -> None:
        said = Said(task="fill-mask", license="MIT")
        assert phase(import_card("codecarbon", emissions_csv(), said))["site"] == {"country": "FRA"}
        other = import_card("codecarbon", emissions_csv(), Said("fill-mask", "MIT", "DEU"))
        assert phase(other)["site"] == {"country": "DEU"}
        assert any("'FRA'" in note and "DEU" in note for note in other.notes)

    def test_t1_quebec_without_a_network_is_not_believed(self) -> None:
        row = {"country_iso_code": "CAN", "region": "quebec", "emissions": "0.00394"}
        assert "--country" in faults("codecarbon", emissions_csv(row), Said("fill-mask", "MIT"))
        there = import_card("codecarbon", emissions_csv(row), Said("fill-mask", "MIT", "CAN"))
        assert phase(there)["site"] == {"country": "CAN"}

    @pytest.mark.parametrize("country", ["XXX", "", "FRA"])
    def test_t2_the_world_average_is_not_believed(self, country: str) -> None:
        row = {"country_iso_code": country, "emissions": "0.475"}
        assert "--country" in faults("codecarbon", emissions_csv(row), Said("fill-mask", "MIT"))
        found = phase(import_card("codecarbon", emissions_csv(row), SAID))
        assert found["intensity"]["value"] == pytest.approx(56.039)

    def test_t5_energies_are_divided_by_the_pue_in_them(self) -> None:
        row = {"pue": "1.25", "cpu_energy": "0.625", "gpu_energy": "0.5", "ram_energy": "0.125"}
        row["energy_consumed"] = "1.25"
        found = phase(import_card("codecarbon", emissions_csv(row), SAID))
        assert found["energy_it"]["value"] == pytest.approx(1.0)
        assert found["pue"] == {"value": 1.25, "unit": "1", "source": "declared"}
        assert found["co2e_location"]["value"] == pytest.approx(1.25 * 56.039 / 1000)

    def test_t6_the_water_is_left_to_the_wue(self) -> None:
        found = phase(import_card("codecarbon", emissions_csv({"wue": "1.8", "water_consumed": "99"}), SAID))
        assert found["wue_on"] == {"value": 1.8, "unit": "L/kWh", "source": "declared"}
        assert "water_onsite" not in found

    def test_t7_a_zero_is_an_energy_that_was_not_measured(self) -> None:
        row = {"cpu_energy": "0.0", "gpu_energy": "0", "ram_energy": "", "energy_consumed": "0", "emissions": "0"}
        imported = import_card("codecarbon", emissions_csv(row), SAID)
        found = phase(imported)
        assert not {"energy_it", "energy_cpu", "energy_gpu", "energy_ram"} & set(found)
        assert not any(found["coverage"][part] for part in ("gpu", "cpu", "ram"))
        assert any("gpu_energy is zero" in note for note in imported.notes)

    def test_several_runs_are_several_phases_and_a_flushed_run_is_one(self) -> None:
        early = {"run_id": "a", "duration": "1800", "timestamp": "2025-03-01T09:30:00", "cpu_energy": "0.25"}
        late = {"run_id": "a"}
        other = {"run_id": "b", "timestamp": "2025-03-02T10:00:00"}
        imported = import_card("codecarbon", emissions_csv(early, late, other), SAID)
        assert [phase["energy_cpu"]["value"] for phase in imported.document["phases"]] == [0.5, 0.5]
        assert any("1 earlier rows" in note for note in imported.notes)

    def test_runs_one_after_the_other_do_not_overlap_by_rounding(self) -> None:
        # The second ended at 10:00:03.9 after 3.1 s, and the first at 10:00:00.8.
        first = {"run_id": "a", "timestamp": "2025-03-01T10:00:00"}
        second = {"run_id": "b", "timestamp": "2025-03-01T10:00:03", "duration": "3.1"}
        imported = import_card("codecarbon", emissions_csv(first, second), SAID)
        assert phase(imported, 1)["started_at"] == phase(imported, 0)["ended_at"]
        assert not any("overlap" in note for note in imported.notes)

    def test_t4_runs_at_the_same_time_are_told(self) -> None:
        imported = import_card("codecarbon", emissions_csv({"run_id": "a"}, {"run_id": "b"}), SAID)
        assert any("overlap" in note for note in imported.notes)

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"duration": "-1"}, "row 1: duration: is -1, below zero"),
            ({"duration": "1e400"}, "expected a"),
            ({"duration": "1e29"}, "row 1: duration: is 1e+29 s"),
            ({"cpu_energy": "lots"}, "row 1: cpu_energy: expected a number, got 'lots'"),
            ({"pue": "0.5"}, "row 1: pue: is 0.5, below 1"),
            ({"timestamp": "9999-12-31T23:59:59"}, "row 1: timestamp: expected a moment"),
            ({"timestamp": "yesterday"}, "row 1: timestamp: expected a moment"),
            ({"tracking_mode": "dreaming"}, "row 1: tracking_mode: expected machine or process"),
        ],
    )
    def test_faults_name_their_place(self, change: dict[str, str], fault: str) -> None:
        assert fault in faults("codecarbon", emissions_csv(change))

    def test_a_table_of_something_else_is_refused(self) -> None:
        assert "the column duration is missing" in faults("codecarbon", b"a,b\n1,2\n")
        assert "no row" in faults("codecarbon", b"a,b\n")
        assert "has 1 fields, not 2" in faults("codecarbon", b"a,b\n1\n")
        assert "larger than" in faults("codecarbon", b" " * 5_000_000)


WINDOW = {"time": 120.5, "gpu_energy": {"0": 3.6e6, "1": 3.6e6}, "cpu_energy": {"0": 1.8e6}, "dram_energy": None}


class TestZeus:
    def test_joules_become_kwh_by_part(self) -> None:
        said = Said("fill-mask", "MIT", "FRA", started_at=ALL_SAID.started_at)
        found = phase(import_card("zeus", json.dumps(WINDOW).encode(), said))
        assert found["energy_gpu"]["value"] == pytest.approx(2.0)
        assert found["energy_cpu"]["value"] == pytest.approx(0.5)
        assert "energy_ram" not in found
        assert found["wall_time"]["value"] == 120.5
        assert found["scope"] == "machine"
        assert found["coverage"]["ram"] is False

    def test_a_window_without_permission_covers_nothing(self) -> None:
        window = {"time": 10.0, "gpu_energy": {}, "cpu_energy": None}
        found = phase(import_card("zeus", json.dumps(window).encode(), ALL_SAID))
        assert "energy_it" not in found
        assert not found["coverage"]["cpu"]

    def test_when_and_where_are_asked_for(self) -> None:
        told = faults("zeus", json.dumps(WINDOW).encode(), Said("fill-mask", "MIT"))
        assert "--started-at" in told
        assert "--country" in told

    @pytest.mark.parametrize(
        "document",
        [[], {}, 3, [3], {"a": 3}, {"time": -1, "gpu_energy": {}}, {"time": 1, "gpu_energy": [1]}, {"gpu_energy": {}}],
    )
    def test_other_documents_are_refused(self, document: Any) -> None:
        faults("zeus", json.dumps(document).encode(), ALL_SAID)


REPORT: dict[str, Any] = {
    "header": {"formatVersion": "0.1", "reportDatetime": "2025-02-26 16:57:00"},
    "task": {"taskStage": "finetuning", "taskFamily": "chatbot", "algorithms": [{"parametersNumber": 13}]},
    "measures": [
        {
            "measurementMethod": "codecarbon",
            "version": "2.5.0",
            "cpuTrackingMode": "constant",
            "gpuTrackingMode": "nvml",
            "powerConsumption": 2.5,
            "measurementDuration": 3600.0,
            "measurementDateTime": "2024-09-30 09:09:40",
        }
    ],
    "infrastructure": {
        "infraType": "publicCloud",
        "cloudProvider": "ovh",
        "components": [
            {"componentName": "Xeon 6226R", "componentType": "cpu", "nbComponent": 1},
            {"componentName": "Tesla V100S", "componentType": "gpu", "nbComponent": 2},
            {"componentType": "ram", "nbComponent": 1, "memorySize": 86},
        ],
    },
    "environment": {"country": "france", "latitude": 48.8, "longitude": 2.3, "powerSourceCarbonIntensity": 12},
    "quality": "medium",
}


class TestBoamps:
    def test_a_report_is_a_declaration_with_its_own_quality(self) -> None:
        imported = import_card("boamps", json.dumps(REPORT).encode(), SAID)
        found = phase(imported)
        assert found["energy_it"] == {"value": 2.5, "unit": "kWh", "source": "declared", "low": 1.875, "high": 3.125}
        assert found["wall_time"]["source"] == "declared"
        assert found["device_time"]["value"] == 2.0
        assert found["site"] == {"country": "FRA", "cloud_provider": "ovh"}
        assert found["intensity"]["value"] == pytest.approx(56.039)
        assert imported.document["model"]["parameters_total"] == 13_000_000_000
        assert imported.document["evidence"] == {"tool": "codecarbon", "tool_version": "2.5.0"}

    def test_a_country_in_words_is_asked_for(self) -> None:
        assert "--country" in faults("boamps", json.dumps(REPORT).encode(), Said("fill-mask", "MIT"))

    def test_inference_makes_no_model(self) -> None:
        report = {**REPORT, "task": {"taskStage": "inference"}}
        assert "inference" in faults("boamps", json.dumps(report).encode())

    def test_two_measures_may_count_twice(self) -> None:
        report = {**REPORT, "measures": REPORT["measures"] * 2}
        assert "twice" in faults("boamps", json.dumps(report).encode())


CALCULATION = {
    "coreType": "Both",
    "CPUmodel": "Xeon Gold 6142",
    "numberCPUs": "8",
    "CPU_model_n_cores": "16",
    "tdpCPU": "150",
    "usageCPU": "1.0",
    "GPUmodel": "NVIDIA A100",
    "numberGPUs": "2",
    "tdpGPU": "250",
    "usageGPU": "0.8",
    "memory": "64",
    "runTime_hour": "10",
    "runTime_min": "30",
    "location": "FR",
    "carbonIntensity": "51.3",
    "PUE": "1.5",
    "PUEradio": "Yes",
    "mult_factor": "2",
    "appVersion": "v3.0",
}


def calculation_csv(**changes: str) -> bytes:
    row = {**CALCULATION, **changes}
    return f"{';'.join(row)}\n{';'.join(row.values())}\n".encode()


class TestGreenAlgorithms:
    said = Said("fill-mask", "MIT", "FRA", "pretraining", datetime(2025, 3, 1, tzinfo=UTC))

    def test_the_formula_is_computed_again_before_pue(self) -> None:
        found = phase(import_card("green-algorithms", calculation_csv(), self.said))
        assert found["energy_gpu"]["value"] == pytest.approx(10.5 * 2 * 2 * 250 * 0.8 / 1000)
        assert found["energy_cpu"]["value"] == pytest.approx(10.5 * 2 * 8 * 150 / 16 / 1000)
        assert found["energy_ram"]["value"] == pytest.approx(10.5 * 2 * 64 * 0.3725 / 1000)
        assert {found[f"energy_{part}"]["source"] for part in ("gpu", "cpu", "ram")} == {"estimated"}
        assert found["pue"] == {"value": 1.5, "unit": "1", "source": "declared"}
        assert found["included_runs"] == 2

    def test_a_default_pue_is_marked_as_one(self) -> None:
        found = phase(import_card("green-algorithms", calculation_csv(PUEradio="No"), self.said))
        assert found["pue_origin"] == "default"

    def test_a_total_that_differs_is_told(self) -> None:
        imported = import_card("green-algorithms", calculation_csv(energy_needed="1000"), self.said)
        assert any("energy_needed" in note for note in imported.notes)

    def test_an_empty_form_is_refused(self) -> None:
        told = faults("green-algorithms", calculation_csv(coreType="None", runTime_hour="None", runTime_min="None"))
        assert "coreType" in told
        assert "runTime_hour" in told


class TestModelCard:
    @pytest.mark.parametrize("block", ["12.5", "\n  emissions: 12.5\n  source: mlco2\n", "'12.5'", "1.25e+1"])
    def test_grams_become_kilograms(self, block: str) -> None:
        readme = f"---\nco2_eq_emissions: {block}\n---\n# A model\n".encode()
        imported = import_card("model-card", readme, ALL_SAID)
        co2e = phase(imported)["co2e_location"]
        assert co2e == {"value": 0.0125, "unit": "kgCO2e", "source": "declared"}
        assert "energy_it" not in phase(imported)
        assert "intensity" not in phase(imported)

    def test_the_head_says_the_rest_where_it_can(self) -> None:
        readme = (
            "---\nlicense: apache-2.0\npipeline_tag: text-classification\nbase_model: team/base\n"
            "co2_eq_emissions:\n  emissions: 100\n  training_type: fine-tuning\n  geographical_location: DEU\n"
            "  hardware_used: 4 x A100, 2 x AMD EPYC\n"
            "model-index:\n- name: m\n  results:\n  - task: {type: text-classification}\n"
            "    dataset: {type: glue, name: glue, split: validation}\n"
            "    metrics:\n    - {type: accuracy, value: 0.9}\n    - {type: vibes, value: 11}\n---\n"
        )
        said = Said(started_at=ALL_SAID.started_at, hours=3.0)
        imported = import_card("model-card", readme.encode(), said)
        found = phase(imported)
        assert (found["stage"], found["site"]["country"]) == ("finetuning", "DEU")
        assert [(group["device_kind"], group["device_count"]) for group in found["groups"]] == [("gpu", 4), ("cpu", 2)]
        assert imported.document["model"]["license"] == "apache-2.0"
        assert imported.document["model"]["base_models"] == [{"repo_id": "team/base", "relation": "finetune"}]
        assert [score["metric"] for score in imported.document["quality"]] == ["accuracy"]
        assert any("vibes" in note for note in imported.notes)

    @pytest.mark.parametrize(
        ("head", "fault"),
        [
            ("license: mit", "has no co2_eq_emissions"),
            ("co2_eq_emissions: 1,287 g", "expected a number"),
            ("co2_eq_emissions:\n  source: mlco2", "names no emissions"),
            ("co2_eq_emissions: -3", "names no emissions"),
            ("co2_eq_emissions: {", "line"),
        ],
    )
    def test_other_heads_are_refused(self, head: str, fault: str) -> None:
        assert fault in faults("model-card", f"---\n{head}\n---\n".encode(), ALL_SAID)

    def test_everything_that_is_missing_is_named_at_once(self) -> None:
        told = faults("model-card", b"---\nco2_eq_emissions: 1\n---\n", Said())
        for option in ("--task", "--license", "--started-at", "--hours", "--device", "--country"):
            assert option in told


GOOD: dict[Form, bytes] = {
    "codecarbon": emissions_csv(),
    "zeus": json.dumps(WINDOW).encode(),
    "boamps": json.dumps(REPORT).encode(),
    "green-algorithms": calculation_csv(),
    "model-card": b"---\nco2_eq_emissions:\n  emissions: 1.5\n---\n",
}


@given(st.sampled_from(FORMS), st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_card_or_faults(form: Form, data: bytes) -> None:
    with suppress(InvalidImport):
        import_card(form, data, ALL_SAID)


@given(st.sampled_from(FORMS), st.data())
def test_spoilt_files_end_in_a_card_or_faults(form: Form, data: st.DataObject) -> None:
    good = GOOD[form]
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 20)))
    junk = data.draw(
        st.sampled_from([b"", b"-", b"9" * 30, b"1e999", b"null", b"NaN", b'"', b"[" * 50, b"\x00", b"\n"])
    )
    spoilt = good[:start] + junk + good[end:]
    with suppress(InvalidImport):
        import_card(form, spoilt, ALL_SAID)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*REPORT]), VALUES)
def test_reports_of_any_shape_end_in_a_card_or_faults(field: str, value: Any) -> None:
    with suppress(InvalidImport):
        import_card("boamps", json.dumps({**REPORT, field: value}).encode(), ALL_SAID)
