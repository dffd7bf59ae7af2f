"""What `.gitattributes` and `.gitignore` say of a path."""

from __future__ import annotations

import io

from dulwich.attrs import parse_git_attributes
from dulwich.ignore import read_ignore_patterns

from registry_core.errors import Invalid
from registry_server.git.globs import compile_glob

_MAX_BYTES = 64 * 1024
_MAX_LINES = 500
_MAX_COMPARISONS = 500_000
"""Of one `.gitignore` with paths and their folders: all of a request's paths with as many lines as there may be."""


class Attributes:
    """A `.gitattributes` at the root of a tree. What is longer than anybody writes by hand is cut, not obeyed."""

    def __init__(self, content: bytes) -> None:
        self._filters = [
            (glob, attributes[b"filter"] == b"lfs")
            for pattern, attributes in parse_git_attributes(io.BytesIO(_bounded(content)))
            if b"filter" in attributes and not pattern.endswith(b"/") and (glob := compile_glob(pattern))
        ]
        self._filters.reverse()  # the last line that matches counts

    def is_lfs(self, path: str) -> bool:
        """Whether the file at `path` is to be kept as a large file whatever its size."""
        raw = path.encode()
        return next((is_lfs for glob, is_lfs in self._filters if glob.fullmatch(raw)), False)


class Ignored:
    """A `.gitignore` at the root of a tree, bounded like a `.gitattributes`.

    To ask whether it holds a path raises Invalid when that took too long: a path may have hundreds of folders, and each
    is held against each line. Paths that come in order are asked about quickest.
    """

    def __init__(self, content: bytes) -> None:
        self._rules = []
        self._folders: dict[bytes, bool] = {}  # of the last path that was asked about, and whether they are ignored
        self._comparisons = 0
        for line in read_ignore_patterns(io.BytesIO(_bounded(content))):
            pattern = line.removeprefix(b"!")
            if glob := compile_glob(pattern.removesuffix(b"/")):
                self._rules.append((glob, pattern.endswith(b"/"), pattern is line))
        self._rules.reverse()

    def __contains__(self, path: str) -> bool:
        parts = path.encode().split(b"/")
        known, self._folders = self._folders, {}
        for folder in (b"/".join(parts[:i]) for i in range(1, len(parts))):
            is_ignored = known[folder] if folder in known else self._ignores(folder, is_folder=True)
            self._folders[folder] = is_ignored
            if is_ignored:
                return True  # what is in an ignored folder cannot be called back
        return self._ignores(b"/".join(parts), is_folder=False)

    def _ignores(self, path: bytes, *, is_folder: bool) -> bool:
        self._comparisons += len(self._rules)
        if self._comparisons > _MAX_COMPARISONS:
            raise Invalid(
                "The .gitignore has too many lines for so many folders.",
                hint="Shorten it, or push the files in several commits.",
            )
        for glob, folders_only, ignores in self._rules:
            if (is_folder or not folders_only) and glob.fullmatch(path):
                return ignores
        return False


def _bounded(content: bytes) -> bytes:
    return b"".join(content[:_MAX_BYTES].splitlines(keepends=True)[:_MAX_LINES])
