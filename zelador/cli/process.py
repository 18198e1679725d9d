"""What every long-running command does first: settings, logs, and one event that SIGTERM and Ctrl-C set."""

from __future__ import annotations

import gc
import signal
from threading import Event
from types import FrameType

from zelador.logs import set_up_logs
from zelador.settings import Settings, load_settings


def stop_event() -> Event:
    """Set by SIGTERM and SIGINT: the one path to the end."""
    stop = Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def calm_collector() -> None:
    """After everything is imported: a worker's readings hold no cycles, so looking for some at each batch is waste.

    What is loaded is never looked at again; what comes later, a hundred times less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 10, 10)


def prepare(service: str) -> tuple[Settings, Event]:
    """Raises InvalidInput when a setting is wrong."""
    stop = stop_event()
    settings = load_settings()
    set_up_logs(settings.log, service)
    return settings, stop
