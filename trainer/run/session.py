"""Runs the processes of a run, one at a time: a new one if a candidate ended the last one, or the time was up."""

from __future__ import annotations

import time
from pathlib import Path

from trainer.compare.leaderboard import BASELINE
from trainer.compare.tried import Tried
from trainer.run import finished
from trainer.run.events import Result
from trainer.run.process import Child, ChildDied, Control, NoMore, RunFailed
from trainer.run.recorder import Recorder

MAX_FRESH = 3  # processes after the first
FINISH_S = 300.0  # to finish the run with the candidates that were compared


def run(folder: Path, child: Child, control: Control, timeout_s: float, recorder: Recorder) -> Result:
    """Runs the request in `folder`, and returns its result. No candidate is compared twice.

    Raises RunFailed, Cancelled; Unavailable if the process must stop. No child is left.
    """
    deadline, fresh = time.monotonic() + timeout_s, 0
    while True:
        try:
            with child:
                return child.run(folder, control, deadline, recorder.heard, lambda: recorder.has_candidates)
        except ChildDied as died:
            if recorder.running is None or fresh == MAX_FRESH:
                raise
            why = f"it ended the training process ({died.how})"
            finished.save(folder, Tried(recorder.running.id, None, None, 0.0, why))
            recorder.failed(why)
            recorder.add("step", "a new process continues with the other candidates")
        except NoMore:
            was_asked = control.enough.is_set()
            limit = f"the run took longer than {timeout_s:g} s (ZELADOR_TRAINING__TIMEOUT_S)"
            if finished.stopped(folder) is not None or not _is_useful(recorder):
                none = "the run was told to finish before any candidate was compared"
                raise RunFailed(none if was_asked else limit) from None
            why = "someone asked the run to finish early" if was_asked else limit
            control.enough.clear()
            finished.stop(folder, why)
            recorder.failed(f"it was not finished: {why}")
            recorder.cut_short(why)
            deadline = time.monotonic() + FINISH_S
        fresh += 1
        child = child.fresh()


def _is_useful(recorder: Recorder) -> bool:
    return any(row["metrics"] and row["id"] != BASELINE for row in recorder.rows)
