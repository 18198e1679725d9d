"""Shows the progress of a training run on the terminal; without one, prints a line for each event but folds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from command.terminal import Terminal, say
from zelador.printable import clean
from zelador.training_queue.event import RunEvent, Standing

ROWS = 8  # of the leaderboard
BAR = 40  # characters
FEW_S = 5.0  # that are not counted


class Watched:
    """Shows the events that `show` receives, until the end of the `with` block."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._console = Terminal(error=True)
        self._event: RunEvent | None = None
        self._came = time.monotonic()
        self._steps = (0, 0)
        self._board: tuple[Standing, ...] = ()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=4, transient=True, get_renderable=self._render,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, event: RunEvent) -> None:
        self._event, self._came = event, time.monotonic()
        if event.total is not None:
            self._steps = (event.done or 0, event.total)
        self._board = event.leaderboard or self._board
        if self._live is None and event.kind != "fold_ended":
            say(f"{event.message}{_left(event.time_left_s)}", error=True)

    def _render(self) -> RenderableType:
        event = self._event
        if event is None:
            return Text("starting")
        done, total = self._steps
        left = None if event.time_left_s is None else max(0.0, event.time_left_s - (time.monotonic() - self._came))
        parts = Table.grid()
        if total:
            parts.add_row(ProgressBar(total=total, completed=done, width=BAR))
        parts.add_row(Text(clean(event.message) + _left(left)))
        if self._board:
            table = Table(box=None)
            table.add_column("so far", no_wrap=True)
            table.add_column(self._metric, justify="right")
            for each in self._board[:ROWS]:
                table.add_row(clean(each.model_type), "–" if each.score is None else f"{each.score:.3f}")
            parts.add_row(table)
        return parts


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < FEW_S:  # or longer than estimated, which a countdown cannot say
        return " (a few seconds left)" if seconds > 0 else ""
    return f" (about {seconds / 60:.0f} min left)" if seconds >= 90 else f" (about {seconds:.0f} s left)"
