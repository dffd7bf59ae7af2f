"""Pages for people: the list, a model, a data set, errors. Everybody sees them as a stranger would."""

from __future__ import annotations

import functools
import hashlib
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState

from registry_core import errors, units
from registry_core.card import parse_card
from registry_core.errors import EntryNotFound, InvalidName, NotFound, RegistryError, RepoNotFound
from registry_core.ids import RESERVED_OWNERS, CommitId, Owner, RepoKind, RepoPath, Revision
from registry_core.readme import KNOWN_TASKS
from registry_core.records import ModelDetail, Tensor
from registry_server import figures
from registry_server.catalog import accounts
from registry_server.catalog.accounts import ANONYMOUS
from registry_server.catalog.counting import FACETS
from registry_server.pedigree import pedigree
from registry_server.routes.addresses import TextConverter
from registry_server.routes.errors import moved_answer, status_of
from registry_server.routes.requests import as_json, base_url, registry, repo_id
from registry_server.routes.search_form import SORTS, choices, read_search
from registry_server.usecases import models
from registry_server.usecases.access import RepoMoved
from registry_server.usecases.accounts import ADMIN
from registry_server.usecases.late import relations, reuses

MOST_FILES = 200
MOST_TENSORS = 50

blueprint = Blueprint("web", __name__)
log = logging.getLogger(__name__)

_STATIC = Path(__file__).parent.parent / "static"
_YEAR_SECONDS = 365 * 24 * 3600
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}
_WORDS: dict[type[RegistryError], tuple[str, str]] = {
    RepoNotFound: (
        "There is no model or data set of this name here, or it is private.",
        "Check the spelling, or look for it in the list. A private one never has a page:"
        " use registry show, which sends your token.",
    ),
    errors.RevisionNotFound: ("There is no such revision.", "Name a branch, a tag or a commit id of this model."),
    errors.InvalidRevision: ("There is no such revision.", "Name a branch, a tag or a commit id of this model."),
}
REPORT_TITLES = {
    "eu-form": "EU documentation form",
    "sci": "Software Carbon Intensity",
    "life-cycle": "Life-cycle coverage",
    "ghg": "Greenhouse-gas inventory",
    "iso-42001": "ISO/IEC 42001 evidence",
    "frugality": "Frugality sheet",
    "measurement": "Measurement sheet",
    "hub": "Hub metadata",
}
LEVEL_WORDS = {
    "E0": "declared: somebody says so",
    "E1": "estimated: the server can compute it again, and does",
    "E2": "measured: a known tool saw most of the energy, and its output is attached",
    "E3": "evidenced: raw samples add up to it, and it is signed",
    "E4": "reproduced: somebody else found the same, or a calibrated meter did",
}
_TITLES = {400: "That does not make sense", 404: "Not found", 405: "Not like this", 503: "Not available now"}


class _OwnerConverter(TextConverter):
    """A segment that may be an owner: the first segments of our other addresses are none."""

    regex = f"(?!(?:{'|'.join(map(re.escape, sorted(RESERVED_OWNERS)))})(?:/|$))[^/]+"


@blueprint.record
def _set_up(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["owner"] = _OwnerConverter
    state.app.config["SEND_FILE_MAX_AGE_DEFAULT"] = _YEAR_SECONDS  # the address of a file changes with its content
    state.app.jinja_env.trim_blocks = state.app.jinja_env.lstrip_blocks = True
    state.app.jinja_env.globals["asset"] = _asset
    state.app.jinja_env.filters.update(
        energy=units.energy_text,
        co2e=units.co2e_text,
        duration=units.duration_text,
        size=units.size_text,
        count=units.count_text,
        number=lambda value: f"{value:.4g}",
        day=lambda moment: _moment(moment).strftime("%-d %b %Y"),
        minute=lambda moment: _moment(moment).strftime("%-d %b %Y, %H:%M UTC"),
    )


@blueprint.get("/")
@blueprint.get("/models")
def model_list() -> Response:
    """200 with the models that match; 400, the form kept, when a field makes no sense."""
    search = read_search(request.args)
    found = None if search.faults else models.find(registry(), ANONYMOUS, search.query, FACETS)
    facets = found.facets if found else None
    items = found.items if found else []
    return page(
        "models.html",
        400 if search.faults else 200,
        search=search,
        items=items,
        largest=max((item.energy_kwh or 0.0 for item in items), default=0.0),
        percent_of=figures.percent_of,
        is_first="cursor" not in request.args,
        next_url=_with_cursor(found.next_cursor) if found and found.next_cursor else None,
        first_url=_with_cursor(None),
        total=f"{facets.total:,}{'' if facets.is_exact else '+'}" if facets else "",
        choices=choices(search, facets) if facets else {},
        sorts=SORTS,
        tasks=sorted(KNOWN_TASKS),
        endpoint=base_url(),
    )


@blueprint.get("/<owner:owner>")
def owner_page(owner: str) -> Response:
    """302 to what the owner has."""
    try:
        return _found_at(url_for("web.model_list", author=Owner(owner)))
    except InvalidName as error:
        raise NotFound("There is no such page.", hint="Look for a model in the list.") from error


@blueprint.get("/<owner:owner>/<name>")
@blueprint.get("/<owner:owner>/<name>/tree/<text:revision>")
@blueprint.get("/<owner:owner>/<name>/commit/<text:revision>")
def model_page(owner: str, name: str, revision: str = "main") -> Response:
    """200 with one model at one revision."""
    return _repo_page("model", owner, name, Revision(revision))


@blueprint.get("/datasets/<owner>/<name>")
@blueprint.get("/datasets/<owner>/<name>/tree/<text:revision>")
@blueprint.get("/datasets/<owner>/<name>/commit/<text:revision>")
def dataset_page(owner: str, name: str, revision: str = "main") -> Response:
    """200 with one data set at one revision."""
    return _repo_page("dataset", owner, name, Revision(revision))


@blueprint.get("/healthz")
def healthz() -> Response:
    """200 when catalog and blobs can be read, else 503 with the parts that cannot."""
    failing = [part for part, check in (("catalog", _read_catalog), ("blobs", _look_at_blobs)) if not _works(check)]
    if failing:
        return as_json({"status": "failing", "failing": failing}, 503)
    return as_json({"status": "ok"})


def error_page(error: RegistryError, status: int) -> Response:
    """The page that says what happened and what to do."""
    words = next((_WORDS[kind] for kind in type(error).__mro__ if kind in _WORDS), None)
    if words is None:
        is_no_address = status == 404 and type(error) is RegistryError
        words = ("There is no page at this address.", "") if is_no_address else (error.message, error.hint)
    title = _TITLES.get(status, "That did not work")
    return page("error.html", status, title=title, message=words[0], hint=words[1], faults=error.faults)


@blueprint.errorhandler(RegistryError)
def _answer(error: RegistryError) -> Response:
    if isinstance(error, RepoMoved) and (redirect_to_it := moved_answer(error)):
        return redirect_to_it
    return error_page(error, status_of(error))


@blueprint.errorhandler(Exception)
def _fault_answer(error: Exception) -> Response:
    log.exception("A fault of ours answering %s %s", request.method, request.path, exc_info=error)
    hint = "Its log says why. Try again; if it stays, tell whoever runs this server."
    return error_page(RegistryError("The server failed to make this page.", hint=hint), 500)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page of ours, with the headers that every page has."""
    return Response(render_template(template, **values), status, _HEADERS, mimetype="text/html")


def _found_at(address: str) -> Response:
    response = redirect(address)
    assert isinstance(response, Response)
    return response


def _with_cursor(cursor: str | None) -> str:
    """This same list from another place on."""
    args: dict[str, Any] = dict(request.args.lists()) | {"cursor": cursor}
    return url_for("web.model_list", **args)


def _repo_page(kind: RepoKind, owner: str, name: str, revision: Revision) -> Response:
    from registry_server import markdown  # only pages with a README need it, and a start should not wait for it

    wanted = repo_id(owner, name)
    detail = models.detail(registry(), ANONYMOUS, kind, wanted, revision)
    commit = CommitId(detail.commit_id)  # what follows is of the same commit, even if somebody pushes meanwhile
    card = parse_card(detail.footprint) if detail.footprint else None
    is_traced = kind == "model" and card is not None
    lineage = relations.lineage_of(registry(), ANONYMOUS, kind, wanted, Revision(commit)) if is_traced else None
    text = models.readme(registry(), ANONYMOUS, kind, wanted, commit)
    return page(
        "repo.html",
        detail=detail,
        card=card,
        lineage=lineage,
        ancestors=pedigree(lineage) if lineage else [],
        reuse=reuses.ledger_of_model(registry(), ANONYMOUS, kind, wanted) if card and kind == "model" else None,
        figures=figures.figures(card) if card else [],
        phases=figures.phase_rows(card) if card else [],
        development=figures.development_text(card) if card else "",
        readme=markdown.render(text, _file_address(detail, "x")[:-1]) if text and text.strip() else None,
        readme_is_cut=text is not None and len(text) > markdown.MAX_CHARACTERS,
        tensors=_tensors(detail),
        files=detail.files[:MOST_FILES],
        most_tensors=MOST_TENSORS,
        file_address=functools.partial(_file_address, detail),
        endpoint=base_url(),
        report_titles=REPORT_TITLES,
        level_words=LEVEL_WORDS,
    )


def _file_address(detail: ModelDetail, path: str) -> str:
    owner, _, name = detail.id.partition("/")
    return url_for("hub.resolve", kind=detail.kind, owner=owner, name=name, revision=detail.commit_id, path=path)


def _tensors(detail: ModelDetail) -> tuple[str, list[Tensor]] | None:
    """The first safetensors file and its tensors, where they are known."""
    path = next((file.path for file in detail.files if file.path.endswith(".safetensors")), None)
    if path is None:
        return None
    wanted = repo_id(*detail.id.split("/"))
    try:
        found = models.tensors(registry(), ANONYMOUS, detail.kind, wanted, Revision(detail.commit_id), RepoPath(path))
    except EntryNotFound:
        return None
    return path, found


def _works(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # whatever it is, this server cannot serve
        log.exception("The health check failed")
        return False


def _read_catalog() -> bool:
    with registry().engine.read() as tx:
        accounts.by_name(tx, ADMIN)
    return True


def _look_at_blobs() -> bool:
    registry().blobs.check()
    return True


def _asset(name: str) -> str:
    """The address of a file under static/, which changes with the content."""
    return url_for("static", filename=name, v=_version())


@functools.cache
def _version() -> str:
    together = hashlib.sha256()
    for path in sorted(_STATIC.iterdir()):
        together.update(path.read_bytes())
    return together.hexdigest()[:12]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
