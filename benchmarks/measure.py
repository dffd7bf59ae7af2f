"""What the benchmarks share: processes and their memory, medians, a server on a free port."""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

REGISTRY = Path(sys.executable).with_name("registry")

# As on a user's machine, where Python keeps compiled modules; otherwise every start would compile ours again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def timed(action: Callable[[], object], *, times: int, warm_up: int = 3) -> dict[str, float]:
    """Median and 95th percentile of `action`'s wall time in milliseconds."""
    for _ in range(warm_up):
        action()
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        spans.append((time.perf_counter() - start) * 1000)
    return {"p50_ms": round(statistics.median(spans), 2), "p95_ms": round(percentile(spans, 0.95), 2)}


def memory_bytes(pid: int, field: str = "pss") -> int:
    """Memory of a process and its children: `pss` shares common pages among those who map them."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(getattr(process.memory_full_info(), field) for process in processes)


@dataclass
class Served:
    """A running server."""

    endpoint: str
    pid: int
    ready_seconds: float
    data: Path

    def add_user(self, name: str) -> str:
        """A token of the user `name`."""
        command = [REGISTRY, "admin", "user", "add", name, "--data", self.data]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def served(data: Path) -> Iterator[Served]:
    """`registry serve` on `data`; ready means that /healthz answered."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [REGISTRY, "serve", "--data", data, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        endpoint = process.stdout.readline().rsplit(" at ", 1)[1].strip()
        while httpx2.get(f"{endpoint}/healthz").status_code != 200:
            time.sleep(0.005)
        yield Served(endpoint, process.pid, round(time.perf_counter() - start, 3), data)
    finally:
        process.terminate()
        process.wait(40)
