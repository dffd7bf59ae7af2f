"""One span of work under a meter.

    prepare() ─► the meter finds its sensors on a thread of its own, 1 to 2 s
    start()   ─► the clock runs; the first sample is taken now, or as soon as the meter is ready
    stop()    ─► wall time, and the energy of the part of it that the meter saw

The work never waits longer for the meter than it wants to. What passed before the first sample is
uncovered: it is named, and no energy is made up for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from registry_client.tracking.meter import Meter, Reading
from registry_core.errors import MeasurementFailed


@dataclass(frozen=True)
class Span:
    """What one measurement gave. `reading` is None when energy could not be measured, for the `reason` given."""

    started_at: datetime  # UTC
    ended_at: datetime  # UTC
    wall_seconds: float  # by the monotonic clock
    uncovered_seconds: float  # before the first sample; all of it when there is no reading
    reading: Reading | None
    reason: str | None = None

    @classmethod
    def empty(cls, reason: str) -> Span:
        """No time at all, to try things on."""
        now = datetime.now(UTC)
        return cls(now, now, 0.0, 0.0, None, reason)


class Measurement:
    """Runs `meter` beside the work. Use once: `prepare`, `start`, `stop`."""

    def __init__(self, meter: Meter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter = meter
        self._clock = clock
        self._go, self._begun = threading.Event(), threading.Event()
        self._lock = threading.Lock()  # a stop that came first keeps the meter from starting
        self._thread: threading.Thread | None = None
        self._started_at: datetime | None = None
        self._started = self._first_sample = 0.0
        self._over = False
        self._failure: Exception | None = None

    def prepare(self) -> None:
        """Let the meter find its sensors meanwhile."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run_meter, name="meter", daemon=True)
            self._thread.start()

    def start(self, *, patience_seconds: float | None = None) -> None:
        """Start the clock and wait at most this long for the first sample; with None the clock waits, too.

        A meter that fails is told of by `stop`.
        """
        self.prepare()
        self._started, self._started_at = self._clock(), datetime.now(UTC)
        self._go.set()
        self._begun.wait(patience_seconds)
        if patience_seconds is None:
            self._started, self._started_at = self._first_sample or self._clock(), datetime.now(UTC)

    def stop(self) -> Span:
        """Stop the clock and the meter."""
        ended, ended_at = self._clock(), datetime.now(UTC)
        reading, reason = self._last_sample()
        wall = ended - self._started
        uncovered = wall if reading is None else max(0.0, self._first_sample - self._started)
        return Span(self._started_at or ended_at, ended_at, wall, uncovered, reading, reason)

    def _run_meter(self) -> None:
        try:
            self._meter.prepare()
            self._go.wait()
            with self._lock:
                if not self._over:
                    self._meter.start()
                    self._first_sample = self._clock()
        except Exception as error:
            self._failure = error
        finally:
            self._begun.set()

    def _last_sample(self) -> tuple[Reading | None, str | None]:
        with self._lock:
            self._over = True
        if self._failure is not None:
            return None, str(self._failure)
        if not self._begun.is_set() or not self._first_sample:
            return None, "The run ended before the meter was ready."
        try:
            return self._meter.stop(), None
        except MeasurementFailed as error:
            return None, error.message
        except Exception as error:
            return None, f"The meter failed: {error!r}."
