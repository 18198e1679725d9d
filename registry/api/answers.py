"""For the OpenAPI document: what a route answers when all went well. Of which shape, its return type says."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

Responses = dict[int | str, dict[str, Any]]
Headers = dict[str, dict[str, Any]]

ETAG: Headers = {
    "ETag": {
        "description": "Of the registry's state that this shows; `If-Match` takes it.",
        "required": True,
        "schema": {"type": "string"},
        "example": '"seq-5f0e6c0d0a2f4b0f"',
    }
}

BINARY: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

Next = Annotated[str | None, Field(description="`before` of the page behind this one; null at the end.")]
NextNumber = Annotated[int | None, Field(description="`before` of the page behind this one; null at the end.")]
NextOffset = Annotated[int | None, Field(description="`offset` of the page behind this one; null at the end.")]


class Unchecked:
    """`Annotated[T, Unchecked()]` is T in the document and for mypy; it goes out without a check or a copy.

    For long lists: checking a page of 1,000 models took a third of the answer's time. What does not fit is a warning
    then, which fails a test and no answer.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(handler(source), core_schema.any_schema())


def location(of: str, example: str, header: str = "Location") -> Headers:
    return {header: {"description": of, "required": True, "schema": {"type": "string"}, "example": example}}


def answer(status: int, description: str, example: Any = None, headers: Headers | None = None) -> Responses:
    """`example` is of a JSON answer; a test holds it against the schema."""
    found: dict[str, Any] = {"description": description}
    if example is not None:
        found["content"] = {"application/json": {"example": example}}
    if headers:
        found["headers"] = headers
    return {status: found}
