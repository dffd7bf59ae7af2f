"""`.eval_results/*.yaml`, the Hub's newer way to write down evaluations: read for the metrics of a model, and written.

An entry names a benchmark and a task in it, and not the metric: on the Hub, the benchmark knows it. Ours say it in
their notes, as `metric: accuracy; split: test`. Of an entry without, the task's id stands for the metric, and the
benchmark's name where the task is just `default`.
"""

from __future__ import annotations

import math
import re
from typing import Any

from registry_core import plain_yaml
from registry_core.card import Card, Score
from registry_core.readme import ClaimedMetric

FOLDER = ".eval_results"
OWN_FILE = f"{FOLDER}/footprint-card.yaml"
MAX_ENTRIES = 1000

_NOTE = re.compile(r"(?:^|;) *(metric|split|task): *([^;\n]{1,200})")


def read_eval_results(text: str) -> list[ClaimedMetric]:
    """The numbers of one file, in its order, without what cannot be read; a file that is no such thing has none."""
    try:
        document = plain_yaml.load(text)
    except plain_yaml.YamlFault:
        return []
    entries = document[:MAX_ENTRIES] if isinstance(document, list) else []
    return [claim for entry in entries if (claim := _claim(entry)) is not None]


def eval_results(card: Card) -> str:
    """The file for the card's quality; empty when it has none."""
    entries = [_entry(score) for score in card.quality or ()]
    return plain_yaml.dump(entries) if entries else ""


def _entry(score: Score) -> dict[str, Any]:
    dataset = {"id": score.dataset, "task_id": score.config or "default"}
    return {
        "dataset": {**dataset, **({"revision": score.revision} if score.revision else {})},
        "value": score.value,
        "notes": f"metric: {score.metric}; split: {score.split}; task: {score.task}",
    }


def _claim(entry: Any) -> ClaimedMetric | None:
    dataset = entry.get("dataset") if isinstance(entry, dict) else None
    if not isinstance(dataset, dict):
        return None
    name, task_id, value = dataset.get("id"), dataset.get("task_id"), entry.get("value")
    if not isinstance(name, str) or not isinstance(task_id, str) or not name or not task_id or not _is_number(value):
        return None
    notes = entry.get("notes")
    said = {key: text.strip() for key, text in _NOTE.findall(notes)} if isinstance(notes, str) else {}
    metric = said.get("metric") or (name.rpartition("/")[2] if task_id == "default" else task_id)
    return ClaimedMetric(said.get("task"), name, said.get("split"), metric[:200], float(value))


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value)
    )
