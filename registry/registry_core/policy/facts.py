"""The facts that rules look at, as plain values: what a card says, and what follows from it.

`card` is the card's own document, and beside its fields:

    totals              the calculator's sums by split: totals.all.energy_facility_kwh.value, .low, .high, .source
    phases[].footprint  the same for one phase; phases[].run_year
    groups              the groups of hardware of all phases
    gases               which gases the intensities count
    narrative_words     narrative id -> number of words
    evidence_level      E0 to E4, and findings: [{code, severity, place, message}]
    subject             {faults}: files of weights that the card does not name, or names with another digest
    claims              public claims in the README and in narrative.frugal.claims: [{text, names_digest}]
    readme_agrees       co2_eq_emissions of the README is what the card says
    sampling            {devices, samples, interval_seconds}: the fewest samples of any device, the longest interval
                        of those without an energy counter (0 when all have one)
    evidence            samples_count in place of samples
    signature           {valid, key_id, signer, reason}
    reuse               {convention, …}: what reuse avoided

What is not known is left out, so that a rule that needs it has insufficient data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from registry_core.card import Card, card_document
from registry_core.evidence import RawEvidence
from registry_core.footprint import Totals, phase_footprint, totals, totals_json
from registry_core.grades import Grade, SignatureCheck
from registry_core.phase import Phase
from registry_core.policy.readme_facts import claims, emissions_agree
from registry_core.sampling import samplings
from registry_core.weights import is_pickle, is_weights

Facts = Mapping[str, Any]
Tree = Mapping[str, tuple[str, int]]
"""Path -> SHA-256 and size in bytes of every file of the revision."""

_SHOWN = 100  # of the files that speak against a tree


def card_facts(
    card: Card,
    *,
    grade: Grade | None = None,
    sums: Totals | None = None,
    tree: Tree | None = None,
    readme: str | None = None,
    sampling: Facts | None = None,
    signature: SignatureCheck | None = None,
    reuse: Facts | None = None,
) -> dict[str, Any]:
    """The variable `card` of a rule. What is None is not known."""
    document = card_document(card)
    sums = sums or totals(card)
    document["phases"] = [
        {**written, **_of_phase(phase)} for written, phase in zip(document["phases"], card.phases, strict=True)
    ]
    narrative = card.narrative or {}
    gases = sorted({phase.intensity_meta.gases for phase in card.phases if phase.intensity_meta})
    return {
        **document,
        "totals": totals_json(sums),
        "groups": [group for phase in document["phases"] for group in phase["groups"]],
        "gases": gases or None,
        "narrative": narrative,
        "narrative_words": {name: len(text.split()) for name, text in narrative.items()},
        "evidence_level": grade.level if grade else None,
        "findings": [asdict(finding) for finding in grade.findings] if grade else None,
        "subject": {"faults": None if tree is None else _subject_faults(card, tree)},
        "evidence": _evidence(card),
        "claims": claims(readme, narrative),
        "readme_agrees": emissions_agree(readme, sums) if readme is not None else None,
        "sampling": sampling,
        "signature": asdict(signature) if signature else None,
        "reuse": reuse,
    }


def file_facts(tree: Tree) -> dict[str, Any]:
    """The variable `files`: the paths of pickles."""
    return {"pickles": sorted(filter(is_pickle, tree))[:_SHOWN]}


def _subject_faults(card: Card, tree: Tree) -> list[str]:
    named = {file.path: (file.sha256, file.size_bytes) for file in card.subject.files}
    others = [f"{path} has other bytes" for path in named if path in tree and tree[path] != named[path]]
    unnamed = [f"{path} is not named" for path in sorted(tree) if is_weights(path) and path not in named]
    return [*others, *unnamed][:_SHOWN]


def _evidence(card: Card) -> dict[str, Any]:
    """A run on many hosts has more sample files than a rule could look at one by one."""
    written = card_document(card)["evidence"]
    return {**written, "samples": None, "samples_count": len(card.evidence.samples or ())}


def sampling_facts(evidence: RawEvidence) -> dict[str, Any] | None:
    """How the devices were sampled: `card.sampling`. None without samples."""
    found = [sampling for phase in evidence.phases for sampling in samplings(phase.series)]
    if not found:
        return None
    polled = [sampling.interval_seconds for sampling in found if not sampling.is_counter]
    return {
        "devices": len(found),
        "samples": min(len(sampling.series.samples) for sampling in found),
        "interval_seconds": max(polled, default=0.0),
    }


def _of_phase(phase: Phase) -> dict[str, Any]:
    return {"footprint": asdict(phase_footprint(phase)), "run_year": int(phase.started_at[:4])}
