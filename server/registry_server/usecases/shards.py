"""The headers of all shards of a model at once, from its index file."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from registry_core.errors import EntryNotFound, InvalidPath, InvalidWeights, Refused
from registry_core.ids import CommitId, RepoId, RepoKind, RepoPath, Revision
from registry_core.safetensors import Header, read_header
from registry_server.catalog.accounts import Caller
from registry_server.catalog.engine import Transaction
from registry_server.catalog.repos import Repo
from registry_server.usecases import access, contents, reading
from registry_server.usecases.context import Registry
from registry_server.usecases.reading import File

_INDEX_BYTES = 16 << 20
_MOST_SHARDS = 500
_MOST_TENSORS = 200_000


def headers(
    registry: Registry, caller: Caller, kind: RepoKind, repo_id: RepoId, path: RepoPath
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the index at main says besides its weight map, and each shard's header, by path.

    A safetensors file stands for itself. Raises EntryNotFound, InvalidWeights, and Refused for too much.
    """
    with registry.engine.read() as tx:
        repo = access.open_repo(tx, caller, kind, repo_id)
        commit = reading.resolve(tx, repo, Revision("main"))
        index, shards = _shards(registry, tx, repo, commit, path)
        files = {shard: reading.file(tx, repo, commit, shard_path) for shard, shard_path in shards.items()}
    found: dict[str, Any] = {}
    tensors = 0
    for shard, file in files.items():
        header = _header(registry, file)
        tensors += len(header.tensors)
        if tensors > _MOST_TENSORS:
            raise Refused(f"These are more than {_MOST_TENSORS} tensors.", hint="Read the headers of the shards.")
        found[shard] = _shape(header)
    return index, found


def _shards(
    registry: Registry, tx: Transaction, repo: Repo, commit: CommitId, path: RepoPath
) -> tuple[dict[str, Any], dict[str, RepoPath]]:
    """The index without its weight map, and the paths of the shards by the names it gives them."""
    if path.endswith(".safetensors"):
        return {}, {path: path}
    file = reading.file(tx, repo, commit, path)
    if file.size_bytes > _INDEX_BYTES:
        raise EntryNotFound(f"{path} is no index of shards.", commit_id=commit)
    try:
        index = json.loads(reading.content(registry, tx, file))
        names = sorted(set(index.pop("weight_map").values()))
        folder = path.rpartition("/")[0]
        shards = {name: RepoPath(f"{folder}/{name}" if folder else name) for name in names[: _MOST_SHARDS + 1]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidPath) as error:
        raise InvalidWeights(f"{path} is no index of shards.", hint="It needs a weight_map.") from error
    if len(shards) > _MOST_SHARDS:
        raise Refused(f"{path} names more than {_MOST_SHARDS} shards.", hint="Read the headers of the shards.")
    return index, shards


def _header(registry: Registry, file: File) -> Header:
    return read_header(partial(_read, registry, file), file.size_bytes)


def _read(registry: Registry, file: File, start: int, length: int) -> bytes:
    if not file.facts.in_catalog:
        return contents.read(registry, file.digest, file.facts.xet_file, start, length)
    with registry.engine.read() as tx:
        return reading.content(registry, tx, file)[start : start + length]


def _shape(header: Header) -> dict[str, Any]:
    """The header as it stands in the file."""
    tensors = {
        tensor.name: {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [tensor.begin, tensor.end]}
        for tensor in header.tensors
    }
    return {"__metadata__": header.metadata, **tensors} if header.metadata else tensors
