"""What every long-running command does first: settings, logs, and one event that SIGTERM and Ctrl-C set."""

from __future__ import annotations

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


def prepare(service: str) -> tuple[Settings, Event]:
    """Raises InvalidInput when a setting is wrong."""
    stop = stop_event()
    settings = load_settings()
    set_up_logs(settings.log, service)
    return settings, stop
