"""Every error a user can meet, in one tree.

    RegistryError
    ├── Invalid            what was given does not make sense          HTTP 400/422   exit 2
    │   ├── InvalidName, InvalidRevision, InvalidPath, InvalidDigest
    │   ├── InvalidWhere, InvalidPolicy
    │   └── InvalidCard, InvalidRecipe, InvalidReadme, InvalidWeights, InvalidImport    exit 1
    ├── NotFound           there is no such thing, or it is hidden     HTTP 404       exit 3
    │   └── RepoNotFound, RevisionNotFound, EntryNotFound, AccountNotFound
    ├── NotAllowed         it is there and you may not                 HTTP 401/403   exit 4
    │   └── Unauthenticated, Forbidden, Gated
    ├── Refused            understood, and declined                    HTTP 4xx       exit 1
    │   └── AlreadyExists, StaleParent, DigestDiffers, ContentDiffers, MeasurementFailed, PolicyRefused, Unsupported
    └── Unavailable        the server, its storage or the network      HTTP 5xx       exit 5
        └── StorageFull, RemoteFailed

Each class has a short `code` that travels over the wire. The message says what happened to what; `hint` says
what to do next. `faults` lists every single fault where several can be named at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class RegistryError(Exception):
    """Base of all errors of Model Commons.

    `message` says what happened to what; `hint`, when there is one, what to do next.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, *, hint: str = "", faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.faults = tuple(faults)

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {fault}" for fault in self.faults)]
        return "\n".join([*lines, self.hint] if self.hint else lines)


class Invalid(RegistryError):
    """What was given does not make sense."""

    code = "invalid"
    exit_code = 2


class InvalidName(Invalid):
    code = "invalid_name"


class InvalidRevision(Invalid):
    code = "invalid_revision"


class InvalidPath(Invalid):
    code = "invalid_path"


class InvalidDigest(Invalid):
    code = "invalid_digest"


class InvalidCard(Invalid):
    """A footprint card breaks its schema; `faults` names every fault."""

    code = "invalid_card"
    exit_code = 1


class InvalidRecipe(Invalid):
    """An evaluation recipe breaks its schema; `faults` names every fault."""

    code = "invalid_recipe"
    exit_code = 1


class InvalidReadme(Invalid):
    """The structured head of a README cannot be read."""

    code = "invalid_readme"
    exit_code = 1


class InvalidWhere(Invalid):
    code = "invalid_where"


class InvalidPolicy(Invalid):
    """A policy file, or a waiver, breaks its form; `faults` names every fault."""

    code = "invalid_policy"


class InvalidWeights(Invalid):
    """A safetensors file has a header that cannot be trusted."""

    code = "invalid_weights"
    exit_code = 1


class InvalidImport(Invalid):
    """A file of another tool makes no card; `faults` names what is wrong and what is missing."""

    code = "invalid_import"
    exit_code = 1


class NotFound(RegistryError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not_found"
    exit_code = 3


class RepoNotFound(NotFound):
    code = "repo_not_found"


class RevisionNotFound(NotFound):
    code = "revision_not_found"


class EntryNotFound(NotFound):
    """No file or folder of that path; `commit_id` is the commit that was looked at, when known."""

    code = "entry_not_found"

    def __init__(
        self, message: str, *, hint: str = "", faults: Sequence[str] = (), commit_id: str | None = None
    ) -> None:
        super().__init__(message, hint=hint, faults=faults)
        self.commit_id = commit_id


class AccountNotFound(NotFound):
    code = "account_not_found"


class NotAllowed(RegistryError):
    """It is there, and the caller may not do this with it."""

    code = "not_allowed"
    exit_code = 4


class Unauthenticated(NotAllowed):
    """No token, or one that the server does not know."""

    code = "unauthenticated"


class Forbidden(NotAllowed):
    code = "forbidden"


class Gated(NotAllowed):
    """The repo is there for all to see, and its files are for those whom its owner admits."""

    code = "gated"


class Refused(RegistryError):
    """Understood, and declined."""

    code = "refused"
    exit_code = 1


class PolicyRefused(Refused):
    """A policy does not let an act go on; `faults` names every rule that blocks it, and why."""

    code = "policy_refused"


class AlreadyExists(Refused):
    code = "already_exists"


class StaleParent(Refused):
    """The branch moved since the caller looked; looking again and retrying loses nothing."""

    code = "stale_parent"


class DigestDiffers(Refused):
    """Bytes are not the ones that were announced."""

    code = "digest_differs"


class ContentDiffers(Refused):
    """A file was accepted on its uploader's word, and its bytes turned out to be others."""

    code = "content_differs"


class MeasurementFailed(Refused):
    """A measuring tool gave nothing that could be trusted. The number is absent, never zero."""

    code = "measurement_failed"


class Unsupported(Refused):
    """A part of a foreign protocol that this server does not speak."""

    code = "unsupported"


class Unavailable(RegistryError):
    """The server, its storage or the network cannot serve now."""

    code = "unavailable"
    exit_code = 5


class StorageFull(Unavailable):
    code = "storage_full"


class RemoteFailed(Unavailable):
    """The server could not be reached, or answered something that is not ours to understand."""

    code = "remote_failed"


def _tree(kind: type[RegistryError]) -> list[type[RegistryError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _tree(child))]


BY_CODE: dict[str, type[RegistryError]] = {kind.code: kind for kind in _tree(RegistryError)}
"""The class of each wire code, for a client that turns an answer back into an error."""
