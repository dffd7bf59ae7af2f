"""Accounts from outside, one's own repos with their sizes, and the tags that are in use."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from registry_core.ids import RepoKind
from registry_server.catalog import taxonomy
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import as_json, caller, link_to_next, registry, whole_number
from registry_server.usecases import overviews
from registry_server.usecases.overviews import Overview

_PAGE = 100


@blueprint.get("/api/users/<account>/overview")
def user_overview(account: str) -> Response:
    """200 with a user and how many repos of theirs the caller sees."""
    found = overviews.overview(registry(), caller(), account, "user")
    return as_json({**_user(found.account.name), **_numbers(found)})


@blueprint.get("/api/organizations/<account>/overview")
def organisation_overview(account: str) -> Response:
    """200 with an organisation and how many repos of it the caller sees."""
    found = overviews.overview(registry(), caller(), account, "org")
    name = found.account.name
    document = {"name": name, "fullname": name, "avatarUrl": "", "isVerified": False, "numUsers": found.members}
    return as_json({**document, **_numbers(found)})


@blueprint.get("/api/organizations/<account>/members")
def organisation_members(account: str) -> Response:
    """200 with the members; 403 for those who are none."""
    return as_json([_user(name) for name in overviews.members(registry(), caller(), account)])


@blueprint.get("/api/settings/repositories")
@blueprint.get("/api/organizations/<account>/settings/repositories")
def repositories(account: str | None = None) -> Response:
    """200 with a page of the caller's own repos, or those of an organisation of theirs, with what they take up."""
    after = whole_number("cursor", 0)
    found = overviews.usage(registry(), caller(), account, after, _PAGE)
    response = as_json(
        [
            {
                "id": usage.repo.id,
                "type": usage.repo.kind,
                "updatedAt": usage.repo.updated_at,
                "visibility": "private" if usage.repo.private else "public",
                "storage": usage.used_bytes,
                "storagePercent": 0,
            }
            for usage in found[:_PAGE]
        ]
    )
    if len(found) > _PAGE:
        link_to_next(response, str(found[_PAGE - 1].repo.row_id))
    return response


@blueprint.get("/api/<kind:kind>-tags-by-type")
def tags_by_type(kind: RepoKind) -> Response:
    """200 with the tags in use, by what they mean: the word before the colon, library, task, or other."""
    wanted = request.args.get("type")
    with registry().engine.read() as tx:
        tags = taxonomy.tags(tx, caller(), kind)
        libraries, tasks = taxonomy.libraries_and_tasks(tx, caller(), kind)
    found: dict[str, list[dict[str, str]]] = {}
    for tag in tags:
        prefix, colon, label = tag.partition(":")
        sort = prefix if colon else "library" if tag in libraries else "pipeline_tag" if tag in tasks else "other"
        if wanted in (None, sort):
            found.setdefault(sort, []).append({"id": tag, "label": label or tag, "type": sort})
    return as_json(found)


def _user(name: str) -> dict[str, Any]:
    return {"user": name, "fullname": name, "avatarUrl": "", "type": "user", "isPro": False}


def _numbers(found: Overview) -> dict[str, int]:
    return {
        "numModels": found.repos.get("model", 0),
        "numDatasets": found.repos.get("dataset", 0),
        "numSpaces": 0,
        "numPapers": 0,
        "numLikes": 0,
        "numFollowers": 0,
    }
