"""Policies and waivers on a server: what an owner asks of models, and the exceptions that were approved."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from registry_client import keys
from registry_client.config import connection
from registry_client.policy import load_policy
from registry_client.remote import Remote
from registry_client.spec import parse_spec
from registry_core.ids import Owner
from registry_core.policy.rules import Policy
from registry_core.policy.waivers import PAYLOAD_TYPE, Waiver, parse_waiver, waiver_bytes
from registry_core.signing import sign_statement

Act = Literal["push", "publish"]


def set_policy(
    owner: str, policy: str | Path, *, act: Act = "push", endpoint: str | None = None, token: str | None = None
) -> dict[str, Any]:
    """Make `policy`, a file or the name of a shipped one, what holds for the owner's models at `act`.

    The policy as it holds now. Raises NotFound, and InvalidPolicy with every fault before anything is sent.
    """
    found = load_policy(policy)
    path = Path(policy)
    text = path.read_text(encoding="utf-8") if path.is_file() else _extending(found)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.set_policy(Owner(owner), act, text)


def unset_policy(
    owner: str, *, act: Act = "push", endpoint: str | None = None, token: str | None = None
) -> dict[str, Any]:
    """Let the server's default policy hold again for the owner's models at `act`."""
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.set_policy(Owner(owner), act, None)


def waive(
    spec: str,
    rule: str,
    *,
    reason: str,
    days: int,
    key: str = keys.DEFAULT_NAME,
    endpoint: str | None = None,
    token: str | None = None,
) -> Waiver:
    """Approve and sign an exception from `rule` for the model `OWNER/NAME`, for so many days.

    Raises NotFound for a key that is not on this computer, and InvalidPolicy for a waiver that would not count.
    """
    repo, revision = parse_spec(spec)
    expires = datetime.now(UTC) + timedelta(days=days)
    pem = keys.private_pem(key)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        fields = {
            "rule": rule,
            "reason": reason,
            "approver": remote.whoami().name,
            "expires": expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "repo": remote.detail(repo, revision).id,
        }
        waiver = parse_waiver(fields)
        public = keys.show(key)
        remote.register_key(public.public, public.name)
        signed = replace(waiver, signature=sign_statement(PAYLOAD_TYPE, waiver_bytes(waiver), pem).decode())
        return remote.waive(repo, signed)


def _extending(policy: Policy) -> str:
    """A policy file that says no more than the shipped policy does."""
    return json.dumps({"policy": policy.name, "title": policy.title, "extends": policy.name})
