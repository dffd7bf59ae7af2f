"""Who am I, and the small fixed answers that clients ask for on the way."""

from __future__ import annotations

from flask import Response

from registry_core.errors import Unauthenticated
from registry_server.catalog import accounts
from registry_server.catalog.accounts import Caller
from registry_server.routes.hub.blueprint import blueprint
from registry_server.routes.requests import as_json, caller, registry


@blueprint.get("/api/whoami-v2")
def whoami() -> Response:
    """200 with the account behind the token; 401 without one."""
    me = caller()
    if me.is_anonymous:
        raise Unauthenticated("Invalid username or password.", hint="Send a token.")
    return as_json(_account(me))


@blueprint.get("/api/agent-harnesses")
def agent_harnesses() -> Response:
    """200 and nothing to report: a failure would make every client process ask again."""
    return as_json({"standardEnvVars": [], "harnesses": {}})


@blueprint.route("/api/telemetry/<path:topic>", methods=["GET", "HEAD"])
def telemetry(topic: str) -> Response:  # noqa: ARG001 - we keep none
    """204: heard, and forgotten."""
    return Response(status=204)


def _account(me: Caller) -> dict[str, object]:
    with registry().engine.read() as tx:
        orgs = accounts.organisations(tx, me.account_id)
    return {
        "type": "user",
        "id": f"{me.account_id:024x}",
        "name": me.name,
        "fullname": me.name,
        "email": None,
        "emailVerified": False,
        "isPro": False,
        "canPay": False,
        "avatarUrl": "",
        "orgs": [
            {
                "type": "org",
                "name": name,
                "fullname": name,
                "roleInOrg": role,
                "isEnterprise": False,
                "avatarUrl": "",
            }
            for name, role in orgs
        ],
        "auth": {
            "type": "access_token",
            "accessToken": {"displayName": me.token_name, "role": me.token_role},
        },
    }
