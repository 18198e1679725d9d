"""The text search of the list of runs: what it finds, in which words, and how much a request reads."""

from __future__ import annotations

import pytest

from operations.views.run_search import MAX_SEARCHED, READ_S, RunSearch, RunTexts, text_of
from operations.views.run_view import RunView
from registry.run_document import RunDocument
from zelador.errors import Corrupt, ZeladorError


def run(name: str, **more: object) -> RunView:
    given = {
        "state": "done", "request": {"metric": "F1", "notes": "after the new bearing"}, "by": "key 4f2a91c0",
        "created_at": "", "started_at": None, "ended_at": None, "progress": None, "error": None,
        "result": RunDocument(
            data={"source": "pumps.csv"},
            verdict={"kind": "tied", "sentence": "Ridge and KNeighbors cannot be told apart by F1."},
            models=[{"rank": 1, "model_type": "Ridge", "name": None}],
        ),
    }  # fmt: skip
    return RunView(name, **{**given, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["20261124", "NEW bearing", "pumps.csv", "f1", "ridge", "told apart", "tied", "empatadas", "ana", "4f2a", "pump-2"],
)
def test_a_run_is_found_by_what_its_row_and_its_notes_say(text: str) -> None:
    """In the words of the reader: a verdict in Portuguese, a person instead of a key, and the models saved from it."""
    found = text_of(run("20261124_115838-a38d"))
    wanted = RunSearch(
        text, {"tied": "Tied, empatadas"}, {"key 4f2a91c0": "Ana Lima"}, {"20261124_115838-a38d": ["Pump-2"]}
    )
    assert wanted.finds("20261124_115838-a38d", found)


@pytest.mark.parametrize("text", ["winter", "clear", "failed", "pump-3"])
def test_another_text_does_not_find_it(text: str) -> None:
    assert not RunSearch(text).finds("20261124_115838-a38d", text_of(run("20261124_115838-a38d")))


def test_a_run_that_did_not_end_well_is_found_by_its_error_and_its_state() -> None:
    failed = text_of(run("a", state="failed", error="no labeled readings", result={}, request={}))
    assert RunSearch("labeled").finds("a", failed)
    assert RunSearch("FAILED").finds("a", failed)


class Shelf:
    """Runs that are read one by one; each takes a while."""

    def __init__(self, *, takes_s: float = 0.0, active: tuple[str, ...] = (), bad: tuple[str, ...] = ()) -> None:
        self.reads, self.now = list[str](), 0.0
        self._takes_s, self._active, self._bad = takes_s, active, bad

    def read(self, name: str) -> RunView:
        self.reads.append(name)
        self.now += self._takes_s
        if name in self._bad:
            raise Corrupt("it is no run's document")
        return run(name, state="running" if name in self._active else "done")


def test_runs_that_ended_are_read_once_and_others_each_time() -> None:
    shelf = Shelf(active=("c",), bad=("b",))
    texts = RunTexts()
    for _ in range(2):
        assert texts.search(["c", "b", "a"], RunSearch("bearing"), shelf.read, 50) == (["c", "a"], None, None)
    assert shelf.reads == ["c", "b", "a", "c", "b"]
    assert isinstance(Corrupt(""), ZeladorError)  # a damaged document does not end the search


def test_a_page_is_full_and_the_next_one_continues() -> None:
    shelf, texts = Shelf(), RunTexts()
    assert texts.search(["d", "c", "b", "a"], RunSearch("bearing"), shelf.read, 2) == (["d", "c"], "c", None)
    assert texts.search(["b", "a"], RunSearch("bearing"), shelf.read, 2) == (["b", "a"], None, None)


def test_a_request_reads_for_a_limited_time_and_says_how_far_it_came() -> None:
    shelf = Shelf(takes_s=READ_S / 2.5)
    texts, ids = RunTexts(lambda: shelf.now), list("hgfedcba")
    assert texts.search(ids, RunSearch("nothing like it"), shelf.read, 50) == ([], "f", "f")
    assert shelf.reads == ["h", "g", "f"]
    assert texts.search(ids[3:], RunSearch("nothing like it"), shelf.read, 50) == ([], "c", "c")
    slow = Shelf(takes_s=99.0)
    assert RunTexts(lambda: slow.now).search("ba", RunSearch("bearing"), slow.read, 50) == (["b"], "b", "b")


def test_a_request_searches_a_limited_number_of_runs() -> None:
    shelf, texts = Shelf(), RunTexts()
    ids = [f"{MAX_SEARCHED * 2 - place:05d}" for place in range(MAX_SEARCHED + 10)]
    found, following, searched_to = texts.search(ids, RunSearch("nothing like it"), shelf.read, 50)
    assert (found, following, searched_to) == ([], ids[MAX_SEARCHED - 1], ids[MAX_SEARCHED - 1])
    assert len(shelf.reads) == MAX_SEARCHED
