"""What the own HTTP API says: the records that server and client share.

The server fills them, the client reads them back, `--json` prints exactly them, and the OpenAPI document describes
them. A number that is not known is None; zero means zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from registry_core.grades import Finding, Level, SignatureCheck

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
    level: str | None = None  # of the card's evidence, E0 to E4


@dataclass(frozen=True)
class Facets:
    """How many models match, and how many of them state each value, most first."""

    total: int
    is_exact: bool  # False: counting ended at `total`, and there are that many at least
    counts: dict[str, dict[str, int]]  # task, library, license, as far as asked for -> value -> models


@dataclass(frozen=True)
class FindPage:
    """A page of `find`; `next_cursor` asks for the one after it."""

    items: list[ModelSummary]
    next_cursor: str | None
    facets: Facets | None = None  # None unless asked for


@dataclass(frozen=True)
class ManifestFile:
    path: str
    digest: str  # SHA-256 of the bytes
    size_bytes: int
    fault: str | None = None  # why the bytes cannot be served; a push sends them again


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
class PublicKey:
    """An Ed25519 key that an account signs with."""

    key_id: str  # SHA-256 of the key's 32 bytes, hex
    public: str  # the 32 bytes, hex
    name: str
    account: str | None  # None on the computer of its owner, before it is registered
    created_at: str | None


@dataclass(frozen=True)
class Tensor:
    """One tensor of a safetensors file, from the file's header."""

    name: str
    dtype: str
    shape: list[int]


@dataclass(frozen=True)
class ModelClass:
    """A registry energy class as a dated snapshot had it; it stays as it is when others train better ones later."""

    snapshot_id: str
    taken_on: str  # a day, UTC
    commit_id: str  # whose energy it is
    task: str
    dataset: str
    config: str | None
    split: str
    revision: str | None
    metric: str
    axis: Literal["own", "lineage"]
    letter: str | None  # A to G
    reason: str | None  # why there is no letter
    is_estimated: bool  # then C is the best there is
    index: float | None  # energy / median energy of the peers
    index_low: float | None
    index_high: float | None
    peers: int  # how many stand behind the median
    widened_to: float | None  # the lowest score among the peers, when weaker ones had to be taken
    disclaimer: str


@dataclass(frozen=True)
class Trust:
    """How far the numbers of a card can be trusted, and why not further."""

    level: Level
    findings: list[Finding]
    missing: list[str]  # what the next level needs
    sentences: list[str]  # one on the energy of each phase
    signature: SignatureCheck | None  # None: nobody signed


@dataclass(frozen=True)
class Judgement:
    """What a policy decided about a commit; `decision` is the document that `registry policy check` prints."""

    account: str  # who wanted the act
    decision: dict[str, Any]


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
    notices: list[str] = field(default_factory=list)  # what is wrong with the stored bytes, a sentence for each file
    classes: list[ModelClass] = field(default_factory=list)  # of the newest snapshot, one for each group
    no_class: str | None = None  # why there is none
    trust: Trust | None = None  # of this revision's card
    judgements: list[Judgement] = field(default_factory=list)  # on this commit, newest first
    compression: dict[str, Any] | None = None  # beside the parent that it was compressed from, where that is known


@dataclass(frozen=True)
class Relative:
    """A model in the lineage of another one, and what its own card says it took."""

    id: str
    commit_id: str
    energy_kwh: float | None  # of the facility
    co2e_kg: float | None  # location based
    bases: list[str]  # repo ids, as its card names them


@dataclass(frozen=True)
class Lineage:
    """What a model and all that it was made from took, each once; and what was made from it."""

    id: str
    revision: str
    commit_id: str
    bases: list[str]  # repo ids, as the card names them
    own: dict[str, Any]  # as `all` of a model's totals
    cumulative: dict[str, Any]  # without the unknown, so a lower end unless complete
    is_complete: bool  # nothing of the ancestors is unknown or left out
    ancestors: list[Relative]
    unknown: list[str]  # bases without a card that the caller sees; never zero
    cuts: list[str]  # links that were left out, each with its reason
    induced_kwh: dict[str, Any] | None  # what all descendants took; None when no energy is known
    descendants: list[Relative]
    unknown_descendants: list[str]  # whose energy is not known
    note: str = "Induced energy stands beside the model's own; nothing is netted against anything."
