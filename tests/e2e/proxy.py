"""A line between a client and a server that breaks when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class CuttingProxy:
    """Passes bytes on; the first `cuts` answers of more than `after_bytes` are cut there.

    `requests` holds what clients sent, whole connections one after the other.
    """

    def __init__(self, endpoint: str, *, after_bytes: int, cuts: int) -> None:
        self._target = (urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 80)
        self._after_bytes = after_bytes
        self._cuts_left = cuts
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = bytearray()
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for connection in [self._listener, *self._open]:
            _hang_up(connection)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [client, server]
            for work in (self._to_server, self._to_client):
                thread = threading.Thread(target=work, args=(client, server), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                self.requests += data
                server.sendall(data)
        _hang_up(server)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                passed += len(data)
                if passed > self._after_bytes and self._may_cut():
                    break
                client.sendall(data)
        _hang_up(client)
        _hang_up(server)

    def _may_cut(self) -> bool:
        with self._lock:
            if self._cuts_left == 0:
                return False
            self._cuts_left -= 1
            self.cuts += 1
            return True


@contextmanager
def cutting_proxy(endpoint: str, *, after_bytes: int, cuts: int = 1) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(endpoint, after_bytes=after_bytes, cuts=cuts)
    try:
        yield proxy
    finally:
        proxy.close()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
