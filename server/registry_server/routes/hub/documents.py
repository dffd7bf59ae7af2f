"""What the Hub's JSON says of a repo, and which of it was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import request

from registry_core.errors import Invalid
from registry_core.ids import CommitId, RepoKind
from registry_server.catalog.cards import CardIndex
from registry_server.catalog.repos import Repo
from registry_server.routes.requests import flag
from registry_server.usecases.reading import File

_EXPANDABLE = {
    "model": {
        "author",
        "baseModels",
        "cardData",
        "childrenModelCount",
        "config",
        "createdAt",
        "disabled",
        "downloads",
        "downloadsAllTime",
        "evalResults",
        "gated",
        "gguf",
        "inference",
        "inferenceProviderMapping",
        "lastModified",
        "library_name",
        "likes",
        "mask_token",
        "model-index",
        "pipeline_tag",
        "private",
        "resourceGroup",
        "safetensors",
        "sha",
        "siblings",
        "spaces",
        "tags",
        "transformersInfo",
        "trendingScore",
        "usedStorage",
        "widgetData",
        "xetEnabled",
    },
    "dataset": {
        "author",
        "cardData",
        "citation",
        "createdAt",
        "description",
        "disabled",
        "downloads",
        "downloadsAllTime",
        "gated",
        "lastModified",
        "likes",
        "mainSize",
        "paperswithcode_id",
        "private",
        "resourceGroup",
        "sha",
        "siblings",
        "tags",
        "trendingScore",
        "usedStorage",
        "xetEnabled",
    },
}
_LISTED = frozenset(
    "_id id modelId author private gated likes downloads tags pipeline_tag library_name createdAt lastModified".split()
)
_OF_HEAD = frozenset({"siblings", "config", "cardData", "model-index", "safetensors"})
_COSTLY = frozenset({"siblings", "usedStorage"})


@dataclass(frozen=True)
class Wanted:
    """The keys that a request asks for; None means all. `blobs` adds sizes and hashes to the files."""

    keys: frozenset[str] | None
    blobs: bool = False

    def __contains__(self, key: str) -> bool:
        return self.keys is None or key in self.keys

    @property
    def needs_head(self) -> bool:
        """Whether an answer needs what only the Hub shows of a card."""
        return any(key in self for key in _OF_HEAD)

    @property
    def is_costly(self) -> bool:
        """Whether an answer grows with a repo."""
        return any(key in self for key in _COSTLY)


def wanted_alone(kind: RepoKind) -> Wanted:
    """What is asked of one repo: everything, or what `expand` names. Raises Invalid for what nobody knows."""
    asked = _expand(kind)
    return Wanted(frozenset({"_id", "id", *asked}) if asked else None, blobs=flag("blobs"))


def wanted_in_list(kind: RepoKind) -> Wanted:
    """What is asked of each repo of a list."""
    asked = _expand(kind)
    if asked:
        return Wanted(frozenset({"_id", "id", *asked}))
    more = {"full": {"sha", "disabled", "siblings"}, "cardData": {"cardData"}, "config": {"config"}}
    return Wanted(_LISTED.union(*(keys for name, keys in more.items() if flag(name))))


def document(repo: Repo, commit: CommitId, card: CardIndex, wanted: Wanted, used_bytes: int | None) -> dict[str, Any]:
    """The keys that are wanted, as far as something is known of them."""
    everything = {
        "_id": f"{repo.row_id:024x}",
        "id": repo.id,
        "author": repo.id.owner,
        "sha": commit,
        "createdAt": repo.created_at,
        "lastModified": repo.updated_at,
        "private": repo.private,
        "gated": repo.gated or False,
        "disabled": False,
        "downloads": repo.downloads,
        "downloadsAllTime": repo.downloads if wanted.keys is not None else None,  # for who asks by name
        "likes": 0,
        "tags": list(card.tags),
        "cardData": card.card_data,
        "siblings": [{"rfilename": path} for path in card.files or ()],
        "usedStorage": used_bytes,
    }
    if repo.kind == "model":
        everything |= {
            "modelId": repo.id,
            "pipeline_tag": card.task,
            "library_name": card.library,
            "safetensors": card.safetensors,
            "footprint": _footprint(card),
            "model-index": card.card_data.get("model-index"),
            "config": card.config,
        }
    # Clients read an absent key as "not known", and trip over null in some.
    return {key: value for key, value in everything.items() if value is not None and key in wanted}


def _expand(kind: RepoKind) -> list[str]:
    asked = [*request.args.getlist("expand"), *request.args.getlist("expand[]")]
    unknown = sorted(set(asked) - _EXPANDABLE[kind])
    if unknown:
        raise Invalid(
            f"expand cannot be {', '.join(unknown)[:200]}.",
            hint=f"It can be {', '.join(sorted(_EXPANDABLE[kind]))}.",
        )
    return asked


def _footprint(card: CardIndex) -> dict[str, Any] | None:
    """Our own field, which Python clients see as an attribute without knowing of it."""
    if card.footprint_status == "none":
        return None
    return {
        "status": card.footprint_status,
        "energy_kwh": card.energy_kwh,
        "co2e_kg": card.co2e_kg,
        "water_litres": card.water_litres,
        "duration_seconds": card.duration_seconds,
        "energy_source": card.energy_source,
    }


def sibling(file: File) -> dict[str, Any]:
    """One file with its size and hashes."""
    found: dict[str, Any] = {"rfilename": file.path, "size": file.size_bytes, "blobId": file.oid.hex()}
    if file.facts.is_lfs:
        found["lfs"] = {
            "sha256": file.digest,
            "size": file.size_bytes,
            "pointerSize": file.facts.pointer_bytes,
        }
    return found
