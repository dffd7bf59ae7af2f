"""A README: the structured head between two `---` lines, and the text for people after it.

Reading is tolerant, since heads are written by hand and for many other tools: `card_data` takes what it
understands, `validate` lists what is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from registry_core import plain_yaml
from registry_core.errors import InvalidReadme
from registry_core.ids import RepoKind

_OPENING = re.compile(r"\ufeff?(?:[ \t]*(?:\r\n|\r|\n))*+---[ \t]*(?:\r\n|\r|\n)")
_CLOSING = re.compile(r"(?<=[\r\n])---[ \t]*(?:\r\n|\r|\n|\Z)")

KNOWN_TASKS = frozenset(
    "any-to-any audio-classification audio-text-to-text audio-to-audio automatic-speech-recognition"
    " depth-estimation document-question-answering feature-extraction fill-mask graph-ml"
    " image-classification image-feature-extraction image-segmentation image-text-to-image"
    " image-text-to-text image-text-to-video image-to-3d image-to-image image-to-text image-to-video"
    " keypoint-detection mask-generation multiple-choice object-detection other question-answering"
    " reinforcement-learning robotics sentence-similarity summarization table-question-answering"
    " table-to-text tabular-classification tabular-regression tabular-to-text text-classification"
    " text-generation text-ranking text-retrieval text-to-3d text-to-audio text-to-image text-to-speech"
    " text-to-video time-series-forecasting token-classification translation"
    " unconditional-image-generation video-classification video-text-to-text video-to-video"
    " visual-document-retrieval visual-question-answering voice-activity-detection"
    " zero-shot-classification zero-shot-image-classification zero-shot-object-detection".split()
)
"""The Hub's `pipeline_tag`s; another one is allowed, and worth a warning."""


@dataclass(frozen=True)
class Readme:
    """`front_matter` is JSON, empty when there is no head; `body` is the text after it, as it was written."""

    front_matter: dict[str, Any]
    body: str


@dataclass(frozen=True)
class CardData:
    """What the catalog wants from a head. A field that is missing, or of a wrong type, is None or empty."""

    license: str | None  # the first, where several are listed
    license_name: str | None
    pipeline_tag: str | None  # the task
    library_name: str | None
    tags: tuple[str, ...]
    language: tuple[str, ...]
    datasets: tuple[str, ...]
    base_model: tuple[str, ...]
    model_index: list[Any]  # as it was written; `metrics_of_model_index` reads it


class ClaimedMetric(NamedTuple):
    """A number that a model's author states in `model-index`; what the author left out is None."""

    task: str | None
    dataset: str | None
    split: str | None
    metric: str
    value: float


def split_front_matter(text: str) -> tuple[str | None, str]:
    """The YAML of the head and the body after it; None and the whole text when there is no head."""
    opening = _OPENING.match(text)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return None, text.removeprefix("\ufeff")
    return text[opening.end() : closing.start()], text[closing.end() :]


def parse_readme(text: str) -> Readme:
    """The README that `text` writes. Raises InvalidReadme, naming the line, when its head cannot be read."""
    head, body = split_front_matter(text)
    if head is None:
        return Readme({}, body)
    try:
        front_matter = plain_yaml.load(head, first_line=_first_line(text))
    except plain_yaml.YamlFault as error:
        raise _unreadable(str(error)) from error
    if front_matter is not None and not isinstance(front_matter, dict):
        raise _unreadable("it must be a map of names to values")
    return Readme(front_matter or {}, body)


def dump_readme(front_matter: dict[str, Any], body: str) -> str:
    """A README of this head, which must be JSON, and this body; `parse_readme` reads both back."""
    head = plain_yaml.dump(front_matter) if front_matter else ""
    return f"---\n{head}---\n{body}"


def card_data(front_matter: dict[str, Any]) -> CardData:
    """What the catalog wants from a head."""
    model_index = front_matter.get("model-index")
    return CardData(
        license=next(iter(_texts(front_matter.get("license"))), None),
        license_name=_text(front_matter.get("license_name")),
        pipeline_tag=_text(front_matter.get("pipeline_tag")),
        library_name=_text(front_matter.get("library_name")),
        tags=_texts(front_matter.get("tags")),
        language=_texts(front_matter.get("language")),
        datasets=_texts(front_matter.get("datasets")),
        base_model=_texts(front_matter.get("base_model")),
        model_index=model_index if isinstance(model_index, list) else [],
    )


def validate(front_matter: dict[str, Any], kind: RepoKind) -> tuple[list[str], list[str]]:
    """What is wrong with a head, and what is only odd: (errors, warnings)."""
    if not front_matter:
        return [], ["empty or missing yaml metadata in repo card"]
    errors = [
        f'"{field}" must be {what}'
        for field, (what, is_right) in _FIELDS.items()
        if front_matter.get(field) is not None and not is_right(front_matter[field])
    ]
    warnings = []
    task = front_matter.get("pipeline_tag")
    if kind == "model" and isinstance(task, str) and task not in KNOWN_TASKS:
        warnings.append(f'"pipeline_tag" {task[:80]!r} is not a task that the Hub knows')
    if kind == "model" and isinstance(front_matter.get("model-index"), list):
        errors += _model_index_faults(front_matter["model-index"])
    return errors, warnings


def metrics_of_model_index(model_index: Any) -> list[ClaimedMetric]:
    """The numbers that a `model-index` states, in its order, without what cannot be read or is not finite."""
    return [
        ClaimedMetric(
            task=_either(result.get("task"), "type", "name"),
            dataset=_either(result.get("dataset"), "type", "name"),
            split=_either(result.get("dataset"), "split"),
            metric=name,
            value=float(metric["value"]),
        )
        for model in _maps(model_index)
        for result in _maps(model.get("results"))
        for metric in _maps(result.get("metrics"))
        if (name := _either(metric, "type", "name")) and _is_finite(metric.get("value"))
    ]


def _first_line(text: str) -> int:
    """The number, from 1, of the line after the opening `---`."""
    opening = _OPENING.match(text)
    return 1 + len(re.findall(r"\r\n|\r|\n", opening.group())) if opening else 1


def _unreadable(fault: str) -> InvalidReadme:
    return InvalidReadme(
        "The head of the README cannot be read.",
        hint="A head is YAML between two lines ---, for example: license: apache-2.0",
        faults=[fault],
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> tuple[str, ...]:
    """A text, or the texts of a list: the Hub takes either in most places."""
    return tuple(text for text in (value if isinstance(value, list) else [value]) if _text(text))


def _maps(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _either(fields: Any, *names: str) -> str | None:
    """The first of these fields that is a text."""
    found = (_text(fields.get(name)) for name in names) if isinstance(fields, dict) else ()
    return next(filter(None, found), None)


def _is_finite(value: Any) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_text_or_list_of_texts(value: Any) -> bool:
    return isinstance(value, str) or _is_list_of_texts(value)


_TEXT = ("a string", lambda value: isinstance(value, str))
_TEXT_OR_LIST = ("a string or a list of strings", _is_text_or_list_of_texts)
_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "license": _TEXT_OR_LIST,
    "license_name": _TEXT,
    "license_link": _TEXT,
    "pipeline_tag": _TEXT,
    "library_name": _TEXT,
    "tags": ("a list of strings", _is_list_of_texts),
    "language": _TEXT_OR_LIST,
    "datasets": _TEXT_OR_LIST,
    "base_model": _TEXT_OR_LIST,
    "model-index": ("a list", lambda value: isinstance(value, list)),
}
"""What the Hub demands of the fields it knows; all others are free."""


def _model_index_faults(model_index: list[Any]) -> list[str]:
    faults = []
    for i, model in enumerate(model_index):
        if not isinstance(model, dict) or not isinstance(model.get("results"), list):
            faults.append(f'"model-index[{i}]" must be a map with a list of "results"')
            continue
        faults += [
            f'"model-index[{i}].results[{j}]" must be a map with a list of "metrics"'
            for j, result in enumerate(model["results"])
            if not isinstance(result, dict) or not isinstance(result.get("metrics"), list)
        ]
    return faults
