"""The demo's live view in a terminal."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from command.demo.story import Story
from zelador.model_metrics import METRICS
from zelador.printable import clean

SHOWN_DEVICES = 6
STATE_STYLES = {"alarm": "bold white on red", "unknown": "yellow", "suspect": "yellow"}
RATE_WINDOW_S = 5.0
LATENCY_SAMPLES = 1_000  # newest predictions from which the displayed latency is computed


class View:
    def __init__(self, story: Story, addresses: dict[str, Any]) -> None:
        self._story = story
        self._addresses = addresses
        self._started = time.monotonic()
        self._points: deque[tuple[float, int]] = deque()

    def render(self) -> RenderableType:
        story = self._story
        parts: list[RenderableType] = [self._head(), self._flow()]
        if story.progress.models:
            parts.append(self._models())
        if story.progress.devices:
            parts.append(self._devices())
        if story.subscriber.newest:
            parts.append(self._predictions())
        parts.append(Text("Ctrl-C stops the demo and prints a summary", style="dim"))
        return Panel(
            Group(*parts), title=Text("Zelador demo"), subtitle=Text(clean(story.scenario.about)), border_style="cyan"
        )

    def _head(self) -> Text:
        progress = self._story.progress
        text = Text()
        text.append(f"{progress.phase}", style="bold cyan")
        text.append(f"  {clean(progress.detail)}\n")
        text.append(f"devices {self._addresses['mqtt']}   API {self._addresses['api']}/docs", style="dim")
        text.append(f"   {time.monotonic() - self._started:.0f} s\n", style="dim")
        return text

    def _flow(self) -> Table:
        subscriber, ledger = self._story.subscriber, self._story.progress.ledger
        measured = subscriber.measured(LATENCY_SAMPLES)
        grid = Table.grid(padding=(0, 3))
        grid.add_row(
            _figure("predictions a second", f"{self._rate():.0f}"),
            _figure("p50, publish to prediction", _ms(measured.p50_ms)),
            _figure("p99", _ms(measured.p99_ms)),
            _figure("live accuracy", _share(subscriber.right, subscriber.live)),
        )
        names = ("received", "accepted", "quarantined", "repeated", "classified", "waiting", "set_aside")
        counts = Text("\nledger  ", style="bold")
        for name in names:
            counts.append(f"{name.replace('_', ' ')} ", style="dim")
            counts.append(f"{ledger.get(name, 0):,}  ")
        unaccounted = ledger.get("unaccounted", 0)
        counts.append("unaccounted ", style="dim")
        counts.append(f"{unaccounted}", style="bold red" if unaccounted else "bold green")
        table = Table.grid()
        table.add_row(grid)
        table.add_row(counts)
        return table

    def _models(self) -> Table:
        table = Table(title="Best five, scored on the hold-out", title_justify="left", expand=False, box=None)
        table.add_column("")
        table.add_column("model")
        for metric in METRICS:
            table.add_column(metric, justify="right")
        table.add_column("served by")
        for model in self._story.progress.models:
            is_selected = model["name"] == self._story.progress.selected
            scores = [_score(model["holdout"].get(metric)) for metric in METRICS]
            mark = "●" if is_selected else str(model["rank"])
            style = "bold" if is_selected else ""
            table.add_row(mark, clean(model["name"]), *scores, clean(model["served_by"]), style=style)
        return table

    def _devices(self) -> Table:
        table = Table(title="Devices that are not ok", title_justify="left", box=None)
        for column in ("device", "state", "since", "label"):
            table.add_column(column)
        for device in self._story.progress.devices[:SHOWN_DEVICES]:
            state, since = str(device["state"]), str(device["since"] or "")[11:19]
            style = STATE_STYLES.get(state, "")
            label = device["alarm_label"] or device["label"] or ""
            table.add_row(
                Text(clean(device["device_id"])), Text(state, style=style), Text(since), Text(clean(str(label)))
            )
        return table

    def _predictions(self) -> Table:
        table = Table(title="Newest predictions", title_justify="left", box=None)
        for column in ("measured", "device", "label"):
            table.add_column(column)
        table.add_column("confidence", justify="right")
        table.add_column("reading")
        for prediction in list(self._story.subscriber.newest)[::-1][:8]:
            confidence = "–" if prediction.confidence is None else f"{prediction.confidence:.3f}"
            moment = prediction.ts[:19].replace("T", " ")
            shown = (moment, prediction.device_id, prediction.label, confidence, prediction.reading_id)
            table.add_row(*(Text(clean(part)) for part in shown))
        return table

    def _rate(self) -> float:
        now, answered = time.monotonic(), self._story.subscriber.answered
        self._points.append((now, answered))
        while self._points[0][0] < now - RATE_WINDOW_S and len(self._points) > 2:
            self._points.popleft()
        first, before = self._points[0]
        return (answered - before) / (now - first) if now > first else 0.0


def _figure(name: str, value: str) -> Text:
    return Text.assemble((f"{value}\n", "bold"), (name, "dim"))


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "–"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
