"""How far the numbers of a commit's card can be trusted: its evidence read, its signature checked, its level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry_core.card import CARD_PATH, Card, card_digest
from registry_core.errors import ContentDiffers, Unavailable
from registry_core.evidence import MAX_EVIDENCE_BYTES, read_evidence
from registry_core.grades import Grade, Reproduction, SignatureCheck
from registry_core.levels import grade
from registry_core.policy.facts import sampling_facts
from registry_core.records import PublicKey, Rerun
from registry_core.sentences import sentence
from registry_core.signing import ATTESTATION_PATH, EVIDENCE_FOLDER, covered, key_ids, verify
from registry_server.catalog.engine import Transaction
from registry_server.usecases import indexing, keys, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.reading import File

_BESIDE = frozenset({CARD_PATH, ATTESTATION_PATH, indexing.README_PATH})


@dataclass(frozen=True)
class Graded:
    """The grade of a card, and of what it rests on as much as others ask for."""

    grade: Grade
    sampling: Mapping[str, Any] | None  # as the facts of a policy have it
    signature: SignatureCheck | None  # None: nobody signed


def graded(
    registry: Registry, tx: Transaction, card: Card, files: Mapping[str, File], reruns: Sequence[Rerun] = ()
) -> Graded:
    """The grade of `card` by the files of its commit, and by reruns of other people than its author.

    It is remembered by what it follows from: a push, its policy and every page ask for the same one, and samples may
    be megabytes.
    """
    reader = _Reader(registry, tx, files)
    envelope = reader.read(ATTESTATION_PATH)
    known = keys.known(tx, key_ids(envelope)) if envelope else {}
    key = (_rests_on(files), frozenset(known), tuple(rerun.number for rerun in reruns))
    found = registry.gradings.get(key)
    if found is None:
        signature = _signature(card, files, envelope, known)
        evidence = read_evidence(card, reader.read)
        head = indexing.read_readme(registry, tx, files.get(indexing.README_PATH)).front_matter
        reproductions = _reproductions(card, reruns)
        level = grade(card, evidence, signature=signature, reproductions=reproductions, head=head)
        found = Graded(level, sampling_facts(evidence), signature)
        if not reader.has_failed:
            registry.gradings.put(key, found)
    return found


def _rests_on(files: Mapping[str, File]) -> frozenset[tuple[str, str, bytes]]:
    """The files that a grade follows from: their names, what they are said to be, and what they are."""
    return frozenset(
        (path, file.digest, file.content_key)
        for path, file in files.items()
        if path in _BESIDE or path.startswith(EVIDENCE_FOLDER)
    )


def sentences(card: Card) -> list[str]:
    """One plain sentence on the energy of each phase."""
    return [sentence(card, index) for index in range(len(card.phases))]


class _Reader:
    """Reads files of a commit; one that cannot be read is as one that is not there, for now."""

    def __init__(self, registry: Registry, tx: Transaction, files: Mapping[str, File]) -> None:
        self._registry = registry
        self._tx = tx
        self._files = files
        self.has_failed = False

    def read(self, path: str) -> bytes | None:
        file = self._files.get(path)
        if file is None:
            return None
        if file.size_bytes > MAX_EVIDENCE_BYTES:
            return bytes(MAX_EVIDENCE_BYTES + 1)  # too large, as its reader then says
        try:
            return reading.content(self._registry, self._tx, file)
        except (ContentDiffers, Unavailable):  # the file itself answers with what is wrong
            self.has_failed = True
            return None


def _signature(
    card: Card, files: Mapping[str, File], envelope: bytes | None, known: Mapping[str, PublicKey]
) -> SignatureCheck | None:
    """What the signature over card, weights and evidence is worth; None when there is none."""
    if envelope is None:
        return None
    wanted = covered(card, {path: str(file.digest) for path, file in files.items()})
    return verify(envelope, card_digest(card), wanted, known)


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
