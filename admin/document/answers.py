"""Describes successful responses for OpenAPI. Their schemas come from the routes' return types."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

Responses = dict[int | str, dict[str, Any]]
Headers = dict[str, dict[str, Any]]

ETAG: Headers = {
    "ETag": {
        "description": "ETag of the registry state shown here. Send it in `If-Match` with a change.",
        "required": True,
        "schema": {"type": "string"},
        "example": '"seq-5f0e6c0d0a2f4b0f"',
    }
}

BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

Next = Annotated[str | None, Field(description="`before` for the next page; null on the last page.")]
NextNumber = Annotated[int | None, Field(description="`before` for the next page; null on the last page.")]
NextOffset = Annotated[int | None, Field(description="`offset` for the next page; null on the last page.")]


class Unchecked:
    """Marks a field to be serialized without validation: `Annotated[T, Unchecked()]` is T in OpenAPI and for mypy.

    It is for long lists: validating a page of 1,000 models takes a third of the response time. A value of the wrong
    type causes a warning, which fails the tests but not a response.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(handler(source), core_schema.any_schema())


def location(of: str, example: str, header: str = "Location") -> Headers:
    return {header: {"description": of, "required": True, "schema": {"type": "string"}, "example": example}}


def answer(status: int, description: str, example: Any = None, headers: Headers | None = None) -> Responses:
    """Describes a response. `example` is a JSON body; a test validates it against the schema."""
    found: dict[str, Any] = {"description": description}
    if example is not None:
        found["content"] = {"application/json": {"example": example}}
    if headers:
        found["headers"] = headers
    return {status: found}
