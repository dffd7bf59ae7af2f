"""Mark a revision as recommended for reuse."""

from __future__ import annotations

from registry_client.config import connection
from registry_client.remote import Remote
from registry_client.spec import parse_pinned_spec
from registry_core.records import Publication


def publish(spec: str, *, endpoint: str | None = None, token: str | None = None) -> Publication:
    """Recommend `OWNER/NAME@REVISION` for reuse. Raises InvalidRevision when no revision is named."""
    repo, revision = parse_pinned_spec(spec)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.publish(repo, revision)
