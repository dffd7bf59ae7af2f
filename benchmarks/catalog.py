"""The catalog with many models: start-up, idle memory, list and find over HTTP.

    python benchmarks/catalog.py [--models 10000]

Rows are loaded through `catalog/` in bulk; cards are synthetic, from a fixed seed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx2
from measure import machine, memory_bytes, served, timed

from registry_server.app import open_registry
from registry_server.catalog import accounts, cards, repos
from registry_server.catalog.cards import CardIndex, MetricEntry
from registry_server.settings import from_environment

TASKS = (
    "image-classification text-classification translation summarization fill-mask token-classification"
    " question-answering text-generation"
).split()
WORDS = [f"word{i}" for i in range(2000)]

QUERIES: dict[str, str] = {
    "list, first page": "/api/registry/v1/find?limit=20",
    "find: task + two numbers + sort": "/api/registry/v1/find?"
    + urlencode(
        {"task": "translation", "where": "accuracy >= 0.85 and energy_kwh <= 2", "sort": "energy", "limit": 20}
    ),
    "find: rare word + two numbers + sort": "/api/registry/v1/find?"
    + urlencode({"q": "zebrafish", "where": "accuracy >= 0.85 and energy_kwh <= 2", "sort": "energy", "limit": 20}),
    "Hub list, 20": "/api/models?limit=20",
    "Hub list by tag, sorted": "/api/models?filter=tag7&sort=lastModified&limit=20",
    "web page": "/?limit=20",
}


def load(data: Path, models: int) -> float:
    """Fill the catalog; answers the seconds it took."""
    registry = open_registry(from_environment(data))
    chance = random.Random(7)
    start = time.perf_counter()
    with registry.engine.write() as tx:
        owner = accounts.add(tx, "bench", "user", is_admin=False, at=registry.stamp())
        for number in range(models):
            at = f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}T00:00:00.000Z"
            repo = repos.add(tx, "model", repos.RepoId(f"bench/model-{number}"), owner.id, private=False, at=at)
            cards.index(tx, repo.row_id, _card(chance, number))
    return time.perf_counter() - start


def _card(chance: random.Random, number: int) -> CardIndex:
    task = TASKS[number % len(TASKS)]
    energy_kwh = chance.lognormvariate(0, 2)
    accuracy = chance.uniform(0.5, 1)
    # Word frequencies fall as in texts; one word in a thousand cards is rare.
    words = [WORDS[min(int(chance.paretovariate(0.7)), len(WORDS) - 1)] for _ in range(15)]
    return CardIndex(
        commit_oid=number.to_bytes(20, "big"),
        task=task,
        library="transformers",
        license="apache-2.0",
        parameters=chance.randrange(10**5, 10**9),
        size_bytes=chance.randrange(10**6, 10**10),
        energy_kwh=energy_kwh,
        co2e_kg=energy_kwh * 0.4,
        duration_seconds=chance.uniform(60, 10**6),
        energy_source="estimated",
        footprint_status="complete",
        card_data={"license": "apache-2.0", "pipeline_tag": task},
        metrics=[MetricEntry(task, "accuracy", "bench", "test", accuracy, leads_task=True, leads_model=True)],
        tags=[f"tag{number % 50}", task, "transformers"],
        body=" ".join([*words, "zebrafish"] if number % 1000 == 0 else words),
    )


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        load_seconds = load(data, options.models)
        starts = []
        for _ in range(3):
            with served(data) as server:
                starts.append(server.ready_seconds)
        with served(data) as server, httpx2.Client(base_url=server.endpoint) as client:
            time.sleep(5)
            idle_bytes = memory_bytes(server.pid)
            figures = {
                name: timed(lambda address=address: client.get(address).raise_for_status(), times=options.times)
                for name, address in QUERIES.items()
            }
            floor = timed(lambda: client.get("/api/agent-harnesses").raise_for_status(), times=options.times)
            after_bytes = memory_bytes(server.pid)
        database_bytes = (data / "catalog.sqlite3").stat().st_size
    print(
        json.dumps(
            {
                "machine": machine(),
                "models": options.models,
                "load_seconds": round(load_seconds, 1),
                "database_bytes_per_model": round(database_bytes / options.models),
                "ready_seconds": sorted(starts)[1],
                "idle_pss_mb": round(idle_bytes / 1e6, 1),
                "pss_after_queries_mb": round(after_bytes / 1e6, 1),
                "smallest answer (floor)": floor,
                **figures,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
