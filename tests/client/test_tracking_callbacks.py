"""Footprints of trainings by transformers and Lightning: real trainings, of a second, on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.client.meters import save_weights, tracker
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from registry_core.card import Card, parse_card

REPORTED: dict[str, Any] = {"dataset": "a/digits", "split": "validation", "name": "accuracy"}

# These libraries use what others have deprecated; that is no fault of ours, and no test of it.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(torch|lightning|transformers|accelerate).*"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(torch|lightning|transformers|accelerate).*"),
]


class Rows(Dataset[dict[str, Tensor]]):
    """Sixteen sequences of four tokens, as the Trainer wants them."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"input_ids": torch.arange(index, index + 4) % 8, "labels": torch.tensor(index % 2)}


def card_in(folder: Path) -> Card:
    return parse_card((folder / "footprint.json").read_bytes())


def trained_by_transformers(folder: Path, callback: Any, **arguments: Any) -> Any:
    from transformers import PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments
    from transformers.modeling_outputs import SequenceClassifierOutput

    class Tiny(PreTrainedModel):  # type: ignore[misc,unused-ignore]
        config_class = PretrainedConfig
        main_input_name = "input_ids"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.embedding = nn.Embedding(8, 4)
            self.head = nn.Linear(4, 2)
            self.post_init()

        def forward(self, input_ids: Tensor, labels: Tensor | None = None) -> SequenceClassifierOutput:
            logits = self.head(self.embedding(input_ids).mean(dim=1))  # (batch, classes)
            loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
            return SequenceClassifierOutput(loss=loss, logits=logits)

    def accuracy(found: Any) -> dict[str, float]:
        return {"accuracy": float((found.predictions.argmax(axis=1) == found.label_ids).mean())}

    trainer = Trainer(
        model=Tiny(PretrainedConfig()),
        args=TrainingArguments(
            output_dir=str(folder / "checkpoints"),
            max_steps=4,
            per_device_train_batch_size=4,
            report_to=[],
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
            dataloader_pin_memory=False,
            include_num_input_tokens_seen="all",
            **arguments,
        ),
        train_dataset=Rows(),
        eval_dataset=Rows(),
        compute_metrics=accuracy,
        callbacks=[callback],
    )
    trainer.train()
    return trainer


def test_trainer_of_transformers_writes_a_card_with_what_it_counted(tmp_path: Path) -> None:
    from registry_client.tracking.callbacks.transformers import FootprintCallback, Reported

    save_weights(tmp_path)
    callback = FootprintCallback(
        tracker(output=tmp_path / "footprint.json"),
        Reported("eval_accuracy", **REPORTED),
    )
    trainer = trained_by_transformers(tmp_path, callback)
    phase = card_in(tmp_path).phases[0]
    assert phase.energy_it
    assert phase.tokens
    assert phase.tokens.value == 4 * 4 * 4
    assert phase.compute_flop
    assert phase.compute_flop.value == trainer.state.total_flos > 0
    assert (phase.compute_flop.source, phase.compute_flop_kind) == ("estimated", "gross")
    assert card_in(tmp_path).quality is None

    results = trainer.evaluate()  # after the training: the card that is there learns of it
    card = card_in(tmp_path)
    assert card.quality
    assert [(score.metric, score.value, score.n) for score in card.quality] == [
        ("accuracy", results["eval_accuracy"], 16)
    ]
    assert card.quality[0].split == "validation"
    assert len(card.phases) == 1


def test_of_several_evaluations_the_last_one_counts(tmp_path: Path) -> None:
    from registry_client.tracking.callbacks.transformers import FootprintCallback, Reported

    save_weights(tmp_path)
    callback = FootprintCallback(
        tracker(output=tmp_path / "footprint.json"),
        Reported("eval_accuracy", **REPORTED),
    )
    trainer = trained_by_transformers(tmp_path, callback, eval_strategy="steps", eval_steps=2)
    evaluated = [entry["eval_accuracy"] for entry in trainer.state.log_history if "eval_accuracy" in entry]
    assert len(evaluated) == 2
    card = card_in(tmp_path)
    assert card.quality
    assert [score.value for score in card.quality] == evaluated[-1:]


def lightning_module() -> Any:
    from lightning.pytorch import LightningModule

    class Tiny(LightningModule):  # type: ignore[misc,unused-ignore]
        def __init__(self, fails: bool = False) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)
            self.fails = fails

        def training_step(self, batch: list[Tensor], number: int) -> Tensor:
            if self.fails:
                raise ZeroDivisionError
            return nn.functional.cross_entropy(self.layer(batch[0]), batch[1])

        def validation_step(self, batch: list[Tensor], number: int) -> None:
            self.log("val_accuracy", (self.layer(batch[0]).argmax(dim=1) == batch[1]).double().mean())

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    return Tiny


def trained_by_lightning(folder: Path, callback: Any, module: Any) -> None:
    from lightning.pytorch import Trainer

    rows = TensorDataset(torch.randn(16, 4), torch.arange(16) % 2)
    trainer = Trainer(
        default_root_dir=folder,
        max_epochs=2,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        callbacks=[callback],
    )
    trainer.fit(module, DataLoader(rows, batch_size=4), DataLoader(rows, batch_size=4))


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*:UserWarning")
def test_lightning_writes_a_card_with_its_last_validation(tmp_path: Path) -> None:
    from registry_client.tracking.callbacks.lightning import FootprintCallback, Reported

    save_weights(tmp_path)
    callback = FootprintCallback(
        tracker(output=tmp_path / "footprint.json"),
        Reported("val_accuracy", **REPORTED),
    )
    trained_by_lightning(tmp_path, callback, lightning_module()())
    card = card_in(tmp_path)
    assert card.phases[0].energy_it
    assert card.quality
    assert [(score.metric, score.n) for score in card.quality] == [("accuracy", 16)]
    assert callback.run
    assert callback.run.summary().duration_seconds > 0


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*:UserWarning")
def test_a_training_of_lightning_that_fails_leaves_no_card(tmp_path: Path) -> None:
    from registry_client.tracking.callbacks.lightning import FootprintCallback

    callback = FootprintCallback(tracker(output=tmp_path / "footprint.json"))
    with pytest.raises(ZeroDivisionError):
        trained_by_lightning(tmp_path, callback, lightning_module()(fails=True))
    assert not (tmp_path / "footprint.json").exists()


def test_a_process_that_is_not_the_first_measures_only_for_a_fragment(tmp_path: Path) -> None:
    from registry_client.tracking.callbacks.reporting import Reporter

    alone = Reporter(tracker(output=tmp_path / "footprint.json"), None)
    alone.begin(is_first=False)
    assert alone.run is None
    alone.end()
    shared = Reporter(tracker(fragments=tmp_path / "fragments"), None)
    shared.begin(is_first=False)
    shared.end()
    assert [path.suffix for path in sorted((tmp_path / "fragments").glob("fragment-*"))] == [".json"]
    assert not (tmp_path / "footprint.json").exists()
