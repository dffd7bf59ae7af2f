"""Cards from what other tools wrote: bytes and what a person adds to them, in; the card they make, out.

    file ─► codecarbon | zeus | boamps | green_algorithms | model_card ─► Run ... ─► phases ─► card document

A reader takes over what its file says and nothing else. What the card cannot do without and the file does not say
is asked for: where, when, how long, on what. Numbers that a tool is known to get wrong are put right or left out,
and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from registry_core.card import parse_card
from registry_core.errors import InvalidCard
from registry_core.imports import boamps, codecarbon, green_algorithms, model_card, zeus
from registry_core.imports.phases import DEFAULT_STAGE, Imported, Said, Source, invalid, phase_of

Form = Literal["codecarbon", "zeus", "boamps", "green-algorithms", "model-card"]
FORMS: tuple[Form, ...] = get_args(Form)

__all__ = ["FORMS", "Form", "Imported", "Said", "import_card"]

_READERS: dict[Form, Callable[[bytes, Said], Source]] = {
    "codecarbon": codecarbon.read,
    "zeus": zeus.read,
    "boamps": boamps.read,
    "green-algorithms": green_algorithms.read,
    "model-card": model_card.read,
}
_AROUND = {
    "schema": "footprint-card/1.0",
    "created_at": "1970-01-01T00:00:00Z",
    "generator": {"name": "import", "version": "0"},
    "subject": {"files": [{"path": "model.safetensors", "sha256": "0" * 64, "size_bytes": 0}]},
}
"""What the caller knows better, and the check of the document needs."""


def import_card(form: Form, data: bytes, said: Said) -> Imported:
    """The card that the file `data` makes: `model`, `phases`, `evidence`, and `quality` where the file has any.

    The caller adds `schema`, `created_at`, `generator` and `subject`. Raises InvalidImport, naming every fault of the
    file and everything that is missing and how to say it.
    """
    source = _READERS[form](data, said)
    model: dict[str, Any] = {
        "task": said.task or source.task,
        "license": said.license or source.license,
        **source.model,
    }
    faults = [f"{name} is not said; use --{name}" for name in ("task", "license") if not model[name]]
    phases: list[dict[str, Any]] = []
    notes = list(source.notes)
    for number, run in enumerate(source.runs):
        phase, missing, remarks = phase_of(run, said)
        where = f"run {number + 1}: " if len(source.runs) > 1 else ""
        phases.append(phase)
        faults += [where + fault for fault in missing]
        notes += [where + remark for remark in remarks]
    if faults:
        raise invalid(form, faults)
    if not said.stage and any(run.stage is None for run in source.runs):
        notes.append(f"the file names no kind of training; {DEFAULT_STAGE} was taken, and --stage says another")
    if said.base_models is not None:
        model["base_models"] = [{"repo_id": name, "relation": "finetune"} for name in said.base_models]
    elif "base_models" not in model:
        notes.append("the file does not say what the model was made from; --base-model or --from-scratch does")
    document: dict[str, Any] = {"model": model, "phases": phases, "evidence": source.evidence}
    if source.quality:
        document["quality"] = source.quality
    try:
        parse_card({**_AROUND, **document})
    except InvalidCard as error:
        raise invalid(form, error.faults or (error.message,)) from error
    return Imported(document, tuple(dict.fromkeys(notes)), tuple(run.row for run in source.runs))
