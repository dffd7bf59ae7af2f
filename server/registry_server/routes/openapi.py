"""The OpenAPI document of our own API, put together from the records that the routes answer with.

A test compares it with the routes, so that none is missing and none is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openapi_pydantic import OpenAPI
from pydantic import TypeAdapter

from registry_core.records import FindPage, Manifest, ModelDetail, Publication, Rerun, RerunReport, Tensor
from registry_core.reports import Report

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
            ("sort", "A column or metric, ascending; a minus in front means descending"),
            ("limit", "Size of the page, 1 to 100"),
            ("cursor", "next_cursor of the page before"),
        ),
    ),
    _Operation("get", _REPO, "One repo at the head of main", ModelDetail),
    _Operation("get", f"{_REPO}/revision/{{revision}}", "One repo at a revision", ModelDetail),
    _Operation("get", f"{_REPO}/manifest/{{revision}}", "Path, SHA-256 and size of every file", Manifest),
    _Operation("get", f"{_REPO}/tensors/{{revision}}/{{path}}", "Tensors of a safetensors file", list[Tensor]),
    _Operation("get", f"{_REPO}/reruns", "Stored verdicts, newest first", list[Rerun]),
    _Operation("post", f"{_REPO}/reruns", "Store a verdict", Rerun, body=RerunReport, status="201"),
    _Operation(
        "get",
        f"{_REPO}/reports/{{standard}}/{{revision}}",
        "Conformance report of one standard",
        Report,
        query=(("recipient", "Only what goes to them, where a standard knows recipients"),),
    ),
    _Operation("post", f"{_REPO}/publish/{{revision}}", "Recommend a revision for reuse", Publication),
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
