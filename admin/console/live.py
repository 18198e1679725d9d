"""Maps each page to the function that renders its live parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import redis

from admin.console.console import Console
from admin.console.device import live as device
from admin.console.devices import live as devices
from admin.console.model import page as model
from admin.console.overview import live as overview
from admin.console.render import Renderer
from admin.console.runs import page as runs
from admin.console.stream import Live, Look, Topic
from admin.outage import WAIT_S
from operations.views.plant import PlantView
from zelador.time_budget import limited

Regions = Callable[[Console, Renderer, Topic, PlantView], Live]


def _watch(_console: Console, _renderer: Renderer, _topic: Topic, _now: PlantView) -> Live:
    return Live({})


SHELL: Mapping[str, str] = {  # id of an element on every page to the macro that renders it
    "watch": "watch",
    "alarms-count": "alarms_count",
    "quarantine-count": "quarantine_count",
}
LOOKS: Mapping[str, Regions] = {
    "watch": _watch,
    "overview": overview.look,
    "setup": overview.look_setup,
    "model": model.look,
    "run": runs.look,
    "device": device.look,
    "devices": devices.look,
}
ABOUT = frozenset({"device", "devices"})  # pages whose topic says what they are about


def look(console: Console) -> Look:
    """Returns the function that renders the live parts of a topic: the shell's, and the page's own."""

    def now(topic: Topic) -> Live:
        with limited(WAIT_S):
            return parts(topic)

    def parts(topic: Topic) -> Live:
        renderer = console.renderers[topic.language]
        view = console.plant.read()
        own = _own(console, renderer, topic, view)
        shell = console.window.kept.unless_changed(("shell", topic.language), view.at, lambda: _shell(renderer, view))
        # The tick changes once a second; by it the page knows that it is live. Without Redis nothing is.
        tick = {} if view.redis_away_since is not None else {"tick": renderer.language.clock(view.at)}
        return Live({**shell, **own.regions}, {**tick, **own.events})

    return now


def _shell(renderer: Renderer, now: PlantView) -> dict[str, str]:
    return {name: renderer.macro("shell/watch.html", macro, now) for name, macro in SHELL.items()}


def _own(console: Console, renderer: Renderer, topic: Topic, now: PlantView) -> Live:
    """Renders the page's own parts; none if Redis stopped answering meanwhile, so that the page keeps what it shows."""
    try:
        return LOOKS[topic.page](console, renderer, topic, now)
    except (redis.RedisError, OSError):
        return Live({})
