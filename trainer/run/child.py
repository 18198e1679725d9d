"""The run's child process: `python -m trainer.run.child`. PyCaret lives and dies here.

Standard input: one line, the folder of the request; its end means that the parent is gone. Standard output: one
JSON event a line. What PyCaret prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from zelador.errors import ZeladorError


def main() -> None:
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    started = time.perf_counter()
    import trainer.run.work as work  # imports PyCaret: seconds

    _say(events, event="ready", seconds=round(time.perf_counter() - started, 1))
    folder = sys.stdin.readline().strip()
    if not folder:
        return
    threading.Thread(target=_leave_with_parent, args=(Path(folder),), daemon=True).start()
    try:
        result = work.run(Path(folder), lambda message: _say(events, event="progress", message=message))
    except ZeladorError as error:
        _say(events, event="failed", message=str(error))
    except Exception as error:  # noqa: BLE001 - the boundary: the parent raises it again, with our words
        import traceback

        traceback.print_exc()
        _say(events, event="failed", message=f"{type(error).__name__}: {error}"[:2_000])
    else:
        _say(events, event="done", result=result)
    events.flush()
    os._exit(0)  # no library's exit hook may keep us


def _say(events: TextIO, **event: Any) -> None:
    events.write(json.dumps(event) + "\n")
    events.flush()


def _leave_with_parent(folder: Path) -> None:
    """A parent that was killed cannot tidy up: its end of the pipe closes, and we do it."""
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
