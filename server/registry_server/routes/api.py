"""Our own HTTP API: footprints, find, manifests, verdicts, publications. The records are those of the core."""

from __future__ import annotations

import functools
import json

from flask import Blueprint, Response, request
from pydantic import ConfigDict, TypeAdapter, with_config

from registry_core.errors import Invalid
from registry_core.ids import RepoKind, RepoPath, Revision
from registry_core.reaching import parse_at_least
from registry_core.records import RerunReport
from registry_core.sorting import Sort, parse_sort
from registry_core.where import parse_where
from registry_server.catalog.counting import FACETS, Facet
from registry_server.catalog.queries import BY_UPDATE, Query
from registry_server.routes.requests import as_json, body, caller, registry, repo_id, whole_number
from registry_server.usecases import models

PREFIX = "/api/registry/v1"

blueprint = Blueprint("api", __name__, url_prefix=PREFIX)

_REPORT = TypeAdapter(with_config(ConfigDict(strict=True, allow_inf_nan=False, defer_build=True))(RerunReport))
_FIND_PARAMETERS = {"q", "task", "author", "tag", "where", "at_least", "sort", "limit", "cursor", "facets"}


@blueprint.get("/find")
def find() -> Response:
    """200 with a page of models that match everything asked for."""
    unknown = sorted(set(request.args) - _FIND_PARAMETERS)
    if unknown:
        raise Invalid(
            f"find has no parameter {unknown[0][:80]!r}.",
            hint=f"It has {', '.join(sorted(_FIND_PARAMETERS))}.",
        )
    return as_json(models.find(registry(), caller(), query_of_request(), _facets()))


def query_of_request() -> Query:
    """What the parameters of the address ask for. Raises Invalid or InvalidWhere."""
    args = request.args
    at_least = parse_at_least(args["at_least"]) if args.get("at_least") else None
    cheapest_first = Sort("energy_kwh", descending=False)
    return Query(
        text=args.get("q") or None,
        task=args.get("task") or None,
        author=args.get("author") or None,
        tags=[tag for tag in args.getlist("tag") if tag],
        conditions=[parse_where(text) for text in args.getlist("where") if text.strip()],
        at_least=at_least,
        sort=parse_sort(args["sort"]) if args.get("sort") else cheapest_first if at_least else BY_UPDATE,
        limit=_limit(),
        offset=models.offset_of(args.get("cursor") or None),
    )


@blueprint.get("/repos/<kind:kind>/<owner>/<name>")
@blueprint.get("/repos/<kind:kind>/<owner>/<name>/revision/<text:revision>")
def detail(kind: RepoKind, owner: str, name: str, revision: str = "main") -> Response:
    """200 with one repo at one revision: files, card, totals, recipe and verdicts."""
    return as_json(models.detail(registry(), caller(), kind, repo_id(owner, name), Revision(revision)))


@blueprint.get("/repos/<kind:kind>/<owner>/<name>/manifest/<text:revision>")
def manifest(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with path, SHA-256 and size of every file of one revision."""
    return as_json(models.manifest(registry(), caller(), kind, repo_id(owner, name), Revision(revision)))


@blueprint.get("/repos/<kind:kind>/<owner>/<name>/tensors/<text:revision>/<rest:path>")
def tensors(kind: RepoKind, owner: str, name: str, revision: str, path: str) -> Response:
    """200 with the tensors of one safetensors file; 404 when it is none."""
    wanted = repo_id(owner, name)
    found = models.tensors(registry(), caller(), kind, wanted, Revision(revision), RepoPath(path))
    return as_json(found)


@blueprint.get("/repos/<kind:kind>/<owner>/<name>/reruns")
def reruns(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with the stored verdicts, newest first."""
    return as_json(models.reruns(registry(), caller(), kind, repo_id(owner, name)))


@blueprint.post("/repos/<kind:kind>/<owner>/<name>/reruns")
def add_rerun(kind: RepoKind, owner: str, name: str) -> Response:
    """201 with the verdict as it was stored."""
    report = body(_REPORT)
    return as_json(models.add_rerun(registry(), caller(), kind, repo_id(owner, name), report), 201)


@blueprint.post("/repos/<kind:kind>/<owner>/<name>/publish/<text:revision>")
def publish(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with the publication that stands now."""
    return as_json(models.publish(registry(), caller(), kind, repo_id(owner, name), Revision(revision)))


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """200 with the description of this API."""
    return Response(_openapi(), mimetype="application/json")


@functools.cache
def _openapi() -> str:
    from registry_server.routes.openapi import document

    return json.dumps(document())


def _facets() -> list[Facet]:
    asked = [name for name in request.args.get("facets", "").split(",") if name]
    if unknown := sorted(set(asked) - set(FACETS)):
        raise Invalid(f"{unknown[0][:80]!r} cannot be counted.", hint=f"facets names some of {','.join(FACETS)}.")
    return [facet for facet in FACETS if facet in asked]


def _limit() -> int:
    limit = whole_number("limit", 20)
    if not 1 <= limit <= models.MAX_PAGE:
        raise Invalid(f"limit is {limit}.", hint=f"It is a whole number from 1 to {models.MAX_PAGE}.")
    return limit
