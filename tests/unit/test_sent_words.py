"""A form that was not sent is shown again in words: what it does, and what a person typed and chose."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from fastapi.routing import APIRoute

from admin.console.app import routers
from admin.console.language import language
from admin.console.sent import Sent
from admin.console.sent_words import CHOICES, NAMES, deed, typed

ZONE = ZoneInfo("America/Sao_Paulo")
ENGLISH, PORTUGUESE = language("en", ZONE), language("pt-BR", ZONE)
NO_DEED = {"form", "signin", "signout", "language", "theme", "import", "labels/import", "devices/x/period"}


def test_each_form_says_what_it_does() -> None:
    """A form without a field of a person, such as that which selects a model, only said "Send it again"."""
    paths = {
        re.sub(r"\{\w+\}", "x", route.path.removeprefix("/console/"))
        for router in routers()
        for route in router.routes
        if isinstance(route, APIRoute) and "POST" in route.methods
    }
    assert len(paths) > 30
    assert {path for path in paths if not deed(ENGLISH, f"/console/{path}")} == NO_DEED
    assert deed(ENGLISH, "/console/devices/a%20b/acknowledge") == "Acknowledge the alarm of a b"
    assert deed(PORTUGUESE, "/console/models/m/select") == "Selecionar m"
    assert deed(ENGLISH, "/elsewhere") == ""


def test_values_are_shown_as_they_are_elsewhere() -> None:
    label = {
        "device": ("press-07",), "from": ("2025-11-24T10:26:05",), "to": ("2025-11-24T10:54",), "label": ("yes",),
        "note": ("OS 7",), "back": ("device",),
    }  # fmt: skip
    assert typed(PORTUGUESE, Sent(fields=label)) == [
        ("Dispositivo", "press-07"), ("De", "24 nov. 2025 10:26:05"), ("Até", "24 nov. 2025 10:54"), ("Rótulo", "sim"),
        ("Nota", "OS 7"),
    ]  # fmt: skip
    endless = typed(ENGLISH, Sent(fields={**label, "open": ("yes",)}))
    assert [text for name, text in endless if name == "To"] == ["Until further notice"]
    odd = Sent(fields={"from": ("2025-13-40T99:00",), "to": ("2025-11-24",), "until": ("soon",), "role": ("owner",)})
    assert typed(ENGLISH, odd) == [
        ("From", "2025-13-40T99:00"), ("To", "Nov 24, 2025"), ("Until", "soon"), ("Role", "owner"),
    ]  # fmt: skip


def test_what_was_not_chosen_is_not_shown() -> None:
    kept = {"name1": ("a",), "note1": ("",), "name2": ("b",), "keep": ("2",)}
    assert typed(ENGLISH, Sent(fields=kept)) == [("Name 2", "b")]
    shelve = {"hours": ("8",), "until": ("",), "why": ("bearing",)}
    assert typed(ENGLISH, Sent(fields=shelve)) == [("Until", "8 h"), ("Reason", "bearing")]
    later = typed(ENGLISH, Sent(fields={**shelve, "until": ("2025-11-24T10:54",)}))
    assert later == [("Until", "24 Nov 2025 10:54"), ("Reason", "bearing")]
    costs = Sent(fields={"save": ("",), "recall": ("95",), "more": ("blend", "balance"), "etag": ("x",)})
    assert [name for name, _ in typed(ENGLISH, costs)] == ["When it ends", "Or find at least, %", "Also", "Also"]


def test_each_choice_is_of_a_field_with_a_name() -> None:
    assert set(CHOICES) <= set(NAMES)
