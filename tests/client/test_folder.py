"""What a folder holds, what its card learns from it, and the README that is drafted for it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.models import card, safetensors_bytes, write_model

from registry_client.completing import complete
from registry_client.drafting import draft_readme
from registry_client.folder import LocalFile, list_files, measure, safetensors_headers
from registry_client.writing import rewrite
from registry_core.errors import Invalid, InvalidCard, InvalidPath, InvalidWeights
from registry_core.exports.front_matter import plain_number
from registry_core.ids import RepoId
from registry_core.readme import parse_readme


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder.resolve()).as_posix() for path in list_files(folder)]


def measured(folder: Path) -> list[LocalFile]:
    return measure(folder, list_files(folder))


def completed(folder: Path) -> dict[str, Any]:
    """The folder's card, completed."""
    files = measured(folder)
    _, text = complete((folder / "footprint.json").read_bytes(), files, safetensors_headers(files).values())
    assert text is not None
    document: dict[str, Any] = json.loads(text)
    return document


def test_files_are_listed_with_size_and_digest(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "notes.txt").write_text("hello")
    files = measured(tmp_path)
    assert [file.path for file in files] == ["config.json", "deep/er/notes.txt", "model.safetensors"]
    assert files[1].size_bytes == 5
    assert files[1].digest == hashlib.sha256(b"hello").hexdigest()


def test_what_tools_leave_behind_is_left_out(tmp_path: Path) -> None:
    kept = (".gitattributes", "model.bin", "src/train.py")
    left = (".git/config", ".cache/x", "src/__pycache__/a.pyc", ".DS_Store", "notes.txt~", ".a.swp", ".#lock")
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert names(tmp_path) == sorted(kept)


def test_reading_is_told_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(3_000_000))
    told: list[int] = []
    measure(tmp_path, list_files(tmp_path), told.append)
    assert sum(told) == 3_000_000
    assert len(told) > 1


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_nothing_to_push_is_said(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "model"
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("x")
    with pytest.raises(Invalid):
        list_files(folder)


def test_links_that_leave_the_folder_are_refused_and_all_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (tmp_path / "secret").write_text("key")
    (folder / "one").symlink_to("../secret")
    (folder / "two").symlink_to("/")
    (folder / "three").symlink_to("nowhere")
    with pytest.raises(InvalidPath) as caught:
        list_files(folder)
    assert [fault.split("'")[1] for fault in sorted(caught.value.faults)] == ["one", "three", "two"]


def test_link_inside_the_folder_is_its_file(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "latest.safetensors").symlink_to("model.safetensors")
    by_path = {file.path: file.digest for file in measured(folder)}
    assert by_path["latest.safetensors"] == by_path["model.safetensors"]


def test_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    write_model(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    assert len(list_files(tmp_path / "link")) == 2


def test_names_that_no_repo_can_hold_are_refused(tmp_path: Path) -> None:
    (tmp_path / "back\\slash").write_text("x")
    (tmp_path / "line\nbreak").write_text("x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_text("x")
    with pytest.raises(InvalidPath) as caught:
        list_files(tmp_path)
    assert len(caught.value.faults) == 3
    assert str(caught.value).isprintable() or "\\udcff" in str(caught.value)


def test_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidPath, match="not a regular file"):
        list_files(tmp_path)


def test_faulty_safetensors_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"not weights at all")
    (tmp_path / "b.safetensors").write_bytes(safetensors_bytes([1.0])[:-1])
    (tmp_path / "c.safetensors").write_bytes(safetensors_bytes([1.0]))
    with pytest.raises(InvalidWeights) as caught:
        safetensors_headers(measured(tmp_path))
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["a.safetensors", "b.safetensors"]


def test_card_learns_its_files_and_their_parameters(tmp_path: Path) -> None:
    document = completed(write_model(tmp_path, values=[1.0] * 7, footprint=card()))
    weights = (tmp_path / "model.safetensors").read_bytes()
    entry = {
        "path": "model.safetensors",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "size_bytes": len(weights),
    }
    assert document["subject"] == {"files": [entry]}
    assert (document["model"]["parameters_total"], document["model"]["precision"]) == (7, "F32")
    assert document["phases"] == card()["phases"]


def test_stale_digests_are_renewed_and_other_named_files_kept(tmp_path: Path) -> None:
    entries = [
        {"path": path, "sha256": "0" * 64, "size_bytes": 1} for path in ("config.json", "model.safetensors", "gone.bin")
    ]
    document = completed(write_model(tmp_path, footprint=card(subject={"files": entries})))
    assert [entry["path"] for entry in document["subject"]["files"]] == ["config.json", "model.safetensors"]
    assert "0" * 64 not in [entry["sha256"] for entry in document["subject"]["files"]]


def test_what_the_card_says_of_the_model_stands(tmp_path: Path) -> None:
    model = {**card()["model"], "parameters_total": 5, "precision": "bf16"}
    document = completed(write_model(tmp_path, footprint=card(model=model)))
    assert document["model"] == model


def test_complete_card_is_left_alone(tmp_path: Path) -> None:
    folder = write_model(tmp_path, footprint=card())
    rewrite(folder / "footprint.json", json.dumps(completed(folder), indent=1))
    files = measured(folder)
    headers = safetensors_headers(files).values()
    assert complete((folder / "footprint.json").read_bytes(), files, headers)[1] is None


def test_faults_that_completing_cannot_cure_are_all_named(tmp_path: Path) -> None:
    faulty = card(created_at="yesterday")
    del faulty["phases"][0]["wall_time"]
    folder = write_model(tmp_path, footprint=faulty)
    with pytest.raises(InvalidCard) as caught:
        completed(folder)
    assert {fault.partition(":")[0] for fault in caught.value.faults} == {"created_at", "phases[0].wall_time"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": "x", "schema": "y"}', "null"])
def test_card_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_model(tmp_path)
    (folder / "footprint.json").write_text(text)
    with pytest.raises(InvalidCard):
        completed(folder)


def test_rewriting_is_whole_and_keeps_the_mode(tmp_path: Path) -> None:
    file = tmp_path / "footprint.json"
    file.write_text("old")
    file.chmod(0o640)
    rewrite(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_drafted_readme_says_what_hubs_read(tmp_path: Path) -> None:
    folder = write_model(tmp_path, footprint=card())
    files = {str(file.path): file for file in measured(folder)}
    parsed, _ = complete((folder / "footprint.json").read_bytes(), list(files.values()), [])
    readme = parse_readme(draft_readme(parsed, RepoId("demo/digits"), files))
    assert readme.front_matter == {
        "license": "apache-2.0",
        "pipeline_tag": "image-classification",
        "tags": ["digits"],
        "library_name": "transformers",
        "co2_eq_emissions": {
            "emissions": 0.5,
            "source": "codecarbon 3.3.2",
            "training_type": "fine-tuning",
            "geographical_location": "FRA",
            "hardware_used": "1 x AMD EPYC",
        },
        "model-index": [
            {
                "name": "digits",
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"type": "digits", "name": "digits", "split": "test"},
                        "metrics": [{"type": "accuracy", "value": 0.975}],
                    }
                ],
            }
        ],
    }
    assert "# digits" in readme.body


def test_draft_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    bare = card()
    del bare["phases"][0]["intensity"], bare["phases"][0]["intensity_meta"], bare["quality"]
    folder = write_model(tmp_path, footprint=bare)
    (folder / "config.json").unlink()
    files = {str(file.path): file for file in measured(folder)}
    parsed, _ = complete((folder / "footprint.json").read_bytes(), list(files.values()), [])
    head = parse_readme(draft_readme(parsed, RepoId("demo/digits"), files)).front_matter
    assert head.keys() == {"license", "pipeline_tag", "tags"}


@given(st.floats(min_value=1e-12, max_value=1e15))
def test_numbers_in_the_readme_have_no_exponent(value: float) -> None:
    text = str(plain_number(value))
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=1e-6)
