"""Find before you train: comparison groups, Pareto layers, candidates, lineages and classes as JSON, and their page."""

from __future__ import annotations

from flask import Response, request

from registry_core.errors import Invalid
from registry_core.ids import RepoKind, Revision
from registry_core.reaching import parse_at_least
from registry_server.catalog.accounts import ANONYMOUS
from registry_server.routes.api import blueprint as api
from registry_server.routes.requests import as_json, caller, registry, repo_id, whole_number
from registry_server.routes.web import blueprint as web
from registry_server.routes.web import page
from registry_server.usecases.late import classing, comparing, relations

PLOTTED = 300
"""How many models the page draws; a picture of thousands would be a stain."""


@api.get("/groups")
def groups() -> Response:
    """200 with the comparison groups of a task."""
    return as_json(comparing.groups(registry(), caller(), _task()))


@api.get("/pareto")
def pareto() -> Response:
    """200 with the Pareto layers of a group; 404 when no model is in one that fits."""
    return as_json(comparing.layers(registry(), caller(), _asked_group(), _limit()))


@api.get("/candidates")
def candidates() -> Response:
    """200 with what could be reused instead of training."""
    wanted = [parse_at_least(text) for text in request.args.getlist("at_least") if text.strip()]
    at_least = {each.metric: each.score for each in wanted}
    return as_json(comparing.candidates(registry(), caller(), _task(), at_least, _estimate_kwh()))


@api.get("/repos/<kind:kind>/<owner>/<name>/lineage/<text:revision>")
def lineage(kind: RepoKind, owner: str, name: str, revision: str) -> Response:
    """200 with what a model, its ancestors and its descendants took; 404 when there is no card."""
    wanted = repo_id(owner, name)
    return as_json(relations.lineage_of(registry(), caller(), kind, wanted, Revision(revision)))


@api.get("/repos/<kind:kind>/<owner>/<name>/classes")
def classes(kind: RepoKind, owner: str, name: str) -> Response:
    """200 with every energy class that a model ever had, newest snapshot first."""
    return as_json(classing.history(registry(), caller(), kind, repo_id(owner, name)))


@web.get("/pareto")
def pareto_page() -> Response:
    """200 with the Pareto front of a group for people; 404 when no model is in one that fits."""
    from registry_server.scatter import scatter

    asked = _asked_group()
    found = comparing.layers(registry(), ANONYMOUS, asked, PLOTTED)
    return page(
        "pareto.html",
        found=found,
        others=comparing.groups(registry(), ANONYMOUS, asked.task).groups,
        plot=scatter(found),
    )


def _task() -> str:
    task = request.args.get("task")
    if not task:
        raise Invalid("Which task is meant is not said.", hint="Add for example ?task=image-classification.")
    return task


def _asked_group() -> comparing.AskedGroup:
    names = ("metric", "dataset", "config", "split", "revision")
    if request.args.get("axis", "own") != "own":
        raise Invalid("Groups are compared by a model's own energy.", hint="Leave axis out, or say axis=own.")
    return comparing.AskedGroup(_task(), **{name: request.args.get(name) or None for name in names})


def _limit() -> int:
    limit = whole_number("limit", 100)
    if not 1 <= limit <= comparing.MOST_RANKED:
        raise Invalid(f"limit is {limit}.", hint=f"It is a whole number from 1 to {comparing.MOST_RANKED}.")
    return limit


def _estimate_kwh() -> float | None:
    text = request.args.get("estimate_kwh")
    if not text:
        return None
    try:
        estimate_kwh = float(text)
    except ValueError:
        estimate_kwh = -1.0
    if not 0 <= estimate_kwh < float("inf"):
        raise Invalid(f"estimate_kwh is {text[:20]!r}.", hint="It is a number of kWh, such as 3.5.")
    return estimate_kwh
