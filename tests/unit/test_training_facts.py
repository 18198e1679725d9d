"""The facts of a data set are loaded once for all visitors, and a page never waits long for them."""

from __future__ import annotations

from threading import Event
from typing import cast

from admin.console.training.facts import DataFacts, Facts
from archive.dataset.cache import Meta
from archive.dataset.load import Loaded
from operations.views.datasets import DatasetReader
from zelador.errors import Unavailable

META = Meta("0" * 24, {}, "the buffer", "d", 1, 1, {"yes": 1}, ("lux",), (), 0.0, 0.0)


class Reader:
    """A reader that loads when the test says so."""

    def __init__(self) -> None:
        self.go, self.asked, self.fails = Event(), 0, False

    def load(self, _query: dict[str, object]) -> Loaded:
        self.asked += 1
        assert self.go.wait(60.0)
        if self.fails:
            raise Unavailable("the archive does not answer")
        return Loaded(META, None)  # type: ignore[arg-type]  # its rows are not looked at


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


def test_an_error_is_shown_and_the_next_request_tries_again() -> None:
    reader = Reader()
    reader.go.set()
    reader.fails = True
    facts = facts_of(reader, 10.0)
    assert facts.look({}).trouble == "the archive does not answer"
    reader.fails = False
    assert facts.look({}).meta == META
