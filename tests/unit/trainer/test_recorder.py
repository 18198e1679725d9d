"""The events of a run in progress: in order, bounded, and with a realistic estimate of the time left."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.run_document import LeaderboardRow
from trainer.run.events import CandidateEnded, CandidateStarted, FoldEnded, Progress
from trainer.run.recorder import Recorder
from trainer.run.reporter import Reporter
from trainer.run.time_left import WEIGHTS, time_left
from zelador.training_queue.event import MAX_EVENTS, RunEvent, decode, decode_all, encode
from zelador.training_queue.stage import leaves_candidates


def row(name: str, score: float | None, seconds: float = 1.0) -> LeaderboardRow:
    metrics = {} if score is None else {"F1": score}
    trouble = None if metrics else "ValueError: too few"
    return {
        "place": None, "id": name, "model_type": name.upper(), "metrics": metrics,
        "seconds": seconds if metrics else None, "trouble": trouble,
    }  # fmt: skip


def test_a_run_is_recorded_from_start_to_end() -> None:
    sent, saved = list[RunEvent](), list[int]()
    recorder = Recorder("F1", sent.append, lambda events: saved.append(len(events)))
    recorder.add("started", "run r")
    recorder.plan(("lr", "nb", "dt"), shuffles=True)
    for number, (name, score) in enumerate((("lr", 0.5), ("nb", None), ("dt", 0.9)), start=1):
        recorder.heard(CandidateStarted(name, name.upper(), number, 3, ("lr", "nb", "dt")[number - 1 :]))
        recorder.heard(CandidateEnded(row(name, score), number, 3))
    recorder.heard(Progress("rebuilding", "build", 0.5))
    assert [event.number for event in sent] == list(range(1, 9))
    assert [event.kind for event in sent[1:-1]] == [
        "candidate_started", "candidate_ended", "candidate_started", "candidate_failed", "candidate_started",
        "candidate_ended",
    ]  # fmt: skip
    assert [standing.id for standing in sent[-2].leaderboard] == ["dt", "lr", "nb"]
    assert sent[4].message == "compared 2 of 3 classifiers; NB failed: ValueError: too few"
    assert sent[3].message == "compared 1 of 3 classifiers; NB is next"
    assert [(event.done, event.total) for event in sent[1:4]] == [(0, 3), (1, 3), (1, 3)]
    assert saved == [3, 5, 7]
    assert sent[1].time_left_s is None  # there is no basis for an estimate
    left = [event.time_left_s for event in sent[2:]]
    assert left == sorted(left, reverse=True)
    assert [(each["id"], each["place"]) for each in recorder.leaderboard()] == [("dt", 1), ("lr", 2), ("nb", None)]
    assert decode_all(encode(recorder.kept)) == sent


@pytest.mark.parametrize(("names", "counts"), [
    (("lr", "dt", "dummy"), [0, 0, 1, 1, 1, 2, 2, 2, 2]),
    (("lr", "dummy", "dt"), [0, 0, 1, 1, 1, 1, 1, 1, 2]),
])  # fmt: skip
@pytest.mark.parametrize("trouble", [None, "it was not finished: someone asked the run to finish early"])
def test_messages_do_not_count_the_baseline(names: tuple[str, ...], counts: list[int], trouble: str | None) -> None:
    """It may be stopped: then it is the last one."""
    sent = list[RunEvent]()
    recorder = Recorder("F1", sent.append)
    recorder.plan(names, shuffles=False)
    for number, name in enumerate(names, start=1):
        stopped = name == names[-1] == "dummy" and trouble is not None
        recorder.heard(CandidateStarted(name, name.upper(), number, 3, names[number - 1 :]))
        recorder.heard(FoldEnded(1, 5))
        ended: LeaderboardRow = {**row(name, None), "trouble": trouble} if stopped else row(name, 0.5)
        recorder.heard(CandidateEnded(ended, number, 3))
    begins = [event.message.partition(" classifiers")[0] for event in sent]
    assert begins == [f"compared {count} of 2" for count in counts]
    assert {event.total for event in sent} == {3}


def test_the_leaderboard_so_far_has_the_order_of_the_end() -> None:
    """Always "yes" finds every fault: by Recall, the baseline stood first until the run ended."""
    sent = list[RunEvent]()
    recorder = Recorder("Recall", sent.append)
    recorder.plan(("lr", "knn", "dt", "dummy"), shuffles=False)
    found = {"lr": (0.8, 0.7), "knn": (1.0, 0.0), "dt": (0.9, 0.6), "dummy": (1.0, 0.0)}
    for number, (name, (recall, correlation)) in enumerate(found.items(), start=1):
        recorder.heard(CandidateStarted(name, name.upper(), number, 4, tuple(found)[number - 1 :]))
        metrics: dict[str, float | None] = {"Recall": recall, "MCC": correlation}
        recorder.heard(CandidateEnded({**row(name, recall), "metrics": metrics}, number, 4))
    assert [standing.id for standing in sent[-1].leaderboard] == ["dt", "lr", "knn", "dummy"]
    assert [each["id"] for each in recorder.leaderboard()] == ["dt", "lr", "knn", "dummy"]


def test_folds_and_the_candidates_that_wait_are_recorded() -> None:
    """A page that is opened later shows what has ended, what is in progress and what waits, from the events alone."""
    sent = list[RunEvent]()
    recorder = Recorder("F1", sent.append)
    recorder.plan(("lr", "dt", "rf"), shuffles=False)
    recorder.heard(FoldEnded(1, 5))  # of no candidate: ignored
    recorder.heard(CandidateStarted("lr", "LogisticRegression", 1, 3, ("lr", "dt", "rf")))
    recorder.heard(CandidateEnded(row("lr", 0.5, 10.0), 1, 3))
    recorder.heard(CandidateStarted("dt", "DecisionTree", 2, 3, ("dt", "rf")))
    recorder.heard(FoldEnded(2, 5))
    recorder.heard(FoldEnded(4, 5))
    recorder.heard(CandidateEnded(row("dt", 0.6, 7.0), 2, 3))
    assert [(each.id, each.model_type) for each in sent[0].waiting] == [("dt", "DecisionTree"), ("rf", "RandomForest")]
    assert [each.id for each in sent[2].waiting] == ["rf"]
    assert [(each.kind, each.fold, each.folds) for each in sent[2:]] == [
        ("candidate_started", None, None), ("fold_ended", 2, 5), ("fold_ended", 4, 5), ("candidate_ended", None, None),
    ]  # fmt: skip
    assert sent[3].candidate is not None and sent[3].candidate.id == "dt"
    assert (sent[3].done, sent[3].total) == (1, 3)
    started, second, fourth = (each.time_left_s or 0.0 for each in sent[2:5])
    assert started > second > fourth
    assert decode_all(encode(sent)) == sent


def test_of_many_folds_only_some_are_reported() -> None:
    """A run of a thousand folds must not push its other events out of what is kept."""
    sent: list[object] = []
    reporter = Reporter(sent.append)
    for fold in range(1, 1_001):
        reporter.folded(fold, 1_000)
    assert len(sent) < 10
    assert sent[0] == FoldEnded(100, 1_000)
    sent.clear()
    for fold in range(1, 6):
        reporter.folded(fold, 5)
    assert sent == [FoldEnded(fold, 5) for fold in range(1, 5)]  # the last one is the candidate's end


def test_stored_events_are_bounded() -> None:
    sent = list[RunEvent]()
    recorder = Recorder("F1", sent.append)
    for _ in range(MAX_EVENTS + 50):
        recorder.add("step", "x" * 100_000)
    assert len(recorder.kept) == MAX_EVENTS
    assert len(sent) == MAX_EVENTS + 50
    assert len(encode(recorder.kept)) < MAX_EVENTS * 1_000


@given(message=st.text(max_size=50), error=st.none() | st.text(max_size=50))
def test_an_event_reads_back_as_it_was_written(message: str, error: str | None) -> None:
    event = RunEvent(3, "2026-11-24T11:58:52.114Z", "ended", message, state="failed", error=error)
    assert decode(encode(event)) == event
    assert b"\n" not in encode(event)


def test_an_invalid_event_is_refused() -> None:
    for line in (b"{}", b"[]", b'{"number": "nine"}', b"null"):
        with pytest.raises(msgspec.DecodeError):
            decode(line)


@given(rate=st.floats(0.001, 1_000), done=st.integers(1, len(WEIGHTS) - 1), shuffles=st.booleans())
def test_the_time_left_is_what_the_rest_takes_if_it_is_as_slow_as_the_first(
    rate: float, done: int, shuffles: bool
) -> None:
    names = list(WEIGHTS)
    spent = {name: rate * WEIGHTS[name] for name in names[:done]}
    left = time_left(spent, names[done:], shuffles)
    assert left is not None
    assert left >= rate * sum(WEIGHTS[name] for name in names[done:])
    later = time_left(spent, (), shuffles, "build", 0.5)
    assert later is not None
    assert later < left
    assert time_left({}, names, shuffles) is None
    tuned = time_left(spent, names[done:], shuffles, tune_s=60.0)
    assert tuned is not None
    assert tuned >= left + 59.9
    half = time_left(spent, (), shuffles, "tune", 0.5, tune_s=60.0)
    none = time_left(spent, (), shuffles, "tune", 0.0, tune_s=60.0)
    assert half is not None and none is not None
    assert 29.9 < half - none < 30.1
    rest = rate * sum(WEIGHTS[name] for name in names[done:])
    cut = time_left(spent, names[done:], shuffles, tune_s=60.0, budget_left=rest / 2)
    assert cut is not None
    assert cut <= left - rest / 2  # the budget ends the comparison, and nothing is tuned


def test_a_run_that_finishes_early_does_not_announce_what_it_drops() -> None:
    """While it tuned for ten minutes, it was told to finish, and the page still said ten minutes."""
    sent = list[RunEvent]()
    recorder = Recorder("F1", sent.append)
    recorder.plan(("lr", "gpc"), shuffles=True, tune_s=600.0)
    recorder.heard(CandidateStarted("lr", "LR", 1, 2, ("lr", "gpc")))
    recorder.heard(CandidateEnded(row("lr", 0.5, 1.0), 1, 2))
    assert (sent[-1].time_left_s or 0.0) > 600.0
    recorder.cut_short("someone asked the run to finish early")
    assert leaves_candidates(sent[-1]) is False
    assert 0.0 < (sent[-1].time_left_s or 0.0) < 10.0


def test_a_run_with_a_budget_does_not_announce_what_the_budget_leaves_out() -> None:
    """Of a run with a budget of five seconds, the page said ten minutes."""
    sent = list[RunEvent]()
    recorder = Recorder("F1", sent.append)
    recorder.plan(("lr", "gpc"), shuffles=False, tune_s=600.0, budget_s=5.0)
    recorder.heard(CandidateStarted("lr", "LR", 1, 2, ("lr", "gpc")))
    recorder.heard(CandidateEnded(row("lr", 0.5, 1.0), 1, 2))
    assert 5.0 < (sent[-1].time_left_s or 0.0) < 30.0
