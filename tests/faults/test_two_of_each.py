"""Two ingesters on a shared subscription, two workers in a group: if one dies, the other continues."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Note, case, is_whole, whole_matrix
from tests.faults.site import PREFIX, TAKEOVER_S, Shape
from tests.faults.trial import Trial
from zelador.buffer.keys import GROUP, Keys

# A worker checks for abandoned entries every third of the takeover time, and must then classify them.
TAKEN_OVER_S = TAKEOVER_S * 4 / 3 + 3.0
AWAY_S = 3.0
GAP_S = 1.5  # without any prediction, on a busy machine
STUCK_MS = 500


@pytest.fixture(scope="module")
def shared_two(data: Path) -> Iterator[Trial]:
    (data / "two").mkdir()
    with Trial(data / "two", Shape(ingesters=2, workers=2)) as trial:
        yield trial


@pytest.fixture
def two(shared_two: Trial) -> Iterator[Trial]:
    with case(shared_two) as found:
        yield found


def gap(trial: Trial, seconds: float) -> float:
    """The longest time without any prediction within this period."""
    longest, until, came, at = 0.0, time.monotonic() + seconds, trial.subscriber.came, time.monotonic()
    while (now := time.monotonic()) < until:
        if trial.subscriber.came != came:
            came, at = trial.subscriber.came, now
        longest = max(longest, now - at)
        time.sleep(0.005)
    return longest


@whole_matrix
@pytest.mark.parametrize("name", ["inference-1", "inference-2"])
def test_one_worker_dies_and_the_stream_continues(two: Trial, note: Note, name: str) -> None:
    with two.load():
        awaited = two.kill(name)
        longest = gap(two, AWAY_S)
        recovery = two.answered(awaited)
    took = all_predicted(two, within_s=TAKEN_OVER_S)  # without the dead one
    two.site.start(name)
    outcome = is_whole(two, note, recovery=recovery, longest_gap=longest, to_the_last=took)
    assert longest < GAP_S
    assert outcome.verdict.lost_by_broker == 0


@whole_matrix
@pytest.mark.parametrize("name", ["ingest-1", "ingest-2"])
def test_one_ingester_dies_and_the_stream_continues(two: Trial, note: Note, name: str) -> None:
    """Mosquitto also assigns a share to a member that is away: this share waits, and the other member continues."""
    with two.load():
        awaited = two.kill(name)
        longest = gap(two, AWAY_S)
        recovery = two.answered(awaited)
    two.site.wait(lambda: two.devices.quiet, "the broker to acknowledge everything")
    two.site.start(name)
    two.site.ready(name)  # on a busy machine its imports alone take longer than the limit below
    took = all_predicted(two, within_s=20.0)
    outcome = is_whole(two, note, recovery=recovery, longest_gap=longest, after_its_return=took)
    assert longest < GAP_S
    assert outcome.verdict.lost_by_broker == 0


@whole_matrix
@pytest.mark.parametrize("how", ["dead", "standing still"])
def test_the_entries_of_a_dead_worker_are_taken_over_in_time(two: Trial, note: Note, how: str) -> None:
    wire, process = two.site.wire("inference-1", "broker"), two.site.processes["inference-1"]
    with two.load():
        wire.stall()
        two.site.wait(lambda: held_by(two, "inference-1"), "predictions that the broker does not get")
        since = time.monotonic()
        if how == "dead":
            two.site.kill("inference-1")
        else:
            process.pause()
    held = two.devices.next
    assert two.book.missing(two.first, held)
    all_predicted(two, within_s=TAKEN_OVER_S + 5.0)
    took = time.monotonic() - since
    if how == "dead":
        wire.cut()
        wire.flow()
        two.site.start("inference-1")
    else:
        wire.flow()
        process.resume()  # it continues with entries that another worker now owns: repeated, never counted twice
    is_whole(two, note, takeover=took)
    assert took < TAKEN_OVER_S


def all_predicted(trial: Trial, within_s: float) -> float:
    """Waits until every acknowledged reading has its prediction; returns the seconds that it took."""
    since = time.monotonic()
    trial.site.wait(
        lambda: trial.devices.quiet and not trial.book.missing(trial.first, trial.devices.next),
        "a prediction of each reading",
        within_s,
    )
    return time.monotonic() - since


def held_by(trial: Trial, worker: str) -> bool:
    """True if the worker holds entries for longer than any batch takes."""
    found = trial.site.client.xpending_range(Keys(PREFIX).readings, GROUP, "-", "+", 100, worker, STUCK_MS)
    return len(found) > 0
