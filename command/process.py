"""Setup of a long-running command: settings, logs, and a stop event that SIGTERM and Ctrl-C set."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from threading import Event
from types import FrameType

from command.home import Needs, settings_of
from zelador.logs import set_up_logs
from zelador.settings import Settings, load_settings


def stop_event() -> Event:
    """An event that SIGTERM and SIGINT set. Every orderly stop uses it."""
    stop = Event()

    def set_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, set_stop)
    signal.signal(signal.SIGINT, set_stop)
    return stop


def relax_garbage_collector() -> None:
    """Makes the cyclic garbage collector run a hundred times less often, and skip all objects loaded so far.

    Readings contain no reference cycles, so frequent collections waste CPU time. Call this after all imports.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 10, 10)


def prepare(service: str) -> tuple[Settings, Event]:
    """The settings and the stop event of `service`, with logs set up. Raises InvalidInput for a wrong setting."""
    stop = stop_event()
    settings = load_settings()
    set_up_logs(settings.log, service)
    return settings, stop


def prepare_command(name: str, home: Path | None = None, needs: Needs = "home") -> tuple[Settings, Event]:
    """As `prepare`, for a command whose output a person reads, on a home if one is given: warnings only, no JSON."""
    stop = stop_event()
    settings = settings_of(home, needs)
    given = settings.log.model_fields_set
    quiet = {"level": settings.log.level if "level" in given else "warning"}
    plain = {"format": settings.log.format if "format" in given else "console"}
    set_up_logs(settings.log.model_copy(update={**quiet, **plain}), name)
    return settings, stop
