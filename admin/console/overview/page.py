"""The overview page: what is wrong, and whether anything was lost."""

from __future__ import annotations

from fastapi import Response

from admin.access.roles import needs
from admin.console.console import Shown
from admin.console.overview.live import is_setup, overview
from admin.console.page import pages, renderer, show, signed_in
from admin.console.visitor import Visiting

router = pages("overview")


@router.get("", **needs("viewer"))
def show_overview(console: Shown, visitor: Visiting) -> Response:
    now = console.plant.read()
    context = overview(console, renderer(console, visitor), signed_in(visitor).role, now)
    live = "setup" if is_setup(now) else "overview"
    return show(console, visitor, "overview/page.html", context, section="overview", live=live)


ROUTERS = (router,)
