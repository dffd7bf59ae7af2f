"""Raw samples, kept as evidence: power and counters of every device, once a second or so, on a thread of their own.

Each sample goes to its stream at once, so that a process that is killed leaves what it had seen.
"""

from __future__ import annotations

import csv
import io
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from registry_client.privacy import Pseudonyms
from registry_client.tracking.counters import Source

COLUMNS = ("t_utc", "device_id", "power_w", "energy_counter_j")


class Sampler:
    """Writes `COLUMNS` every `seconds`, from `start` to `stop`: to the file `path`, else to memory. Use once."""

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        *,
        seconds: float = 1.0,
        path: Path | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pseudonyms = pseudonyms
        self._seconds = seconds
        self._path = path
        self._stream: BinaryIO = io.BytesIO()
        self._now = now
        self._sources: Sequence[tuple[str, Source]] = ()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, sources: Sequence[Source]) -> None:
        """Take the first sample of each source, and go on until `stop`."""
        self._sources = [(self._pseudonyms.device(source.part, source.name), source) for source in sources]
        if self._path:
            self._stream = self._path.open("w+b", buffering=0)
        self._stream.write((",".join(COLUMNS) + "\n").encode())
        self._sample()
        self._thread = threading.Thread(target=self._go_on, name="samples", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample; again, it does nothing."""
        if self._thread is not None and not self._over.is_set():
            self._over.set()
            self._thread.join()
            self._sample()

    def close(self) -> str:
        """Everything that was written; empty when there was no start."""
        self.stop()
        with self._stream as stream:
            stream.seek(0)
            return stream.read().decode()

    def _go_on(self) -> None:
        following = time.monotonic() + self._seconds
        while not self._over.wait(max(0.0, following - time.monotonic())):
            self._sample()
            following += self._seconds

    def _sample(self) -> None:
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        for device_id, source in self._sources:
            moment = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
            try:
                watts, joules = source.read()
            except Exception:  # a sensor that does not answer now leaves a gap, and may answer again
                watts = joules = None
            if watts is None and joules is None:
                continue
            writer.writerow([moment, device_id, _text(watts, 3), _text(joules, 6)])
        self._stream.write(lines.getvalue().encode())


def thinned(samples: str, most_bytes: int) -> str:
    """Every second sample of each device, or every third and so on, until they fit; the last ones stay."""
    header, *lines = samples.splitlines()
    step = -(-len(samples) // most_bytes)
    if step <= 1:
        return samples
    by_device: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        by_device[line.split(",")[1]].append(line)
    kept = [line for series in by_device.values() for line in dict.fromkeys([*series[:-1:step], series[-1]])]
    return "\n".join([header, *sorted(kept)]) + "\n"


def _text(number: float | None, digits: int) -> str:
    return "" if number is None else f"{number:.{digits}f}"
