"""Adds the console to the app."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from admin.console import errors, index, static_files, switches
from admin.console.console import make_console
from admin.console.model import page as model
from admin.console.models import page as models
from admin.console.overview import page as overview
from admin.console.signin import page as signin
from admin.services import Services


def routers() -> tuple[APIRouter, ...]:
    """All routers of the console, in the order of matching."""
    found = (index, signin, switches, overview, models, model)
    return (static_files.router(), *(router for page in found for router in page.ROUTERS))


def install(app: FastAPI, services: Services) -> None:
    app.state.console = make_console(services)
    app.state.console_page = errors.page
    for router in routers():
        app.router.routes.extend(router.routes)
