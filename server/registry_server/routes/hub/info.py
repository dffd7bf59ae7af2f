"""What is known of a repo, alone and in lists."""

from __future__ import annotations

import re

from flask import Response, request

from registry_core.errors import Invalid, RepoNotFound
from registry_core.ids import CommitId, RepoKind, Revision
from registry_core.sorting import Sort
from registry_core.where import Comparison, Condition
from registry_server.catalog import cards, repos
from registry_server.catalog.cards import CardIndex, Found
from registry_server.catalog.queries import BY_UPDATE, Query
from registry_server.git.objects import commit_id
from registry_server.routes.hub.blueprint import MAIN, blueprint
from registry_server.routes.hub.documents import Wanted, document, sibling, wanted_alone, wanted_in_list
from registry_server.routes.requests import as_json, caller, flag, link_to_next, registry, repo_id, whole_number
from registry_server.usecases import access, indexing, models, reading

_PAGE = 1000
_COSTLY_PAGE = 100
_SORTS = {
    "createdAt": "created_at",
    "created_at": "created_at",
    "lastModified": "updated_at",
    "last_modified": "updated_at",
    "downloads": "downloads",
    "likes": None,
    "trendingScore": None,
    "trending_score": None,
}
_SCALE = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_BOUND = re.compile(r"(min|max):([0-9]+(?:\.[0-9]+)?)([KMBT]?)")
_NOBODY_HAS = ("apps", "inference", "inference_provider")
"""What models are filtered by that says where they are run, which is nowhere that we know of."""


@blueprint.get("/api/<kind:kind>")
def list_repos(kind: RepoKind) -> Response:
    """200 with a page of repos; the next page by an absolute Link."""
    wanted = wanted_in_list(kind)
    query = _query(kind, wanted)
    if any(map(request.args.get, _NOBODY_HAS)):
        return as_json([])
    hits, next_cursor = models.search(registry(), caller(), query)
    response = as_json(
        [
            document(hit.repo, commit_id(hit.card.commit_oid), _whole(hit, wanted), wanted, hit.used_bytes)
            for hit in hits
        ]
    )
    if next_cursor is not None:
        link_to_next(response, next_cursor)
    return response


@blueprint.get("/api/<kind:kind>/<owner>/<name>")
@blueprint.get("/api/<kind:kind>/<owner>/<name>/revision/<text:revision>")
def info(kind: RepoKind, owner: str, name: str, revision: str = MAIN) -> Response:
    """200 with everything known of the repo at the revision."""
    wanted = wanted_alone(kind)
    with registry().engine.read() as tx:
        repo = access.open_repo(tx, caller(), kind, repo_id(owner, name), "see")
        commit = reading.resolve(tx, repo, Revision(revision))
        found = cards.of_repo(tx, repo)
        card = _card_at(found, commit) or indexing.derive(registry(), tx, repo, commit, reading.root_of(tx, commit))
        used_bytes = repos.used_bytes(tx, repo) if "usedStorage" in wanted else None
        answer = document(repo, commit, card, wanted, used_bytes)
        if "siblings" in wanted and wanted.blobs:
            answer["siblings"] = [sibling(file) for file in reading.files(tx, repo, commit)]
    if flag("securityStatus"):
        answer["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    return as_json(answer)


@blueprint.get("/api/<any(models, datasets, spaces, kernels):kinds>/<one>")
@blueprint.get("/api/<any(models, datasets):kinds>/<one>/<late(revision, commits, tree):word>/<path:rest>")
@blueprint.get("/api/<any(spaces, kernels):kinds>/<one>/<path:rest>")
@blueprint.delete("/api/<any(models, datasets):kinds>/<one>/<late(like):word>")
@blueprint.get("/<one>/<late(resolve):word>/<path:rest>")
@blueprint.get("/datasets/<one>/<late(resolve):word>/<path:rest>")
def nameless(one: str, kinds: str = "", word: str = "", rest: str = "") -> Response:  # noqa: ARG001
    """404 RepoNotFound: old code asks for ids without an owner, and some kinds of repo are not offered here."""
    caller()
    raise RepoNotFound("Repository not found", hint="A repo id is owner/name.")


def _whole(hit: Found, wanted: Wanted) -> CardIndex:
    """The card with its head, derived anew where an older server indexed it."""
    if hit.card.files is not None or not wanted.needs_head:
        return hit.card
    with registry().engine.read() as tx:
        commit = commit_id(hit.card.commit_oid)
        return indexing.derive(registry(), tx, hit.repo, commit, reading.root_of(tx, commit))


def _card_at(found: Found | None, commit: CommitId) -> CardIndex | None:
    is_it = found is not None and found.card.commit_oid.hex() == commit and found.card.files is not None
    return found.card if found is not None and is_it else None


def _query(kind: RepoKind, wanted: Wanted) -> Query:
    """Raises Invalid for a parameter that makes no sense."""
    args = request.args
    sort = args.get("sort")
    if sort and sort not in _SORTS:
        raise Invalid(f"Repos cannot be sorted by {sort[:80]!r}.", hint=f"Sort by one of {', '.join(sorted(_SORTS))}.")
    column = _SORTS[sort] if sort else None
    return Query(
        kind=kind,
        task=args.get("pipeline_tag"),
        author=args.get("author"),
        tags=args.getlist("filter"),
        name_parts=args.getlist("search"),
        gated=flag("gated") if "gated" in args else None,
        conditions=_parameter_bounds(args.get("num_parameters", "")),
        sort=Sort(column, descending=True) if column else BY_UPDATE,
        limit=min(max(whole_number("limit", _PAGE), 1), _COSTLY_PAGE if wanted.is_costly else _PAGE),
        offset=models.offset_of(args.get("cursor")),
        with_head=wanted.needs_head,
        with_used_bytes="usedStorage" in wanted,
    )


def _parameter_bounds(text: str) -> list[Condition]:
    """`min:6B,max:128B`, either part optional."""
    conditions: list[Condition] = []
    for part in filter(None, text.split(",")):
        bound = _BOUND.fullmatch(part)
        if bound is None:
            raise Invalid(f"num_parameters is {text[:80]!r}.", hint="Write for example min:6B,max:128B.")
        value = float(bound[2]) * _SCALE[bound[3]]
        conditions.append(Comparison("parameters", ">=" if bound[1] == "min" else "<=", value))
    return conditions
