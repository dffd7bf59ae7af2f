"""Reading each Xet file once more for its SHA-256, by which the rest of the registry calls it.

One thread of a process does this, so it costs one core at most; `xet_turns` says which file it reads on in.
"""

from __future__ import annotations

import hashlib
import logging
import threading

from registry_core.errors import NotFound, Unavailable
from registry_server.catalog import audit, losses, xet
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.catalog.xet import XetFile
from registry_server.usecases import xet_download
from registry_server.usecases.context import Registry
from registry_server.usecases.xet_turns import TURN_BYTES
from registry_server.xet.checks import sha256_fault

log = logging.getLogger(__name__)


def check_soon(registry: Registry) -> None:
    """Check what waits in a thread of its own, unless one is about to begin: that one will see what waits now."""
    if registry.turns.next_in_line.acquire(blocking=False):
        threading.Thread(target=_check_in_line, args=[registry], daemon=True).start()


def check_all(registry: Registry) -> None:
    """Check every file that waits; what a crash interrupted is done again.

    A file that cannot be read now goes on waiting, and keeps no other from its turn.
    """
    with registry.turns.at_work:
        _take_turns(registry)


def check(registry: Registry, file: XetFile) -> None:
    """Check one file here and now. Raises Unavailable or NotFound when it cannot be read."""
    sha256 = hashlib.sha256()
    for piece in xet_download.content(registry, file, 0, file.size_bytes):
        sha256.update(piece)
    _conclude(registry, file, sha256.hexdigest())


def _check_in_line(registry: Registry) -> None:
    with registry.turns.at_work:
        registry.turns.next_in_line.release()
        _take_turns(registry)


def _take_turns(registry: Registry) -> None:
    unreadable: set[int] = set()
    while waiting := _waiting(registry, unreadable):
        _take_turn(registry, registry.turns.next(waiting), unreadable)
    registry.turns.forget()


def _waiting(registry: Registry, unreadable: set[int]) -> dict[int, int]:
    with registry.engine.read() as tx:
        return {number: size for number, size in xet.unchecked(tx).items() if number not in unreadable}


def _take_turn(registry: Registry, numbers: list[int], unreadable: set[int]) -> None:
    """Read on in these files, in their order, until the bytes of a turn are read."""
    left_bytes = TURN_BYTES
    for number in numbers:
        try:
            left_bytes -= _read_on(registry, number, left_bytes)
        except (Unavailable, NotFound) as error:
            log.error("The SHA-256 of a Xet file cannot be checked: %s", error.message)
            unreadable.add(number)
        if left_bytes <= 0:
            return


def _read_on(registry: Registry, number: int, most_bytes: int) -> int:
    """Read up to so many more bytes of a file, and conclude at its end; how many were read."""
    reading = registry.turns.take(number)
    with registry.engine.read() as tx:
        file = xet.unchecked_file(tx, number)
    if file is None:
        return 0
    start, stop = reading.done_bytes, min(reading.done_bytes + most_bytes, file.size_bytes)
    for piece in xet_download.content(registry, file, start, stop):
        reading.sha256.update(piece)
    if stop == file.size_bytes:
        _conclude(registry, file, reading.sha256.hexdigest())
    else:
        reading.done_bytes = stop
        registry.turns.keep(number, reading)
    return stop - start


def _conclude(registry: Registry, file: XetFile, found: str) -> None:
    fault = sha256_fault(file.hash, file.digest, found)
    at = registry.stamp()
    with registry.engine.write() as tx:
        if xet.set_checked(tx, file, fault, at) and fault is not None:
            log.warning("%s", fault)
            _note_mismatch(tx, at, file, found)


def _note_mismatch(tx: Transaction, at: str, file: XetFile, found: str) -> None:
    """A line for each repo that names the file, or one if none does yet."""
    detail = {"found": found, "xet_file": str(file.hash), "sent_by": xet.senders(tx, file.hash)}
    repos: list[Repo | None] = [*losses.holders_of_file(tx, file.hash, bytes.fromhex(file.digest))]
    for repo in repos or [None]:
        audit.note(tx, at, None, "file.mismatch", repo, detail, subject=file.digest)
