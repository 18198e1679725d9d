"""The comparison of a run's candidates for pages, from the run's document, in which any key may be absent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from operations.views.candidate_row import By, CandidateRow, row_of
from operations.views.metadata import Pair, integer, numbers, pair_of, text_of, time_of
from operations.views.run_view import RunView
from operations.views.same_test import CostPair, cost_pair, costs_of
from registry.metadata import mapping
from zelador.model_metrics import METRICS
from zelador.training_queue.event import Standing

CHANCE = 0.05  # labels that do as well more often, moved at random, teach nothing
STEPS = re.compile(r"(\d{1,6}) of (\d{1,6})")


@dataclass(frozen=True, slots=True)
class Hits:
    """Of `all` readings of a class, `found`; of the `others`, as many as `false` counted as it."""

    label: str
    other: str
    found: int
    all: int
    false: int
    others: int


@dataclass(frozen=True, slots=True)
class Question:
    """A part of the rows: `learned`, or of the hold-out `new_device` or `later`. Times are ISO 8601."""

    name: str
    rows: int | None
    blocks: int | None
    devices: int | None = None
    begin: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The scores with labels moved at random: `counts` in bins of equal width from `low` to `high`; the real score."""

    metric: str
    real: float
    moves: int
    as_good: int
    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SeenClass:
    """A class by device: readings on each device of `Seen`, on how many devices, and whether it can be evaluated."""

    label: str
    rows: tuple[int, ...]
    devices: int
    is_alone: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """Which class was seen on which device; of `total` devices, those with most readings."""

    devices: tuple[str, ...]
    total: int
    classes: tuple[SeenClass, ...]


@dataclass(frozen=True, slots=True)
class Lead:
    """How much better the first candidate is than the next one, on the same folds; `over` is that one's type."""

    over: str
    difference: float
    interval: Pair


@dataclass(frozen=True, slots=True)
class Live:
    """The selected model on the same hold-out."""

    name: str
    model_type: str
    holdout: float | None
    holdout_interval: Pair | None
    note: str
    new_devices: float | None  # of the hold-out, by what it asks
    new_devices_interval: Pair | None
    later: float | None
    later_interval: Pair | None
    us_per_row: float | None  # in batches


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the best model was selected automatically, and why. `sentence` is in English."""

    is_promoted: bool
    reason: str
    sentence: str
    model: str | None
    against: str | None
    metric: str
    margin: float | None
    difference: float | None
    interval: Pair | None
    uses: int | None  # decisions that the hold-out has judged before


@dataclass(frozen=True, slots=True)
class Comparison:
    metric: str  # of the scores
    ranked_by: str  # the run's own metric, by which it ranked them
    metrics: tuple[str, ...]  # that can be chosen
    packed: tuple[CandidateRow, ...]  # the best, which can be saved
    others: tuple[CandidateRow, ...]
    verdict: str  # clear, tied, nothing_to_learn, not_evaluable, or empty if there is none
    sentence: str  # of the verdict, in English
    split_kind: str  # device, time, device_and_time, random, or empty if it is not known
    split_blocks: int | None
    split_notes: tuple[str, ...]
    positive: str | None
    classes: tuple[str, ...]
    rows: int | None
    holdout_rows: int | None
    axis: Pair  # of the intervals
    tied: tuple[str, ...]  # types of the candidates that cannot be told apart
    chance: float | None  # p of labels moved at random
    asked_split: str
    folds: int | None
    folds_by: str  # device, block, row
    questions: tuple[Question, ...]
    train_rows: int | None
    live: Live | None
    data_begin: str | None  # ISO 8601
    data_end: str | None
    decision: Decision | None  # None if the settings ask for none
    learned: Question | None
    moved: Moved | None
    seen: Seen | None  # only if a class cannot be evaluated
    cost: CostPair | None  # of the first candidate and the live model, if the run has costs

    @property
    def first(self) -> CandidateRow | None:
        """The recommended candidate."""
        return self.packed[0] if self.packed else None

    @property
    def lead(self) -> Lead | None:
        """The lead of the candidate that the verdict names first; None if that one cannot be saved."""
        if self.first is None or not self.sentence.startswith(f"{self.first.model_type} "):
            return None
        behind = [row for row in self.packed[1:] if row.from_first is not None and row.from_first_interval is not None]
        next_one = max(behind, key=lambda row: row.from_first or 0.0, default=None)
        if next_one is None or next_one.from_first is None or next_one.from_first_interval is None:
            return None
        low, high = next_one.from_first_interval
        return Lead(next_one.model_type, -next_one.from_first, (-high, -low))

    @property
    def alone(self) -> tuple[str, ...]:
        """The classes that were seen on one device, or in one recording, only."""
        return () if self.seen is None else tuple(each.label for each in self.seen.classes if each.is_alone)

    @property
    def testable(self) -> tuple[str, ...]:
        """The other classes. With fewer than two of them, no score but that of a shuffled test says anything."""
        return () if self.seen is None else tuple(each.label for each in self.seen.classes if not each.is_alone)

    @property
    def is_untested(self) -> bool:
        return bool(self.alone) and len(self.testable) < 2

    @property
    def is_chance(self) -> bool:
        """True if labels moved at random do as well as the real ones."""
        return self.chance is not None and self.chance > CHANCE

    @property
    def candidates(self) -> int:
        """The number of candidates, without the baseline."""
        return sum(not row.is_baseline for row in (*self.packed, *self.others))

    @property
    def left_out(self) -> int:
        """The number of those that were not compared, because the run finished early or its budget was used up."""
        return sum(row.is_left_out for row in self.others if not row.is_baseline)

    @property
    def failed(self) -> int:
        own = (row for row in self.others if not row.is_baseline)
        return sum(row.score is None and row.trouble is not None and not row.is_left_out for row in own)

    @property
    def compared(self) -> int:
        """The number of candidates that have scores, without the baseline, as the trainer counts them in its note."""
        return self.candidates - self.left_out - self.failed

    def hits(self, row: CandidateRow) -> Hits | None:
        """What a candidate finds of the positive class, or of the second of two, in held-out readings."""
        table, classes = row.confusion, self.classes
        if len(classes) != 2 or [len(counts) for counts in table] != [2, 2] or not any(map(sum, table)):
            return None
        at = classes.index(self.positive) if self.positive in classes else 1
        return Hits(classes[at], classes[1 - at], table[at][at], sum(table[at]), table[1 - at][at], sum(table[1 - at]))

    @property
    def baseline(self) -> CandidateRow | None:
        return next((row for row in self.others if row.is_baseline), None)

    def question(self, name: str) -> Question | None:
        return next((each for each in self.questions if each.name == name), None)


def comparison(run: RunView, metric: str | None = None) -> Comparison:
    """The run's candidates by `metric`; by the run's own metric without it."""
    document: Mapping[str, Any] = run.result
    own = text_of(document.get("metric")) or text_of(run.request.get("metric")) or "F1"
    chosen = metric or own
    verdict = mapping(document.get("verdict"))
    tied = tuple(map(str, verdict.get("tied") or ()))
    by = By(chosen, chosen == own, tied)
    models = [each for each in document.get("models") or () if isinstance(each, Mapping)]
    board = [each for each in document.get("leaderboard") or () if isinstance(each, Mapping)]
    packed = tuple(row_of(each, by, place == 0) for place, each in enumerate(models))
    types = {row.model_type for row in packed}
    others = tuple(row for each in board if (row := row_of(each, by, False)).model_type not in types)
    found = {name for each in (*models, *board) for name in numbers(each.get("metrics"))}
    split = mapping(document.get("split"))
    return Comparison(
        chosen,
        own,
        tuple(name for name in METRICS if name in found),
        packed,
        others,
        text_of(verdict.get("kind")),
        text_of(verdict.get("sentence")),
        text_of(split.get("kind")),
        integer(split.get("blocks")),
        tuple(text_of(note) for note in split.get("notes") or ()),
        document["positive"] if isinstance(document.get("positive"), str) else None,
        tuple(map(str, document.get("classes") or ())),
        integer(document.get("rows")),
        integer(document.get("holdout_rows")),
        axis_of([row.interval for row in packed or others if row.interval and not row.is_baseline]),
        tied,
        numbers(verdict).get("p"),
        text_of(split.get("asked")),
        integer(split.get("folds")),
        text_of(split.get("folds_by")),
        tuple(_question(name, mapping(each)) for name, each in mapping(split.get("questions")).items()),
        integer(document.get("train_rows")),
        _live(mapping(document.get("reference")), chosen),
        time_of(mapping(document.get("data")).get("from")),
        time_of(mapping(document.get("data")).get("to")),
        _decision(mapping(document.get("promotion"))),
        _question("learned", mapping(split.get("learned"))) if split.get("learned") else None,
        _moved(mapping(verdict.get("moved"))),
        _seen(mapping(split.get("seen"))),
        cost_of(document, _costs(run.request)),
    )


def _question(name: str, found: Mapping[str, Any]) -> Question:
    rows, blocks, devices = (integer(found.get(key)) for key in ("rows", "blocks", "devices"))
    return Question(name, rows, blocks, devices, time_of(found.get("from")), time_of(found.get("to")))


def _moved(found: Mapping[str, Any]) -> Moved | None:
    counts = tuple(each for each in found.get("counts") or () if integer(each) is not None)
    figures = numbers(found)
    if not counts or not {"real", "low", "high"} <= figures.keys():
        return None
    moves, as_good = integer(found.get("moves")) or sum(counts), integer(found.get("as_good")) or 0
    metric = text_of(found.get("metric"))
    return Moved(metric, figures["real"], moves, as_good, figures["low"], figures["high"], counts)


def _seen(found: Mapping[str, Any]) -> Seen | None:
    devices = tuple(map(str, found.get("devices") or ()))
    classes = [
        SeenClass(
            str(label),
            tuple(integer(count) or 0 for count in mapping(each).get("rows") or ()),
            integer(mapping(each).get("devices")) or 0,
            mapping(each).get("alone") is True,
        )
        for label, each in mapping(found.get("classes")).items()
    ]
    if not devices or any(len(each.rows) != len(devices) for each in classes):
        return None
    return Seen(devices, max(len(devices), integer(found.get("of")) or 0), tuple(classes))


def _live(found: Mapping[str, Any], metric: str) -> Live | None:
    if not text_of(found.get("name")):
        return None
    questions, sure = mapping(found.get("questions")), mapping(found.get("question_intervals"))
    return Live(
        text_of(found.get("name")),
        text_of(found.get("model_type")),
        numbers(found.get("holdout")).get(metric),
        pair_of(mapping(found.get("holdout_intervals")).get(metric)),
        text_of(found.get("note")),
        numbers(questions.get("new_device")).get(metric),
        pair_of(mapping(sure.get("new_device")).get(metric)),
        numbers(questions.get("later")).get(metric),
        pair_of(mapping(sure.get("later")).get(metric)),
        numbers(found).get("us_per_row"),
    )


def _costs(request: Mapping[str, Any]) -> Pair | None:
    names = {"missed": "cost_missed", "false_alarm": "cost_false_alarm", "recall": "recall"}
    return costs_of({name: request.get(key) for name, key in names.items()})


def cost_of(document: Mapping[str, Any], costs: Pair | None) -> CostPair | None:
    """What the errors of a run's first candidate and of the live model cost on the same readings, if that is known."""
    models = [each for each in document.get("models") or () if isinstance(each, Mapping)]
    live = numbers(mapping(document.get("reference")).get("holdout"))
    positive = text_of(document.get("positive"))
    return cost_pair(mapping(models[0].get("confusion")), positive, live, costs) if models else None


def _decision(found: Mapping[str, Any]) -> Decision | None:
    if not text_of(found.get("reason")):
        return None
    figures = numbers(found)
    return Decision(
        found.get("promoted") is True,
        text_of(found.get("reason")),
        text_of(found.get("sentence")),
        text_of(found.get("model")) or None,
        text_of(found.get("against")) or None,
        text_of(found.get("metric")),
        figures.get("margin"),
        figures.get("difference"),
        pair_of(found.get("interval")),
        integer(found.get("holdout_uses")),
    )


def progress_of(run: RunView) -> tuple[int, int] | None:
    """Steps that are done, and their total, from the trainer's progress line; None if it has no numbers."""
    found = STEPS.search(run.progress or "")
    return (int(found[1]), int(found[2])) if found and int(found[2]) else None


def axis_of(pairs: Sequence[Pair]) -> Pair:
    """A range that shows all intervals."""
    if not pairs:
        return (0.0, 1.0)
    low, high = min(a for a, _ in pairs), max(b for _, b in pairs)
    room = (high - low) * 0.1 or 0.05
    return (max(0.0 if low >= 0 else -1.0, low - room), min(1.0, high + room))


def with_standings(found: Comparison, standings: Sequence[Standing]) -> Comparison:
    """Adds the candidates that had ended when the trainer was killed, which only the events of the run have."""
    if found.packed or found.others or not standings:
        return found
    rows = tuple(
        row_of(
            {
                "place": place if each.score is not None else None, "model_type": each.model_type,
                "metrics": {found.metric: each.score}, "intervals": {found.metric: each.interval},
                "seconds": each.seconds, "trouble": each.trouble,
            },
            By(found.metric, True, ()), False,
        )
        for place, each in enumerate(standings, start=1)
    )  # fmt: skip
    intervals = [row.interval for row in rows if row.interval and not row.is_baseline]
    return replace(found, others=rows, axis=axis_of(intervals))
