"""Completes FastAPI's OpenAPI document: the errors of every route, the API keys, the schema of problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from admin.access.roles import FIELD
from admin.document.problems import responses

TAGS = {
    "models": "Registered models: list, show, annotate, download and upload.",
    "selection": "Which model is live, and how many workers run it.",
    "classify": "Classify readings directly, without the stream.",
    "runs": "Training runs.",
    "stream": "Recent readings, predictions and devices.",
    "labels": "Labels of periods, given after the fact.",
    "datasets": "Data sets of the archive and the buffer: chosen by a query, described, kept for a while.",
    "ledger": "Counts of all readings, by what happened to them.",
    "quarantine": "Messages that were refused or set aside.",
    "access": "API keys, and the audit log.",
    "health": "Health, readiness and metrics; no key required.",
}
ALWAYS = (401, 403, 429, 500, 503)
WITH_INPUT = (400, 422)
WITH_BODY = (400, 413, 415, 422)
IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text, 1 to 200 printable characters without spaces. For a day, the same key with the same "
    "request returns the stored response, and the request is not processed again. The same key with another "
    "request is refused. A POST that changes nothing accepts the header and stores no response.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "example": "5f0e6c0d-retrain-november",
}
WRITING = ("post", "put", "patch")
SCHEMAS = "#/components/schemas/"


def install(app: FastAPI) -> None:
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.operation_id = route.name  # generated clients name their methods by it

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            tags = [{"name": name, "description": description} for name, description in TAGS.items()]
            found = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes, tags=tags
            )
            _keep_nulls(found, app.routes)
            complete(found)
            app.openapi_schema = with_nouns(found)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _keep_nulls(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Restores null values in examples, such as `next` on the last page, which FastAPI drops."""
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            answers = document["paths"][route.path_format][method.lower()]["responses"]
            for status, answer in route.responses.items():
                for kind, content in answer.get("content", {}).items():
                    if "example" in content:
                        answers[str(status)]["content"][kind]["example"] = content["example"]


def with_nouns(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the document with schemas named by their noun: `Device` for `DeviceView`, `Run` for `RunBody`."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    nouns = {name: name.removesuffix("View").removesuffix("Body") for name in schemas}
    taken = Counter(nouns.values())
    names = {name: noun if taken[noun] == 1 and noun else name for name, noun in nouns.items()}
    renamed: dict[str, Any] = _with_references(document, names)
    parts = {names[name]: {**schema, "title": names[name]} for name, schema in renamed["components"]["schemas"].items()}
    renamed["components"]["schemas"] = parts
    return renamed


def _with_references(part: Any, names: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_with_references(each, names) for each in part]
    if not isinstance(part, dict):
        return part
    found = {key: _with_references(value, names) for key, value in part.items()}
    reference = found.get("$ref")
    if isinstance(reference, str) and reference.startswith(SCHEMAS):
        found["$ref"] = SCHEMAS + names[reference.removeprefix(SCHEMAS)]
    return found


def complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of `zelador keys new`. viewer: GET and classify; operator: also select, roll back, "
            "annotate, rename, runs and quarantine; admin: also upload, delete, keys and audit.",
        }
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    for status, answer in list(answers.items()):
        if "HTTPValidationError" in str(answer):
            del answers[status]
    if not path.startswith("/v1"):
        return
    role = operation[FIELD]
    operation["security"] = [{"key": []}]
    operation["description"] = f"{operation.get('description', '')}\n\nRole: {role}.".strip()
    statuses = set(ALWAYS)
    if operation.get("parameters"):
        statuses.update(WITH_INPUT)
    if method in WRITING:
        statuses.update(WITH_BODY)
    if method == "post":
        statuses.add(409)
        operation.setdefault("parameters", []).append(IDEMPOTENCY)
    for status, answer in responses(*sorted(statuses)).items():
        answers.setdefault(str(status), answer)
    operation["responses"] = dict(sorted(answers.items()))
