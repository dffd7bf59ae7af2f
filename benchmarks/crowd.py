"""Many clients at once: what the server takes of memory, and how soon it still says that it is well.

    python benchmarks/crowd.py [--clients 64] [--readers 300] [--seconds 20]

The 503 MB model of `hub.py` is pushed by LFS and by Xet with the stock Hub client. Then, in this order,

    pull, LFS            every client fetches the whole file
    pull, Xet            every client asks how the file is to be rebuilt, and fetches every span it is told of
    pull, Xet plainly    every client fetches 64 MiB of the file that the server rebuilds, as a client without Xet does
    slow readers, …      300 clients read 64 KiB a second each, of the whole file or of the rebuilt one

Meanwhile a process of its own asks `/healthz` every 20 ms over a new connection. Clients drop what they get: they stand
for machines of their own, and would otherwise measure this machine's disk. Memory is the kernel's own peak of each
phase (VmHWM, reset between them), summed over the server's processes, and the largest sampled PSS, which counts pages
that these share once.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
from hub import HUB, write_model
from measure import Served, machine, percentile, served

SPAN_BYTES = 64 << 20
SLOW_BYTES_PER_SECOND = 64 << 10
_SLOW_STEPS_PER_SECOND = 4


def request(url: str, token: str | None, **headers: str) -> tuple[str, int, bytes]:
    """Where to send a GET, and its bytes; the answer ends with the connection."""
    parts = urlsplit(url)
    lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port, "\r\n".join([*lines, "", ""]).encode()


def _open(where: tuple[str, int, bytes], receive_buffer: int | None = None) -> socket.socket:
    host, port, data = where
    opened = socket.socket()
    if receive_buffer is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.connect((host, port))
    opened.sendall(data)
    opened.setblocking(False)
    return opened


def drain(clients: list[list[tuple[str, int, bytes]]]) -> int:
    """Let each client take its answers one after the other, all clients at once; the bytes they got."""
    buffer, received = bytearray(1 << 20), 0
    selector = selectors.DefaultSelector()
    for rest in clients:
        selector.register(_open(rest.pop(0)), selectors.EVENT_READ, rest)
    while selector.get_map():
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            count = connection.recv_into(buffer)
            received += count
            if count == 0:
                selector.unregister(connection)
                connection.close()
                if key.data:
                    selector.register(_open(key.data.pop(0)), selectors.EVENT_READ, key.data)
    return received


def trickle(wheres: list[tuple[str, int, bytes]], seconds: float) -> int:
    """Read slowly from every address for so long; the bytes that came."""
    buffer, received = bytearray(SLOW_BYTES_PER_SECOND // _SLOW_STEPS_PER_SECOND), 0
    connections = [_open(where, receive_buffer=32 << 10) for where in wheres]
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        step = time.monotonic() + 1 / _SLOW_STEPS_PER_SECOND
        for connection in connections:
            with contextlib.suppress(BlockingIOError):
                received += connection.recv_into(buffer)
        time.sleep(max(0.0, step - time.monotonic()))
    for connection in connections:
        connection.close()
    return received


def ask_health(endpoint: str, stop: Connection) -> None:
    """Ask every 20 ms until told to stop, then send back how long each answer took, in milliseconds."""
    parts, spans = urlsplit(endpoint), []
    while not stop.poll(0.02):
        start = time.perf_counter()
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
        spans.append((time.perf_counter() - start) * 1000)
    stop.send(spans)


@contextlib.contextmanager
def watched(server: Served) -> Iterator[dict[str, object]]:
    """Fill in, when the block ends, what it took of memory and how `/healthz` answered meanwhile."""
    figures: dict[str, object] = {}
    ours, theirs = multiprocessing.Pipe()
    asker = multiprocessing.Process(target=ask_health, args=[server.endpoint, theirs])
    asker.start()
    pids = [process.pid for process in _family(server.pid)]
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    done, pss = threading.Event(), [0]

    def sample() -> None:
        while not done.wait(0.2):
            pss[0] = max(pss[0], sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in pids))

    sampler = threading.Thread(target=sample)
    sampler.start()
    start = time.perf_counter()
    yield figures
    figures["seconds"] = round(time.perf_counter() - start, 2)
    done.set()
    sampler.join()
    ours.send(None)
    spans = ours.recv()
    asker.join()
    figures["peak_rss_mb"] = round(sum(_kilobytes(pid, "status", "VmHWM:") for pid in pids) / 1000, 1)
    figures["peak_pss_mb"] = round(pss[0] / 1000, 1)
    figures["healthz_ms"] = {
        "p50": round(statistics.median(spans), 2),
        "p95": round(percentile(spans, 0.95), 2),
        "max": round(max(spans), 2),
        "asked": len(spans),
    }


def in_process(work: Callable[..., int], *arguments: object) -> float:
    """Gigabytes that `work` received, in a process of its own: Python would let it and us run in turns only."""
    with multiprocessing.Pool(1) as pool:
        return round(pool.apply(work, arguments) / 1e9, 3)


def xet_spans(server: Served, token: str, size_bytes: int) -> list[tuple[str, int, bytes]]:
    """What a Xet client fetches for the model, as it is told."""
    with httpx2.Client(headers={"Authorization": f"Bearer {token}"}) as client:
        head = client.head(f"{server.endpoint}/bench/xet/resolve/main/model.safetensors")
        given = client.get(f"{server.endpoint}/api/models/bench/xet/xet-read-token/main").json()
        bearer = {"Authorization": f"Bearer {given['accessToken']}", "Range": f"bytes=0-{size_bytes - 1}"}
        plan = client.get(f"{given['casUrl']}/v2/reconstructions/{head.headers['X-Xet-Hash']}", headers=bearer).json()
    return [
        request(fetch["url"], None, Range=f"bytes={part['bytes']['start']}-{part['bytes']['end']}")
        for fetches in plan["xorbs"].values()
        for fetch in fetches
        for part in fetch["ranges"]
    ]


def measure(server: Served, token: str, size_bytes: int, options: argparse.Namespace) -> Iterable[tuple[str, object]]:
    """Every phase with its figures."""
    whole = request(f"{server.endpoint}/bench/lfs/resolve/main/model.safetensors", token)
    address = f"{server.endpoint}/bench/xet/resolve/main/model.safetensors"
    rebuilt = request(address, token)
    span = request(address, token, Range=f"bytes=0-{SPAN_BYTES - 1}")
    with watched(server) as figures:
        time.sleep(3)
    yield "nobody", figures
    with watched(server) as figures:
        figures["received_gb"] = in_process(drain, [[whole] for _ in range(options.clients)])
    yield f"{options.clients} pull, LFS", figures
    with watched(server) as figures:
        spans = [xet_spans(server, token, size_bytes) for _ in range(options.clients)]
        figures["received_gb"] = in_process(drain, spans)
    yield f"{options.clients} pull, Xet", figures
    with watched(server) as figures:
        figures["received_gb"] = in_process(drain, [[span] for _ in range(options.clients)])
    yield f"{options.clients} pull, Xet plainly", figures
    for name, where in (("LFS", whole), ("Xet plainly", rebuilt)):
        with watched(server) as figures:
            figures["received_gb"] = in_process(trickle, [where] * options.readers, options.seconds)
        yield f"{options.readers} slow readers, {name}", figures


def push(server: Served, token: str, file: Path, repo: str, *, xet: bool) -> None:
    """By the stock Hub client, with an empty home."""
    environment = {**os.environ, "HF_ENDPOINT": server.endpoint, "HF_HOME": str(server.data.parent / repo)}
    environment |= {} if xet else {"HF_HUB_DISABLE_XET": "1"}
    code = HUB.replace("bench/model", f"bench/{repo}")
    subprocess.run([sys.executable, "-c", code, "push", file, token], env=environment, check=True, capture_output=True)


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _kilobytes(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--readers", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    figures: dict[str, object] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        files = {name: Path(folder) / name / "model.safetensors" for name in ("lfs", "xet")}
        with served(data) as server:
            token = server.add_user("bench")
            for name, file in files.items():
                write_model(file, note=name)  # other bytes, or the second push would find the first one's
                push(server, token, file, name, xet=name == "xet")
            time.sleep(5)  # the whole-file SHA-256 is checked after the answer
        # Again, since the first start has made the catalog, with libraries that no later one needs.
        with served(data) as server:
            for name, found in measure(server, token, files["xet"].stat().st_size, options):
                figures[name] = found
                print(f"{name}: {json.dumps(found)}", file=sys.stderr, flush=True)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
