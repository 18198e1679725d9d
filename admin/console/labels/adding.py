"""The form that adds a label, on the page of labels or of a device. A refused one is shown again as it was filled."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Form, Response

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.device.page import show_refused
from admin.console.labels.page import Typed, View, show_list, to_label, wish_of
from admin.console.page import pages, renderer
from admin.console.visitor import Visiting
from operations.acts import labels as acts
from operations.views.labels import LabelFilter
from zelador.errors import Conflict, InvalidInput, NotFound

router = pages("labels")

MAX_TYPED = 1_000  # characters of a field that are read; more is too long for any


@router.post("", **needs("operator"))
def add(
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    device: Annotated[str, Form()] = "",
    begin: Annotated[str, Form(alias="from")] = "",
    end: Annotated[str, Form(alias="to")] = "",
    label: Annotated[str, Form()] = "",
    other: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
    view: View = "",
) -> Response:
    services, language = console.services, renderer(console, visitor).language
    typed = Typed(*(text[:MAX_TYPED] for text in (device, begin, end, label, other, note)))
    try:
        wish = wish_of(language, typed.device, typed.begin, typed.end, typed.other.strip() or typed.label, typed.note)
        done = acts.add(actor, services.labels, services.settings, wish, "console")
    except (InvalidInput, Conflict) as error:
        status = 409 if isinstance(error, Conflict) else 422
        refused = replace(typed, refusal=str(error))
        if back == "device":
            try:
                return show_refused(console, visitor, refused, view, status)
            except NotFound:  # the page of labels has a form for any device
                pass
        return show_list(console, visitor, LabelFilter(), {}, 0, None, "", refused, status)
    return to_label(done.label.id, done.label.device if back == "device" else "", view)


ROUTERS = (router,)
