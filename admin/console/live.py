"""Maps each page to the function that renders its live parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from admin.console.console import Console
from admin.console.model import page as model
from admin.console.overview import live as overview
from admin.console.render import Renderer
from admin.console.runs import page as runs
from admin.console.stream import Live, Look, Topic
from operations.views.plant import PlantView

Regions = Callable[[Console, Renderer, Topic, PlantView], Live]


def _watch(_console: Console, _renderer: Renderer, _topic: Topic, _now: PlantView) -> Live:
    return Live({})


LOOKS: Mapping[str, Regions] = {
    "watch": _watch,
    "overview": overview.look,
    "setup": overview.look_setup,
    "model": model.look,
    "run": runs.look,
}


def look(console: Console) -> Look:
    """Returns the function that renders the live parts of a topic: the watch line, and the page's own."""

    def now(topic: Topic) -> Live:
        renderer = console.renderers[topic.language]
        view = console.plant.read()
        own = LOOKS[topic.page](console, renderer, topic, view)
        watch = renderer.macro("shell/watch.html", "watch", view)
        tick = renderer.language.clock(view.at)  # changes once a second; by it the page knows that it is live
        return Live({"watch": watch, **own.regions}, {"tick": tick, **own.events})

    return now
