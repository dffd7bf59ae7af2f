"""Hashing beside reading and writing: hashlib lets go of the interpreter, so that a second core does it."""

from __future__ import annotations

import hashlib
import threading
from queue import SimpleQueue
from typing import Self

_PIECES_AHEAD = 4
"""So many pieces, of at most a megabyte as a rule, wait for the hash at once."""


class Sha256Beside:
    """The SHA-256 of the pieces it is fed inside its `with`, computed in a thread of its own."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = threading.Semaphore(_PIECES_AHEAD)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def update(self, piece: bytes) -> None:
        """Take one more piece, which nobody changes from now on; waits while many are ahead of it."""
        self._room.acquire()
        self._pieces.put(piece)

    def hexdigest(self) -> str:
        """The hash of all pieces; waits for it."""
        self._end()
        return self._sha256.hexdigest()

    def _end(self) -> None:
        self._pieces.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._sha256.update(piece)
            self._room.release()
