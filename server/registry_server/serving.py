"""Running the application under gunicorn.

One worker process with several hundred threads: a thread that waits for a slow reader costs little, and gunicorn makes
threads only when they are needed. Files leave through sendfile(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication

from registry_core.errors import Invalid
from registry_server.settings import Settings
from registry_server.usecases import downloads, xet_checking

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HANDLED_AT_ONCE = 4 * (os.cpu_count() or 1)


class _Application(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: Settings, options: dict[str, Any]) -> None:
        self._settings = settings
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from registry_server.app import create_app

        app = create_app(self._settings)
        app.wsgi_app = Turnstile(app.wsgi_app, HANDLED_AT_ONCE)  # type: ignore[method-assign]
        # This runs before the worker is forked, and an SQLite connection must not be carried over a fork.
        app.extensions["registry"].engine.close()
        return app


class Turnstile:
    """Lets a few requests at a time to the application, each until it has an answer to send.

    Handling is work for the interpreter, and when hundreds of clients connect in one moment every thread would wait for
    all others. Sending is not held up here, nor is what has a body, which waits for its client, nor the health check.
    """

    def __init__(self, wsgi_app: WSGIApplication, at_once: int) -> None:
        self._wsgi_app = wsgi_app
        self._free = threading.BoundedSemaphore(at_once)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or environ["PATH_INFO"] == "/healthz":
            return self._wsgi_app(environ, start_response)
        with self._free:
            return self._wsgi_app(environ, start_response)


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until told to stop (SIGTERM or SIGINT ends requests in flight first). Raises Invalid for a taken port."""
    _keep_memory_together()
    listener = _listener(host, port)
    bound_host, bound_port = listener.getsockname()[:2]

    def resume(worker: Any) -> None:
        """Go on with what a crash may have interrupted; not before the fork, which a thread would not survive."""
        registry = worker.wsgi.extensions["registry"]
        xet_checking.check_soon(registry)
        threading.Thread(target=downloads.keep_writing, args=[registry, threading.Event()], daemon=True).start()

    def finish(_: Any, worker: Any) -> None:
        downloads.write(worker.wsgi.extensions["registry"])

    def announce(_: Any) -> None:
        print(f"Model Commons serves {settings.data} at http://{_shown(bound_host)}:{bound_port}", flush=True)
        print(
            f"Administrator's token: {settings.admin_token_path}   stop with Ctrl-C",
            file=sys.stderr,
            flush=True,
        )

    _Application(
        settings,
        {
            "bind": f"fd://{listener.fileno()}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": settings.threads,
            "worker_connections": max(1000, settings.threads),
            "keepalive": 75,
            "timeout": 0,  # a thread that sends a large file to a slow reader is at work, not hung
            "graceful_timeout": 30,
            "limit_request_line": 8190,
            "preload_app": True,  # the master and the worker then share the memory of the imports
            "when_ready": announce,
            "post_worker_init": resume,
            "worker_exit": finish,
            "loglevel": "warning",
            "proc_name": "registry",
        },
    ).run()


def _keep_memory_together() -> None:
    """Let hundreds of threads share two heaps, where glibc would make sixteen: what one leaves, another takes."""
    m_arena_max = -8
    with contextlib.suppress(OSError, AttributeError):  # other systems have another library
        ctypes.CDLL(None).mallopt(m_arena_max, 2)


def _listener(host: str, port: int) -> Any:
    """A bound socket, so that a taken port is one clear sentence and port 0 can be told."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # headers and body are two writes
    try:
        listener.bind((host, port))
    except OSError as error:
        raise Invalid(
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            hint="Choose another with --port, or 0 for a free one.",
        ) from error
    listener.listen(1024)
    listener.set_inheritable(True)
    return listener


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
