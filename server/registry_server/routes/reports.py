"""Conformance reports: as JSON under our own API, and as pages that can be printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, request

from registry_core.ids import RepoKind, Revision
from registry_server.catalog.accounts import ANONYMOUS
from registry_server.routes.api import blueprint as api
from registry_server.routes.requests import as_json, caller, registry, repo_id
from registry_server.routes.web import REPORT_TITLES, page
from registry_server.routes.web import blueprint as web
from registry_server.usecases.late import reporting

if TYPE_CHECKING:
    from registry_core.reports import Report


@api.get("/repos/<kind:kind>/<owner>/<name>/reports/<standard>/<text:revision>")
def report(kind: RepoKind, owner: str, name: str, standard: str, revision: str) -> Response:
    """200 with the report of one standard on one revision; 404 when there is no card."""
    wanted = repo_id(owner, name)
    recipient = request.args.get("recipient") or None
    found = reporting.report_on(registry(), caller(), kind, wanted, Revision(revision), standard, recipient)
    return as_json(found)


@web.get("/<owner:owner>/<name>/reports/<standard>")
@web.get("/<owner:owner>/<name>/reports/<standard>/<text:revision>")
def report_page(owner: str, name: str, standard: str, revision: str = "main") -> Response:
    """200 with the same report for people."""
    recipient = request.args.get("recipient") or None
    wanted = repo_id(owner, name)
    found = reporting.report_on(registry(), ANONYMOUS, "model", wanted, Revision(revision), standard, recipient)
    return page(
        "report.html",
        report=found,
        revision=revision,
        recipients=_recipients(found),
        titles=REPORT_TITLES,
    )


def _recipients(found: Report) -> list[str]:
    return sorted({name for line in found.lines for name in line.recipients})
