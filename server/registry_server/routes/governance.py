"""Keys, policies and waivers over our own API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Response, request
from pydantic import ConfigDict, TypeAdapter, with_config

from registry_core.errors import Invalid, InvalidPolicy
from registry_core.ids import Owner, RepoKind
from registry_server.routes.api import blueprint
from registry_server.routes.requests import as_json, body, caller, registry, repo_id
from registry_server.usecases import keys
from registry_server.usecases.late import governing

if TYPE_CHECKING:
    from registry_core.policy.rules import Act, Policy

_MOST_POLICY_BYTES = 256 << 10


@with_config(ConfigDict(strict=True, defer_build=True))
@dataclass(frozen=True)
class NewKey:
    public: str  # 64 hex digits
    name: str


_NEW_KEY = TypeAdapter(NewKey)
_WAIVER: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


@blueprint.get("/keys")
def own_keys() -> Response:
    """200 with the caller's keys, oldest first."""
    return as_json(keys.listed(registry(), caller()))


@blueprint.post("/keys")
def register_key() -> Response:
    """200 with the key as it is filed now; 409 for one that another account filed."""
    given = body(_NEW_KEY)
    return as_json(keys.register(registry(), caller(), given.public, given.name[:100]))


@blueprint.delete("/keys/<key_id>")
def revoke_key(key_id: str) -> Response:
    """200 when nothing that the key signed counts any more."""
    keys.revoke(registry(), caller(), key_id)
    return as_json({})


@blueprint.get("/owners/<owner>/policies/<any(push, publish):act>")
def policy(owner: str, act: Act) -> Response:
    """200 with the policy that holds for the owner's repos, everything inherited included."""
    return as_json(_document(governing.policy_of_owner(registry(), caller(), Owner(owner), act)))


@blueprint.put("/owners/<owner>/policies/<any(push, publish):act>")
def set_policy(owner: str, act: Act) -> Response:
    """200 with the policy that holds from now on; the body is the policy file."""
    if (request.content_length or 0) > _MOST_POLICY_BYTES:
        raise InvalidPolicy("The policy file is too large.", hint=f"It has at most {_MOST_POLICY_BYTES >> 10} KiB.")
    try:
        source = request.get_data().decode()
    except UnicodeDecodeError as error:
        raise Invalid("The policy file is not UTF-8 text.") from error
    return as_json(_document(governing.set_policy(registry(), caller(), Owner(owner), act, source)))


@blueprint.delete("/owners/<owner>/policies/<any(push, publish):act>")
def unset_policy(owner: str, act: Act) -> Response:
    """200 with the default policy, which holds again."""
    return as_json(_document(governing.set_policy(registry(), caller(), Owner(owner), act, None)))


@blueprint.get("/repos/<kind:kind>/<owner>/<name>/waivers")
def waivers(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with the exceptions that were approved for the repo, newest first."""
    return as_json(governing.waivers(registry(), caller(), kind, repo_id(owner, name)))


@blueprint.post("/repos/<kind:kind>/<owner>/<name>/waivers")
def waive(kind: RepoKind, owner: str, name: str) -> Response:
    """201 when the exception counts from now on."""
    from registry_core.policy.waivers import parse_waiver

    waiver = parse_waiver(body(_WAIVER))
    governing.waive(registry(), caller(), kind, repo_id(owner, name), waiver)
    return as_json(waiver, 201)


def _document(policy: Policy) -> dict[str, Any]:
    from registry_core.policy.rules import policy_document

    return policy_document(policy)
