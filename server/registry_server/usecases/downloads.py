"""Counting downloads without a write for each: counts wait in memory and are written together.

A count is of one file that somebody began to fetch. Those of the last seconds are lost with the process when it is
killed; nobody's work hangs on them.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from registry_core.errors import RegistryError
from registry_server.catalog import repos

if TYPE_CHECKING:
    from registry_server.usecases.context import Registry

WRITE_SECONDS = 5.0

log = logging.getLogger(__name__)


class Counts:
    """Downloads by repo that are not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_repo: dict[int, int] = {}

    def add(self, repo: int, number: int = 1) -> None:
        with self._lock:
            self._by_repo[repo] = self._by_repo.get(repo, 0) + number

    def take(self) -> dict[int, int]:
        """What waits; from now on nothing does."""
        with self._lock:
            taken, self._by_repo = self._by_repo, {}
        return taken


def write(registry: Registry) -> None:
    """Write what waits, in one transaction. When that fails, it goes on waiting."""
    counts = registry.downloads.take()
    if not counts:
        return
    try:
        with registry.engine.write() as tx:
            repos.add_downloads(tx, counts)
    except RegistryError as error:
        log.warning("Downloads could not be counted yet: %s", error.message)
        for repo, number in counts.items():
            registry.downloads.add(repo, number)


def keep_writing(registry: Registry, stop: threading.Event, seconds: float = WRITE_SECONDS) -> None:
    """Write every few seconds until told to stop, and then once more."""
    while not stop.wait(seconds):
        write(registry)
    write(registry)
