"""One large comparison group over HTTP: layers, candidates, the page; and a snapshot of its energy classes.

python benchmarks/groups.py [--models 10000] [--level E1] [--times 21]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import httpx2
from catalog import DATASETS, TASKS, card
from measure import machine, served, timed

from registry_core.ids import RepoId
from registry_server.app import open_registry
from registry_server.catalog import accounts, cards, repos
from registry_server.settings import from_environment
from registry_server.usecases.classing import take_snapshot

API = "/api/registry/v1"
QUERIES = {
    "groups of the task": f"{API}/groups?task={TASKS[0]}",
    "layers, 100 shown": f"{API}/pareto?task={TASKS[0]}",
    "layers, 1000 shown": f"{API}/pareto?task={TASKS[0]}&limit=1000",
    "candidates": f"{API}/candidates?task={TASKS[0]}&at_least=accuracy%3D0.95",
    "page of the front": f"/pareto?task={TASKS[0]}",
}


def load(data: Path, models: int, level: str) -> float:
    """Fill the catalog with one group; how long a snapshot of its classes takes, in seconds."""
    registry = open_registry(from_environment(data))
    chance = random.Random(7)
    with registry.engine.write() as tx:
        owner = accounts.add(tx, "org", "org", is_admin=False, at=registry.stamp()).id
        for number in range(models):
            repo = repos.add(tx, "model", RepoId(f"org/m-{number}"), owner, private=False, at=registry.stamp())
            # As many steps as there are tasks and data sets lead to the same of both.
            made = card(chance, ["text"], number * len(TASKS) * DATASETS)
            cards.index(tx, repo.row_id, replace(made, level=level))
    start = time.perf_counter()
    take_snapshot(registry)
    seconds = time.perf_counter() - start
    registry.engine.close()
    return seconds


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=21)
    parser.add_argument(
        "--level", default="E1", help="evidence level of the cards; E2 makes all of them peers of classes"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        snapshot_seconds = load(data, options.models, options.level)
        with served(data) as server, httpx2.Client(base_url=server.endpoint, timeout=60) as client:
            found = {
                name: timed(lambda address=address: client.get(address).raise_for_status(), times=options.times)
                for name, address in QUERIES.items()
            }
            # Rankings are remembered for strangers alone: this is what the first of them waits for.
            named = {"Authorization": f"Bearer {server.add_user('reader')}"}
            layers = f"{API}/pareto?task={TASKS[0]}"
            found["layers, 100 shown, not remembered"] = timed(
                lambda: client.get(layers, headers=named).raise_for_status(), times=options.times
            )
    sizes = {"models": options.models, "level": options.level, "snapshot_seconds": round(snapshot_seconds, 1)}
    print(json.dumps({"machine": machine(), **sizes, **found}, indent=2))


if __name__ == "__main__":
    main()
