"""Compares the candidates one by one, except those that an earlier process of the run compared."""

from __future__ import annotations

from pathlib import Path

from registry.run_document import LeaderboardRow
from trainer.compare.judge import Bench, Judged, judge
from trainer.compare.leaderboard import BASELINE, model_type_of
from trainer.compare.pycaret_compare import Comparison
from trainer.compare.tried import Tried
from trainer.run import finished
from trainer.run.reporter import Reporter


def compare(
    folder: Path, comparison: Comparison, bench: Bench, say: Reporter
) -> tuple[dict[str, Tried], dict[str, Judged]]:
    """Returns the result of each candidate, and the judgment of those that have scores, both by the candidate's id."""
    tried: dict[str, Tried] = {}
    judged: dict[str, Judged] = {}
    known, why = finished.read(folder), finished.stopped(folder)
    names, total = comparison.names, len(comparison.names)
    for number, name in enumerate(names, start=1):
        each, is_new = known.get(name), False
        if each is None and why is not None:
            each = Tried(name, None, None, 0.0, f"it was not compared: {why}")
        if each is None:
            is_new = True
            say.started(name, model_type_of(name), number, total, names[number - 1 :])
            each = comparison.run(name, folded=say.folded)
            finished.save(folder, each)
        tried[name] = each
        if each.scores is not None:
            judged[name] = judge(each.scores, each.middle, bench)
        if is_new:
            say.ended(_row(each, judged.get(name)), number, total)
    done, total = (len(each.keys() - {BASELINE}) for each in (judged, tried))
    say(f"compared {done} of {total} classifiers")
    return tried, judged


def _row(tried: Tried, judged: Judged | None) -> LeaderboardRow:
    row = LeaderboardRow(
        place=None,
        id=tried.id,
        model_type=model_type_of(tried.id),
        metrics={} if judged is None else judged.scores,
        seconds=None if tried.trouble is not None else tried.seconds,
        trouble=tried.trouble,
    )
    if judged is not None and judged.intervals is not None:
        row["intervals"] = judged.intervals.of
    return row
