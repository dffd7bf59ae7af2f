"""How requests reach the application when many come at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from registry_server.serving import Turnstile


class Application:
    """Answers when told to, and notes how many requests are being handled."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = threading.Semaphore(0)
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.inside.release()
        assert self.go.wait(10)
        with self._lock:
            self.now -= 1
        return [b"done"]


def ask(gate: Turnstile, method: str, path: str) -> threading.Thread:
    environ = EnvironBuilder(path, method=method).get_environ()
    thread = threading.Thread(target=lambda: gate(environ, lambda *_: lambda _: None))
    thread.start()
    return thread


def test_a_few_requests_are_handled_at_a_time() -> None:
    application = Application()
    gate = Turnstile(application, at_once=2)
    threads = [ask(gate, "GET", "/models") for _ in range(6)]
    assert application.inside.acquire(timeout=10)
    assert application.inside.acquire(timeout=10)
    assert not application.inside.acquire(timeout=0.2)
    application.go.set()
    for thread in threads:
        thread.join(10)
    assert application.most == 2


@pytest.mark.parametrize(("method", "path"), [("GET", "/healthz"), ("PUT", "/lfs/upload/x"), ("POST", "/api/x")])
def test_health_checks_and_uploads_do_not_stand_in_line(method: str, path: str) -> None:
    application = Application()
    gate = Turnstile(application, at_once=1)
    threads = [ask(gate, "GET", "/models"), ask(gate, method, path)]
    assert application.inside.acquire(timeout=10)
    assert application.inside.acquire(timeout=10)
    application.go.set()
    for thread in threads:
        thread.join(10)


def test_a_fault_leaves_the_way_free() -> None:
    def broken(*_: Any) -> Iterable[bytes]:
        raise RuntimeError

    gate = Turnstile(broken, at_once=1)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            gate(EnvironBuilder("/models").get_environ(), lambda *_: lambda _: None)
