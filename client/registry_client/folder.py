"""What a local model folder holds: every file that a push would send, with size and digest.

Left out is what git, editors and systems leave behind. Refused are links that lead out of the folder, since
they would publish what is not in it, and names that no repo can hold.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from registry_core import weights
from registry_core.errors import Invalid, InvalidPath, InvalidWeights
from registry_core.ids import Digest, RepoPath
from registry_core.safetensors import Header, read_header

CARD_NAME = "footprint.json"
README_NAME = "README.md"
RECIPE_NAME = "evaluation.yaml"

PICKLE_SUFFIXES = weights.PICKLE_SUFFIXES
WEIGHT_SUFFIXES = weights.WEIGHT_SUFFIXES

_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", ".cache", "__pycache__", ".ipynb_checkpoints", ".idea", ".vscode"})
_SKIPPED_FILES = (".DS_Store", "Thumbs.db", "desktop.ini", "*.pyc", "*~", ".*.swp", ".*.swo", ".#*", "#*#")
_PIECE = 1 << 20


@dataclass(frozen=True)
class LocalFile:
    """One file: its place in the repo, its place here, its size and its SHA-256."""

    path: RepoPath
    local: Path
    size_bytes: int
    digest: Digest

    @property
    def is_weights(self) -> bool:
        return self.local.suffix.lower() in WEIGHT_SUFFIXES

    @property
    def is_pickle(self) -> bool:
        return self.local.suffix.lower() in PICKLE_SUFFIXES

    @property
    def is_safetensors(self) -> bool:
        return self.local.suffix.lower() == ".safetensors"


def list_files(folder: Path) -> list[Path]:
    """The files of a folder that belong to the model, sorted.

    Raises Invalid when there is no folder or nothing in it, InvalidPath with every file that cannot be
    pushed.
    """
    if not folder.is_dir():
        raise Invalid(f"{str(folder)!r} is not a folder.", hint="Name the folder that holds the model's files.")
    found, faults = _walk(folder.resolve())
    if faults:
        raise InvalidPath(
            f"{folder} holds what cannot be pushed.",
            hint="Rename or remove these, or put copies in place of links.",
            faults=faults,
        )
    if not found:
        raise Invalid(f"{folder} holds no files to push.", hint="Save a model into it first.")
    return sorted(found)


def measure(folder: Path, files: Iterable[Path], done: Callable[[int], None] = lambda _: None) -> list[LocalFile]:
    """Size and digest of each file; `done` hears of every piece of bytes read."""
    root = folder.resolve()
    return [_measured(root, file, done) for file in files]


def measured_again(file: LocalFile) -> LocalFile:
    """The same file after it was rewritten."""
    digest, size_bytes = sha256_of(file.local)
    return replace(file, digest=digest, size_bytes=size_bytes)


def sha256_of(file: Path, done: Callable[[int], None] = lambda _: None) -> tuple[Digest, int]:
    """Digest and size of a file, read in pieces; `done` hears of each."""
    hashed, size_bytes = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            hashed.update(piece)
            size_bytes += len(piece)
            done(len(piece))
    return Digest(hashed.hexdigest()), size_bytes


def safetensors_headers(files: Iterable[LocalFile]) -> dict[RepoPath, Header]:
    """The header of each safetensors file. Raises InvalidWeights with every file that cannot be trusted."""
    headers: dict[RepoPath, Header] = {}
    faults: list[str] = []
    for file in files:
        if file.is_safetensors:
            try:
                headers[file.path] = local_header(file.local)
            except InvalidWeights as error:
                faults.append(f"{file.path}: {error.message}")
    if faults:
        raise InvalidWeights(
            "The weights cannot be trusted; nothing was sent.", hint="Save the model again.", faults=faults
        )
    return headers


def local_header(file: Path) -> Header:
    """The header of one safetensors file. Raises InvalidWeights."""
    with file.open("rb") as stream:

        def read(offset: int, length: int) -> bytes:
            stream.seek(offset)
            return stream.read(length)

        return read_header(read, file.stat().st_size)


def _walk(root: Path) -> tuple[list[Path], list[str]]:
    found: list[Path] = []
    faults: list[str] = []
    for here, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS)
        linked = [name for name in folders if Path(here, name).is_symlink()]
        for path in _wanted(here, [*names, *linked]):
            fault = _fault(root, path)
            faults += [fault] if fault else []
            found += [] if fault else [path]
    return found, faults


def _wanted(here: str, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        if not any(fnmatch(name, pattern) for pattern in _SKIPPED_FILES):
            yield Path(here, name)


def _fault(root: Path, path: Path) -> str | None:
    """Why this file cannot be pushed; None when it can."""
    relative = path.relative_to(root).as_posix()
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        return f"{relative!r} is a link that leads out of the folder"
    if not path.is_file():
        return f"{relative!r} is not a regular file"
    try:
        RepoPath(relative)
    except InvalidPath as error:
        return error.message
    return None


def _measured(root: Path, file: Path, done: Callable[[int], None]) -> LocalFile:
    digest, size_bytes = sha256_of(file, done)
    return LocalFile(RepoPath(file.relative_to(root).as_posix()), file, size_bytes, digest)
