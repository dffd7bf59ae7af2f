"""Tokens for the Xet store, which clients ask of the Hub."""

from __future__ import annotations

from typing import Literal

from flask import Response

from registry_core.ids import RepoKind, Revision
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import as_json, base_url, caller, flag, registry, repo_id
from registry_server.usecases import xet_access


@blueprint.get("/api/<kind:kind>/<owner>/<name>/xet-<any(read, write):scope>-token/<text:revision>")
def xet_token(kind: RepoKind, owner: str, name: str, scope: Literal["read", "write"], revision: str) -> Response:
    """200 with a token, in the body for the transfer library and in headers for the Python client."""
    ref = None if flag("create_pr") else Revision(revision)
    token = xet_access.issue_token(registry(), caller(), kind, repo_id(owner, name), scope, ref)
    store_url = f"{base_url()}/xet/{token.generation}"
    response = as_json({"accessToken": token.text, "exp": token.expires_at, "casUrl": store_url})
    response.headers["X-Xet-Access-Token"] = token.text
    response.headers["X-Xet-Token-Expiration"] = str(token.expires_at)
    response.headers["X-Xet-Cas-Url"] = store_url
    return response
