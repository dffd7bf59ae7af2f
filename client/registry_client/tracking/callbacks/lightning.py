"""The footprint of a training by Lightning.

reported = Reported("val_accuracy", dataset="imdb", name="accuracy", split="validation")
Trainer(..., callbacks=[FootprintCallback(track(..., output="model/footprint.json"), reported)])
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from registry_client.tracking.callbacks.reporting import Reported, Reporter, samples_in
from registry_client.tracking.run import Run
from registry_client.tracking.tracker import Tracker

__all__ = ["FootprintCallback", "Reported"]


class FootprintCallback(Callback):
    """Measures from the begin of the training to its end, and writes the card as the tracker says.

    The result of the last validation or test is stated, also of a test after the training. After an error no card
    is written.
    """

    def __init__(self, tracker: Tracker, reported: Reported | None = None) -> None:
        self._reporter = Reporter(tracker, reported)

    @property
    def run(self) -> Run | None:
        """The run; None before the training begins."""
        return self._reporter.run

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reporter.begin(is_first=trainer.is_global_zero)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reporter.end()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._reporter.end(exception)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._state(trainer, trainer.val_dataloaders)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._state(trainer, trainer.test_dataloaders)

    def _state(self, trainer: Trainer, loaders: Any) -> None:
        self._reporter.evaluated(trainer.callback_metrics, samples_in(loaders))
