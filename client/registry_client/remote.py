"""A server as the client sees it: our own calls under `/api/registry/v1`. Bytes travel through `hub.py`.

Answers become the records of the core, and whatever goes wrong becomes one of our errors. Keys that this
version does not know are passed over, so that an older client goes on working with a newer server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from urllib.parse import quote

import httpx2
from pydantic import TypeAdapter, ValidationError

from registry_client.answers import error_from, unreachable
from registry_core.errors import RemoteFailed
from registry_core.ids import CommitId, Owner, RepoId, RepoPath, Revision
from registry_core.records import (
    FindPage,
    Lineage,
    Manifest,
    ModelDetail,
    Publication,
    PublicKey,
    Rerun,
    RerunReport,
    Tensor,
)

if TYPE_CHECKING:
    from registry_core.comparisons import Layers, Suggestions
    from registry_core.policy.waivers import Waiver
    from registry_core.reports import Report
    from registry_core.reuse_ledger import Ledger
    from registry_core.reuse_statement import EndedReuse, StatedReuse

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


@dataclass(frozen=True)
class Asking:
    user: str


@dataclass(frozen=True)
class Asked:
    """A request to read a gated repo, as the Hub protocol has it."""

    user: Asking
    status: str
    timestamp: str


@dataclass(frozen=True)
class Standing:
    status: Literal["pending", "accepted", "rejected"]


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
        at_least: str | None = None,
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
            "at_least": at_least,
            "sort": sort,
            "limit": limit,
            "cursor": cursor,
        }
        params: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if where:
            params["where"] = list(where)
        return self._get(FindPage, f"{_API}/find", params)

    def pareto(self, task: str, *, metric: str | None, dataset: str | None, limit: int | None) -> Layers:
        """The Pareto layers of the largest comparison group that fits."""
        from registry_core.comparisons import Layers

        given = {"task": task, "metric": metric, "dataset": dataset, "limit": limit}
        return self._get(Layers, f"{_API}/pareto", {name: value for name, value in given.items() if value is not None})

    def candidates(self, task: str, *, at_least: Sequence[str], estimate_kwh: float | None) -> Suggestions:
        """What could be reused instead of training."""
        from registry_core.comparisons import Suggestions

        params: dict[str, Any] = {"task": task, "at_least": list(at_least)}
        if estimate_kwh is not None:
            params["estimate_kwh"] = estimate_kwh
        return self._get(Suggestions, f"{_API}/candidates", params)

    def lineage(self, repo_id: RepoId, revision: Revision | CommitId) -> Lineage:
        """What a model and its relatives took. Raises EntryNotFound when the revision has no card."""
        return self._get(Lineage, f"{_repo(repo_id)}/lineage/{_segment(revision)}")

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

    def register_key(self, public: str, name: str) -> PublicKey:
        """File an Ed25519 public key, 64 hex digits, under the caller's account; the same key twice changes nothing."""
        return self._call(PublicKey, "POST", f"{_API}/keys", json={"public": public, "name": name})

    def state_reuse(self, repo_id: RepoId, commit_id: str, envelope: dict[str, Any]) -> StatedReuse:
        """Send a signed statement of reuse; whether it counts now."""
        from registry_core.reuse_statement import StatedReuse

        return self._call(StatedReuse, "POST", f"{_repo(repo_id)}/reuses/{_segment(commit_id)}", json=envelope)

    def withdraw_reuse(self, number: int, reason: str | None) -> EndedReuse:
        """Take a statement of reuse back."""
        from registry_core.reuse_statement import EndedReuse

        return self._call(EndedReuse, "DELETE", f"{_API}/reuses/{number}", json={"reason": reason})

    def ledger(self, model: RepoId | None, organisation: Owner | None) -> Ledger:
        """What reuse avoided, or what of it is about a model or an organisation."""
        from registry_core.reuse_ledger import Ledger

        given = {"model": model, "organisation": organisation}
        return self._get(Ledger, f"{_API}/ledger", {name: value for name, value in given.items() if value})

    def ask_access(self, repo_id: RepoId) -> Literal["pending", "accepted", "rejected"]:
        """Ask to read the files of a gated repo; where the request stands."""
        return self._call(Standing, "POST", f"{_hub(repo_id)}/ask-access").status

    def access_requests(self, repo_id: RepoId, status: str) -> list[Asked]:
        """The requests that stand there, oldest first."""
        return self._get(list[Asked], f"{_hub(repo_id)}/user-access-request/{status}")

    def settle_access(self, repo_id: RepoId, user: str, status: str, reason: str | None = None) -> None:
        """Accept or reject a request. Raises AccountNotFound for somebody who never asked."""
        body = {"user": user, "status": status, "rejectionReason": reason}
        self._call(dict[str, Any], "POST", f"{_hub(repo_id)}/user-access-request/handle", json=body)

    def grant_access(self, repo_id: RepoId, user: str) -> None:
        """Let somebody in who did not ask. Raises AccountNotFound when there is no such user."""
        self._call(dict[str, Any], "POST", f"{_hub(repo_id)}/user-access-request/grant", json={"user": user})

    def set_gated(self, repo_id: RepoId, gated: Literal["auto", "manual"] | None) -> None:
        """Say who may read the files of a repo that everybody sees."""
        self._call(dict[str, Any], "PUT", f"{_hub(repo_id)}/settings", json={"gated": gated or False})

    def policy(self, owner: Owner, act: str) -> dict[str, Any]:
        """The policy that holds for the owner's repos. NotFound, or NotAllowed, where the server tells none."""
        return self._get(dict[str, Any], f"{_API}/owners/{owner}/policies/{act}")

    def set_policy(self, owner: Owner, act: str, source: str | None) -> dict[str, Any]:
        """The policy that holds for the owner's repos at `act` from now on; None: the server's default one."""
        path = f"{_API}/owners/{owner}/policies/{act}"
        if source is None:
            return self._call(dict[str, Any], "DELETE", path)
        return self._call(dict[str, Any], "PUT", path, content=source.encode())

    def waive(self, repo_id: RepoId, waiver: Waiver) -> Waiver:
        """Keep an exception that the caller signed."""
        from registry_core.policy.waivers import Waiver

        given = {name: value for name, value in vars(waiver).items() if value is not None}
        return self._call(Waiver, "POST", f"{_repo(repo_id)}/waivers", json=given)

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


def _hub(repo_id: RepoId) -> str:
    return f"/api/models/{repo_id}"


def _segment(revision: str) -> str:
    """A revision as one segment of an address: the slashes of `refs/pr/1` would end it."""
    return quote(revision, safe="")


def _name(kind: object) -> str:
    return cast(str, getattr(kind, "__name__", str(kind)))
