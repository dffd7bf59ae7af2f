"""Headers of safetensors files, by content: read once, whoever pushes the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from registry_core.records import Tensor
from registry_server.catalog.engine import Transaction, in_batches


@dataclass(frozen=True)
class Weights:
    """What the header of one safetensors file says. `fault` tells why it cannot be read; the rest is then empty."""

    key: bytes  # SHA-256 of the file, or the hash of the Xet file that rebuilds it
    fault: str | None
    parameters: int
    parameters_by_dtype: dict[str, int]
    metadata: dict[str, str]
    tensors: Sequence[Tensor]


def known(tx: Transaction, keys: Iterable[bytes]) -> dict[bytes, Weights]:
    """What is known of those files, without their tensors."""
    found: dict[bytes, Weights] = {}
    for names, params in in_batches(keys):
        rows = tx.execute(
            f"select digest, fault, parameters, parameters_by_dtype, metadata from weights where digest in {names}",
            params,
        )
        for row in rows:
            found[row["digest"]] = Weights(
                key=row["digest"],
                fault=row["fault"],
                parameters=row["parameters"],
                parameters_by_dtype=json.loads(row["parameters_by_dtype"]),
                metadata=json.loads(row["metadata"]),
                tensors=(),
            )
    return found


def add(tx: Transaction, weights: Weights) -> None:
    """Remember a header; nothing happens when it is known."""
    new = tx.changed(
        "insert into weights (digest, fault, parameters, parameters_by_dtype, metadata)"
        " values (:digest, :fault, :parameters, :by_dtype, :metadata) on conflict (digest) do nothing",
        {
            "digest": weights.key,
            "fault": weights.fault,
            "parameters": weights.parameters,
            "by_dtype": json.dumps(weights.parameters_by_dtype),
            "metadata": json.dumps(weights.metadata),
        },
    )
    if new:
        tx.execute_many(
            "insert into tensors (digest, position, name, dtype, shape)"
            " values (:digest, :position, :name, :dtype, :shape)",
            (
                {
                    "digest": weights.key,
                    "position": position,
                    "name": tensor.name,
                    "dtype": tensor.dtype,
                    "shape": json.dumps(tensor.shape),
                }
                for position, tensor in enumerate(weights.tensors)
            ),
        )


def tensors(tx: Transaction, key: bytes) -> list[Tensor]:
    """The tensors of one file, in the order of the file."""
    rows = tx.execute(
        "select name, dtype, shape from tensors where digest = :digest order by position", {"digest": key}
    )
    return [Tensor(row["name"], row["dtype"], json.loads(row["shape"])) for row in rows]
