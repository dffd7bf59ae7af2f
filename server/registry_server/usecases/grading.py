"""How far the numbers of a commit's card can be trusted: its evidence read, its signature checked, its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.card import CARD_PATH, Card, card_digest
from registry_core.errors import ContentDiffers, Unavailable
from registry_core.evidence import MAX_EVIDENCE_BYTES, RawEvidence, Read, read_evidence
from registry_core.grades import Grade, Reproduction, SignatureCheck
from registry_core.levels import grade
from registry_core.records import Rerun
from registry_core.sentences import sentence
from registry_core.signing import ATTESTATION_PATH, key_ids, verify
from registry_server.catalog.engine import Transaction
from registry_server.usecases import keys, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.reading import File


@dataclass(frozen=True)
class Graded:
    """A card with its grade, and what that rests on."""

    card: Card
    grade: Grade
    evidence: RawEvidence
    signature: SignatureCheck | None  # None: nobody signed


def graded(
    registry: Registry,
    tx: Transaction,
    card: Card,
    files: Mapping[str, File],
    head: Mapping[str, Any],
    reruns: Sequence[Rerun] = (),
) -> Graded:
    """The grade of `card` by the files of its commit, the head of its README, and the reruns by other accounts."""
    read = _reader(registry, tx, files)
    evidence = read_evidence(card, read)
    signature = _signature(tx, card, files, read)
    found = grade(card, evidence, signature=signature, reproductions=_reproductions(card, reruns), head=head)
    return Graded(card, found, evidence, signature)


def sentences(card: Card) -> list[str]:
    """One plain sentence on the energy of each phase."""
    return [sentence(card, index) for index in range(len(card.phases))]


def _reader(registry: Registry, tx: Transaction, files: Mapping[str, File]) -> Read:
    def read(path: str) -> bytes | None:
        file = files.get(path)
        if file is None:
            return None
        if file.size_bytes > MAX_EVIDENCE_BYTES:
            return bytes(MAX_EVIDENCE_BYTES + 1)  # too large, as its reader then says
        try:
            return reading.content(registry, tx, file)
        except (ContentDiffers, Unavailable):  # the file itself answers with what is wrong
            return None

    return read


def _signature(tx: Transaction, card: Card, files: Mapping[str, File], read: Read) -> SignatureCheck | None:
    """What the signature over card, weights and samples is worth; None when there is none."""
    envelope = read(ATTESTATION_PATH)
    if envelope is None:
        return None
    beside = [CARD_PATH, *(card.evidence.samples or ())]
    signed = {path: str(files[path].digest) for path in beside if path in files}
    weights = {file.path: file.sha256 for file in card.subject.files}
    return verify(envelope, card_digest(card), {**signed, **weights}, keys.known(tx, key_ids(envelope)))


def _reproductions(card: Card, reruns: Sequence[Rerun]) -> list[Reproduction]:
    """Reruns that measured what the card says of its use, on the hardware it says it of."""
    uses: dict[str | None, float] = {
        use.hardware: use.energy_per_unit.value for use in card.use_phase or () if use.hardware
    }
    found = []
    for rerun in reruns:
        report = rerun.report
        claimed_kwh = uses.get(report.device_name)
        ratio = report.energy_kwh / (claimed_kwh * report.n) if claimed_kwh and report.energy_kwh is not None else None
        found.append(
            Reproduction(rerun.account, claimed_kwh is not None, ratio, score_within_tolerance=report.verdict == "pass")
        )
    return found
