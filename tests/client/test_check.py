"""Find before you train: `registry check`, `find --pareto`, what `show` tells, and the callback of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.client.meters import ConstantMeter
from tests.client.models import card, write_model

from registry_client import check, pareto, push
from registry_client.check import check_if_reachable, decided
from registry_client.cli import run
from registry_client.reuse_check import read_reuse_check, with_reuse_check
from registry_core.errors import Invalid, InvalidWhere, NotFound, RemoteFailed

TASK = "image-classification"
NOWHERE = {"endpoint": "http://127.0.0.1:1"}


@pytest.fixture
def at(server: Any) -> dict[str, str]:
    return {"endpoint": server.endpoint, "token": server.token}


@pytest.fixture
def flags(server: Any) -> list[str]:
    return ["--endpoint", server.endpoint, "--token", server.token]


@pytest.fixture
def pushed(tmp_path: Path, at: dict[str, str], repo_id: str) -> str:
    """A model on the server, whose score is of a metric of its own."""
    score = {
        "task": TASK,
        "dataset": "digits",
        "split": "test",
        "value": 0.975,
        "higher_is_better": True,
        "stderr": 0.007,
    }
    document = card(model=made_from(), quality=[{**score, "metric": metric_of(repo_id)}])
    push(write_model(tmp_path / "pushed", footprint=document), repo_id, **at)
    return repo_id


def made_from(*bases: str) -> dict[str, Any]:
    named = [{"repo_id": name, "relation": "finetune"} for name in bases]
    return {"task": TASK, "license": "Apache-2.0", "base_models": named}


def metric_of(repo_id: str) -> str:
    return "metric_" + repo_id.rpartition("-")[2]


# What could be reused


def test_what_reaches_the_score_is_a_candidate(pushed: str, at: dict[str, str]) -> None:
    found = check(TASK, at_least=f"{metric_of(pushed)}=0.95", estimate_kwh=0.5, **at)
    assert [each.peer.id for each in found.candidates] == [pushed]
    assert (found.candidates[0].basis, found.candidates[0].saving_kwh.value) == ("pre_estimate", 0.5)  # type: ignore[union-attr]
    assert found.decision is None
    assert check(TASK, at_least=[f"{metric_of(pushed)}=0.99"], **at).candidates == ()


def test_typing_error_in_a_score_needs_no_server() -> None:
    with pytest.raises(InvalidWhere):
        check(TASK, at_least="accuracy", **NOWHERE)


def test_the_command_lists_candidates_and_writes_nothing_undecided(
    pushed: str, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["check", TASK, "--at-least", f"{metric_of(pushed)}=0.95", "--estimate-kwh", "0.5"]
    assert run([*asked, *flags]) == 0
    said = capsys.readouterr()
    row = next(line for line in said.out.splitlines() if pushed in line)
    for cell in (f"{metric_of(pushed)} on digits, test", "0.975 ± 0.007", "10 Wh", "500 Wh"):
        assert cell in row
    assert said.err.splitlines()[-1] == f"Next: registry show {pushed}"
    assert not (tmp_path / "reuse-check.json").exists()
    assert run([*asked, "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["candidates"][0]["peer"]["id"] == pushed


def test_a_decision_is_written_down(
    pushed: str, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["check", TASK, "--reuse", pushed, *flags]) == 0
    found = read_reuse_check(Path("reuse-check.json"))
    assert (found.decision, found.reuse, found.why_not_reuse) == ("reuse", pushed, None)
    assert capsys.readouterr().err.splitlines()[-1] == f"Next: registry pull {pushed}"
    assert run(["check", TASK, "--train-anyway", "too large", "--output", "other.json", *flags]) == 0
    assert read_reuse_check(Path("other.json")).reason == "too large"
    for wrong in (["--reuse", pushed, "--train-anyway", "x"], ["--train-anyway", " "], ["--reuse", "nobody"]):
        assert run(["check", TASK, *wrong, *flags]) == 2


def test_nothing_to_reuse_is_said_and_is_no_error(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "no-such-task", *flags]) == 0
    assert "Nothing was found" in capsys.readouterr().out


# What the card says of it


def test_the_reason_and_the_best_candidate_reach_the_card(
    pushed: str, at: dict[str, str], tmp_path: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = check(TASK, at_least=f"{metric_of(pushed)}=0.95", estimate_kwh=0.5, **at)
    decided(found, train_anyway="ours reads cursive").save(tmp_path / "reuse-check.json")
    declared = with_reuse_check(card(), tmp_path)["declarations"]
    assert declared["pre_estimate_kwh"] == 0.5
    assert declared["why_not_reuse"].startswith("ours reads cursive (found: " + pushed)
    assert found.asked_at[:10] in declared["why_not_reuse"]


def test_what_somebody_declared_stays(tmp_path: Path) -> None:
    decided(check_if_reachable(TASK, estimate_kwh=1.0, **NOWHERE), train_anyway="new").save(
        tmp_path / "reuse-check.json"
    )
    said = with_reuse_check(card(declarations={"why_not_reuse": "mine"}), tmp_path)["declarations"]
    assert said == {"why_not_reuse": "mine", "pre_estimate_kwh": 1.0}


def test_a_check_for_something_else_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reuse-check.json"
    assert with_reuse_check(card(), tmp_path) == card()
    found = check_if_reachable("translation", **NOWHERE)
    decided(found, train_anyway="new").save(path)
    assert with_reuse_check(card(), tmp_path) == card()
    decided(check_if_reachable(TASK, **NOWHERE), reuse="alice/digits").save(path)
    assert with_reuse_check(card(), tmp_path) == card()
    path.write_text("[]")
    assert with_reuse_check(card(), tmp_path) == card()
    with pytest.raises(Invalid, match="no reuse check"):
        read_reuse_check(path)


def test_a_tracked_run_picks_it_up(tmp_path: Path) -> None:
    from registry_client import track

    decided(check_if_reachable(TASK, **NOWHERE), train_anyway="first of its kind").save(tmp_path / "reuse-check.json")
    output = tmp_path / "footprint.json"
    with track(task=TASK, license="MIT", country="FRA", output=output, meter=ConstantMeter()):
        pass
    declared = json.loads(output.read_text())["declarations"]
    assert declared["why_not_reuse"].startswith("first of its kind (the registry could not be asked, ")


# Layers, and what `show` tells


def test_layers_of_a_group(pushed: str, at: dict[str, str]) -> None:
    found = pareto(TASK, metric=metric_of(pushed), **at)
    assert [(each.peer.id, each.peer.score) for each in found.ranked] == [(pushed, 0.975)]
    assert found.ranked[0].peer.energy_kwh is not None
    with pytest.raises(NotFound):
        pareto(TASK, metric="nobody-has-this", **at)


def test_the_front_is_a_table(pushed: str, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", "--task", TASK, "--pareto", "--metric", metric_of(pushed), *flags]) == 0
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if pushed in line)
    assert "0.975 ± 0.007" in row
    assert "own energy; 1 models" in said
    for wrong in (["--pareto"], ["--metric", "f1"], ["--task", TASK, "--pareto", "--sort", "energy"]):
        assert run(["find", *wrong, *flags]) == 2


def test_show_tells_level_class_and_lineage_in_a_line_each(
    pushed: str, at: dict[str, str], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = f"{pushed}-child"
    push(write_model(tmp_path / "child", footprint=card(model=made_from(pushed))), child, **at)
    capsys.readouterr()
    assert run(["show", child, *flags]) == 0
    said = capsys.readouterr().out
    assert "evidence level" in said
    assert "no class yet" in said
    assert f"{pushed}; 20 Wh with all of it" in said
    assert run(["show", pushed, *flags]) == 0
    assert "1 models, which took 10 Wh themselves" in capsys.readouterr().out


# The callback


@pytest.fixture
def trainer(tmp_path: Path) -> Any:
    """A function that trains two steps with callbacks; how many steps were done."""
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")

    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Linear(1, 1)

        def forward(self, x: Any) -> Any:  # x: (batch, 1)
            return {"loss": self.weight(x).pow(2).mean()}

    def train(*callbacks: Any) -> int:
        args = transformers.TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=2,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        made = transformers.Trainer(
            model=Line(), args=args, train_dataset=[{"x": torch.ones(1)}] * 4, callbacks=list(callbacks)
        )
        made.train()
        return int(made.state.global_step)

    return train


def test_a_training_does_not_begin_when_something_could_be_reused(
    pushed: str, at: dict[str, str], tmp_path: Path, trainer: Any
) -> None:
    from registry_client.tracking.callbacks.reuse import ReuseCheckCallback
    from registry_core.errors import Refused

    asked: dict[str, Any] = {"at_least": f"{metric_of(pushed)}=0.95", "path": tmp_path / "reuse-check.json", **at}
    with pytest.raises(Refused, match=pushed):
        trainer(ReuseCheckCallback(TASK, **asked))
    assert not asked["path"].exists()
    assert trainer(ReuseCheckCallback(TASK, train_anyway="ours is smaller", **asked)) == 2
    assert pushed in str(read_reuse_check(asked["path"]).why_not_reuse)


def test_a_training_goes_on_where_nobody_can_be_asked(tmp_path: Path, trainer: Any) -> None:
    from registry_client.tracking.callbacks.reuse import ReuseCheckCallback

    asking = ReuseCheckCallback(TASK, path=tmp_path / "model/reuse-check.json", **NOWHERE)
    assert trainer(asking) == 2
    found = read_reuse_check(tmp_path / "model/reuse-check.json")
    assert (found.decision, found.note) == ("train", "The registry could not be asked.")
    assert asking.found is not None
    with pytest.raises(RemoteFailed):
        check(TASK, **NOWHERE)
