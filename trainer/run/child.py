"""The child process of a run. Only here are the modules that import PyCaret loaded.

Standard input carries one line, the run's folder; end of file means that the parent is gone. Standard output carries
the events. What PyCaret prints goes to standard error.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import BinaryIO

from trainer.run.events import Done, Event, Failed, Ready, encode
from trainer.run.reporter import Reporter
from zelador.errors import ZeladorError
from zelador.priority import yield_to_others


def main() -> None:
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    yield_to_others(int(sys.argv[2]))
    started = time.perf_counter()
    gc.disable()
    import trainer.run.work as work  # imports PyCaret, which takes seconds

    gc.freeze()  # PyCaret collects garbage after each candidate; without the libraries' objects that takes no time
    gc.enable()
    _report(events, Ready(round(time.perf_counter() - started, 1)))
    folder = sys.stdin.readline().strip()
    if not folder:
        return
    os.chdir(folder)  # CatBoost and others write to the current folder
    threading.Thread(target=_exit_with_parent, args=(Path(folder),), daemon=True).start()
    try:
        outcome: Event = Done(work.run(Path(folder), Reporter(partial(_report, events))))
    except ZeladorError as error:
        outcome = Failed(str(error))
    except Exception as error:  # noqa: BLE001 - the boundary: the parent raises it again as RunFailed
        import traceback

        traceback.print_exc()
        outcome = Failed(f"{type(error).__name__}: {error}"[:2_000])
    _report(events, outcome)
    os._exit(0)  # no exit hook of a library may delay the end


def _report(events: BinaryIO, event: Event) -> None:
    events.write(encode(event) + b"\n")
    events.flush()


def _exit_with_parent(folder: Path) -> None:
    """Ends the child at the end of standard input. A parent that was killed cannot clean up, so the child does."""
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
