"""What tracking costs a training: how much later its first step ends, and how much of a core it takes.

python benchmarks/tracking.py [--times 9] [--seconds 20]

Each figure is that of a process of its own, tracked and untracked in turn. The training is a small network in torch,
on one thread. The delay counts from before `track()` is called; the share of a core is the CPU time of a process that
does nothing but measure, from the first sample on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from measure import machine

DELAY_AIM_SECONDS, CORE_AIM_PERCENT = 0.3, 0.2


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--child", choices=["untracked", "tracked", "idle"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(CHILDREN[options.child](options.seconds)))
        return
    starts = [{name: _child(name, 0.5) for name in ("untracked", "tracked")} for _ in range(options.times)]
    idle = _child("idle", options.seconds)
    print(json.dumps({"machine": machine(), "first_step": _first_step(starts), "steady": idle}, indent=2))


def _child(name: str, seconds: float) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", name, "--seconds", str(seconds)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _first_step(starts: list[dict[str, Any]]) -> dict[str, Any]:
    def median(name: str, figure: str) -> float:
        return round(statistics.median(start[name][figure] for start in starts), 3)

    delays = [start["tracked"]["first_step_seconds"] - start["untracked"]["first_step_seconds"] for start in starts]
    return {
        "times": len(starts),
        "untracked_seconds": median("untracked", "first_step_seconds"),
        "tracked_seconds": median("tracked", "first_step_seconds"),
        "delay_seconds": round(statistics.median(delays), 3),
        "longest_delay_seconds": round(max(delays), 3),
        "delay_aim_seconds": DELAY_AIM_SECONDS,
        "untracked_steps_in_the_first_half_second": median("untracked", "steps"),
        "tracked_steps_in_the_first_half_second": median("tracked", "steps"),
    }


def untracked(seconds: float) -> dict[str, Any]:
    """When the first step ends, and how many follow."""
    step = _training()
    began = time.perf_counter()
    return _steps(step, began, seconds)


def tracked(seconds: float) -> dict[str, Any]:
    """The same under `track()`, which nobody called any earlier."""
    from registry_client import track

    step = _training()
    began = time.perf_counter()
    with track(task="other", license="MIT", country="FRA"):
        return _steps(step, began, seconds)


def idle(seconds: float) -> dict[str, Any]:
    """CPU time of a process that only measures: a training beside it would hide so little."""
    from registry_client import track

    with track(task="other", license="MIT", country="FRA", patience_seconds=None) as run:
        began, cpu = time.perf_counter(), time.process_time()
        time.sleep(seconds)
        share = (time.process_time() - cpu) / (time.perf_counter() - began)
    return {
        "seconds": seconds,
        "share_of_a_core_percent": round(100 * share, 3),
        "aim_percent": CORE_AIM_PERCENT,
        "energy_methods": run.summary().energy_methods,
    }


CHILDREN = {"untracked": untracked, "tracked": tracked, "idle": idle}


def _steps(step: Any, began: float, seconds: float) -> dict[str, Any]:
    step()
    first = time.perf_counter() - began
    steps, end = 1, began + seconds
    while time.perf_counter() < end:
        step()
        steps += 1
    return {"first_step_seconds": first, "steps": steps}


def _training() -> Any:
    """A function that trains a small network for one step."""
    import torch

    torch.set_num_threads(1)
    layers = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
    optimiser = torch.optim.Adam(layers.parameters())
    rows, labels = torch.randn(256, 256), torch.randint(10, (256,))  # (batch, features), (batch,)

    def step() -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(layers(rows), labels).backward()
        optimiser.step()

    step()  # the first step of a process loads what torch needs
    return step


if __name__ == "__main__":
    main()
