"""Adds the console to the app."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from admin.console import again, errors, form_page, index, static_files, switches
from admin.console.audit import page as audit
from admin.console.classify import page as classify
from admin.console.console import make_console
from admin.console.device import events as device_events
from admin.console.device import page as device
from admin.console.devices import acknowledging
from admin.console.devices import page as devices
from admin.console.keys import page as keys
from admin.console.labels import importing as label_import
from admin.console.labels import page as labels
from admin.console.model import page as model
from admin.console.models import page as models
from admin.console.overview import page as overview
from admin.console.quarantine import page as quarantine
from admin.console.runs import page as runs
from admin.console.signin import page as signin
from admin.console.training import page as training
from admin.services import Services


def routers() -> tuple[APIRouter, ...]:
    """Returns all routers of the console, in the order in which they match."""
    found = (
        index, signin, switches, form_page, overview, devices, acknowledging, device, device_events, label_import,
        labels, quarantine, models, model, training, runs, classify, audit, keys,
    )  # fmt: skip
    return (static_files.router(), *(router for page in found for router in page.ROUTERS))


def install(app: FastAPI, services: Services) -> None:
    app.state.console = make_console(services)
    app.state.console_page = errors.page
    app.state.console_form = again.refused_before
    for router in routers():
        app.router.routes.extend(router.routes)
