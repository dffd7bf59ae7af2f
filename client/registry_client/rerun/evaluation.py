"""How well a network does on samples, and what finding out took.

A metric is a function of ours from predictions and labels to a number; another one is one function more.

An evaluation of a small model is over long before a meter has seen anything, so under a meter it is
repeated until `MEASURED_SECONDS` have passed, and time and energy are divided by the repetitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from registry_client.rerun.datasets import Samples
from registry_client.rerun.devices import finish
from registry_client.tracking.measurement import Measurement, Span
from registry_client.tracking.meter import Meter
from registry_core.errors import Invalid

MEASURED_SECONDS = 2.0
BATCH = 1024

Metric = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation: its result, and its mean cost. `span` is about all repetitions."""

    value: float
    repeats: int
    duration_seconds: float
    energy_kwh: float | None
    span: Span


def accuracy(predicted: Tensor, labels: Tensor) -> float:  # (samples,), (samples,)
    """Share of the samples whose class was found."""
    return float((predicted == labels).double().mean())


METRICS: dict[str, Metric] = {"accuracy": accuracy}


def evaluate(network: nn.Module, samples: Samples, metric: str, device: torch.device) -> float:
    """The metric over all samples. Raises Invalid for an unknown metric, and when the samples do not fit."""
    if metric not in METRICS:
        raise Invalid(f"The metric {metric!r} is not known here.", hint=f"Known: {', '.join(sorted(METRICS))}.")
    labels = torch.from_numpy(samples.labels).to(device)
    return METRICS[metric](predict(network, torch.from_numpy(samples.features).to(device)), labels)


@torch.inference_mode()
def predict(network: nn.Module, features: Tensor) -> Tensor:  # (samples, features) -> (samples,)
    """The most likely class of each sample."""
    try:
        logits = torch.cat([network(batch) for batch in torch.split(features, BATCH)])  # (samples, classes)
    except RuntimeError as error:
        raise Invalid(f"The network cannot take these samples: {error}") from error
    return logits.argmax(dim=1)


def measured(evaluation: Callable[[], float], meter: Meter, device: torch.device) -> Evaluation:
    """Repeat an evaluation under a meter; its result is that of the first time."""
    value = evaluation()  # also warms up, so that nobody pays for the first call of a library
    finish(device)
    measurement = Measurement(meter)
    measurement.start()
    started, repeats = time.monotonic(), 0
    while repeats == 0 or time.monotonic() - started < MEASURED_SECONDS:
        evaluation()
        finish(device)
        repeats += 1
    span = measurement.stop()
    energy_kwh = span.reading.energy_kwh if span.reading else None
    return Evaluation(
        value=value,
        repeats=repeats,
        duration_seconds=span.wall_seconds / repeats,
        energy_kwh=None if energy_kwh is None else energy_kwh / repeats,
        span=span,
    )
