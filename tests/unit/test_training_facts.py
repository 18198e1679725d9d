"""The facts of a data set are loaded once for all visitors, and a page never waits long for them."""

from __future__ import annotations

from threading import Event
from types import SimpleNamespace
from typing import cast

from admin.console.training.facts import DataFacts, Facts
from archive.dataset.cache import Meta
from archive.dataset.description import Description
from archive.dataset.load import Loaded
from operations.views.datasets import DataMark, DatasetReader
from zelador.errors import Unavailable

META = Meta("0" * 24, {}, "the buffer", "d", 1, 1, {"yes": 1}, ("lux",), (), 0.0, 0.0)


class Reader:
    """A reader that loads when the test says so."""

    def __init__(self) -> None:
        self.go, self.asked, self.fails = Event(), 0, False
        self.labels, self.readings = 0, 0
        self.description: Description | None = None

    def mark(self) -> DataMark:
        return DataMark((self.labels,), self.readings)

    def load(self, _query: dict[str, object]) -> Loaded:
        self.asked += 1
        assert self.go.wait(60.0)
        if self.fails:
            raise Unavailable("the archive does not answer")
        return Loaded(META, None, self.description)


def facts_of(reader: Reader, wait_s: float) -> DataFacts:
    return DataFacts(cast(DatasetReader, reader), wait_s)


def test_a_slow_data_set_is_loaded_once_while_pages_say_so() -> None:
    reader = Reader()
    facts = facts_of(reader, 0.01)
    assert [facts.look({}), facts.look({})] == [Facts(), Facts()]
    facts.forget()  # a load in progress continues
    reader.go.set()
    patient = facts_of(reader, 10.0)
    patient._found = facts._found
    assert patient.look({}).meta == META
    assert reader.asked == 1
    patient.forget()
    assert patient.look({}).meta == META
    assert reader.asked == 2


def test_the_first_readings_are_loaded_at_once() -> None:
    """Else the page says for a minute that no reading has arrived."""
    reader, now = Reader(), [0.0]
    reader.description = cast(Description, SimpleNamespace(rows=0))
    reader.go.set()
    facts = DataFacts(cast(DatasetReader, reader), 10.0, lambda: now[0])
    facts.look({})
    reader.readings, now[0] = 1, 3.0
    facts.look({})
    assert reader.asked == 2


def test_what_changes_is_loaded_again_while_the_page_shows_what_was() -> None:
    """After 1,730 readings had been labeled, the page still showed 2,400 for 13 minutes; the run used 4,130."""
    reader, now = Reader(), [0.0]
    reader.go.set()
    facts = DataFacts(cast(DatasetReader, reader), 10.0, lambda: now[0])

    def loads(seconds: float) -> int:
        before, now[0] = reader.asked, now[0] + seconds
        facts.look({})
        return reader.asked - before

    assert loads(0) == 1
    assert loads(800) == 0  # nothing changed
    reader.readings += 1
    assert loads(50) == 1
    reader.readings += 1
    assert [loads(30), loads(31)] == [0, 1]
    reader.labels += 1
    assert [loads(1), loads(1.5)] == [0, 1]
    assert loads(30) == 0
    reader.labels += 1
    reader.go.clear()
    impatient = DataFacts(cast(DatasetReader, reader), 0.01, lambda: now[0])
    impatient._found = facts._found
    meanwhile = impatient.look({})
    assert (meanwhile.meta, meanwhile.is_behind, meanwhile.age_s) == (META, True, 30.0)
    reader.go.set()
    assert not facts.look({}).is_behind


def test_an_error_is_shown_and_the_next_request_tries_again() -> None:
    reader = Reader()
    reader.go.set()
    reader.fails = True
    facts = facts_of(reader, 10.0)
    assert facts.look({}).trouble == "the archive does not answer"
    reader.fails = False
    assert facts.look({}).meta == META
