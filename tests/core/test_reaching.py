"""Scores to reach."""

from __future__ import annotations

import pytest

from registry_core.errors import InvalidWhere
from registry_core.reaching import AtLeast, parse_at_least


def test_a_score_to_reach_is_a_metric_and_a_number() -> None:
    assert parse_at_least(" accuracy = 0.95 ") == AtLeast("accuracy", 0.95)
    assert parse_at_least("rouge-l=-1e-3") == AtLeast("rouge-l", -0.001)
    assert parse_at_least("a=b=2") == AtLeast("a=b", 2.0)


@pytest.mark.parametrize("text", ["", "accuracy", "accuracy=", "=1", "accuracy=x", "accuracy=inf", "energy_kwh=1"])
def test_what_names_no_score_is_told(text: str) -> None:
    with pytest.raises(InvalidWhere, match="no score") as caught:
        parse_at_least(text)
    assert "accuracy=0.95" in caught.value.hint
