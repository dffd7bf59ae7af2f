"""Rerunning a model: a claim that holds, one that does not, and models that cannot be run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from registry_client import cli, track
from registry_client.pull import PullResult
from registry_client.rerun import MODEL_TYPES, datasets, devices, evaluation, families, rerunning
from registry_client.rerun.loading import Pulled, required
from registry_client.rerun.weights import load_network
from registry_client.tracking.codecarbon_meter import CodeCarbonMeter
from registry_client.tracking.meter import Device, PartEnergy, Reading
from registry_core.errors import Invalid, InvalidWeights, MeasurementFailed, NotFound
from registry_core.recipe import Recipe, parse_recipe
from registry_core.records import Rerun, RerunReport

CPU = torch.device("cpu")
RECIPE = """\
task: image-classification
dataset: {package: scikit-learn, name: digits}
split: {seed: 0, test_fraction: 0.25}
metric: accuracy
n: 450
"""
CONFIG = {
    "model_type": "mlp",
    "input_features": 64,
    "hidden_features": [16],
    "output_features": 10,
    "dropout": 0.2,
    "activation": "relu",
    "input_scale": 16.0,
}


class ConstantMeter:
    """A machine that always draws 36 W, by its counter."""

    def prepare(self) -> None:
        pass

    def start(self) -> None:
        self.started = time.monotonic()

    def stop(self) -> Reading:
        seconds = time.monotonic() - self.started
        parts = {"cpu": PartEnergy(36.0 * seconds / 3.6e6, "rapl_package")}
        return Reading(seconds, parts, (Device("cpu", "Quiet CPU", 1),), "constant", "1")  # type: ignore[arg-type]


class BrokenMeter(ConstantMeter):
    def stop(self) -> Reading:
        raise MeasurementFailed("The counter went backwards.")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network, trained for a moment, with its claim and its recipe."""
    folder = tmp_path_factory.mktemp("trained")
    training, test = datasets.held_out(parse_recipe(RECIPE))
    torch.manual_seed(0)
    torch.set_num_threads(1)  # other tests run beside this one
    network = families.build(CONFIG)
    with track(task="image-classification", license="MIT", country="FRA", meter=ConstantMeter()) as run:
        fit(network, training, steps=300)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "evaluation.yaml").write_text(RECIPE)
    accuracy = evaluation.evaluate(network.eval(), test, "accuracy", CPU)
    run.quality("accuracy", accuracy, dataset="scikit-learn/digits", split="test", n=450)
    run.save(folder)
    return folder


def fit(network: torch.nn.Module, samples: datasets.Samples, steps: int) -> None:
    features, labels = torch.from_numpy(samples.features), torch.from_numpy(samples.labels)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(features), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained model, to do things to."""
    return Path(shutil.copytree(trained, tmp_path / "model"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MEASURED_SECONDS", 0.05)


def pulled(folder: Path) -> Pulled:
    """The folder as if it had just been pulled."""
    result = PullResult("demo/digits", "main", "1" * 40, str(folder), 4, 1, 4, ["sha256"])
    return Pulled(result, folder, families.parse_config(required(folder, "config.json", "")))


def report_on(folder: Path, meter: Any = None) -> RerunReport:
    return rerunning.evaluated(pulled(folder), CPU, meter or ConstantMeter())[0]


def claim(folder: Path, value: float) -> None:
    """Change what the card claims."""
    card = json.loads((folder / "footprint.json").read_text())
    card["quality"][0]["value"] = value
    (folder / "footprint.json").write_text(json.dumps(card))


@pytest.mark.usefixtures("quick")
def test_a_claim_that_holds_passes(folder: Path) -> None:
    report = report_on(folder)
    assert report.verdict == "pass"
    assert report.reason is None
    assert report.observed == report.claimed > 0.85
    assert (report.n, report.device, report.device_name) == (450, "cpu", "Quiet CPU")
    assert report.energy_source == "measured"
    assert report.energy_methods == {"cpu": "rapl_package"}
    assert report.software["torch"] == torch.__version__


@pytest.mark.usefixtures("quick")
def test_energy_and_time_are_those_of_one_evaluation(folder: Path) -> None:
    report, repeats = rerunning.evaluated(pulled(folder), CPU, ConstantMeter())
    assert repeats > 1
    assert report.duration_seconds < 0.05
    assert report.energy_kwh == pytest.approx(36.0 * report.duration_seconds / 3.6e6, rel=0.5)


@pytest.mark.usefixtures("quick")
def test_a_claim_too_good_to_be_true_fails_with_a_reason(folder: Path) -> None:
    claim(folder, 0.999)
    report = report_on(folder)
    assert report.verdict == "fail"
    assert report.reason
    assert "differs from the claim" in report.reason


@pytest.mark.usefixtures("quick")
def test_energy_that_could_not_be_measured_is_absent_and_says_why(folder: Path) -> None:
    report = report_on(folder, BrokenMeter())
    assert report.verdict == "pass"
    assert report.energy_kwh is None
    assert report.energy_source is None
    assert report.reason == "no energy: The counter went backwards."


def test_codecarbon_measures_an_evaluation(folder: Path) -> None:
    report = report_on(folder, CodeCarbonMeter())
    assert report.energy_kwh
    assert report.energy_kwh > 0
    assert "cpu" in report.energy_methods


def test_without_codecarbon_the_claim_is_checked_and_the_energy_absent(folder: Path) -> None:
    program = (
        "import sys; sys.modules['codecarbon'] = None\n"
        "import torch; from pathlib import Path\n"
        "from registry_client.pull import PullResult\n"
        "from registry_client.rerun import evaluation, loading, rerunning\n"
        "from registry_client.rerun.families import parse_config\n"
        "evaluation.MEASURED_SECONDS = 0.05\n"
        "folder = Path(sys.argv[1])\n"
        "result = PullResult('demo/digits', 'main', '1' * 40, str(folder), 4, 1, 4, ['sha256'])\n"
        "rerunning.pulled_model = lambda *_, **__: loading.Pulled(\n"
        "    result, folder, parse_config((folder / 'config.json').read_bytes()))\n"
        "report = rerunning.rerun('demo/digits', device='cpu', post=False).report\n"
        "print(report.verdict, report.energy_kwh, report.reason)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pass None no energy: codecarbon is not installed")
    assert "pip install 'model-commons[track]'" in done.stdout


def test_a_model_without_a_recipe_says_what_to_add(folder: Path) -> None:
    (folder / "evaluation.yaml").unlink()
    with pytest.raises(NotFound) as caught:
        report_on(folder)
    assert "evaluation.yaml" in caught.value.message
    assert "dataset:" in caught.value.hint


def test_a_card_without_a_fitting_claim_is_not_found(folder: Path) -> None:
    recipe = RECIPE.replace("name: digits", "name: wine").replace("n: 450", "n: 45")
    (folder / "evaluation.yaml").write_text(recipe)
    with pytest.raises(NotFound, match=r"claims no accuracy on scikit-learn/wine") as caught:
        report_on(folder)
    assert caught.value.faults == ("it claims accuracy on scikit-learn/digits, split test",)


def test_a_card_without_any_claim_says_what_to_add(folder: Path) -> None:
    card = json.loads((folder / "footprint.json").read_text())
    del card["quality"]
    (folder / "footprint.json").write_text(json.dumps(card))
    with pytest.raises(NotFound, match="claims no result") as caught:
        report_on(folder)
    assert "run.quality()" in caught.value.hint


def test_a_recipe_whose_n_is_not_that_of_its_split_is_refused(folder: Path) -> None:
    (folder / "evaluation.yaml").write_text(RECIPE.replace("n: 450", "n: 449"))
    with pytest.raises(Invalid, match="449"):
        report_on(folder)


def test_weights_that_do_not_fit_are_named_one_by_one(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["layers.0.weight"] = torch.zeros(17, 64)
    tensors["layers.0.bias"] = tensors["layers.0.bias"].half()
    tensors["extra"] = torch.zeros(1)
    del tensors["layers.3.bias"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InvalidWeights) as caught:
        load_network(CONFIG, folder, CPU)
    assert sorted(caught.value.faults) == [
        "extra is not part of the network",
        "layers.0.bias has dtype F16, the network F32",
        "layers.0.weight has shape [17, 64], the network [16, 64]",
        "layers.3.bias is missing",
    ]


def test_a_config_cannot_ask_for_more_memory_than_the_file_holds(folder: Path) -> None:
    with pytest.raises(InvalidWeights):
        load_network({**CONFIG, "hidden_features": [1_000_000, 1_000_000]}, folder, CPU)


def test_pickled_weights_are_not_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(NotFound, match=r"no model\.safetensors"):
        load_network(CONFIG, folder, CPU)


@pytest.mark.parametrize("index", [True, False])
def test_weights_in_several_files_are_refused(folder: Path, index: bool) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    if index:
        (folder / "model-00001-of-00002.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(Invalid, match="several files") as caught:
        load_network(CONFIG, folder, CPU)
    assert "one model.safetensors" in caught.value.hint


def test_the_families_are_known_without_torch() -> None:
    assert families.families() == sorted(MODEL_TYPES)
    with pytest.raises(ValueError, match="MODEL_TYPES"):
        families.family("tiny", families.FamilyConfig)


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid) as caught:
        families.build({"model_type": "transformer-xl", "auto_map": {"AutoModel": "evil.py"}})
    assert "mlp" in caught.value.hint


def test_all_faults_of_a_configuration_are_named() -> None:
    with pytest.raises(Invalid) as caught:
        families.build({**CONFIG, "dropout": 1.5, "activation": "exec", "hidden_features": ["many"]})
    assert {fault.partition(":")[0] for fault in caught.value.faults} == {
        "dropout",
        "activation",
        "hidden_features[0]",
    }


def test_a_device_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    missing = [name for name in ("cuda", "mps") if not devices.is_available(name)]
    assert missing, "no computer has both"
    assert cli.run(["rerun", "demo/digits", "--device", missing[0]]) == 2
    assert f"no {missing[0]} device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "code", "next_step"),
    [
        (
            "pass",
            0,
            "registry reuse state demo/digits@0123456789ab --task image-classification --alternative train-own",
        ),
        ("fail", 1, "registry show demo/digits@v1"),
    ],
)
def test_who_repeated_a_result_is_told_how_to_state_its_reuse(
    verdict: Any, code: int, next_step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = RerunReport(
        **{"commit_id": "0123456789abcdef" * 2 + "01234567", "task": "image-classification", "dataset": "digits"},
        **{"split": "test", "metric": "accuracy", "claimed": 0.9, "observed": 0.9, "tolerance": 0.1, "n": 10},
        **{"verdict": verdict, "duration_seconds": 1.0, "energy_kwh": None, "energy_source": None},
    )
    stored = Rerun(1, "bob", "2026-11-22T10:00:00Z", report)
    found = rerunning.RerunResult("demo/digits", "v1", report, 1, stored)
    monkeypatch.setattr(sys.modules["registry_client.rerun"], "rerun", lambda *_, **__: found)
    assert cli.run(["rerun", "demo/digits@v1"]) == code
    assert capsys.readouterr().err.splitlines()[-1] == f"Next: {next_step}"


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in [name for name in sys.modules if name.startswith("registry_client.rerun.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.run(["rerun", "demo/digits"]) == 2
    assert "pip install 'model-commons[rerun]'" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "n"), [("digits", 450), ("iris", 38), ("wine", 45), ("breast_cancer", 143)])
def test_a_split_is_the_same_every_time(name: str, n: int) -> None:
    recipe = recipe_for(name, n)
    (training, test), (_, again) = datasets.held_out(recipe), datasets.held_out(recipe)
    assert len(test) == n
    assert (test.features == again.features).all()
    assert len(training) + len(test) > 3 * n
    other = replace(test, labels=datasets.held_out(recipe_for(name, n, seed=1))[1].labels)
    assert (other.labels != test.labels).any()


def recipe_for(name: str, n: int, seed: int = 0) -> Recipe:
    return parse_recipe(RECIPE.replace("digits", name).replace("450", str(n)).replace("seed: 0", f"seed: {seed}"))


@pytest.mark.gpu
@pytest.mark.usefixtures("quick")
def test_a_claim_made_on_a_cpu_holds_on_a_gpu(folder: Path) -> None:
    if not devices.is_available("cuda"):
        pytest.skip("needs a CUDA device")
    report, _ = rerunning.evaluated(pulled(folder), devices.choose("cuda"), CodeCarbonMeter())
    assert (report.verdict, report.device) == ("pass", "cuda")
    assert "gpu" in report.energy_methods
