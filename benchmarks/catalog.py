"""The catalog with many models: start-up, idle memory, lists, find and facets over HTTP, bytes by table.

    python benchmarks/catalog.py [--models 10000|100000|1000000] [--data FOLDER]

Rows are loaded through `catalog/` in bulk; cards are synthetic, from a fixed seed. With `--data` the catalog is kept in
that folder, and used as it is when it is there already.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx2
from measure import machine, memory_bytes, served, timed

from registry_core.ids import RepoId
from registry_server.app import open_registry
from registry_server.catalog import accounts, cards, repos
from registry_server.catalog.cards import CardIndex, MetricEntry
from registry_server.settings import from_environment
from registry_server.usecases.context import moment

TASKS = (
    "image-classification text-classification translation summarization fill-mask token-classification"
    " question-answering text-generation"
).split()
LIBRARIES = ["transformers"] * 7 + ["pytorch", "diffusers", "keras"]
LICENSES = ["apache-2.0"] * 5 + ["mit"] * 3 + ["cc-by-4.0", "other"]
SOURCES = ["estimated", "estimated", "measured", "declared"]
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu za".split()
ORGANISATIONS, ARCHITECTURES, DATASETS = 500, 40, 20
ROWS_A_TRANSACTION = 20_000

FIND = "/api/registry/v1/find?"
NUMBERS = "accuracy >= 0.85 and energy_kwh <= 2"
COMMON, RARE = "trained", "zebrafish"
FACETS = "task,library,license"


def find(**asked: object) -> str:
    """The address of a find for 20 models."""
    return FIND + urlencode({**asked, "limit": 20})


QUERIES: dict[str, str] = {
    "list, first page": find(),
    "find: task + two numbers + sort": find(task="translation", where=NUMBERS, sort="energy"),
    "find: rare word + two numbers + sort": find(q=RARE, where=NUMBERS, sort="energy"),
    "find: common word + two numbers + sort": find(q=COMMON, where=NUMBERS, sort="energy"),
    "facets under energy and accuracy, first": "",  # see `facets_first`
    "facets under energy and accuracy, again": find(where=NUMBERS, sort="energy", facets=FACETS),
    "facets of all": find(facets=FACETS),
    "Hub list, 20": "/api/models?limit=20",
    "Hub list, 20, full": "/api/models?limit=20&full=true&cardData=true",
    "Hub list by tag, sorted": "/api/models?filter=tag7&sort=lastModified&limit=20",
    "web page": "/?limit=20",
}
OTHERS: dict[str, str] = {
    "sort by accuracy": find(sort="-accuracy"),
    "task, sort by accuracy": find(task="translation", sort="-accuracy"),
    "task, newest": find(task="translation"),
    "task, two numbers, newest": find(task="translation", where=NUMBERS),
    "at least accuracy 0.95, cheapest": find(task="translation", at_least="accuracy=0.95"),
    "two common words, cheapest": find(q=f"{COMMON} text", where=NUMBERS, sort="energy"),
    "two letters, cheapest": find(q="qu", where=NUMBERS, sort="energy"),
    "tag that all have, newest": find(tag="transformers"),
    "licence, cheapest": find(where='license == "other"', sort="energy"),
    "numbers that few have, cheapest": find(task="translation", where="accuracy >= 0.999", sort="energy"),
    "numbers that none has, cheapest": find(task="translation", where="accuracy > 1", sort="energy"),
    "author, cheapest": find(author="org-7", sort="energy"),
    "sort by parameters": find(sort="parameters"),
    "common word, sort by parameters": find(q=COMMON, sort="parameters"),
    "page 500, cheapest": find(sort="energy", cursor="10000"),
    "facets of a common word": find(q=COMMON, facets=FACETS),
    "facets under water": find(where="water_litres < 1", facets=FACETS),
}


def load(data: Path, models: int) -> float:
    """Fill the catalog; answers the seconds it took."""
    registry = open_registry(from_environment(data))
    chance = random.Random(7)
    vocabulary = words(chance)
    start = time.perf_counter()
    with registry.engine.write() as tx:
        at = registry.stamp()
        owners = [accounts.add(tx, f"org-{i}", "org", is_admin=False, at=at).id for i in range(ORGANISATIONS)]
    for first in range(0, models, ROWS_A_TRANSACTION):
        with registry.engine.write() as tx:
            for number in range(first, min(first + ROWS_A_TRANSACTION, models)):
                at = moment(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(3 * 10**7)))
                org = int(chance.paretovariate(0.5)) % ORGANISATIONS
                name = RepoId(f"org-{org}/arch{chance.randrange(ARCHITECTURES)}-{number}")
                repo = repos.add(tx, "model", name, owners[org], private=False, at=at)
                cards.index(tx, repo.row_id, card(chance, vocabulary, number))
    registry.engine.close()
    return time.perf_counter() - start


def words(chance: random.Random) -> list[str]:
    """Two thousand made-up words, of which the first are frequent; the tenth is in one text in ten or so."""
    made = {"".join(chance.choices(SYLLABLES, k=chance.randint(2, 4))) for _ in range(4000)}
    return ["text", *chance.sample(sorted(made), 2000)]


def card(chance: random.Random, vocabulary: list[str], number: int) -> CardIndex:
    """One card: every number known, one score, three tags, fifteen words and sometimes a common or a rare one."""
    task = TASKS[number % len(TASKS)]
    energy_kwh = chance.lognormvariate(0, 2)
    text = [vocabulary[min(int(chance.paretovariate(0.7)), len(vocabulary)) - 1] for _ in range(15)]
    text += [COMMON] if number % 10 == 0 else []
    text += [RARE] if number % 1000 == 0 else []
    library, license_ = chance.choice(LIBRARIES), chance.choice(LICENSES)
    accuracy = MetricEntry(
        task,
        "accuracy",
        f"benchmark-{number % DATASETS}",
        "test",
        round(chance.uniform(0.5, 1), 6),
        leads_task=True,
        leads_model=True,
        stderr=0.005,
        higher_is_better=True,
    )
    return CardIndex(
        commit_oid=chance.randbytes(20),
        task=task,
        library=library,
        license=license_,
        parameters=chance.randrange(10**5, 10**9),
        size_bytes=chance.randrange(10**6, 10**10),
        energy_kwh=energy_kwh,
        energy_low_kwh=energy_kwh * 0.33,
        energy_high_kwh=energy_kwh * 3,
        co2e_kg=energy_kwh * 0.4,
        water_litres=energy_kwh * 1.8,
        duration_seconds=chance.uniform(60, 10**6),
        energy_source=chance.choice(SOURCES),
        footprint_status="complete",
        level="E1",
        card_data={"license": license_, "pipeline_tag": task, "library_name": library, "tags": [f"tag{number % 50}"]},
        files=["README.md", "config.json", "footprint.json", "model.safetensors"],
        config={"architectures": ["BertModel"], "model_type": "bert"},
        metrics=[accuracy],
        tags=[f"tag{number % 50}", task, "transformers"],
        body=" ".join(text),
    )


def bytes_by_table(path: Path) -> dict[str, int]:
    """What each table and index takes up, the parts of the full-text index together."""
    found: dict[str, int] = {}
    with contextlib.closing(sqlite3.connect(path)) as db:
        for name, size in db.execute("select name, sum(pgsize) from dbstat group by name order by 2 desc"):
            whole = "card_text" if name.startswith("card_text_") else name
            found[whole] = found.get(whole, 0) + size
    return found


COUNTED = ("cards", "metrics", "card_text", "card_words", "comparison_groups", "labels")
"""Tables that make up a card; their indexes begin with the same words."""


def bytes_per_card(sizes: dict[str, int], models: int) -> dict[str, float]:
    """Bytes of database per card: cards, metrics, their indexes and full text, and beside them all there is."""
    of_cards = sum(
        size
        for name, size in sizes.items()
        if name.removeprefix("sqlite_autoindex_").startswith(COUNTED) and not name.startswith("cards_version")
    )
    return {"cards, metrics, their indexes, full text": round(of_cards / models)} | {
        name: round(size / models, 1) for name, size in sizes.items() if size >= models
    }


def facets_first(client: httpx2.Client, times: int) -> dict[str, float]:
    """Counts that nobody has asked for before: each time under another bound."""
    bounds = iter(range(10**6))

    def ask() -> None:
        where = f"accuracy >= 0.85 and energy_kwh <= {2 + next(bounds) / 10**6}"
        client.get(find(where=where, sort="energy", facets=FACETS)).raise_for_status()

    return timed(ask, times=times)


def measured(client: httpx2.Client, queries: dict[str, str], times: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Milliseconds by name."""
    for name, address in queries.items():
        if address:
            yield name, timed(lambda address=address: client.get(address).raise_for_status(), times=times)
        else:
            yield name, facets_first(client, min(times, 50))


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--data", type=Path, help="keep the catalog here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder) / "data"
        load_seconds = 0.0 if (data / "catalog.sqlite3").exists() else load(data, options.models)
        starts = []
        for _ in range(3):
            with served(data) as server:
                starts.append(server.ready_seconds)
        with served(data) as server, httpx2.Client(base_url=server.endpoint, timeout=60) as client:
            time.sleep(5)
            idle_bytes = memory_bytes(server.pid)
            figures = dict(measured(client, QUERIES, options.times))
            floor = timed(lambda: client.get("/api/agent-harnesses").raise_for_status(), times=options.times)
            others = dict(measured(client, OTHERS, min(options.times, 20)))
            after_bytes = memory_bytes(server.pid)
        sizes = bytes_by_table(data / "catalog.sqlite3")
    print(
        json.dumps(
            {
                "machine": machine(),
                "models": options.models,
                "load_seconds": round(load_seconds, 1),
                "database_bytes_per_model": round(sum(sizes.values()) / options.models),
                "bytes_per_card": bytes_per_card(sizes, options.models),
                "ready_seconds": sorted(starts)[1],
                "idle_pss_mb": round(idle_bytes / 1e6, 1),
                "pss_after_queries_mb": round(after_bytes / 1e6, 1),
                "smallest answer (floor)": floor,
                **figures,
                "other combinations": others,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
