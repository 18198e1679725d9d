"""/v1/models/{name}/card: the model card, one page."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from admin.access.roles import Route, needs
from admin.api.models import Name
from admin.document.problems import responses
from admin.services import Held
from registry.card import POLICY, card_html, card_markdown, card_of, place_of

router = APIRouter(route_class=Route, prefix="/v1/models", tags=["models"])

TEXT: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}, "text/markdown": {"schema": {"type": "string"}}}


@router.get(
    "/{name}/card",
    summary="Get a model's card: data, features, metrics, limits and usage on one page",
    description="The page is self-contained: its plots are inline, and it runs no scripts and loads nothing from any "
    "host.",
    response_class=Response,
    responses={200: {"description": "The page, in the requested format.", "content": TEXT}, **responses(404)},
    **needs("viewer"),
)
def show_card(
    name: Name,
    services: Held,
    form: Annotated[Literal["html", "markdown"], Query(alias="format", description="Format of the page.")] = "html",
) -> Response:
    card = card_of(services.registry, name, place_of(services.settings))
    if form == "markdown":
        return Response(card_markdown(card), media_type="text/markdown; charset=utf-8")
    policy = f"{POLICY}; frame-ancestors 'none'"
    return Response(card_html(card), media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})
