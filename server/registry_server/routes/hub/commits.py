"""Commits, as lines of JSON: a header, then one line an operation.

The body is read line by line: a line can be as large as the largest inline file, and a body as large as all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from flask import Response
from pydantic import Field, TypeAdapter

from registry_core.errors import Invalid
from registry_core.ids import Digest, RepoKind, RepoPath, Revision
from registry_server.routes.hub.blueprint import blueprint, repo_url
from registry_server.routes.requests import (
    Body,
    Words,
    as_json,
    body_chunks,
    caller,
    checked,
    flag,
    from_base64,
    registry,
    repo_id,
)
from registry_server.usecases import commits
from registry_server.usecases.commits import Deletion, InlineFile, LargeFile, Message, Operation

_LINE_BYTES = 32 << 20
_MOST_OPERATIONS = 25_000
_TITLE_CHARACTERS = 500


class _Header(Body):
    summary: Words
    description: Words | None = None
    parentCommit: Annotated[str, Field(pattern="^[0-9a-f]{5,40}$")] | None = None


class _HeaderLine(Body):
    key: Literal["header"]
    value: _Header


class _File(Body):
    path: str
    content: str
    encoding: Literal["base64", "utf-8"] = "base64"


class _FileLine(Body):
    key: Literal["file"]
    value: _File


class _LfsFile(Body):
    path: str
    algo: Literal["sha256"] = "sha256"
    oid: str
    size: int | None = None


class _LfsFileLine(Body):
    key: Literal["lfsFile"]
    value: _LfsFile


class _Deleted(Body):
    path: str


class _DeletedLine(Body):
    key: Literal["deletedFile", "deletedFolder"]
    value: _Deleted


_HEADER: TypeAdapter[_HeaderLine] = TypeAdapter(_HeaderLine)
_OPERATION: TypeAdapter[_FileLine | _LfsFileLine | _DeletedLine] = TypeAdapter(
    Annotated[_FileLine | _LfsFileLine | _DeletedLine, Field(discriminator="key")]
)


@blueprint.post("/api/<kind:kind>/<owner>/<name>/commit/<text:revision>")
def commit(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with the new commit, and with `create_pr` the pull request that it opens.

    412 when its parent is not the head, 422 for a bad path, 400 for bytes not uploaded.
    """
    wanted = repo_id(owner, name)
    message, operations = read_commit(body_chunks())
    onto = Revision(revision)
    document: dict[str, object] = {"success": True, "hookOutput": ""}
    if flag("create_pr"):
        made, number = commits.propose(registry(), caller(), kind, wanted, onto, message, operations)
        document["pullRequestUrl"] = f"{repo_url(kind, wanted)}/discussions/{number}"
    else:
        made = commits.commit(registry(), caller(), kind, wanted, onto, message, operations)
    return as_json(document | {"commitUrl": f"{repo_url(kind, wanted)}/commit/{made}", "commitOid": made})


def read_commit(chunks: Iterable[bytes]) -> tuple[Message, Iterator[Operation]]:
    """What a body says: its first line now, its operations as they are asked for. Both raise Invalid."""
    lines = read_lines(chunks)
    header = checked(_HEADER, next(lines, b"")).value
    message = Message(
        title=header.summary.strip().splitlines()[0][:_TITLE_CHARACTERS] if header.summary.strip() else "Update",
        text=header.description or "",
        parent=header.parentCommit,
    )
    return message, _operations(lines)


def read_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The non-empty lines of a body. Raises Invalid for one longer than 32 MiB."""
    pieces: list[bytes] = []
    held_bytes = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for end in ended:
            line = b"".join([*pieces, end])
            pieces, held_bytes = [], 0
            if line.strip():
                yield line
        pieces.append(rest)
        held_bytes += len(rest)
        if held_bytes > _LINE_BYTES:
            raise Invalid("A line of the commit is longer than 32 MiB.", hint="Upload large files before the commit.")
    if (line := b"".join(pieces)).strip():
        yield line


def _operations(lines: Iterator[bytes]) -> Iterator[Operation]:
    for number, line in enumerate(lines):
        if number >= _MOST_OPERATIONS:
            raise Invalid(f"A commit has at most {_MOST_OPERATIONS} operations.", hint="Push in several commits.")
        yield _operation(checked(_OPERATION, line))


def _operation(line: _FileLine | _LfsFileLine | _DeletedLine) -> Operation:
    if isinstance(line, _FileLine):
        return InlineFile(RepoPath(line.value.path), _content(line.value))
    if isinstance(line, _LfsFileLine):
        return LargeFile(RepoPath(line.value.path), Digest(line.value.oid), line.value.size)
    return Deletion(RepoPath(line.value.path.rstrip("/")))


def _content(file: _File) -> bytes:
    if file.encoding == "utf-8":
        return file.content.encode()
    return from_base64(file.content, f"The content of {file.path}")
