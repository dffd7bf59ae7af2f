"""What every use case is given: the stores, the clock and the settings."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from registry_server.blobs.store import BlobStore
from registry_server.catalog.engine import Engine
from registry_server.settings import UPLOAD_GRACE_SECONDS, Settings
from registry_server.usecases.downloads import Counts
from registry_server.usecases.rankings import Rankings
from registry_server.usecases.remembered import Remembered
from registry_server.usecases.tallies import Tallies
from registry_server.usecases.xet_turns import Turns

if TYPE_CHECKING:
    from registry_core.reuse_ledger import Ledger
    from registry_server.usecases.grading import Graded


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Registry:
    """One registry: its catalog, its blobs, its settings and its clock."""

    engine: Engine
    blobs: BlobStore
    settings: Settings
    now: Callable[[], datetime] = _now
    downloads: Counts = field(default_factory=Counts)  # not written yet
    tallies: Tallies = field(default_factory=Tallies)  # of what strangers look for
    rankings: Rankings = field(default_factory=Rankings)  # of groups, as strangers see them
    ledgers: dict[int, Ledger] = field(default_factory=dict)  # of reuse, for strangers, by version of the statements
    gradings: Remembered[Hashable, Graded] = field(default_factory=lambda: Remembered(256))  # by what they rest on
    turns: Turns = field(default_factory=Turns)  # at reading Xet files for their SHA-256

    def stamp(self) -> str:
        """This moment, as the catalog keeps moments."""
        return moment(self.now())

    def upload_grace_start(self) -> str:
        """Uploads after this moment still count as proof that the caller has the bytes."""
        return moment_before(self.now(), UPLOAD_GRACE_SECONDS)


def moment_before(at: datetime, seconds: float) -> str:
    """The moment so many seconds earlier, as the catalog keeps moments."""
    return moment(at - timedelta(seconds=seconds))


def moment(at: datetime) -> str:
    """RFC 3339 UTC with milliseconds, which Hub clients parse and which sorts as text."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
