"""Pushing to a registry in the process as Hub clients do: create, ask how each file travels, send the large, commit."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from flask.testing import FlaskClient

Headers = dict[str, str]


def push(
    client: FlaskClient,
    headers: Headers,
    repo_id: str,
    files: dict[str, bytes],
    *,
    kind: str = "model",
    private: bool = False,
) -> str:
    """One commit with these files on main of the repo, which is made when needed; its id."""
    name = {"name": repo_id, "type": kind, "private": private}
    created = client.post("/api/repos/create", json=name, headers=headers)
    assert created.status_code in (200, 409), created.text
    large = _large(client, headers, f"/api/{kind}s/{repo_id}", files)
    _send(client, headers, f"/{'datasets/' if kind == 'dataset' else ''}{repo_id}.git", [files[path] for path in large])
    lines = [{"key": "header", "value": {"summary": "Push"}}]
    lines += [_operation(path, data, is_large=path in large) for path, data in files.items()]
    body = "\n".join(json.dumps(line) for line in lines)
    return str(_json(client.post(f"/api/{kind}s/{repo_id}/commit/main", data=body, headers=headers))["commitOid"])


def with_files(card: dict[str, Any], files: dict[str, bytes]) -> dict[str, bytes]:
    """These files and a `footprint.json` that is about them."""
    subject = [
        {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for path, data in files.items()
    ]
    return {**files, "footprint.json": json.dumps({**card, "subject": {"files": subject}}).encode()}


def _large(client: FlaskClient, headers: Headers, api: str, files: dict[str, bytes]) -> set[str]:
    """The paths that travel before the commit."""
    announced = [
        {"path": path, "size": len(data), "sample": base64.b64encode(data[:512]).decode()}
        for path, data in files.items()
    ]
    answer = _json(client.post(f"{api}/preupload/main", json={"files": announced}, headers=headers))
    return {file["path"] for file in answer["files"] if file["uploadMode"] == "lfs"}


def _send(client: FlaskClient, headers: Headers, git: str, contents: list[bytes]) -> None:
    by_digest = {hashlib.sha256(data).hexdigest(): data for data in contents}
    objects = [{"oid": digest, "size": len(data)} for digest, data in by_digest.items()]
    batch = {"operation": "upload", "objects": objects}
    for item in _json(client.post(f"{git}/info/lfs/objects/batch", json=batch, headers=headers))["objects"]:
        if "actions" in item:
            sent = client.put(item["actions"]["upload"]["href"], data=by_digest[item["oid"]])
            assert sent.status_code == 200, sent.text


def _operation(path: str, data: bytes, *, is_large: bool) -> dict[str, Any]:
    if is_large:
        oid = hashlib.sha256(data).hexdigest()
        return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": len(data)}}
    content = base64.b64encode(data).decode()
    return {"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}}


def _json(response: Any) -> Any:
    assert response.status_code == 200, response.text
    return response.get_json()


def let_publish(client: FlaskClient, headers: dict[str, str], owner: str = "alice") -> None:
    """Let everything of the owner be published: tests that are not about policies need no perfect card."""
    source = "policy: any/1.0\ntitle: Whatever there is\nextends: open-lab/1.0\n"
    answer = client.put(f"/api/registry/v1/owners/{owner}/policies/publish", data=source, headers=headers)
    assert answer.status_code == 200, answer.text
