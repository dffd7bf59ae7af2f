"""The OpenAPI document of our own API, put together from the records that the routes answer with.

A test compares it with the routes, so that none is missing and none is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openapi_pydantic import OpenAPI
from pydantic import TypeAdapter

from registry_core.comparisons import Groups, Layers, Suggestions
from registry_core.policy.waivers import Waiver
from registry_core.records import (
    FindPage,
    Lineage,
    Manifest,
    ModelClass,
    ModelDetail,
    Publication,
    PublicKey,
    Rerun,
    RerunReport,
    Tensor,
)
from registry_core.reports import Report
from registry_core.reuse_ledger import Ledger
from registry_core.reuse_statement import EndedReuse, StatedReuse
from registry_core.reuse_views import ModelLedger
from registry_server.routes.governance import NewKey

_POLICY = "/api/registry/v1/owners/{owner}/policies/{act}"
_REPO = "/api/registry/v1/repos/{kind}/{owner}/{name}"


@dataclass(frozen=True)
class _Operation:
    method: str
    path: str
    summary: str
    answer: Any
    body: Any = None
    query: tuple[tuple[str, str], ...] = ()
    status: str = "200"


_OPERATIONS = (
    _Operation(
        "get",
        "/api/registry/v1/find",
        "Models that match everything asked for",
        FindPage,
        query=(
            ("q", "Words that must occur in name, tags or README; each may be cut short"),
            ("task", "Task of the model, for example image-classification"),
            ("author", "Owner of the model"),
            ("tag", "A tag the model must have; may repeat"),
            ("where", "A condition, for example accuracy >= 0.9 and energy_kwh < 1; may repeat"),
            ("at_least", "A score that must be reached, such as accuracy=0.95: the model's less one standard error"),
            ("facets", "Count all that match by some of task,library,license"),
            ("sort", "A column or metric, ascending; a minus in front means descending"),
            ("limit", "Size of the page, 1 to 100"),
            ("cursor", "next_cursor of the page before"),
        ),
    ),
    _Operation(
        "get",
        "/api/registry/v1/groups",
        "Comparison groups of a task, largest first",
        Groups,
        query=(("task", "Task of the models"),),
    ),
    _Operation(
        "get",
        "/api/registry/v1/pareto",
        "Models of one comparison group by Pareto layer of score and energy",
        Layers,
        query=(
            ("task", "Task of the group; the largest group that fits is meant"),
            ("metric", "Metric of the group"),
            ("dataset", "Data set of the group"),
            ("config", "Its configuration"),
            ("split", "Its split"),
            ("revision", "Its revision"),
            ("axis", "Only own: the energy of the models themselves"),
            ("limit", "How many models, 1 to 1000"),
        ),
    ),
    _Operation(
        "get",
        "/api/registry/v1/candidates",
        "What could be reused instead of training, least training energy first",
        Suggestions,
        query=(
            ("task", "What would be trained for"),
            ("at_least", "A score that must be reached, such as accuracy=0.95; may repeat"),
            ("estimate_kwh", "What training is expected to take"),
        ),
    ),
    _Operation("get", _REPO, "One repo at the head of main", ModelDetail),
    _Operation("get", f"{_REPO}/revision/{{revision}}", "One repo at a revision", ModelDetail),
    _Operation("get", f"{_REPO}/manifest/{{revision}}", "Path, SHA-256 and size of every file", Manifest),
    _Operation("get", f"{_REPO}/tensors/{{revision}}/{{path}}", "Tensors of a safetensors file", list[Tensor]),
    _Operation("get", f"{_REPO}/lineage/{{revision}}", "What a model, its ancestors and its descendants took", Lineage),
    _Operation("get", f"{_REPO}/classes", "Energy classes, newest snapshot first", list[ModelClass]),
    _Operation("get", f"{_REPO}/reruns", "Stored verdicts, newest first", list[Rerun]),
    _Operation("post", f"{_REPO}/reruns", "Store a verdict", Rerun, body=RerunReport, status="201"),
    _Operation(
        "get",
        f"{_REPO}/reports/{{standard}}/{{revision}}",
        "Conformance report of one standard",
        Report,
        query=(("recipient", "Only what goes to them, where a standard knows recipients"),),
    ),
    _Operation(
        "post",
        f"{_REPO}/reuses/{{revision}}",
        "State a reuse: a DSSE envelope around a signed statement",
        StatedReuse,
        body=dict[str, Any],
        status="201",
    ),
    _Operation("delete", "/api/registry/v1/reuses/{number}", "Withdraw a statement of reuse", EndedReuse),
    _Operation("get", f"{_REPO}/ledger", "What reuse of a model avoided, and what it induced", ModelLedger),
    _Operation(
        "get",
        "/api/registry/v1/ledger",
        "What reuse avoided, by reuse-convention/1",
        Ledger,
        query=(
            ("model", "OWNER/NAME: only the events that give it a share"),
            ("organisation", "An owner: only its events, as a maker and as a reuser"),
            ("format", "json, csv (one line an event) or sums (CSV, one line a model, team, organisation and reuser)"),
        ),
    ),
    _Operation("post", f"{_REPO}/publish/{{revision}}", "Recommend a revision for reuse", Publication),
    _Operation("get", "/api/registry/v1/keys", "Your keys, oldest first", list[PublicKey]),
    _Operation("post", "/api/registry/v1/keys", "File a public key under your account", PublicKey, body=NewKey),
    _Operation("delete", "/api/registry/v1/keys/{key_id}", "Let nothing count that a key signed", dict[str, Any]),
    _Operation("get", _POLICY, "The policy that holds for an owner's repos", dict[str, Any]),
    _Operation("put", _POLICY, "Set it; the body is the policy file", dict[str, Any]),
    _Operation("delete", _POLICY, "Let the default policy hold again", dict[str, Any]),
    _Operation("get", f"{_REPO}/waivers", "Exceptions that were approved", list[Waiver]),
    _Operation("post", f"{_REPO}/waivers", "Keep an exception that you signed", Waiver, body=Waiver, status="201"),
    _Operation("get", "/api/registry/v1/openapi.json", "This document", dict[str, Any]),
)

_ERROR = {
    "type": "object",
    "required": ["error", "code", "hint", "faults"],
    "properties": {
        "error": {"type": "string", "description": "What happened to what"},
        "code": {"type": "string", "description": "The kind of error, for programs"},
        "hint": {"type": "string", "description": "What to do next"},
        "faults": {"type": "array", "items": {"type": "string"}},
    },
}


def document() -> dict[str, Any]:
    """The whole document, checked against OpenAPI's own schema."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, schemas)
    raw = {
        "openapi": "3.1.0",
        "info": {"title": "Model Commons", "version": "1", "description": "Models with their training footprints."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }
    return OpenAPI.model_validate(raw).model_dump(mode="json", by_alias=True, exclude_none=True)


def _described(operation: _Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
                for name in _names(operation)
            ),
            *(
                {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
                for name, text in operation.query
            ),
        ],
        "responses": {
            operation.status: {"description": "Done", "content": _content(operation.answer, schemas)},
            "default": {
                "description": "Refused",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body, schemas)}
    return described


def _names(operation: _Operation) -> list[str]:
    return [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]


def _path_schema(name: str) -> dict[str, Any]:
    return {"type": "string", "enum": ["models", "datasets"]} if name == "kind" else {"type": "string"}


def _content(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return {"application/json": {"schema": schema}}
