"""What people are told of a model's relatives: its lineage in numbers, and how it compares with what it compresses."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from registry_core import records
from registry_core.compression import Compression, Weights, compressed_parent, compression
from registry_core.errors import Invalid
from registry_core.ids import CommitId, RepoId, RepoKind, Revision
from registry_core.lineage import induced, lineage
from registry_server.catalog import weights
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, lineages, reading
from registry_server.usecases.cards import require_card
from registry_server.usecases.context import Registry
from registry_server.usecases.lineages import Family, Relative, add_ancestors, add_descendants, base_of

_WEIGHTS = ".safetensors"


def lineage_of(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, revision: Revision
) -> records.Lineage:
    """What a model and its ancestors took, and what was made from it, as far as the caller sees.

    Raises EntryNotFound when the revision has no card.
    """
    above, below = Family(), Family()
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id, "see")
        commit = reading.resolve(tx, repo, revision)
        start = Relative(repo, commit, require_card(registry, tx, repo, commit))
        add_ancestors(registry, tx, caller, start, above)
        add_descendants(registry, tx, caller, start, below)
    found, later = lineage(start.digest, above.nodes), induced(start.digest, below.nodes)
    cuts = [_by_name(cut, above) for cut in found.cuts]
    cuts += [
        f"There are more than {lineages.MOST_RELATIVES} {what}; the others are left out."
        for what, family in (("ancestors", above), ("descendants", below))
        if family.is_cut
    ]
    return records.Lineage(
        id=repo.id,
        revision=revision,
        commit_id=commit,
        bases=_bases(start),
        own=asdict(found.own),
        cumulative=asdict(found.cumulative),
        is_complete=found.is_complete and not above.is_cut,
        ancestors=[_relative(above, digest) for digest in found.ancestors],
        unknown=list(found.unknown),
        cuts=cuts,
        induced_kwh=asdict(later.energy_kwh) if later.energy_kwh else None,
        descendants=[_relative(below, digest) for digest in later.descendants],
        unknown_descendants=[below.relatives[digest].repo.id for digest in later.unknown],
    )


@dataclass(frozen=True)
class Compressed:
    """A model beside the parent that it was compressed from."""

    parent: Relative
    relation: str
    compression: Compression

    def document(self) -> dict[str, Any]:
        """As the model's own answer has it."""
        ratio = self.compression.energy_ratio
        return {
            "parent": self.parent.repo.id,
            "parent_commit_id": self.parent.commit,
            "relation": self.relation,
            **asdict(self.compression),
            "score_retention": self.compression.score_retention,
            "energy_ratio": asdict(ratio) if ratio else None,
        }


def compressed(registry: Registry, tx: Transaction, caller: Caller, model: Relative) -> Compressed | None:
    """How much smaller a model is than the parent it was compressed from, and at what loss.

    None when its card names no such parent with a revision, or not all that is needed is known of the two.
    """
    base = compressed_parent(model.card)
    parent = base_of(registry, tx, caller, base) if base else None
    own_weights = _weights(tx, model.repo, model.commit) if parent else None
    parent_weights = _weights(tx, parent.repo, parent.commit) if parent else None
    if base is None or parent is None or own_weights is None or parent_weights is None:
        return None
    try:
        found = compression(model.card, own_weights, parent.card, parent_weights)
    except Invalid:  # weights without a single parameter
        return None
    return Compressed(parent, base.relation, found)


def _weights(tx: Transaction, repo: Repo, commit: CommitId) -> Weights | None:
    """The weights of a commit; None unless the header of each of its safetensors files is known."""
    files = [file for file in reading.files(tx, repo, commit) if file.path.endswith(_WEIGHTS)]
    known = weights.known(tx, [file.content_key for file in files])
    headers = [known[file.content_key] for file in files if file.content_key in known]
    if not files or len(headers) < len(files) or any(header.fault is not None for header in headers):
        return None
    return Weights(sum(file.size_bytes for file in files), sum(header.parameters for header in headers))


def _relative(family: Family, digest: str) -> records.Relative:
    relative, footprint = family.relatives[digest], family.nodes[digest].footprint
    energy, co2e = footprint.energy_facility_kwh, footprint.co2e_location_kg
    return records.Relative(
        id=relative.repo.id,
        commit_id=relative.commit,
        energy_kwh=energy.value if energy else None,
        co2e_kg=co2e.value if co2e else None,
        bases=_bases(relative),
    )


def _bases(relative: Relative) -> list[str]:
    return [base.repo_id for base in relative.card.model.base_models or ()]


def _by_name(cut: str, family: Family) -> str:
    for digest, relative in family.relatives.items():
        cut = cut.replace(digest, relative.repo.id)
    return cut
