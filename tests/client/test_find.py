"""`registry find`, `show` and `publish`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.models import card, write_model

from registry_client import find, publish, push, show
from registry_client.cli import run
from registry_client.governing import set_policy, unset_policy
from registry_core.errors import InvalidRevision, InvalidWhere, RepoNotFound


@pytest.fixture
def at(server: Any) -> dict[str, str]:
    return {"endpoint": server.endpoint, "token": server.token}


@pytest.fixture
def flags(server: Any) -> list[str]:
    return ["--endpoint", server.endpoint, "--token", server.token]


@pytest.fixture
def lenient(at: dict[str, str]) -> Iterator[None]:
    """Whatever there is may be published meanwhile."""
    set_policy("alice", "open-lab", act="publish", **at)
    yield
    unset_policy("alice", act="publish", **at)


@pytest.fixture
def pushed(tmp_path: Path, at: dict[str, str], repo_id: str) -> str:
    """A model on the server, with a tag of its own to find it by."""
    model = {**card()["model"], "tags": [repo_id.partition("/")[2]]}
    push(write_model(tmp_path / "model", footprint=card(model=model)), repo_id, **at)
    return repo_id


def test_model_is_found_by_what_it_cost_and_how_good_it_is(pushed: str, at: dict[str, str]) -> None:
    tag = pushed.partition("/")[2]
    page = find(where=["accuracy >= 0.97", "energy_kwh < 0.1"], tag=tag, sort="energy", **at)
    assert [model.id for model in page.items] == [pushed]
    assert page.items[0].energy_kwh == pytest.approx(0.01)
    assert page.items[0].parameters == 3
    assert find(where="accuracy >= 0.98", tag=tag, **at).items == []
    assert [model.id for model in find(at_least="accuracy=0.95", tag=tag, **at).items] == [pushed]
    assert find(at_least="accuracy=0.98", tag=tag, **at).items == []


def test_typing_error_in_a_condition_needs_no_server() -> None:
    with pytest.raises(InvalidWhere):
        find(where="accuracy >=", endpoint="http://127.0.0.1:1")
    with pytest.raises(InvalidWhere):
        find(sort="--", endpoint="http://127.0.0.1:1")
    with pytest.raises(InvalidWhere):
        find(at_least="accuracy", endpoint="http://127.0.0.1:1")


@pytest.mark.parametrize("sort", [["--sort", "-energy"], ["--sort=-energy"]])
def test_descending_sort_can_be_typed(pushed: str, flags: list[str], sort: list[str]) -> None:
    assert run(["find", *sort, *flags]) == 0


def test_table_is_for_people_and_not_cut_in_a_pipe(
    pushed: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["find", "--tag", pushed.partition("/")[2], *flags]) == 0
    said = capsys.readouterr()
    row = next(line for line in said.out.splitlines() if pushed in line)
    for cell in ("image-classification", "accuracy 0.975", "10 Wh", "500 mg CO2e", "1 h 00 min"):
        assert cell in row
    assert said.err.splitlines()[-1] == f"Next: registry show {pushed}"


def test_find_prints_one_json_document(pushed: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", "--tag", pushed.partition("/")[2], "--json", *flags]) == 0
    assert [item["id"] for item in json.loads(capsys.readouterr().out)["items"]] == [pushed]


def test_nothing_found_is_said_and_is_no_error(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", "--tag", "nobody-has-this", *flags]) == 0
    assert "Nothing fits." in capsys.readouterr().err


def test_page_shows_cost_files_and_scores(pushed: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", pushed, *flags]) == 0
    page = capsys.readouterr().out
    for text in (
        f"{pushed}@main",
        "10 Wh",
        "declared",
        "accuracy 0.975 on digits test, 450 samples",
        "model.safetensors",
    ):
        assert text in page


def test_show_of_nothing_exits_3(flags: list[str]) -> None:
    assert run(["show", "alice/nothing", *flags]) == 3


@pytest.mark.usefixtures("lenient")
def test_published_revision_is_recommended(pushed: str, at: dict[str, str]) -> None:
    published = publish(f"{pushed}@main", **at)
    detail = show(pushed, **at)
    assert published.account == "alice"
    assert detail.published_commit_id == published.commit_id == detail.commit_id


def test_publishing_needs_a_revision(at: dict[str, str], repo_id: str) -> None:
    with pytest.raises(InvalidRevision, match="names no revision"):
        publish(repo_id, **at)
    with pytest.raises(RepoNotFound):
        publish(f"{repo_id}@main", **at)


@pytest.mark.usefixtures("lenient")
def test_publish_prints_what_it_published(pushed: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["publish", f"{pushed}@main", *flags]) == 0
    assert capsys.readouterr().out.startswith(f"{pushed}@")
