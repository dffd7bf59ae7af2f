"""Names of things, as types that check themselves at the door.

Each type is a `str` (so it prints, sorts, hashes and travels as one) whose constructor raises when the text
is not a valid name; whoever holds one may trust it.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from registry_core.errors import InvalidDigest, InvalidName, InvalidPath, InvalidRevision

RepoKind = Literal["model", "dataset"]

# Hub clients refuse longer or other names before they call us.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_HEX40 = re.compile(r"[0-9a-f]{40}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
# Rules of git-check-ref-format, without the ones that the character class already holds.
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@=-]{0,199}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Joined to a folder on Windows, C:file replaces the folder.
_DRIVE = re.compile(r"[A-Za-z]:")

RESERVED_OWNERS = frozenset(
    "about account admin api assets buckets cas check collections compare datasets discussions docs"
    " favicon.ico healthz join kernels ledger lfs login logout metrics models new oauth organizations papers pareto raw"
    " resolve reuse robots.txt search settings spaces static tree uploads v1 v2 xet".split()
)
"""Names that are the first segment of an address of ours, and so cannot own anything."""


def _name(text: str, what: str) -> str:
    faulty = not _NAME.fullmatch(text) or "--" in text or ".." in text or text.endswith(".git")
    if faulty:
        raise InvalidName(
            f"{text[:200]!r} is not a valid {what}.",
            hint="Use 1 to 96 of A-Z a-z 0-9 - _ . without -- or .., not starting or ending with - or ., not"
            " ending in .git.",
        )
    return text


class Owner(str):
    """A user's or an organisation's name: the part of a repo id before the slash."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises InvalidName for a text that cannot own repos."""
        if text.lower() in RESERVED_OWNERS:
            raise InvalidName(f"The name {text!r} is reserved.", hint="Choose another name.")
        return super().__new__(cls, _name(text, "owner name"))


class RepoId(str):
    """`owner/name`. Compared by its `key`, since look-up ignores case while the stored spelling is kept."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises InvalidName unless `text` is two valid names with one slash between."""
        owner, slash, name = text.partition("/")
        if not slash:
            raise InvalidName(
                f"{text[:200]!r} is not a repo id.",
                hint="A repo id is owner/name, for example demo/digits-small.",
            )
        Owner(owner)
        _name(name, "repo name")
        return super().__new__(cls, text)

    @property
    def owner(self) -> Owner:
        return Owner(self.partition("/")[0])

    @property
    def name(self) -> str:
        return self.partition("/")[2]

    @property
    def key(self) -> str:
        """The id in lower case, by which repos are looked up."""
        return self.lower()


class Revision(str):
    """What a person types to mean a commit: a branch, a tag, a `refs/…` name or a commit id."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises InvalidRevision for a text that git would refuse as a ref name."""
        faulty = (
            not _REVISION.fullmatch(text)
            or ".." in text
            or "//" in text
            or "@{" in text
            or text.endswith(("/", ".", ".lock"))
            or any(part.startswith(".") or part.endswith(".lock") for part in text.split("/"))
        )
        if faulty:
            raise InvalidRevision(
                f"Invalid rev id: {text[:200]}", hint="Name a branch, a tag or a commit id, for example main."
            )
        return super().__new__(cls, text)

    @property
    def is_commit_id(self) -> bool:
        return _HEX40.fullmatch(self) is not None


class RepoPath(str):
    """A file's place in a repo: relative, with `/`, in one spelling only."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises InvalidPath for a path that could leave the repo or hide in it."""
        parts = text.split("/")
        faulty = (
            not text
            or len(text.encode("utf-8", "surrogatepass")) > 1024
            or "\\" in text
            or _CONTROL.search(text) is not None
            or _DRIVE.match(text) is not None
            or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
            or any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts)
            or not _is_utf8(text)
        )
        if faulty:
            raise InvalidPath(
                f"{text[:200]!r} is not a valid path in a repo.",
                hint="Paths are relative, use /, and contain no empty part, no . or .., no .git, no"
                " backslash, no drive and no control character.",
            )
        return super().__new__(cls, text)

    @property
    def parts(self) -> list[str]:
        return self.split("/")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Digest(str):
    """SHA-256 of some bytes: 64 lower-case hex digits."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises InvalidDigest unless `text` is 64 lower-case hex digits."""
        if not _HEX64.fullmatch(text):
            raise InvalidDigest(f"{text[:80]!r} is not a SHA-256 digest.", hint="A digest is 64 lower-case hex digits.")
        return super().__new__(cls, text)


class CommitId(str):
    """A commit's name: 40 lower-case hex digits, as in git."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raises InvalidRevision unless `text` is 40 lower-case hex digits."""
        if not _HEX40.fullmatch(text):
            raise InvalidRevision(f"Invalid rev id: {text[:200]}", hint="A commit id is 40 lower-case hex digits.")
        return super().__new__(cls, text)
