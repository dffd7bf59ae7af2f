"""A training by the Trainer of transformers that asks for a model to reuse before it begins.

asking = ReuseCheckCallback("text-classification", at_least="accuracy=0.9", train_anyway="ours must run offline")
Trainer(..., callbacks=[asking, FootprintCallback(track(..., output="model/footprint.json"))])
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from registry_client.check import check_if_reachable, decided
from registry_client.reuse_check import REUSE_CHECK_NAME, ReuseCheck
from registry_core.errors import Refused

logger = logging.getLogger(__name__)

_NOTHING_FOUND = "there was nothing to reuse"


class ReuseCheckCallback(TrainerCallback):
    """Asks the registry before the first step, and stops the training when something could be reused.

    With `train_anyway`, a reason, the training goes on whatever is found. The decision is written to `path`, where
    a card that is saved in the same folder finds it. Where the registry cannot be asked the training goes on,
    and the file says so. It stands first among the callbacks, so that nothing is measured of what does not begin.
    """

    def __init__(
        self,
        task: str,
        *,
        at_least: Sequence[str] | str = (),
        estimate_kwh: float | None = None,
        train_anyway: str | None = None,
        path: str | Path = REUSE_CHECK_NAME,
        endpoint: str | None = None,
        token: str | None = None,
    ) -> None:
        self._asked: dict[str, Any] = {
            "at_least": at_least,
            "estimate_kwh": estimate_kwh,
            "endpoint": endpoint,
            "token": token,
        }
        self._task, self._train_anyway, self._path = task, train_anyway, Path(path)
        self.found: ReuseCheck | None = None
        """What was found; None before the training begins."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Raises Refused, before anything is trained, when something could be reused and no reason is given."""
        self.found = check_if_reachable(self._task, **self._asked)
        if self.found.candidates and self._train_anyway is None:
            best = self.found.candidates[0].peer.id
            raise Refused(
                f"{best} could be reused instead of training; {len(self.found.candidates)} in all.",
                hint=f"Look at it with `registry show {best}`, or give train_anyway= with the reason.",
            )
        if self.found.note is not None:
            logger.warning("%s The training goes on.", self.found.note)
        if state.is_world_process_zero:
            decided(self.found, train_anyway=self._train_anyway or _NOTHING_FOUND).save(self._path)
