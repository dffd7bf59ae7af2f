"""Claims of a reuse to test with: one that counts fully, and changes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from tests.core.peers import kwh

from registry_core.reuse import Claim, Evidence, Maker, Reused, Statement

START = date(2026, 1, 15)
BASE = Maker("lab/base", "lab", "lab-org", 90.0)
TUNED = Maker("shop/tuned", "shop", "shop-org", 30.0)


def claim(id: str = "1", **changes: Any) -> Claim:
    """100 kWh not used, a cancelled job, 10 kWh spent; `changes` go to whichever part has the field."""
    statement: dict[str, Any] = {
        "made_on": START,
        "account": "ann",
        "team": "users",
        "organisation": "users-org",
        "artifact": "tuned-card",
        "task": "image-classification",
        "alternative": "train_own",
        "signature_valid": True,
        "cancelled_job": "job 7",
    }
    statement = {name: changes.pop(name, value) for name, value in statement.items()}
    reused: dict[str, Any] = {
        "digest": statement["artifact"],
        "root": "lab/base",
        "created_on": date(2025, 6, 1),
        "chain": (TUNED, BASE),
    }
    reused = {name: changes.pop(name, value) for name, value in reused.items()}
    evidence = Evidence(
        kind="card",
        reference=f"card of {id}",
        artifact=statement["artifact"],
        organisation=statement["organisation"],
        made_on=statement["made_on"],
    )
    found = Claim(
        id=id,
        reused=Reused(**reused),
        statement=Statement(**statement),
        evidence=evidence,
        counterfactual_kwh=kwh(100, 80, 120, "estimated"),
        spent_kwh=kwh(10, 8, 12),
        intensity_g_per_kwh=kwh(50, 40, 60, "estimated"),
    )
    return replace(found, **changes)


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    """Claims of a few organisations, models and days, of all amounts, so that they often meet each other."""
    makers = [Maker(f"m{i}", f"team{i}", f"org{i % 2}", draw(st.none() | st.floats(0, 100))) for i in range(4)]
    return [_claim(draw, str(index), makers) for index in range(draw(st.integers(0, 7)))]


def _claim(draw: st.DrawFn, id: str, makers: list[Maker]) -> Claim:
    chain = tuple(draw(st.lists(st.sampled_from(makers), min_size=1, max_size=3, unique=True)))
    who = draw(st.sampled_from("abc"))
    return claim(
        id,
        made_on=START + timedelta(days=draw(st.integers(0, 1000))),
        organisation=who,
        team=draw(st.sampled_from([who, "team1"])),
        task=draw(st.sampled_from(["t1", "t2"])),
        cancelled_job=draw(st.sampled_from([None, "job"])),
        chain=chain,
        root=draw(st.sampled_from(["m0", "m1"])),
        counterfactual_kwh=kwh(*_three(draw)),
        spent_kwh=kwh(*_three(draw)),
        intensity_g_per_kwh=draw(st.sampled_from([None, kwh(50, 40, 60)])),
    )


def _three(draw: st.DrawFn) -> tuple[float, float, float]:
    low, value, high = sorted(draw(st.tuples(*[st.floats(0, 1000)] * 3)))
    return value, low, high
