"""The objects that all pages of the console share."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import Annotated

from fastapi import Depends, Request

from admin.console.labels.uploads import Uploads
from admin.console.language import TAGS, language
from admin.console.pulse import Pulse
from admin.console.render import Renderer
from admin.console.stream import Hub
from admin.console.training.facts import DataFacts
from admin.console.window import Window
from admin.services import Services
from operations.views.plant import PlantReader


@dataclass(frozen=True, slots=True)
class Console:
    services: Services
    renderers: dict[str, Renderer]  # by language tag
    plant: PlantReader
    pulse: Pulse
    hub: Hub
    window: Window
    uploads: Uploads
    facts: DataFacts

    def start(self, stop: Event) -> None:
        self.pulse.start(stop)

    def close(self) -> None:
        """Ends the streams, so that the server can stop."""
        self.hub.close()
        self.pulse.join()


def make_console(services: Services) -> Console:
    settings = services.settings
    plant = PlantReader(
        services.registry,
        services.watch,
        services.redis,
        services.ledger,
        services.prefix,
        settings.alarm,
        services.devices,
        services.zone,
    )
    return Console(
        services,
        {tag: Renderer(language(tag, services.zone), settings.plant) for tag in TAGS},
        plant,
        Pulse(plant, services.recent, services.ledger_marks),
        Hub(max_streams=max(8, settings.api.connections // 2)),
        Window(services.recent, services.redis, services.prefix),
        Uploads(),
        DataFacts(services.datasets),
    )


async def shown(request: Request) -> Console:
    """Returns the console of a request. A coroutine, so that FastAPI does not call it on a thread."""
    console: Console = request.app.state.console
    return console


Shown = Annotated[Console, Depends(shown)]
