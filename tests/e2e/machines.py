"""Computers that clients run on, each with a cache of its own, and the line between them and a server."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

KILL_ROUNDS = int(os.environ.get("KILL_ROUNDS", "200"))
"""How often the slow tests kill servers and clients."""


@dataclass
class Machine:
    """Where a client runs: its cache, the server it knows, the Python it has."""

    home: Path
    endpoint: str
    token: str | None
    python: Path = Path(sys.executable)

    def environment(self, **more: str) -> dict[str, str]:
        found = {
            **os.environ,
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "huggingface"),
            "HF_ENDPOINT": self.endpoint,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "50ms",
            "REGISTRY_ENDPOINT": self.endpoint,
            "NO_PROXY": "127.0.0.1",
        }
        if self.token is not None:
            found |= {"HF_TOKEN": self.token, "REGISTRY_TOKEN": self.token}
        return found | more

    def start(self, script: str, *arguments: object, **more: str) -> subprocess.Popen[str]:
        """The script in a process of its own, its output to be read line by line."""
        return subprocess.Popen(
            [self.python, "-u", "-c", script, *map(str, arguments)],
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def attempt(self, *command: object, **more: str) -> subprocess.CompletedProcess[str]:
        """The command with its outcome, whatever it is."""
        return subprocess.run(
            [str(word) for word in command],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def command(self, *command: object, **more: str) -> str:
        """What the command printed; it must succeed."""
        done = self.attempt(*command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, script: str, *arguments: object, **more: str) -> Any:
        """The JSON that the script printed last, if anything; it must succeed."""
        lines = self.command(self.python, "-c", script, *arguments, **more).splitlines()
        return json.loads(lines[-1]) if lines else None


def model(seed: int, tensors: int, *, changed: int | None = None, note: str = "") -> bytes:
    """A safetensors file of that many tensors of 1 MiB; of two with one seed only the tensor `changed` differs."""
    names = [f"layer.{number}.weight" for number in range(tensors)]
    size = 1 << 20
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "note": note}}
    for number, name in enumerate(names):
        offsets = [number * size, (number + 1) * size]
        header[name] = {"dtype": "BF16", "shape": [512, 1024], "data_offsets": offsets}
    encoded = json.dumps(header).encode()
    source = random.Random(seed)
    data = [source.randbytes(size) for _ in names]
    if changed is not None:
        data[changed] = random.Random(seed + 1_000_003 * (changed + 1)).randbytes(size)
    return struct.pack("<Q", len(encoded)) + encoded + b"".join(data)


def xorbs_sent(requests: bytes | bytearray) -> int:
    """How many xorbs are in what a client sent."""
    return len(re.findall(rb"POST /xet/\d+/v1/xorbs/", bytes(requests)))


def shards_sent(requests: bytes | bytearray) -> int:
    return len(re.findall(rb"POST /xet/\d+/v[12]/shards", bytes(requests)))


class Line:
    """Passes bytes on between clients and a server, keeps what the clients sent, and counts what they got."""

    def __init__(self, endpoint: str, springs: dict[bytes, Callable[[], None]]) -> None:
        self._target = (urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 80)
        self._springs = springs
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = bytearray()
        self.answered_bytes = 0
        self._run(self._accept)

    def close(self) -> None:
        _hang_up(self._listener)
        for connection in self._open:
            _hang_up(connection)
        for thread in self._threads:
            thread.join(5)
        for connection in (self._listener, *self._open):
            connection.close()

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    _hang_up(client)  # as a dead server would
                    continue
                self._open.append(server)
                self._run(self._pass_on, client, server, True)
                self._run(self._pass_on, server, client, False)

    def _pass_on(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if is_request:
                    self._note(data)
                else:
                    self._count(data)
                target.sendall(data)
        _hang_up(source)
        _hang_up(target)

    def _note(self, data: bytes) -> None:
        with self._lock:
            word = next((word for word in self._springs if word in data[:200]), None)
            if word is not None:
                self._springs.pop(word)()
            self.requests += data

    def _count(self, data: bytes) -> None:
        with self._lock:
            self.answered_bytes += len(data)


@contextmanager
def line_to(endpoint: str, springs: dict[bytes, Callable[[], None]] | None = None) -> Iterator[Line]:
    """A line to a server. A spring is called once, when a request with that word comes by, before it is passed on."""
    line = Line(endpoint, springs if springs is not None else {})
    try:
        yield line
    finally:
        line.close()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
