"""Gated models: asking to read their files, and letting others in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from registry_client.config import connection
from registry_client.remote import Remote
from registry_client.spec import parse_spec
from registry_core.errors import AccountNotFound
from registry_core.ids import RepoId

Gate = Literal["auto", "manual", "off"]
Status = Literal["pending", "accepted", "rejected"]


@dataclass(frozen=True)
class AccessRequest:
    """Somebody's wish to read the files of a gated model, and where it stands."""

    id: str  # of the model
    user: str
    status: str
    asked_at: str


def request(spec: str, *, endpoint: str | None = None, token: str | None = None) -> Status:
    """Ask to read the files of `OWNER/NAME`; where the request stands. Raises Invalid when it is not gated."""
    with _remote(spec, endpoint, token) as (remote, repo):
        return remote.ask_access(repo)


def requests(
    spec: str, status: Status = "pending", *, endpoint: str | None = None, token: str | None = None
) -> list[AccessRequest]:
    """Who asked to read `OWNER/NAME`, as far as their requests stand at `status`."""
    with _remote(spec, endpoint, token) as (remote, repo):
        found = remote.access_requests(repo, status)
    return [AccessRequest(repo, asked.user.user, asked.status, asked.timestamp) for asked in found]


def accept(spec: str, user: str, *, endpoint: str | None = None, token: str | None = None) -> None:
    """Let `user` read the files of `OWNER/NAME`, whether they asked or not."""
    with _remote(spec, endpoint, token) as (remote, repo):
        try:
            remote.settle_access(repo, user, "accepted")
        except AccountNotFound:
            remote.grant_access(repo, user)


def reject(
    spec: str, user: str, reason: str | None = None, *, endpoint: str | None = None, token: str | None = None
) -> None:
    """Refuse the request of `user`, or take back what was accepted."""
    with _remote(spec, endpoint, token) as (remote, repo):
        remote.settle_access(repo, user, "rejected", reason)


def gate(spec: str, gate: Gate, *, endpoint: str | None = None, token: str | None = None) -> None:
    """Say who may read the files: whoever asks (auto), whom you accept (manual), everybody (off)."""
    with _remote(spec, endpoint, token) as (remote, repo):
        remote.set_gated(repo, None if gate == "off" else gate)


@contextmanager
def _remote(spec: str, endpoint: str | None, token: str | None) -> Iterator[tuple[Remote, RepoId]]:
    repo, _ = parse_spec(spec)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        yield remote, repo
