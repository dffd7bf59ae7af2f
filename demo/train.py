"""Train a multilayer perceptron on scikit-learn's digits under a meter, and leave a folder that is ready to push.

python demo/train.py build/my-model --hidden 64 --seconds 6 --country FRA
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from registry_client import track

RECIPE = """\
task: image-classification
dataset: {package: scikit-learn, name: digits}
split: {seed: 0, test_fraction: 0.25}
metric: accuracy
n: 450
"""
BATCH = 128
LEARNING_RATE = 2e-3
LEAST_STEPS = 300  # on a computer that is busy elsewhere, time alone would not teach a network much


def main() -> None:
    arguments = parsed()
    # The meter looks for its sensors while torch and the data are loaded, so the training waits for nothing.
    tracker = track(
        task="image-classification",
        license="Apache-2.0",
        country=arguments.country,
        tags=["digits", "mlp"],
        data_sources=["scikit-learn/digits"],
        personal_data="none",
        patience_seconds=None,  # trainings this short are measured from their first moment
    )
    train_and_save(arguments, tracker)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a classifier of digits for a given time.")
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--hidden", type=int, nargs="+", default=[64], help="width of each hidden layer")
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--seconds", type=float, default=6.0, help="how long to train")
    parser.add_argument("--country", help="where this computer stands, ISO 3166-1 alpha-3")
    return parser.parse_args()


def train_and_save(arguments: argparse.Namespace, tracker: Any) -> None:
    import torch
    from safetensors.torch import save_file

    from registry_client.rerun.datasets import SPLIT, dataset_id, held_out
    from registry_client.rerun.evaluation import evaluate
    from registry_client.rerun.families import build
    from registry_core.recipe import parse_recipe

    recipe = parse_recipe(RECIPE)
    training, test = held_out(recipe)
    config = {
        "model_type": "mlp",
        "input_features": 64,
        "hidden_features": arguments.hidden,
        "output_features": 10,
        "dropout": arguments.dropout,
        "activation": "relu",
        "input_scale": 16.0,
    }
    torch.manual_seed(0)
    torch.set_num_threads(1)  # layers this small lose more time to threads than they gain
    network = build(config).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    with tracker as run:
        steps = fit(network, optimiser, training, arguments.seconds)
    accuracy = evaluate(network.eval(), test, recipe.metric, torch.device("cpu"))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), arguments.folder / "model.safetensors")
    (arguments.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (arguments.folder / "evaluation.yaml").write_text(RECIPE)
    run.quality(recipe.metric, accuracy, dataset=dataset_id(recipe), split=SPLIT, n=len(test), seed=0)
    run.save(arguments.folder)
    seconds = run.summary().duration_seconds
    print(json.dumps({"accuracy": accuracy, "steps": steps, "duration_seconds": seconds}))


def fit(network: Any, optimiser: Any, samples: Any, seconds: float) -> int:
    """Train until the time is over and enough steps are done; the number of steps."""
    import torch
    from torch.nn.functional import cross_entropy

    features = torch.from_numpy(samples.features)  # (samples, 64)
    labels = torch.from_numpy(samples.labels)  # (samples,)
    end, steps = time.monotonic() + seconds, 0
    while time.monotonic() < end or steps < LEAST_STEPS:
        rows = torch.randint(len(labels), (BATCH,))
        optimiser.zero_grad()
        cross_entropy(network(features[rows]), labels[rows]).backward()
        optimiser.step()
        steps += 1
    return steps


if __name__ == "__main__":
    main()
