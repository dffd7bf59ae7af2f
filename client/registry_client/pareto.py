"""Which models have the best scores for their energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_client.config import connection
from registry_client.remote import Remote

if TYPE_CHECKING:
    from registry_core.comparisons import Layers


def pareto(
    task: str,
    *,
    metric: str | None = None,
    dataset: str | None = None,
    limit: int | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> Layers:
    """The models of the largest comparison group that fits, best first, each with its Pareto layer.

    Layer 1 is the front: what no other model beats on score and energy at once, beyond doubt. Raises NotFound
    when no model is in such a group.
    """
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.pareto(task, metric=metric, dataset=dataset, limit=limit)
