"""What `--at-least` asks for: the models that reach a score, one standard error of it to spare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from registry_core.errors import InvalidWhere
from registry_core.where import is_metric_name


@dataclass(frozen=True)
class AtLeast:
    """A score to be reached; where lower is better, at most that score."""

    metric: str
    score: float


def parse_at_least(text: str) -> AtLeast:
    """The score that `text` names, such as `accuracy=0.95`. Raises InvalidWhere."""
    metric, equals, number = text.strip().rpartition("=")
    metric = metric.strip()
    try:
        score = float(number)
    except ValueError:
        score = math.nan
    if not equals or not is_metric_name(metric) or not math.isfinite(score):
        raise InvalidWhere(f"{text[:80]!r} names no score to reach.", hint="Write for example: accuracy=0.95")
    return AtLeast(metric, score)
