"""The tools of the fault tests are code too, and have tests: the schedule, the witnesses, the book."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.mqtt_bytes import publish
from tests.faults.book import Book
from tests.faults.plan import PROCESSES, WIRES, Wrong, arguments
from tests.faults.process import AT_WORK
from tests.faults.schedule import schedule
from tests.faults.witness import IngestTap, Packets, WorkerTap
from zelador.link.packets import puback_packets, publish_packet


def test_the_log_line_that_shows_a_worker_at_work_exists() -> None:
    """When the log line changed, the soak silently measured no memory."""
    root = Path(__file__).parents[2]
    logged = (root / "ingest/service.py").read_bytes() + (root / "inference/swap.py").read_bytes()
    assert all(said in logged for said in AT_WORK)


@given(st.integers(), st.integers(4, 100), st.booleans())
def test_a_schedule_is_repeatable_and_leaves_no_process_out(seed: int, kills: int, others: bool) -> None:
    faults = schedule(seed, 200.0, kills, PROCESSES, WIRES, others)
    assert faults == schedule(seed, 200.0, kills, PROCESSES, WIRES, others)
    killed = [fault.target[0] for fault in faults if fault.kind == "kill"]
    assert len(killed) == kills
    assert set(killed) == set(PROCESSES)
    assert others or len(faults) == kills
    assert all(earlier.at_s <= later.at_s for earlier, later in pairwise(faults))
    assert all(5.0 <= fault.at_s <= 195.0 for fault in faults)


@given(st.data())
def test_packets_are_found_however_the_stream_is_cut(data: st.DataObject) -> None:
    payloads = data.draw(st.lists(st.binary(max_size=300), max_size=8))
    stream = b"".join(publish("a/b", payload, 7) for payload in payloads)
    packets, found = Packets(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += packets.feed(stream[:size])
        stream = stream[size:]
    assert [body[7:] for _, body in found] == payloads


def reading(book: Book, number: int) -> bytes:
    return f'{{"id":"{book.id(number)}","lux":1}}'.encode()


def prediction(book: Book, number: int) -> bytes:
    return f'{{"id":"x","reading_id":"{book.id(number)}"}}'.encode()


def test_each_loss_is_attributed() -> None:
    """0 is whole; the broker did not deliver 1; we lost 2; the broker lost the prediction of 3; 4 is in Redis."""
    book = Book("t")
    for number in range(5):
        book.acknowledged[number] = 1
    ingest, worker = IngestTap(book), WorkerTap(book)
    for number in (0, 2, 3, 4):
        ingest.said(publish_packet("t", reading(book, number), number + 1))
    ingest.sent(puback_packets([1, 3, 4]))
    for number in (0, 2, 3):
        worker.sent(publish_packet("t", prediction(book, number), number + 1))
    worker.said(puback_packets([1, 4]))
    worker.said(b"\x40\x03\x00\x03\x87")  # a refusal is no confirmation
    book.predicted[0] = 3
    verdict = book.verdict(0, 5, in_redis=lambda number: number == 4)
    assert (verdict.not_handed_on, verdict.not_passed_on, verdict.lost) == ((1,), (3,), (2, 4))
    assert (verdict.readings, verdict.lost_by_broker, verdict.repeated) == (5, 2, 2)
    assert list(ingest.open) == [5]


@pytest.mark.parametrize(
    "given", [["--seconds", "1"], ["--kills", "-1"], ["--rate", "nan"], ["--faults", "some"], ["x"]]
)
def test_arguments_that_cannot_be_used_are_one_line(given: list[str]) -> None:
    with pytest.raises(Wrong) as error:
        arguments(given)
    assert "\n" not in str(error.value)
