"""The way back from an error page to the page of a form, filled with what was typed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from admin.access.roles import Route, needs
from admin.console.again import FILES, UNSENT, filled, has_files
from admin.console.sent import MAX_FIELDS, Sent, typed_of
from admin.console.visitor import Visiting, own_path
from zelador.errors import Unavailable

router = APIRouter(route_class=Route, prefix="/console", include_in_schema=False)


@router.post("/form", **needs("viewer"))
async def back_to_form(
    request: Request, visitor: Visiting, action: Annotated[str, Query(max_length=1_000)] = ""
) -> Response:
    """Shows the page of the form that is sent to the address `action`. Nothing is done. Raises Unavailable."""
    form = await request.form(max_fields=MAX_FIELDS)
    sent = Sent(own_path(action), typed_of(form.multi_items()).fields, "sent-before", kind="sent-before")
    page = await filled(request, sent, visitor.key)
    if page is not None:
        return page
    request.scope[UNSENT], request.scope[FILES] = sent, has_files(form)
    raise Unavailable("the page of this form cannot be shown now; nothing was done")


ROUTERS = (router,)
