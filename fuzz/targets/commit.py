"""Commits as lines of JSON, in pieces as the network brings them."""

from __future__ import annotations

import base64
import json
import random

from fuzz.documents import change_json

from registry_server.routes.hub.commits import read_commit

HEADER = {"key": "header", "value": {"summary": "Add\nthem", "description": "why", "parentCommit": "a" * 40}}
OPERATIONS = [
    {"key": "file", "value": {"path": "a/b.txt", "content": base64.b64encode(b"text").decode(), "encoding": "base64"}},
    {"key": "file", "value": {"path": "c.txt", "content": "text", "encoding": "utf-8"}},
    {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": "a" * 64, "size": 3}},
    {"key": "deletedFile", "value": {"path": "old.txt"}},
    {"key": "deletedFolder", "value": {"path": "old/"}},
]
SEEDS = [
    b"\n".join(json.dumps(line).encode() for line in [HEADER, *OPERATIONS]),
    json.dumps({"key": "header", "value": {"summary": ""}}).encode() + b"\r\n\n",
    *(json.dumps(HEADER).encode() + b"\n" + json.dumps(line).encode() + b"\n" for line in OPERATIONS),
]


def change(data: bytes, source: random.Random) -> bytes:
    """Another line, or one more."""
    lines = [line for line in data.split(b"\n") if line.strip()] or [b"{}"]
    number = source.randrange(len(lines))
    lines[number : number + source.randrange(2)] = [change_json(lines[number], source)]
    return b"\n".join(lines)


def read(data: bytes) -> None:
    message, operations = read_commit(data[at : at + 100] for at in range(0, len(data), 100))
    message.title.encode()
    for operation in operations:
        assert not operation.path.startswith("/")
        assert ".." not in operation.path.split("/")
