"""The footprint of a training by the Trainer of transformers.

reported = Reported("eval_accuracy", dataset="imdb", name="accuracy")
Trainer(..., callbacks=[FootprintCallback(track(..., output="model/footprint.json"), reported)])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from registry_client.tracking.callbacks.reporting import Reported, Reporter, samples_in
from registry_client.tracking.run import Run
from registry_client.tracking.tracker import Tracker

__all__ = ["FootprintCallback", "Reported"]


class FootprintCallback(TrainerCallback):
    """Measures from the begin of the training to its end, and writes the card as the tracker says.

    FLOP and tokens are those that the Trainer counts; it counts tokens with `include_num_input_tokens_seen`. The
    result of the last evaluation is stated, also of one after the training.
    """

    def __init__(self, tracker: Tracker, reported: Reported | None = None) -> None:
        self._reporter = Reporter(tracker, reported)

    @property
    def run(self) -> Run | None:
        """The run; None before the training begins."""
        return self._reporter.run

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._reporter.begin(is_first=state.is_world_process_zero)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.run is not None:
            self.run.work(
                tokens=state.num_input_tokens_seen or None,
                compute_flop=state.total_flos or None,
                method="trainer_total_flos",
            )
        self._reporter.end()

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._reporter.evaluated(metrics or {}, samples_in(kwargs.get("eval_dataloader")))
