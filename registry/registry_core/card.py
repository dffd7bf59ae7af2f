"""The footprint card, `footprint-card/1.0`: what one model revision cost to make, and how good it is.

Physical numbers are quantities that carry their unit and origin (`registry_core.quantity`); counts of things
(bytes, parameters, hosts, runs, samples) are plain whole numbers; a number whose field name ends in its unit
(`tdp_w`, `pre_estimate_kwh`) is a plain number. A missing field is absent, never null, zero or a text.

How the schema is read where it leaves room:

- A phase's `groups` need device_kind, device_model, device_count and hours (per device); the rest of a group
  is optional, so that a run on one CPU can be written down. A group's embodied factors stand in the group.
- `cost` is `{"amount": {value, unit: "EUR", source}, "currency": "EUR", "basis": "billed"}`; both spellings
  of the currency must agree.
- `compute_flop_kind` says gross or effective, `co2e_market_instrument` is the text a market figure needs.
- An `energy_it` with source derived is the sum of the parts; with another source it may be more than the
  parts, since a meter at the node sees what nobody itemised. A phase without any energy covers nothing.
- `co2e_location` is always compared with its recomputation when its inputs are there; it may be declared
  without them, and derived only from them.
- A base model is named by repo_id and relation; its revision may be unknown.
- `evidence` needs the tool alone, so that a card written by hand can say so.
- A card of a higher minor version keeps its unknown fields, one of another major version is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import rfc8785
from pydantic import Field, ValidationError, field_validator

from registry_core import card_rules as rules
from registry_core.card_rules import DigestText, License, Moment, PathText, Task
from registry_core.errors import InvalidCard
from registry_core.ids import Digest
from registry_core.phase import Phase
from registry_core.quantity import EnergyPerUnit
from registry_core.records import FootprintStatus
from registry_core.strict import Count, Faults, Items, Number, Strict, Text, fault_lines, faults_of, read_json

CARD_PATH = "footprint.json"
"""Where a repo keeps its card."""

MAX_CARD_BYTES = 4 * 1024 * 1024

Relation = Literal["finetune", "adapter", "merge", "quantized", "distilled", "pruned", "continued", "none"]
Provenance = Literal["web_crawl", "licensed_private", "user", "public", "synthetic", "other"]


class Generator(Strict):
    """The program, or the person, that wrote the card."""

    name: Text
    version: Text


class SubjectFile(Strict):
    path: PathText
    sha256: DigestText
    size_bytes: Count


class Subject(Strict):
    """The files that the card is about: the weights at least."""

    files: Items[SubjectFile] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _each_once(cls, files: tuple[SubjectFile, ...]) -> tuple[SubjectFile, ...]:
        rules.check_unique((file.path for file in files), "file")
        return files


class BaseModelUsed(Strict):
    """A model that this one was made from; `external` when it need not be found in this registry."""

    repo_id: Text
    relation: Relation
    revision: Text | None = None
    external: bool | None = None


class ModelFacts(Strict):
    """What was made. `base_models` is empty, and there, for a model from scratch."""

    task: Task
    license: License
    parameters_total: Count | None = None
    parameters_active: Count | None = None
    precision: Text | None = None
    architecture: Text | None = None
    modalities_in: Items[Text] | None = None
    modalities_out: Items[Text] | None = None
    tags: Items[Text] | None = None
    base_models: Items[BaseModelUsed] | None = None


class DataSource(Strict):
    id: Text
    revision: Text | None = None
    role: Text | None = None
    licence: Text | None = None


class DataFacts(Strict):
    sources: Items[DataSource] | None = None
    personal_data: Literal["none", "possible", "present_with_basis", "unknown"] | None = None
    provenance: Items[Provenance] | None = None


class Score(Strict):
    """One evaluation result. `command` is text for people; nothing executes it."""

    task: Task
    dataset: Text
    split: Text
    metric: Text
    value: float
    higher_is_better: bool
    config: Text | None = None
    revision: Text | None = None
    n: Annotated[Count, Field(ge=1)] | None = None
    stderr: Number | None = None
    harness: Text | None = None
    harness_version: Text | None = None
    command: Text | None = None
    seed: int | None = None
    tolerance: Number | None = None


class Use(Strict):
    """What one unit of work with the finished model takes."""

    unit_of_work: Text
    energy_per_unit: EnergyPerUnit
    batch: Count | None = None
    hardware: Text | None = None
    n: Count | None = None


class Evidence(Strict):
    """What the numbers rest on: the tool, and paths of raw files in the repo."""

    tool: Text
    tool_version: Text | None = None
    tool_config_digest: DigestText | None = None
    samples: Items[PathText] | None = None
    row: PathText | None = None
    signature: Text | None = None


class Declarations(Strict):
    """Words beside the numbers; offsets are shown and never subtracted."""

    offsets: Text | None = None
    why_not_reuse: Text | None = None
    pre_estimate_kwh: Number | None = None


class Card(Strict):
    """A whole card. Read one with `parse_card`."""

    schema_: Text = Field(alias="schema")
    created_at: Moment
    generator: Generator
    subject: Subject
    model: ModelFacts
    data: DataFacts | None = None
    phases: Items[Phase] = Field(min_length=1)
    quality: Items[Score] | None = None
    use_phase: Items[Use] | None = None
    evidence: Evidence
    declarations: Declarations | None = None
    narrative: dict[str, str] | None = None


def parse_card(data: bytes | str | Mapping[str, Any]) -> Card:
    """The card in `data`: UTF-8 JSON of at most 4 MiB, or the mapping it would be read as.

    Raises InvalidCard, whose `faults` name every fault at once, each as `place: what is wrong`.
    """
    document, faults = read_json(data, max_bytes=MAX_CARD_BYTES)
    if document is None:
        raise _invalid(faults)
    version = rules.version_of(document)
    if version is not None and version[0] != rules.MAJOR:
        raise InvalidCard(
            f"The footprint card is {document['schema']}, which this version does not read.",
            hint=f"It reads {rules.SCHEMA_NAME}/{rules.MAJOR}.x; a newer version may read more.",
            faults=[f"schema: expected major version {rules.MAJOR}, got {version[0]}"],
        )
    if isinstance(document, dict) and "schema" in document and version is None:
        faults["schema"] = f"expected '{rules.SCHEMA_NAME}/{rules.MAJOR}.{rules.MINOR}', got {document['schema']!r:.80}"
    faults = rules.server_fields_in(document) | faults
    is_newer = version is not None and version[1] > rules.MINOR
    try:
        card = Card.model_validate(document, extra="allow" if is_newer else "forbid")
    except ValidationError as error:
        raise _invalid(faults_of(error) | faults) from error
    if faults:
        raise _invalid(faults)
    return card


def _invalid(faults: Faults) -> InvalidCard:
    lines = fault_lines(faults)
    return InvalidCard(
        f"The footprint card has {len(lines)} fault{'s' if len(lines) > 1 else ''}.",
        hint="Correct footprint.json and check it again.",
        faults=lines,
    )


def card_document(card: Card) -> dict[str, Any]:
    """The card as plain JSON values, without the fields that are missing."""
    return card.model_dump(mode="json", by_alias=True, exclude_none=True)


def canonical_bytes(card: Card) -> bytes:
    """The card in RFC 8785 form: the same bytes however the card was written."""
    return rfc8785.dumps(card_document(card))


def card_digest(card: Card) -> Digest:
    """SHA-256 of the canonical bytes."""
    return Digest(hashlib.sha256(canonical_bytes(card)).hexdigest())


def check_against_tree(card: Card, files: Mapping[str, tuple[str, int]]) -> FootprintStatus:
    """Whether the tree with `files` (path -> digest and size in bytes) holds what the card is about.

    mismatch: a file of `subject` is there with other bytes; incomplete: one is not there yet; else complete.
    """
    found = [files.get(file.path) for file in card.subject.files]
    expected = [(file.sha256, file.size_bytes) for file in card.subject.files]
    if any(there is not None and there != named for there, named in zip(found, expected, strict=True)):
        return "mismatch"
    return "incomplete" if None in found else "complete"
