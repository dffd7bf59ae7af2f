"""The single steps of a push, as they are on the wire; `pushing.push` takes them all."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Headers = Mapping[str, str]


def create(client: FlaskClient, headers: Headers, repo_id: str, *, private: bool = False, kind: str = "model") -> None:
    """Make the repo unless it is there."""
    owner, _, name = repo_id.partition("/")
    body = {"name": name, "organization": owner, "type": kind, "private": private}
    answer = client.post("/api/repos/create", json=body, headers=headers)
    assert answer.status_code in (200, 409), answer.text


def commit(
    client: FlaskClient,
    headers: Headers,
    repo_id: str,
    operations: list[dict[str, Any]],
    *,
    parent: str | None = None,
    title: str = "Push",
    revision: str = "main",
    kind: str = "models",
) -> TestResponse:
    """The server's answer to a commit of these operations."""
    header = {"summary": title, "description": ""} | ({"parentCommit": parent} if parent else {})
    lines = [{"key": "header", "value": header}, *operations]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    return client.post(
        f"/api/{kind}/{repo_id}/commit/{revision}",
        data=body.encode(),
        headers={**headers, "Content-Type": "application/x-ndjson"},
    )


def inline(path: str, content: bytes) -> dict[str, Any]:
    """A small file, whose bytes travel in the commit."""
    value = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
    return {"key": "file", "value": value}


def large(path: str, digest: str, size_bytes: int | None = None) -> dict[str, Any]:
    """A large file, whose bytes were uploaded before; without a size it is a copy."""
    size = {} if size_bytes is None else {"size": size_bytes}
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": digest, **size}}


def delete(path: str) -> dict[str, Any]:
    return {"key": "deletedFile", "value": {"path": path}}


def delete_folder(path: str) -> dict[str, Any]:
    return {"key": "deletedFolder", "value": {"path": path}}


def batch(
    client: FlaskClient, headers: Headers, repo_id: str, digest: str, size_bytes: int, operation: str = "upload"
) -> TestResponse:
    """The server's answer to an LFS batch of one object, for main."""
    objects = [{"oid": digest, "size": size_bytes}]
    body = {"operation": operation, "objects": objects, "hash_algo": "sha256", "ref": {"name": "main"}}
    return client.post(f"/{repo_id}.git/info/lfs/objects/batch", json=body, headers=headers)


def upload(client: FlaskClient, headers: Headers, repo_id: str, content: bytes) -> str:
    """Bring a large file's bytes in, unless the server says that it may be named already; answers its digest."""
    digest = hashlib.sha256(content).hexdigest()
    answer = batch(client, headers, repo_id, digest, len(content))
    assert answer.status_code == 200, answer.text
    actions = answer.get_json(force=True)["objects"][0].get("actions")
    if actions:
        sent = client.put(actions["upload"]["href"], data=content)
        assert sent.status_code == 200, sent.text
        assert client.post(actions["verify"]["href"], json={"oid": digest, "size": len(content)}).status_code == 200
    return digest


def git_id(content: bytes) -> str:
    """What git calls a blob of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
