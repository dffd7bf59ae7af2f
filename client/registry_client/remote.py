"""A server as the client sees it: our own calls under `/api/registry/v1`. Bytes travel through `hub.py`.

Answers become the records of the core, and whatever goes wrong becomes one of our errors. Keys that this
version does not know are passed over, so that an older client goes on working with a newer server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from registry_client.answers import error_from, unreachable
from registry_core.errors import RemoteFailed
from registry_core.ids import CommitId, RepoId, RepoPath, Revision
from registry_core.records import FindPage, Manifest, ModelDetail, Publication, Rerun, RerunReport, Tensor

if TYPE_CHECKING:
    from registry_core.reports import Report

Answer = TypeVar("Answer")

_API = "/api/registry/v1"
_TIMEOUT = httpx2.Timeout(60.0, connect=10.0)


@dataclass(frozen=True)
class Organisation:
    name: str


@dataclass(frozen=True)
class Identity:
    """Whom the server takes the token's bearer for."""

    name: str
    orgs: list[Organisation] = field(default_factory=list)


class Remote:
    """One server and the token to show there. `transport` lets a test talk to an app without a socket."""

    def __init__(
        self, endpoint: str, token: str | None = None, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self.endpoint = endpoint
        self._client = httpx2.Client(
            base_url=endpoint,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT,
            follow_redirects=True,  # a renamed repo answers 307
            transport=transport,
        )

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def find(
        self,
        query: str | None = None,
        *,
        task: str | None = None,
        author: str | None = None,
        tag: str | None = None,
        where: Sequence[str] = (),
        sort: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> FindPage:
        """One page of the models that fit everything given."""
        given = {
            "q": query,
            "task": task,
            "author": author,
            "tag": tag,
            "sort": sort,
            "limit": limit,
            "cursor": cursor,
        }
        params: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if where:
            params["where"] = list(where)
        return self._get(FindPage, f"{_API}/find", params)

    def detail(self, repo_id: RepoId, revision: Revision | CommitId) -> ModelDetail:
        """Everything about one model at one revision."""
        return self._get(ModelDetail, f"{_repo(repo_id)}/revision/{_segment(revision)}")

    def manifest(self, repo_id: RepoId, revision: Revision | CommitId) -> Manifest:
        """Every file of one commit with digest and size. A bare NotFound: this server has no such call."""
        return self._get(Manifest, f"{_repo(repo_id)}/manifest/{_segment(revision)}")

    def tensors(self, repo_id: RepoId, revision: Revision | CommitId, path: RepoPath) -> list[Tensor]:
        """The tensors of one safetensors file."""
        return self._get(list[Tensor], f"{_repo(repo_id)}/tensors/{_segment(revision)}/{quote(path)}")

    def reruns(self, repo_id: RepoId) -> list[Rerun]:
        """The stored verdicts, newest first."""
        return self._get(list[Rerun], f"{_repo(repo_id)}/reruns")

    def report(self, repo_id: RepoId, revision: Revision, standard: str, recipient: str | None) -> Report:
        """The conformance report of one standard."""
        from registry_core.reports import Report

        params = {"recipient": recipient} if recipient else None
        return self._get(Report, f"{_repo(repo_id)}/reports/{quote(standard)}/{_segment(revision)}", params)

    def post_rerun(self, repo_id: RepoId, report: RerunReport) -> Rerun:
        """Store a verdict."""
        return self._call(Rerun, "POST", f"{_repo(repo_id)}/reruns", json=asdict(report))

    def publish(self, repo_id: RepoId, revision: Revision | CommitId) -> Publication:
        """Mark a revision as recommended for reuse."""
        return self._call(Publication, "POST", f"{_repo(repo_id)}/publish/{_segment(revision)}")

    def whoami(self) -> Identity:
        """Whose token this is. Raises Unauthenticated when the server does not know it."""
        return self._get(Identity, "/api/whoami-v2")

    def _get(self, kind: type[Answer], path: str, params: dict[str, Any] | None = None) -> Answer:
        return self._call(kind, "GET", path, params=params)

    def _call(self, kind: type[Answer], method: str, path: str, **body: Any) -> Answer:
        try:
            response = self._client.request(method, path, **body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unreachable(self.endpoint, error) from error
        if not response.is_success:
            raise error_from(response, self.endpoint)
        try:
            return TypeAdapter(kind).validate_json(response.content)
        except ValidationError as error:
            raise RemoteFailed(
                f"{self.endpoint} answered {method} {path} with something that is not a {_name(kind)}.",
                hint="Is this the address of a Model Commons server, and of this version?",
            ) from error


def _repo(repo_id: RepoId) -> str:
    return f"{_API}/repos/models/{repo_id}"


def _segment(revision: str) -> str:
    """A revision as one segment of an address: the slashes of `refs/pr/1` would end it."""
    return quote(revision, safe="")


def _name(kind: object) -> str:
    return cast(str, getattr(kind, "__name__", str(kind)))
