"""Everything about one model at one revision."""

from __future__ import annotations

from registry_client.config import connection
from registry_client.remote import Remote
from registry_client.spec import parse_spec
from registry_core.records import ModelDetail


def show(spec: str, *, endpoint: str | None = None, token: str | None = None) -> ModelDetail:
    """The model `OWNER/NAME[@REVISION]`: its files, its footprint with totals, its verdicts."""
    repo, revision = parse_spec(spec)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.detail(repo, revision)
