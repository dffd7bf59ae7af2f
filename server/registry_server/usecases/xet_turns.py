"""Whose turn it is when Xet files are read for their SHA-256, and how far each was read.

A turn is 64 MiB. It goes to the files of which the least was read, small ones first, and every other turn to those that
wait longest: a small file waits for a turn or two however much stands before it, and no stream of small ones keeps an
enormous one from its end. All of this is kept in memory alone: after a crash a file is read from its start.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

TURN_BYTES = 64 << 20


class Hash(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


@dataclass
class Reading:
    """How many bytes of a file were read, and the hash of these."""

    sha256: Hash = field(default_factory=hashlib.sha256)
    done_bytes: int = 0


class Turns:
    """The files of one registry that are being read. Only who holds `at_work` looks at them."""

    def __init__(self) -> None:
        self.at_work = threading.Lock()
        self.next_in_line = threading.Lock()
        self._readings: dict[int, Reading] = {}
        self._by_age = True

    def next(self, waiting: Mapping[int, int]) -> list[int]:
        """The numbers of the waiting files in the order of this turn. Their sizes are given, those that wait
        longest first."""
        self._by_age = not self._by_age
        if self._by_age:
            return list(waiting)
        return sorted(waiting, key=lambda number: (self._done_bytes(number), waiting[number], number))

    def take(self, number: int) -> Reading:
        """How far that file was read; it is forgotten until it is kept again."""
        return self._readings.pop(number, None) or Reading()

    def keep(self, number: int, reading: Reading) -> None:
        """Go on from here at the file's next turn."""
        self._readings[number] = reading

    def forget(self) -> None:
        """Nothing waits any more."""
        self._readings.clear()

    def _done_bytes(self, number: int) -> int:
        return self._readings[number].done_bytes if number in self._readings else 0
