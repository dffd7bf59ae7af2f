"""`registry card import` and `export`, on real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import write_model
from tests.core.test_imports import WINDOW, emissions_csv

from registry_client import cli
from registry_client.commands import card_import
from registry_client.folder import list_files, measure
from registry_client.importing import TARGETS
from registry_client.preparing import prepared
from registry_core.card import parse_card
from registry_core.ids import RepoId
from registry_core.imports import FORMS, Said, import_card
from registry_core.readme import parse_readme

SAYING = ["--task", "fill-mask", "--license", "MIT"]


def imported(tmp_path: Path, *words: str) -> dict[str, Any]:
    """The card of an emissions.csv, in the folder m."""
    tmp_path.mkdir(exist_ok=True)
    source, target = tmp_path / "my emissions.csv", tmp_path / "m" / "footprint.json"
    source.write_bytes(emissions_csv())
    assert cli.run(["card", "import", str(source), "--from", "codecarbon", *SAYING, "-o", str(target), *words]) == 0
    card: dict[str, Any] = json.loads(target.read_text())
    return card


def test_a_card_and_its_source_lie_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = imported(tmp_path)
    kept = tmp_path / "m" / "footprint" / "import-my-emissions.csv"
    assert card["evidence"]["row"] == "footprint/tool-row-0-pretraining.json"
    row = json.loads((tmp_path / "m" / "footprint" / "tool-row-0-pretraining.json").read_text())
    assert (row["gpu_energy"], row["tracking_mode"]) == (0.4, "machine")
    assert not {"longitude", "emissions", "country_iso_code"} & set(row)
    assert card["generator"]["name"] == "model-commons"
    assert kept.read_bytes() == emissions_csv()
    subject = {"files": [{"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 8}]}
    assert parse_card({**card, "subject": subject}).phases[0].site.country == "FRA"
    told = capsys.readouterr()
    assert told.out.strip() == str(tmp_path / "m" / "footprint.json")
    assert "time zone" in told.err


def test_the_result_is_one_json_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(tmp_path, "--json")
    assert json.loads(capsys.readouterr().out)["phases"] == 1


def test_a_card_is_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = imported(tmp_path)
    source = str(tmp_path / "my emissions.csv")
    target = tmp_path / "m" / "footprint.json"
    assert cli.run(["card", "import", source, "--from", "codecarbon", *SAYING, "-o", str(target)]) == 1
    assert json.loads(target.read_text()) == before


def test_what_is_missing_is_named_with_its_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "window.json", tmp_path / "footprint.json"
    source.write_text(json.dumps(WINDOW))
    words = ["card", "import", str(source), "--from", "zeus", "--output", str(target), *SAYING]
    assert cli.run(words) == 1
    told = capsys.readouterr().err
    assert "--started-at" in told
    assert "--country" in told
    assert not target.exists()
    assert cli.run([*words, "--country", "FRA", "--started-at", "2026-11-21T09:00:00+01:00"]) == 0
    assert json.loads(target.read_text())["phases"][0]["started_at"] == "2026-11-21T08:00:00.000Z"


@pytest.mark.parametrize(
    "words",
    [["--device", "A100"], ["--device", "gpu:A100:0"], ["--started-at", "soon"], ["--started-at", "9999-12-31"]],
)
def test_words_that_make_no_sense_are_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    source = tmp_path / "emissions.csv"
    source.write_bytes(emissions_csv())
    target = str(tmp_path / "footprint.json")
    assert cli.run(["card", "import", str(source), "--from", "codecarbon", *SAYING, "-o", target, *words]) == 2


@pytest.mark.parametrize("target", ["boamps", "csv", "front-matter"])
def test_a_card_is_exported_before_it_knows_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    imported(tmp_path)
    capsys.readouterr()
    assert cli.run(["card", "export", str(tmp_path / "m"), "--to", target]) == 0
    out = capsys.readouterr().out
    assert {"boamps": '"powerConsumption": 1.0', "csv": "energy_it_kwh", "front-matter": "license: mit"}[target] in out


def test_a_readme_gets_the_fields_of_the_card_and_keeps_the_others(tmp_path: Path) -> None:
    imported(tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text("---\nlanguage: fr\nlicense: apache-2.0\n---\n# Words of mine\n")
    words = ["card", "export", str(tmp_path / "m"), "--to", "front-matter", "--into", str(readme)]
    assert cli.run(words) == 0
    after = parse_readme(readme.read_text())
    assert after.body == "# Words of mine\n"
    assert (after.front_matter["language"], after.front_matter["license"]) == ("fr", "mit")
    assert cli.run([*words[:4], "csv", *words[5:]]) == 2


def test_coordinates_of_the_source_do_not_leave_this_computer(tmp_path: Path) -> None:
    imported(tmp_path)
    folder = write_model(tmp_path / "m")
    sent = {str(file.path): file for file in prepared(folder, measure(folder, list_files(folder)), RepoId("me/m"))}
    kept = sent["footprint/import-my-emissions.csv"].local.read_text()
    assert "48.8" not in kept
    assert import_card("codecarbon", kept.encode(), Said("fill-mask", "MIT")).document["phases"]


def test_an_import_is_recomputable_and_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(tmp_path)
    folder = write_model(tmp_path / "m")
    prepared(folder, measure(folder, list_files(folder)), RepoId("me/m"))
    capsys.readouterr()
    assert cli.run(["card", "compute", str(folder / "footprint.json"), "--json"]) == 0
    computed = json.loads(capsys.readouterr().out)
    assert (computed["grade"]["level"], computed["findings"]) == ("E1", [])


def test_what_a_model_was_made_from_is_said_or_left_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "base_models" not in imported(tmp_path / "a")["model"]
    assert "--from-scratch" in capsys.readouterr().err
    assert imported(tmp_path / "b", "--from-scratch")["model"]["base_models"] == []
    told = imported(tmp_path / "c", "--base-model", "team/base")["model"]["base_models"]
    assert told == [{"repo_id": "team/base", "relation": "finetune"}]
    source = str(tmp_path / "a" / "my emissions.csv")
    both = ["--base-model", "team/base", "--from-scratch", "-o", str(tmp_path / "d.json")]
    assert cli.run(["card", "import", source, "--from", "codecarbon", *SAYING, *both]) == 2


def test_the_command_offers_what_the_library_can() -> None:
    assert card_import._FORMS == FORMS
    assert card_import._TARGETS == TARGETS
