"""Reuse: statements taken in and withdrawn, and the ledger of what they avoided, as JSON, as CSV and as pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from flask import Response, request
from pydantic import ConfigDict, Field, TypeAdapter

from registry_core.errors import Invalid
from registry_core.ids import RepoKind, Revision
from registry_server.catalog.accounts import ANONYMOUS, Caller
from registry_server.routes.api import blueprint as api
from registry_server.routes.requests import Body, as_json, body, caller, registry, repo_id
from registry_server.routes.web import blueprint as web
from registry_server.routes.web import page
from registry_server.usecases.late import reuses

if TYPE_CHECKING:
    from registry_core.reuse_ledger import Ledger

MOST_EVENTS = 200
"""How many events and sums a page lists; the JSON holds all of them."""

_PARAMETERS = {"model", "organisation", "format"}
_FORMATS = ("json", "csv", "sums")


class _Withdrawal(Body):
    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None


_ENVELOPE = TypeAdapter(dict[str, Any], config=ConfigDict(defer_build=True))
_WITHDRAWAL = TypeAdapter(_Withdrawal)


@api.post("/repos/<kind:kind>/<owner>/<name>/reuses/<text:revision>")
def state(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """201 with the statement as it was taken in, and whether it counts now."""
    wanted = repo_id(owner, name)
    envelope = json.dumps(body(_ENVELOPE)).encode()
    if kind != "model":
        raise Invalid("A statement of reuse is about a model.", hint="Data sets are not in the ledger.")
    if len(envelope) > reuses.MAX_BYTES:
        raise Invalid(f"The statement is larger than {reuses.MAX_BYTES >> 10} KiB.")
    found = reuses.state(registry(), caller(), wanted, Revision(revision), envelope)
    return as_json(reuses.ledger_json(found), 201)


@api.delete("/reuses/<int:number>")
def withdraw(number: int) -> Response:
    """200 with how the statement ended, now or before."""
    return as_json(reuses.withdraw(registry(), caller(), number, body(_WITHDRAWAL).reason))


@api.get("/ledger")
def ledger() -> Response:
    """200 with the ledger, or with what of it is about one model or one organisation."""
    found = _asked(caller())
    match request.args.get("format", "json"):
        case "json":
            return as_json(reuses.ledger_json(found))
        case "csv":
            return _csv(reuses.events_csv(found))
        case "sums":
            return _csv(reuses.sums_csv(found))
        case other:
            raise Invalid(f"The ledger has no format {other[:40]!r}.", hint=f"It has {', '.join(_FORMATS)}.")


@api.get("/repos/<kind:kind>/<owner>/<name>/ledger")
def ledger_of_model(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with what of the ledger is about one model and, beside it, what its descendants took."""
    return as_json(reuses.ledger_json(reuses.ledger_and_induced(registry(), caller(), kind, repo_id(owner, name))))


@web.get("/ledger")
def ledger_page() -> Response:
    """200 with the ledger for people."""
    found = _asked(ANONYMOUS)
    about = request.args.get("model") or request.args.get("organisation")
    return page("ledger.html", ledger=found, about=about, most=MOST_EVENTS)


def _asked(who: Caller) -> Ledger:
    if unknown := sorted(set(request.args) - _PARAMETERS):
        raise Invalid(
            f"The ledger has no parameter {unknown[0][:80]!r}.", hint=f"It has {', '.join(sorted(_PARAMETERS))}."
        )
    model, organisation = request.args.get("model"), request.args.get("organisation")
    if model and organisation:
        raise Invalid("The ledger is either that of a model or that of an organisation.", hint="Leave one out.")
    if model:
        return reuses.ledger_of_model(registry(), who, "model", repo_id(*_parts(model)))
    if organisation:
        return reuses.ledger_of_organisation(registry(), who, organisation)
    return reuses.ledger_for(registry(), who)


def _parts(model: str) -> tuple[str, str]:
    owner, _, name = model.partition("/")
    return owner, name


def _csv(text: str) -> Response:
    return Response(text, mimetype="text/csv")
