"""One large model through `registry push` and `registry pull`: seconds, server memory, server CPU.

    python benchmarks/transfer.py [--size-mib 1024]

The limit in the same run: one Python process that reads the file, hashes it with SHA-256 and writes it with fsync.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from measure import REGISTRY, Served, machine, memory_bytes, served

TENSOR_BYTES = 16 << 20


def write_model(folder: Path, size_mib: int) -> None:
    """A safetensors file of random bytes, with a config."""
    folder.mkdir()
    count = (size_mib << 20) // TENSOR_BYTES
    header = json.dumps(
        {
            f"layer.{i}": {
                "dtype": "U8",
                "shape": [TENSOR_BYTES],
                "data_offsets": [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES],
            }
            for i in range(count)
        }
    ).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _ in range(count):
            file.write(os.urandom(TENSOR_BYTES))
    (folder / "config.json").write_text("{}")


def limit_seconds(folder: Path) -> float:
    """Read, hash, write, fsync: what a server that checks what it stores cannot beat with one core."""
    start = time.perf_counter()
    sha256 = hashlib.sha256()
    with (folder / "model.safetensors").open("rb") as source, (folder.parent / "copy").open("wb") as target:
        while piece := source.read(1 << 20):
            sha256.update(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    (folder.parent / "copy").unlink()
    return time.perf_counter() - start


def measured(server: Served, action: Callable[[], object]) -> dict[str, float]:
    """Seconds of `action`, and what it cost the server: CPU seconds and growth of its peak memory."""
    before_bytes, peak = memory_bytes(server.pid, "uss"), [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], memory_bytes(server.pid, "uss"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu, start = _cpu_seconds(server.pid), time.perf_counter()
    try:
        action()
        seconds = time.perf_counter() - start
    finally:
        done.set()
        watcher.join()
    return {
        "seconds": round(seconds, 2),
        "server_cpu_seconds": round(_cpu_seconds(server.pid) - cpu, 2),
        "server_memory_growth_mb": round((peak[0] - before_bytes) / 1e6, 1),
    }


def _cpu_seconds(pid: int) -> float:
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size-mib", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch) / "data") as server:
        model = Path(scratch) / "model"
        write_model(model, options.size_mib)
        limit = limit_seconds(model)
        environment = {
            **os.environ,
            "REGISTRY_ENDPOINT": server.endpoint,
            "REGISTRY_TOKEN": server.add_user("bench"),
            "HF_HOME": f"{scratch}/cache",
        }

        def run(*arguments: object) -> None:
            subprocess.run([REGISTRY, *arguments], env=environment, check=True, capture_output=True)

        figures = {
            "push": measured(server, lambda: run("push", model, "bench/large")),
            "push again, unchanged": measured(server, lambda: run("push", model, "bench/large")),
            "pull, every SHA-256 checked": measured(server, lambda: run("pull", "bench/large")),
        }
    for figure in figures.values():
        figure["times_limit"] = round(figure["seconds"] / limit, 2)
    limit_name = "limit: read, SHA-256, write, fsync"
    print(
        json.dumps(
            {
                "machine": machine(),
                "size_mib": options.size_mib,
                limit_name: {"seconds": round(limit, 2)},
                **figures,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
