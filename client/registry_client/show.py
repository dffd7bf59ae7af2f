"""Everything about one model at one revision."""

from __future__ import annotations

from registry_client.config import connection
from registry_client.remote import Remote
from registry_client.spec import parse_spec
from registry_core.errors import NotFound
from registry_core.ids import CommitId, RepoId
from registry_core.records import Lineage, ModelDetail


def show(spec: str, *, endpoint: str | None = None, token: str | None = None) -> ModelDetail:
    """The model `OWNER/NAME[@REVISION]`: its files, its footprint with totals, its verdicts."""
    repo, revision = parse_spec(spec)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.detail(repo, revision)


def lineage_of(detail: ModelDetail, *, endpoint: str | None = None, token: str | None = None) -> Lineage | None:
    """What the model and its relatives took; None when the server tells no lineages."""
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        try:
            return remote.lineage(RepoId(detail.id), CommitId(detail.commit_id))
        except NotFound:
            return None
