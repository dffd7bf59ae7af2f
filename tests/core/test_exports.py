"""A card in the words of others, and back."""

from __future__ import annotations

import csv
import io
import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from huggingface_hub import ModelCardData, ModelInfo, parse_eval_result_entries
from huggingface_hub.utils.endpoint_helpers import _is_emission_within_threshold
from hypothesis import given
from hypothesis import strategies as st
from tests.core.cards import full_card, golden_card, minimal_card, minimal_phase, quantity

from registry_core import plain_yaml
from registry_core.card import parse_card
from registry_core.errors import Invalid
from registry_core.eval_results import eval_results, read_eval_results
from registry_core.exports.boamps import boamps_report
from registry_core.exports.front_matter import front_matter
from registry_core.exports.table import phases_table
from registry_core.imports import Said, import_card
from registry_core.readme import card_data, dump_readme, metrics_of_model_index, parse_readme, validate


def with_grams(grams: float) -> dict[str, Any]:
    """A card whose emissions are these; declared, since no energy has to make them."""
    phase = minimal_phase(co2e_location=quantity(grams / 1000, "kgCO2e", "declared"))
    return minimal_card(phases=[phase])


class TestFrontMatter:
    def test_card_to_head_to_card_loses_none_of_the_mirrored_fields(self) -> None:
        before = parse_card(full_card())
        readme = dump_readme(front_matter(before, "digits"), "")
        said = Said(license=before.model.license, started_at=datetime(2026, 11, 21, 8, tzinfo=UTC), hours=8.0)
        document = import_card("model-card", readme.encode(), said).document
        around = {name: full_card()[name] for name in ("schema", "created_at", "generator", "subject")}
        after = parse_card({**around, **document})
        assert front_matter(after, "digits")["model-index"] == [
            {
                "name": "digits",
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"type": "digits", "name": "digits", "split": "test"},
                        "metrics": [{"type": "accuracy", "value": 0.9778}],
                    }
                ],
            }
        ]
        mirrored = ("license", "pipeline_tag", "tags", "base_model")
        assert {name: front_matter(after, "x")[name] for name in mirrored} == {
            name: front_matter(before, "x")[name] for name in mirrored
        }
        emissions = [front_matter(card, "x")["co2_eq_emissions"] for card in (before, after)]
        same = ("emissions", "training_type", "geographical_location", "hardware_used")
        assert [emissions[0][name] for name in same] == [emissions[1][name] for name in same]

    def test_the_emissions_are_grams(self) -> None:
        head = front_matter(parse_card(golden_card()), "m")
        assert head["co2_eq_emissions"]["emissions"] == 645.56928

    @pytest.mark.parametrize("grams", [1e-6, 5.8e-6, 0.5, 1287.0, 1e12, 1e16, 3.3e20])
    def test_the_value_survives_how_hubs_filter(self, grams: float) -> None:
        head = front_matter(parse_card(with_grams(grams)), "m")
        read = parse_readme(dump_readme(head, "")).front_matter
        info = ModelInfo(id="a/m")
        info.card_data = ModelCardData(**read)
        assert _is_emission_within_threshold(info, grams * 0.999, grams * 1.001)
        assert not _is_emission_within_threshold(info, grams * 1.01, grams * 2)

    def test_the_head_is_one_that_the_hub_takes(self) -> None:
        head = front_matter(parse_card(full_card()), "m")
        assert validate(head, "model") == ([], [])
        assert ModelCardData(model_name="m", **{k: v for k, v in head.items() if k != "model-index"}).to_dict()
        assert metrics_of_model_index(card_data(head).model_index)[0].value == 0.9778


class TestEvalResults:
    def test_what_is_written_is_read_by_the_hubs_library_and_by_us(self) -> None:
        text = eval_results(parse_card(full_card()))
        (entry,) = parse_eval_result_entries(plain_yaml.load(text))
        assert (entry.dataset_id, entry.task_id, entry.value, entry.dataset_revision) == (
            "digits",
            "default",
            0.9778,
            "1",
        )
        (claim,) = read_eval_results(text)
        assert claim == ("image-classification", "digits", "test", "accuracy", 0.9778)

    def test_a_card_without_quality_has_none(self) -> None:
        assert eval_results(parse_card(golden_card())) == ""

    def test_entries_of_others_are_named_by_their_benchmark(self) -> None:
        text = (
            "- dataset: {id: cais/hle, task_id: default}\n  value: 20.90\n"
            "- dataset: {id: Idavidrein/gpqa, task_id: gpqa_diamond}\n  value: 0.412\n  notes: no-tools\n"
        )
        assert [(claim.metric, claim.dataset, claim.value) for claim in read_eval_results(text)] == [
            ("hle", "cais/hle", 20.9),
            ("gpqa_diamond", "Idavidrein/gpqa", 0.412),
        ]

    @pytest.mark.parametrize(
        "text",
        ["", "a: b", "[", "- 3", "- dataset: x", "- dataset: {id: a, task_id: b}\n  value: high", "- value: 3", "- []"],
    )
    def test_what_cannot_be_read_is_passed_over(self, text: str) -> None:
        assert read_eval_results(text) == []

    @given(st.text(max_size=60))
    def test_no_text_raises(self, text: str) -> None:
        read_eval_results(text)
        read_eval_results(f"- dataset: {{id: a, task_id: b}}\n  value: {text}\n  notes: {text}\n")


class TestBoamps:
    def test_the_report_has_what_the_format_requires_and_the_tracking_modes(self) -> None:
        report = boamps_report(parse_card(full_card()))
        assert {"task", "measures", "infrastructure"} <= set(report)
        assert {"taskStage", "taskFamily", "algorithms", "dataset"} <= set(report["task"])
        assert {"infraType", "components"} <= set(report["infrastructure"])
        (measure,) = report["measures"]
        assert measure["cpuTrackingMode"] == "rapl_package"
        assert measure["gpuTrackingMode"] == "nvml_counter"
        assert measure["powerConsumption"] == pytest.approx(10.2)
        assert report["task"]["algorithms"][0]["parametersNumber"] == pytest.approx(0.0227)
        assert report["task"]["dataset"] == [{"dataUsage": "input", "dataType": "text"}]
        json.dumps(report, allow_nan=False)

    def test_the_same_card_makes_the_same_report(self) -> None:
        assert boamps_report(parse_card(full_card())) == boamps_report(parse_card(full_card()))

    def test_a_report_comes_back_with_its_energy(self) -> None:
        report = boamps_report(parse_card(golden_card()))
        imported = import_card("boamps", json.dumps(report).encode(), Said("image-classification", "MIT"))
        (phase,) = imported.document["phases"]
        assert phase["energy_it"]["value"] == pytest.approx(9.6)
        assert (phase["stage"], phase["wall_time"]["value"]) == ("pretraining", 28800.0)
        assert phase["site"]["country"] == "FRA"

    def test_without_energy_there_is_nothing_to_report(self) -> None:
        phase = minimal_phase()
        del phase["energy_cpu"], phase["energy_it"]
        phase["coverage"] = {**phase["coverage"], "cpu": False}
        with pytest.raises(Invalid):
            boamps_report(parse_card(minimal_card(phases=[phase])))


class TestTable:
    def test_a_row_a_phase_with_the_calculators_numbers(self) -> None:
        card = deepcopy(golden_card())
        card["phases"].append(minimal_phase())
        golden, other = csv.DictReader(io.StringIO(phases_table(parse_card(card))))
        assert float(golden["energy_facility_kwh"]) == pytest.approx(11.52)
        assert float(golden["co2e_location_kg"]) == pytest.approx(0.64556928)
        assert (golden["hardware"], golden["currency"]) == ("4 x A100", "EUR")
        assert (other["stage"], other["co2e_location_kg"], other["cost"]) == ("finetuning", "", "")

    def test_no_cell_is_a_formula(self) -> None:
        card = deepcopy(golden_card())
        card["phases"][0]["groups"][0]["device_model"] = '=HYPERLINK("x")'
        (row,) = csv.DictReader(io.StringIO(phases_table(parse_card(card))))
        assert row["hardware"][0].isdigit()
