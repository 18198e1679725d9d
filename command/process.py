"""Setup of a long-running command: settings, logs, and a stop event that SIGTERM and Ctrl-C set."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import FrameType

from command.home import Needs, settings_of
from zelador.logs import set_up_logs
from zelador.settings import Settings, load_settings


def stop_event() -> Event:
    """Returns an event that SIGTERM and SIGINT set. Every orderly stop uses it.

    A thread sets it. A signal handler that takes the event's lock would wait forever if the main thread has the lock,
    as in `wait`, or in the handler of an earlier signal. `SimpleQueue.put` is safe in a signal handler.
    """
    stop, signals = Event(), SimpleQueue[int]()

    def note(number: int, _frame: FrameType | None) -> None:
        signals.put(number)

    def set_stop() -> None:
        signals.get()
        stop.set()

    Thread(target=set_stop, name="signals", daemon=True).start()
    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    return stop


@contextmanager
def quick_imports() -> Iterator[None]:
    """Switches the garbage collector off, which takes a sixth of the time although imports leave no garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def relax_garbage_collector() -> None:
    """Makes the cyclic garbage collector run a hundred times less often, and skip all objects loaded so far.

    Readings contain no reference cycles, so frequent collections waste CPU time. Call this after all imports.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(70_000, 10, 10)


def prepare(
    service: str, for_a_person: bool = False, home: Path | None = None, needs: Needs = "running"
) -> tuple[Settings, Event]:
    """Sets up logs; returns the settings and the stop event of `service`. Raises InvalidInput for a wrong setting.

    With `for_a_person`, only warnings are logged, as text, unless the settings say otherwise. `home` and `needs` are as
    for `settings_of`.
    """
    stop = stop_event()
    settings = load_settings() if home is None else settings_of(home, needs)
    log = settings.log
    if for_a_person:
        changes: dict[str, str] = {} if "level" in log.model_fields_set else {"level": "warning"}
        if log.format == "auto":
            changes["format"] = "console"
        log = log.model_copy(update=changes)
    set_up_logs(log, service)
    return settings, stop
