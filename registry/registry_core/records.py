"""What the own HTTP API says: the records that server and client share.

The server fills them, the client reads them back, `--json` prints exactly them, and the OpenAPI document describes
them. A number that is not known is None; zero means zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["pass", "fail"]
FootprintStatus = Literal["none", "complete", "incomplete", "mismatch"]
"""What the commit's tree says about its card: there is none; every file it names is there with its digest; a file is
not there yet; a file is there with other bytes."""


@dataclass(frozen=True)
class ModelSummary:
    """One row of `find`: the head of main of one repo."""

    id: str
    commit_id: str
    private: bool
    task: str | None
    library: str | None
    license: str | None
    tags: list[str]
    parameters: int | None
    size_bytes: int | None
    energy_kwh: float | None  # totals.all.energy_facility of the card
    co2e_kg: float | None  # location based
    water_litres: float | None
    cost: float | None
    currency: str | None
    duration_seconds: float | None  # wall time of all phases
    footprint_status: FootprintStatus
    energy_source: str | None  # measured, estimated, declared
    metrics: dict[str, float]  # first entry of each metric for the model's task
    published_commit_id: str | None
    last_verdict: Verdict | None
    created_at: str  # RFC 3339 UTC
    updated_at: str


@dataclass(frozen=True)
class FindPage:
    """A page of `find`; `next_cursor` asks for the one after it."""

    items: list[ModelSummary]
    next_cursor: str | None


@dataclass(frozen=True)
class ManifestFile:
    path: str
    digest: str  # SHA-256 of the bytes
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """Every file of one commit with its digest and size."""

    id: str
    revision: str
    commit_id: str
    files: list[ManifestFile]


@dataclass(frozen=True)
class RerunReport:
    """What a rerun found, as its author sends it."""

    commit_id: str
    task: str
    dataset: str
    split: str
    metric: str
    claimed: float
    observed: float
    tolerance: float
    n: int  # samples evaluated
    verdict: Verdict
    duration_seconds: float
    energy_kwh: float | None  # of the evaluation, at the device; None when it could not be measured
    energy_source: str | None
    energy_methods: dict[str, str] = field(default_factory=dict)  # component -> method
    device: str = "cpu"
    device_name: str | None = None
    software: dict[str, str] = field(default_factory=dict)  # package -> version
    reason: str | None = None  # why a number is absent, or why the verdict is a fail


@dataclass(frozen=True)
class Rerun:
    """A stored verdict: the report, who posted it and when."""

    number: int
    account: str
    created_at: str
    report: RerunReport


@dataclass(frozen=True)
class Publication:
    """A revision marked as recommended for reuse."""

    id: str
    commit_id: str
    account: str
    published_at: str


@dataclass(frozen=True)
class Tensor:
    """One tensor of a safetensors file, from the file's header."""

    name: str
    dtype: str
    shape: list[int]


@dataclass(frozen=True)
class ModelDetail:
    """One model at one revision: what `registry show` prints and the model page displays."""

    id: str
    kind: Literal["model", "dataset"]
    revision: str
    commit_id: str
    private: bool
    summary: ModelSummary | None  # of the head of main; None while main is empty
    files: list[ManifestFile]
    footprint: dict[str, Any] | None  # footprint.json of this revision
    footprint_status: FootprintStatus
    totals: dict[str, Any] | None  # the server's own sums over the card, by split
    recipe: dict[str, Any] | None  # evaluation.yaml of this revision
    reruns: list[Rerun]  # of this commit, newest first
    published_commit_id: str | None
