"""Pushing a folder to a server."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants, get_hf_file_metadata
from huggingface_hub.utils import are_progress_bars_disabled
from tests.client.models import card, write_model
from tests.conftest import REGISTRY

from registry_client import pull, push, show
from registry_client.cli import run
from registry_client.hub import Hub
from registry_core.errors import (
    InvalidCard,
    InvalidName,
    InvalidReadme,
    InvalidRecipe,
    InvalidWeights,
    NotAllowed,
    RemoteFailed,
    RepoNotFound,
    StaleParent,
)
from registry_core.ids import RepoId, Revision
from registry_core.readme import dump_readme, parse_readme


@pytest.fixture
def at(server: Any) -> dict[str, str]:
    """Where to push, and as whom."""
    return {"endpoint": server.endpoint, "token": server.token}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "digits", footprint=card())


def commits(repo_id: str, at: dict[str, str]) -> int:
    return len(list(HfApi(**at).list_repo_commits(repo_id, revision="main")))


def test_push_makes_repo_and_one_commit(model: Path, at: dict[str, str], repo_id: str) -> None:
    result = push(model, repo_id, message="First", **at)
    assert result.created
    assert not result.unchanged
    assert commits(repo_id, at) == 2  # with the empty first one
    assert (result.files, result.uploaded_files) == (5, 5)
    assert result.url.startswith(at["endpoint"])
    detail = show(repo_id, **at)
    assert detail.commit_id == result.commit_id
    assert detail.footprint_status == "complete"
    written = {"README.md", ".eval_results/footprint-card.yaml"}
    assert {*written, "config.json", "footprint.json", "model.safetensors"} <= {f.path for f in detail.files}


def test_push_twice_sends_no_bytes(model: Path, at: dict[str, str], repo_id: str) -> None:
    first = push(model, repo_id, **at)
    second = push(model, repo_id, **at)
    assert second.unchanged
    assert not second.created
    assert (second.commit_id, second.uploaded_files, second.uploaded_bytes) == (first.commit_id, 0, 0)
    assert commits(repo_id, at) == 2


def test_only_what_changed_is_sent(model: Path, at: dict[str, str], repo_id: str) -> None:
    push(model, repo_id, **at)
    (model / "config.json").write_text("{}")
    result = push(model, repo_id, **at)
    assert (result.uploaded_files, result.uploaded_bytes) == (1, 2)


def test_files_that_are_only_in_the_repo_stay(model: Path, at: dict[str, str], repo_id: str) -> None:
    push(model, repo_id, **at)
    (model / "config.json").unlink()
    (model / "extra.txt").write_text("x")
    push(model, repo_id, **at)
    assert {"config.json", "extra.txt"} <= {file.path for file in show(repo_id, **at).files}


@pytest.mark.parametrize("is_xet_off", [False, True])
def test_large_file_goes_by_xet_or_where_that_is_off_by_lfs(
    tmp_path: Path, at: dict[str, str], monkeypatch: pytest.MonkeyPatch, repo_id: str, is_xet_off: bool
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", is_xet_off)
    model = write_model(tmp_path / "large", values=[random.random() for _ in range(100_000)])
    result = push(model, repo_id, **at)
    by_path = {file.path: file for file in show(repo_id, **at).files}
    assert by_path["model.safetensors"].size_bytes == (model / "model.safetensors").stat().st_size
    assert result.uploaded_bytes > 400_000
    address = f"{at['endpoint']}/{repo_id}/resolve/main/model.safetensors"
    assert (get_hf_file_metadata(address, token=at["token"]).xet_file_data is None) == is_xet_off


def test_a_file_that_the_server_lost_is_sent_again(
    tmp_path: Path, server: Any, at: dict[str, str], monkeypatch: pytest.MonkeyPatch, repo_id: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    model = write_model(tmp_path / "large", values=[random.random() for _ in range(20_000)])
    first = push(model, repo_id, **at)
    by_path = {file.path: file for file in show(repo_id, **at).files}
    digest = by_path["model.safetensors"].digest
    stored = server.data / "blobs/sha256" / digest[:2] / digest[2:4] / digest
    stored.write_bytes(b"damaged" + stored.read_bytes()[7:])
    subprocess.run([REGISTRY, "admin", "fsck", "--data", server.data], check=False, capture_output=True)
    (notice,) = show(repo_id, **at).notices
    assert notice.startswith("model.safetensors: ")
    again = push(model, repo_id, **at)
    assert (again.uploaded_files, again.unchanged, again.commit_id) == (1, True, first.commit_id)
    assert show(repo_id, **at).notices == []
    assert pull(repo_id, to=tmp_path / "there", **at).commit_id == first.commit_id


def test_settings_of_the_hubs_library_are_put_back(model: Path, at: dict[str, str], repo_id: str) -> None:
    before = constants.HF_HUB_DISABLE_TELEMETRY, logging.getLogger("huggingface_hub").level
    push(model, repo_id, **at)
    assert (constants.HF_HUB_DISABLE_TELEMETRY, logging.getLogger("huggingface_hub").level) == before
    assert not are_progress_bars_disabled()


def test_card_is_completed_in_place(model: Path, at: dict[str, str], repo_id: str) -> None:
    push(model, repo_id, **at)
    document = json.loads((model / "footprint.json").read_text())
    assert [entry["path"] for entry in document["subject"]["files"]] == ["model.safetensors"]
    assert document["model"]["parameters_total"] == 3


def test_readme_is_drafted_only_where_there_is_none(model: Path, at: dict[str, str], repo_id: str) -> None:
    (model / "README.md").write_text("---\nlicense: mit\n---\nMine.\n")
    push(model, repo_id, **at)
    assert (model / "README.md").read_text() == "---\nlicense: mit\n---\nMine.\n"
    (model / "README.md").unlink()
    push(model, repo_id, **at)
    assert parse_readme((model / "README.md").read_text()).front_matter["license"] == "apache-2.0"


@pytest.mark.parametrize(
    ("config", "library"),
    [
        ({"model_type": "mlp"}, "model-commons"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "transformers"),
        ({"model_type": "bert", "transformers_version": "5.0.0"}, "transformers"),
        ({"model_type": "home-made"}, None),
        ({"model_type": ["mlp"]}, None),
    ],
)
def test_readme_names_the_library_that_loads_the_model(
    model: Path, at: dict[str, str], repo_id: str, config: dict[str, Any], library: str | None
) -> None:
    (model / "config.json").write_text(json.dumps(config))
    push(model, repo_id, **at)
    assert parse_readme((model / "README.md").read_text()).front_matter.get("library_name") == library


def test_readme_that_contradicts_the_card_is_warned_of(
    model: Path, at: dict[str, str], caplog: pytest.LogCaptureFixture, repo_id: str
) -> None:
    push(model, repo_id, **at)
    assert "contradicts" not in caplog.text
    head = {"license": "mit", "pipeline_tag": "text-classification", "co2_eq_emissions": {"emissions": 0.6}}
    (model / "README.md").write_text(dump_readme(head, ""))
    push(model, repo_id, **at)
    for words in ("pipeline_tag text-classification, not image-classification", "license mit, not Apache-2.0"):
        assert words in caplog.text
    assert "co2_eq_emissions 0.6 g, not 0.5 g" in caplog.text


def test_folder_without_a_card_is_pushed_with_a_note(
    tmp_path: Path, at: dict[str, str], caplog: pytest.LogCaptureFixture, repo_id: str
) -> None:
    with caplog.at_level("INFO", "registry_client"):
        push(write_model(tmp_path / "plain"), repo_id, **at)
    assert "without a footprint" in caplog.text
    assert show(repo_id, **at).footprint_status == "none"


def test_pickle_is_warned_of(model: Path, at: dict[str, str], caplog: pytest.LogCaptureFixture, repo_id: str) -> None:
    (model / "old.bin").write_bytes(b"x")
    push(model, repo_id, **at)
    assert "old.bin is a pickle" in caplog.text


def test_branch_is_made_and_main_stays(model: Path, at: dict[str, str], repo_id: str) -> None:
    first = push(model, repo_id, **at)
    (model / "config.json").write_text("{}")
    second = push(model, repo_id, revision="dev/one", **at)
    assert second.commit_id != first.commit_id
    assert show(repo_id, **at).commit_id == first.commit_id
    assert show(f"{repo_id}@dev/one", **at).commit_id == second.commit_id


def test_new_repo_may_be_private(model: Path, at: dict[str, str], repo_id: str) -> None:
    push(model, repo_id, private=True, **at)
    assert show(repo_id, **at).private
    with pytest.raises(RepoNotFound):
        show(repo_id, endpoint=at["endpoint"], token=None)


def test_faulty_card_sends_nothing(tmp_path: Path, at: dict[str, str], repo_id: str) -> None:
    model = write_model(tmp_path / "faulty", footprint=card(created_at="yesterday"))
    with pytest.raises(InvalidCard, match="created_at"):
        push(model, repo_id, **at)
    with pytest.raises(RepoNotFound):
        show(repo_id, **at)


def test_faulty_weights_send_nothing(model: Path, at: dict[str, str], repo_id: str) -> None:
    (model / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(InvalidWeights):
        push(model, repo_id, **at)
    with pytest.raises(RepoNotFound):
        show(repo_id, **at)


def test_faulty_readme_head_is_refused(model: Path, at: dict[str, str], repo_id: str) -> None:
    (model / "README.md").write_text("---\nlicense: [\n---\n")
    with pytest.raises(InvalidReadme):
        push(model, repo_id, **at)
    with pytest.raises(RepoNotFound):
        show(repo_id, **at)


def test_faulty_recipe_sends_nothing(model: Path, at: dict[str, str], repo_id: str) -> None:
    (model / "evaluation.yaml").write_text("dataset: {package: scikit-learn, name: digits}\nmetric: accuracy\n")
    with pytest.raises(InvalidRecipe) as caught:
        push(model, repo_id, **at)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["split", "n"]
    with pytest.raises(RepoNotFound):
        show(repo_id, **at)


def test_readme_head_that_only_the_server_refuses(model: Path, at: dict[str, str], repo_id: str) -> None:
    (model / "README.md").write_text("---\nmodel-index: foo\n---\n")
    with pytest.raises(InvalidReadme) as caught:
        push(model, repo_id, **at)
    assert caught.value.faults == ('"model-index" must be a list',)


def test_push_without_token_or_to_another_owner_is_not_allowed(model: Path, at: dict[str, str], repo_id: str) -> None:
    with pytest.raises(NotAllowed):
        push(model, "bob/digits", **at)
    with pytest.raises(NotAllowed):
        push(model, repo_id, endpoint=at["endpoint"], token="wrong")


def test_somebody_elses_push_in_between_is_a_stale_parent(
    model: Path, at: dict[str, str], monkeypatch: pytest.MonkeyPatch, repo_id: str
) -> None:
    push(model, repo_id, **at)
    head = Hub.head

    def slow_head(self: Hub, repo: RepoId, revision: Revision) -> Any:
        seen = head(self, repo, revision)
        HfApi(**at).upload_file(path_or_fileobj=b"theirs", path_in_repo="theirs.txt", repo_id=repo_id)
        return seen

    monkeypatch.setattr(Hub, "head", slow_head)
    (model / "config.json").write_text("{}")
    with pytest.raises(StaleParent) as caught:
        push(model, repo_id, **at)
    assert "again" in caught.value.hint


def test_pushes_in_threads_do_not_disturb_each_other(tmp_path: Path, at: dict[str, str], repo_id: str) -> None:
    failed: list[Exception] = []

    def one(number: int) -> None:
        try:
            push(write_model(tmp_path / str(number), values=[float(number)]), f"{repo_id}-{number}", **at)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert not are_progress_bars_disabled()


def test_command_prints_the_address_and_suggests_a_look(
    model: Path, at: dict[str, str], capsys: pytest.CaptureFixture[str], repo_id: str
) -> None:
    assert run(["push", str(model), repo_id, "--endpoint", at["endpoint"], "--token", at["token"]]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(at["endpoint"])
    assert said.err.splitlines()[-1] == f"Next: registry show {repo_id}"


def test_command_prints_json_alone(
    model: Path, at: dict[str, str], capsys: pytest.CaptureFixture[str], repo_id: str
) -> None:
    assert run(["push", str(model), repo_id, "--endpoint", at["endpoint"], "--token", at["token"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == repo_id


def test_unreachable_server_is_named(model: Path, repo_id: str) -> None:
    with pytest.raises(RemoteFailed, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        push(model, repo_id, endpoint="http://127.0.0.1:1", token="x")


def test_a_transfer_that_xet_gives_up_names_the_server(
    model: Path, at: dict[str, str], monkeypatch: pytest.MonkeyPatch, repo_id: str
) -> None:
    def give_up(*_: Any, **__: Any) -> None:
        raise ConnectionError("Network error: error sending request")

    monkeypatch.setattr(HfApi, "create_commit", give_up)
    with pytest.raises(RemoteFailed, match=rf"{at['endpoint']} cannot be reached: Network error"):
        push(model, repo_id, **at)


def test_faulty_name_needs_no_server(model: Path) -> None:
    with pytest.raises(InvalidName):
        push(model, "digits", endpoint="http://127.0.0.1:1", token="x")
