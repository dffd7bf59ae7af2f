"""Blobs, trees, commits and tags, and the pointer texts that stand for large files."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tag, Tree

from registry_core.errors import Unavailable
from registry_core.ids import CommitId, Digest

FILE_MODE = 0o100644
TREE_MODE = 0o040000

COMMIT_TYPE, TREE_TYPE, BLOB_TYPE, TAG_TYPE = 1, 2, 3, 4

INITIAL_ATTRIBUTES = "".join(
    f"{pattern} filter=lfs diff=lfs merge=lfs -text\n"
    for pattern in [
        "*.7z",
        "*.arrow",
        "*.bin",
        "*.bz2",
        "*.ckpt",
        "*.ftz",
        "*.gguf",
        "*.gz",
        "*.h5",
        "*.joblib",
        "*.lfs.*",
        "*.mlmodel",
        "*.model",
        "*.msgpack",
        "*.npy",
        "*.npz",
        "*.onnx",
        "*.ot",
        "*.parquet",
        "*.pb",
        "*.pickle",
        "*.pkl",
        "*.pt",
        "*.pth",
        "*.rar",
        "*.safetensors",
        "saved_model/**/*",
        "*.tar.*",
        "*.tar",
        "*.tflite",
        "*.tgz",
        "*.wasm",
        "*.xz",
        "*.zip",
        "*.zst",
        "*tfevents*",
    ]
).encode()
"""The `.gitattributes` of a new repo: which files are kept as large files whatever their size."""

_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([0-9]{1,18})\n")


class DamagedObject(Unavailable):
    """What the catalog holds of a git object is not what was stored."""

    code = "damaged_object"


@dataclass(frozen=True)
class StoredObject:
    """One git object as the catalog keeps it."""

    oid: bytes  # 20 raw bytes
    type: int
    size_bytes: int
    sha256: bytes  # of the content, without git's header: the second lock against SHA-1 collisions
    data: bytes | None  # zlib stream; None for a blob that lives in the blob store under its SHA-256

    @cached_property
    def content(self) -> bytes:
        """The bytes of an object that is kept in the catalog. Raises DamagedObject."""
        assert self.data is not None
        return unpacked(self.data)

    def tree(self) -> Tree:
        """This object as a tree."""
        tree = ShaFile.from_raw_string(TREE_TYPE, self.content)
        assert isinstance(tree, Tree)
        return tree

    def commit(self) -> Commit:
        """This object as a commit."""
        commit = ShaFile.from_raw_string(COMMIT_TYPE, self.content)
        assert isinstance(commit, Commit)
        return commit


def unpacked(data: bytes) -> bytes:
    """The content of an object, from its zlib stream. Raises DamagedObject."""
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise DamagedObject(
            "What is stored of a file, a folder or a commit is damaged.", hint="Ask who runs the server to repair it."
        ) from error


def stored(thing: ShaFile) -> StoredObject:
    """A dulwich object, ready for the catalog."""
    content = thing.as_raw_string()
    return StoredObject(
        oid=raw(thing.id),
        type=thing.type_num,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
        data=zlib.compress(content, 6),
    )


def blob_object(content: bytes) -> StoredObject:
    """A small file's content as an object."""
    return stored(Blob.from_string(content))


def detached_blob(content: bytes) -> StoredObject:
    """A file's content as an object whose bytes are to be put into the blob store."""
    return StoredObject(
        oid=raw(Blob.from_string(content).id),
        type=BLOB_TYPE,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).digest(),
        data=None,
    )


def commit_object(
    *, tree: bytes, parents: list[bytes], author: str, at: datetime, title: str, message: str
) -> StoredObject:
    """A commit. `title` is the first line, `message` the text after it; `at` is UTC."""
    commit = Commit()
    commit.tree = ObjectID(tree.hex().encode())
    commit.parents = [ObjectID(parent.hex().encode()) for parent in parents]
    commit.author = commit.committer = f"{author} <{author}@users.noreply>".encode()
    commit.author_time = commit.commit_time = int(at.astimezone(UTC).timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = (f"{title}\n\n{message}" if message else title).encode()
    return stored(commit)


def tag_object(*, target: bytes, name: str, author: str, at: datetime, message: str) -> StoredObject:
    """An annotated tag on a commit."""
    tag = Tag()
    tag.object = (Commit, ObjectID(target.hex().encode()))
    tag.name = name.encode()
    tag.tagger = f"{author} <{author}@users.noreply>".encode()
    tag.tag_time, tag.tag_timezone = int(at.timestamp()), 0
    tag.message = message.encode()
    return stored(tag)


def empty_tree() -> StoredObject:
    """The tree without entries."""
    return stored(Tree())


def pointer_text(digest: Digest, size_bytes: int) -> bytes:
    """What stands in a tree for a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size_bytes}\n".encode()


def parse_pointer(content: bytes) -> tuple[Digest, int] | None:
    """Digest and size that a pointer names; None for any other content."""
    found = _POINTER.fullmatch(content)
    return (Digest(found[1].decode()), int(found[2])) if found else None


def raw(oid: bytes) -> bytes:
    """20 raw bytes of 40 hex digits."""
    return bytes.fromhex(oid.decode())


def commit_id(oid: bytes) -> CommitId:
    """A raw id in the form that people and clients see."""
    return CommitId(oid.hex())
