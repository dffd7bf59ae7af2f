"""What is worth indexing of a commit: its card, its README, the headers of its weights.

Whatever is here can be derived again from git objects and blobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from registry_core import eval_results
from registry_core.card import CARD_PATH, Card, check_against_tree, parse_card
from registry_core.errors import ContentDiffers, InvalidCard, InvalidReadme, InvalidWeights
from registry_core.footprint import totals
from registry_core.groups import standard_error
from registry_core.ids import CommitId, Digest
from registry_core.quantity import Amount
from registry_core.readme import CardData, ClaimedMetric, Readme, card_data, metrics_of_model_index, parse_readme
from registry_core.records import FootprintStatus, Tensor
from registry_core.safetensors import read_header
from registry_server.catalog import weights
from registry_server.catalog.bases import Base
from registry_server.catalog.blobs import Stored
from registry_server.catalog.cards import CardIndex, MetricEntry
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.catalog.weights import Weights
from registry_server.usecases import contents, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.late import grading
from registry_server.usecases.reading import File

README_PATH = "README.md"
CONFIG_PATH = "config.json"

WEIGHT_SUFFIXES = (
    ".safetensors",
    ".bin",
    ".pt",
    ".pth",
    ".ckpt",
    ".gguf",
    ".onnx",
    ".h5",
    ".msgpack",
    ".npz",
)
"""Files that hold weights; their sizes make up `size_bytes`."""

_README_BYTES = 1 << 20
_CARD_BYTES = 4 << 20
_RESULTS_BYTES = 256 << 10
_RESULTS_FILES = 20
_CONFIG_BYTES = 1 << 20
_CONFIG_KEYS = ("architectures", "model_type", "quantization_config")
_BODY_CHARACTERS = 4000


def derive(registry: Registry, tx: Transaction, repo: Repo, commit: CommitId, root: bytes) -> CardIndex:
    """The index entry of the commit whose root tree is `root`."""
    files = {item.path: item for item in reading.list_tree(tx, repo, root, recursive=True) if isinstance(item, File)}
    readme = read_readme(registry, tx, files.get(README_PATH))
    head = card_data(readme.front_matter)
    card = read_card(registry, tx, files.get(CARD_PATH))
    grade = grading.graded(registry, tx, card, files).grade if card else None
    safetensors = _safetensors(tx, files.values())
    return CardIndex(
        commit_oid=bytes.fromhex(commit),
        task=card.model.task if card else head.pipeline_tag,
        library=head.library_name,
        license=head.license or (card.model.license if card else None),
        parameters=_parameters(card, safetensors),
        size_bytes=sum(file.size_bytes for file in files.values() if file.path.endswith(WEIGHT_SUFFIXES)) or None,
        footprint_status=status(card, files),
        level=grade.level if grade else None,
        card_data=readme.front_matter,
        safetensors=safetensors,
        config=_config(registry, tx, files.get(CONFIG_PATH)),
        files=list(files),
        metrics=_metrics(card, head, _evaluations(registry, tx, files.values())),
        tags=_tags(head) if repo.kind == "model" else _dataset_tags(head, readme.front_matter),
        body=readme.body[:_BODY_CHARACTERS],
        bases=_bases(card),
        **_sums(card),
    )


def status(card: Card | None, files: Mapping[str, File]) -> FootprintStatus:
    """What the commit's files say about its card."""
    if card is None:
        return "none"
    return check_against_tree(card, {path: (file.digest, file.size_bytes) for path, file in files.items()})


def read_weights(registry: Registry, digest: Digest, stored: Stored) -> Weights:
    """The header of a stored safetensors file; a header that cannot be trusted is noted, not refused."""
    key = stored.xet_file or bytes.fromhex(digest)
    try:
        header = read_header(partial(contents.read, registry, digest, stored.xet_file), stored.size_bytes)
    except InvalidWeights as error:
        return Weights(key, error.message, 0, {}, {}, ())
    return Weights(
        key=key,
        fault=None,
        parameters=header.parameters,
        parameters_by_dtype=dict(header.parameters_by_dtype),
        metadata=dict(header.metadata),
        tensors=[Tensor(tensor.name, tensor.dtype, list(tensor.shape)) for tensor in header.tensors],
    )


def read_card(registry: Registry, tx: Transaction, file: File | None) -> Card | None:
    """The card in `file`; None when there is none, or when it came to be there without passing our door."""
    if file is None or file.size_bytes > _CARD_BYTES:
        return None
    try:
        return parse_card(reading.content(registry, tx, file))
    except (InvalidCard, ContentDiffers):
        return None


def read_readme(registry: Registry, tx: Transaction, file: File | None) -> Readme:
    """The README in `file`, as far as it can be read; an empty one when there is none."""
    text = readme_text(registry, tx, file)
    try:
        return parse_readme(text)
    except InvalidReadme:
        return Readme({}, text)  # the page shows it as it is; validate-yaml told the author


def readme_text(registry: Registry, tx: Transaction, file: File | None) -> str:
    """The README as it stands there; an empty text when there is none that can be read."""
    if file is None or file.size_bytes > _README_BYTES:
        return ""
    try:
        return reading.content(registry, tx, file).decode(errors="replace")
    except ContentDiffers:
        return ""  # the file itself answers with what is wrong


def _config(registry: Registry, tx: Transaction, file: File | None) -> dict[str, Any] | None:
    """What Hub clients expect of `config.json`, not all of it."""
    if file is None or file.size_bytes > _CONFIG_BYTES:
        return None
    try:
        config = json.loads(reading.content(registry, tx, file))
    except (ContentDiffers, ValueError, RecursionError):
        return None
    if not isinstance(config, dict):
        return None
    return {key: config[key] for key in _CONFIG_KEYS if key in config}


def _sums(card: Card | None) -> dict[str, Any]:
    """The numbers of the whole card, under their column names."""
    if card is None:
        return {}
    everything = totals(card).all
    # Facility energy is a product with the PUE, which is often declared: people ask how the energy itself was obtained.
    energy, facility = everything.energy_it_kwh, everything.energy_facility_kwh
    return {
        "energy_kwh": _value(facility),
        "energy_low_kwh": facility.low if facility else None,
        "energy_high_kwh": facility.high if facility else None,
        "energy_source": energy.source if energy else None,
        "co2e_kg": _value(everything.co2e_location_kg),
        "water_litres": _value(everything.water_litres),
        "cost": _value(everything.cost),
        "currency": everything.currency if everything.cost else None,
        "duration_seconds": _value(everything.wall_time_seconds),
    }


def _bases(card: Card | None) -> list[Base]:
    """The base models that may be in this registry, as the card names them."""
    named = card.model.base_models if card else None
    return [Base(base.repo_id, base.revision, base.relation) for base in named or () if not base.external]


def _value(amount: Amount | None) -> float | None:
    return amount.value if amount else None


def _parameters(card: Card | None, safetensors: dict[str, Any] | None) -> int | None:
    """What the headers say counts more than what the card says."""
    if safetensors is not None:
        return int(safetensors["total"])
    return card.model.parameters_total if card else None


def _safetensors(tx: Transaction, files: Iterable[File]) -> dict[str, Any] | None:
    """Parameters by dtype over all safetensors files, in the form Hub clients read."""
    keys = [file.content_key for file in files if file.path.endswith(".safetensors")]
    readable = [header for header in weights.known(tx, keys).values() if header.fault is None]
    if not readable:
        return None
    by_dtype: dict[str, int] = {}
    for header in readable:
        for dtype, count in header.parameters_by_dtype.items():
            by_dtype[dtype] = by_dtype.get(dtype, 0) + count
    return {"parameters": by_dtype, "total": sum(by_dtype.values())}


def _evaluations(registry: Registry, tx: Transaction, files: Iterable[File]) -> list[ClaimedMetric]:
    """What the first few files of `.eval_results/` state, by path."""
    folder = f"{eval_results.FOLDER}/"
    fitting = [
        file
        for file in sorted(files, key=lambda file: file.path)
        if file.path.startswith(folder) and file.path.endswith((".yaml", ".yml")) and file.size_bytes <= _RESULTS_BYTES
    ]
    found: list[ClaimedMetric] = []
    for file in fitting[:_RESULTS_FILES]:
        with suppress(ContentDiffers):  # the file itself answers with what is wrong
            text = reading.content(registry, tx, file).decode(errors="replace")
            found += eval_results.read_eval_results(text)
    return found


def _metrics(card: Card | None, head: CardData, evaluations: Iterable[ClaimedMetric]) -> list[MetricEntry]:
    """The card's quality entries, then `model-index`, then `.eval_results`; the first of each metric leads."""
    claims = [
        MetricEntry(
            task=score.task,
            metric=score.metric,
            dataset=score.dataset,
            split=score.split,
            value=score.value,
            config=score.config,
            revision=score.revision,
            stderr=standard_error(score),
            higher_is_better=score.higher_is_better,
        )
        for score in (card.quality if card and card.quality else ())
    ] + [
        MetricEntry(claim.task or "", claim.metric, claim.dataset or "", claim.split, claim.value)
        for claim in metrics_of_model_index(head.model_index)
    ]
    told = {(claim.metric, claim.dataset, claim.value) for claim in claims}
    claims += [
        MetricEntry(claim.task or "", claim.metric, claim.dataset or "", claim.split, claim.value)
        for claim in evaluations
        if (claim.metric, claim.dataset, claim.value) not in told
    ]
    of_task: set[tuple[str, str]] = set()
    of_model: set[str] = set()
    entries = []
    for claim in claims:
        of = (claim.task, claim.metric)
        entries.append(replace(claim, leads_task=of not in of_task, leads_model=claim.metric not in of_model))
        of_task.add(of)
        of_model.add(claim.metric)
    return entries


def _tags(head: CardData) -> list[str]:
    """Tags in the form Hub clients filter by."""
    given = [
        *head.tags,
        *filter(None, (head.library_name, head.pipeline_tag)),
        *head.language,
        *([f"license:{head.license}"] if head.license else []),
        *(f"dataset:{name}" for name in head.datasets),
        *(f"base_model:{name}" for name in head.base_model),
    ]
    return list(dict.fromkeys(given))


_DATASET_TAGS = (
    "annotations_creators",
    "language_creators",
    "language",
    "multilinguality",
    "size_categories",
    "source_datasets",
    "task_categories",
    "task_ids",
    "license",
)


def _dataset_tags(head: CardData, front_matter: Mapping[str, Any]) -> list[str]:
    """Tags in the form Hub clients filter data sets by: what each means stands before it."""
    given = [*head.tags]
    for name in _DATASET_TAGS:
        value = front_matter.get(name)
        values = value if isinstance(value, list) else [value]
        given += [f"{name}:{text}" for text in values if isinstance(text, str)]
    return list(dict.fromkeys(given))
