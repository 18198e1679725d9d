"""Records the events of a run: numbered, bounded, with the leaderboard so far and the time left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import msgspec

from registry.run_document import LeaderboardRow
from trainer.compare.leaderboard import BASELINE, Scored, model_type_of, ranked
from trainer.run.events import CandidateEnded, CandidateStarted, FoldEnded, Progress
from trainer.run.time_left import Phase, time_left
from zelador.clock import now_iso
from zelador.training_queue.event import MAX_EVENTS, MAX_TEXT, Kind, RunEvent, Standing, Waiting
from zelador.training_queue.stage import CUT_SHORT, leaves_candidates

Send = Callable[[RunEvent], None]


def nowhere(_event: RunEvent) -> None:
    """Discards the event of a run that nobody watches."""


class Recorder:
    """Records events. `send` gets each event; `save` gets all of them whenever a candidate ends."""

    def __init__(
        self, metric: str, send: Send = nowhere, save: Callable[[Sequence[RunEvent]], None] = lambda _: None
    ) -> None:
        self._metric = metric
        self._send = send
        self._save = save
        self._number = 0
        self._phase: Phase = "compare"
        self._share = 1.0
        self._left: list[str] = []
        self._shuffles = True
        self._tune_s = 0.0
        self._until = math.inf  # when the budget is used up
        self.kept: list[RunEvent] = []
        self.rows: list[LeaderboardRow] = []  # of the candidates that have ended
        self.running: CandidateStarted | None = None
        self.has_candidates = True  # that are still to be compared
        self._tested: FoldEnded | None = None  # the newest of the candidate in progress

    def plan(
        self, candidates: Sequence[str], shuffles: bool, tune_s: float | None = None, budget_s: float | None = None
    ) -> None:
        """Sets what the time left depends on: the ids to compare, whether a shuffled split is compared too, seconds of
        tuning, and seconds from now after which nothing more is compared or tuned."""
        self._left, self._shuffles, self._tune_s = list(candidates), shuffles, tune_s or 0.0
        self._until = math.inf if budget_s is None else time.monotonic() + budget_s

    def add(self, kind: Kind, message: str) -> None:
        self._emit(kind, message)

    def heard(self, event: Progress | CandidateStarted | FoldEnded | CandidateEnded) -> None:
        """Records an event of the child."""
        match event:
            case Progress(message, phase, share):
                if phase is not None:
                    self._phase, self._share = phase, share
                self._emit("step", message)
            case CandidateStarted():
                self.running, self._tested = event, None
                self._left = list(event.left)
                done = self._compared(event.number - 1, event.total)
                standing = Standing(event.id, event.model_type, None, None, None, None)
                self._emit("candidate_started", f"{done}; {event.model_type} is next", event, standing)
            case FoldEnded(fold, folds):
                if (running := self.running) is not None:
                    self._tested = event
                    standing = Standing(running.id, running.model_type, None, None, None, None)
                    done = self._compared(running.number - 1, running.total)
                    message = f"{done}; {running.model_type}: {fold} of {folds} folds"
                    self._emit("fold_ended", message, running, standing)
            case CandidateEnded(row):
                self._ended(event, row)

    def failed(self, why: str) -> None:
        """Records that the candidate in progress ended its process."""
        if (running := self.running) is not None:
            row = LeaderboardRow(
                place=None, id=running.id, model_type=running.model_type, metrics={}, seconds=None, trouble=why
            )
            self.heard(CandidateEnded(row, running.number, running.total))

    def cut_short(self, why: str) -> None:
        """Records that nothing further is compared, tuned or shuffled."""
        self._left, self._phase, self._share = [], "build", 1.0
        self.add("step", f"{why}: {CUT_SHORT}")

    def leaderboard(self) -> list[LeaderboardRow]:
        """Returns the rows of the candidates that have ended, the best first."""
        places = iter(range(1, len(self.rows) + 1))
        return [
            {**row, "place": None if row["trouble"] and not row["metrics"] else next(places)} for row in self._ranked()
        ]

    def _ended(self, event: CandidateEnded, row: LeaderboardRow) -> None:
        self.running = self._tested = None
        self.rows.append(row)
        standing = self._standing(row)
        self._left = [name for name in self._left if name != row["id"]]
        if standing.is_left_out:
            event = msgspec.structs.replace(event, number=event.number - 1)  # it has not ended
        done = self._compared(event.number, event.total)
        if standing.is_left_out:
            self._emit("candidate_failed", f"{done}; {row['model_type']}: {row['trouble']}", event, standing)
        elif row["metrics"]:
            score = "no score" if standing.score is None else f"{self._metric} {standing.score:.3f}"
            self._emit("candidate_ended", f"{done}; {row['model_type']}: {score}", event, standing)
        else:
            self._emit("candidate_failed", f"{done}; {row['model_type']} failed: {row['trouble']}", event, standing)
        self._save(self.kept)

    def _compared(self, done: int, total: int) -> str:
        """Says how many candidates have ended. The baseline, which `done` and `total` include, is not one of them."""
        base = next((self._standing(row) for row in self.rows if row["id"] == BASELINE), None)
        done -= base is not None and not base.is_left_out
        total -= base is not None or BASELINE in self._left
        return f"compared {done} of {total} classifiers"

    def _standing(self, row: LeaderboardRow) -> Standing:
        return Standing(
            row["id"],
            row["model_type"],
            row["metrics"].get(self._metric),
            row.get("intervals", {}).get(self._metric),
            row["seconds"],
            row["trouble"],
        )

    def _ranked(self) -> list[LeaderboardRow]:
        """Returns the rows in the order in which the result of the run has them."""
        rows = {row["id"]: row for row in self.rows}
        scored = [
            Scored(name, row["metrics"], None if row["metrics"] else row["trouble"] or "it has no score")
            for name, row in rows.items()
        ]
        return [rows[each.id] for each in ranked(scored, self._metric)]

    def _emit(
        self,
        kind: Kind,
        message: str,
        of: CandidateStarted | CandidateEnded | None = None,
        candidate: Standing | None = None,
    ) -> None:
        ended = isinstance(of, CandidateEnded)
        done = None if of is None else of.number if ended else of.number - 1
        spent = {row["id"]: row["seconds"] for row in self.rows if row["seconds"] is not None}
        left = time_left(
            {name: seconds for name, seconds in spent.items() if seconds is not None},
            self._left, self._shuffles, self._phase, self._share,
            0.0 if self._tested is None else self._tested.fold / self._tested.folds,
            self._tune_s, max(0.0, self._until - time.monotonic()),
        )  # fmt: skip
        tested = self._tested if kind == "fold_ended" else None
        coming = of.left[1:] if kind == "candidate_started" and isinstance(of, CandidateStarted) else ()
        self._number += 1
        event = RunEvent(
            self._number,
            now_iso(),
            kind,
            message[:MAX_TEXT],
            done,
            None if of is None else of.total,
            candidate,
            tuple(map(self._standing, self._ranked())) if ended else (),
            None if left is None else round(left, 1),
            fold=None if tested is None else tested.fold,
            folds=None if tested is None else tested.folds,
            waiting=tuple(Waiting(name, model_type_of(name)) for name in coming),
        )
        if (leaves := leaves_candidates(event)) is not None:
            self.has_candidates = leaves
        if self._number <= MAX_EVENTS:  # later events are only sent
            self.kept.append(event)
        self._send(event)
