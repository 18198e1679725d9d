"""Finds runs by a text. What is searched of a run that has ended is cached, and a request searches a bounded number."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from operations.views.run_view import RunView
from registry.metadata import mapping
from zelador.errors import ZeladorError

MAX_SEARCHED = 2_000  # runs that a request searches
READ_S = 1.0  # that a request spends on runs that are not cached; at least one is read
MAX_CACHED = 4_000  # texts
MAX_TEXT = 3_000  # characters of a run, of the 12 MB at most that the cache holds
ENDINGS: Mapping[str, str] = {  # a state, or of a run that is done its verdict, in words
    "queued": "Queued",
    "running": "Running",
    "failed": "Failed",
    "cancelled": "Canceled",
    "clear": "Clear",
    "tied": "Tied",
    "nothing_to_learn": "Nothing to learn",
    "not_evaluable": "Not evaluable",
    "done": "Done",
}


@dataclass(frozen=True, slots=True)
class RunText:
    """What a run is searched by, in lower case. `ending` is a key of ENDINGS."""

    text: str
    by: str
    ending: str


@dataclass(frozen=True, slots=True)
class RunSearch:
    """A text, and what the reader calls endings and people; models that were saved from a run, by its id."""

    text: str
    endings: Mapping[str, str] = field(default_factory=lambda: ENDINGS)
    people: Mapping[str, str] = field(default_factory=dict)
    saved: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def finds(self, run: str, found: RunText) -> bool:
        wanted = self.text.strip().casefold()
        said = (self.endings.get(found.ending, found.ending), found.by, self.people.get(found.by, ""))
        return wanted in found.text or any(wanted in each.casefold() for each in (*said, *self.saved.get(run, ())))


def text_of(run: RunView) -> RunText:
    """Returns what a run is searched by: its id, notes, data, metric and verdict, and the types of its best models."""
    result: Mapping[str, Any] = run.result
    verdict, data = mapping(result.get("verdict")), mapping(result.get("data"))
    models = [each for each in result.get("models") or () if isinstance(each, Mapping)]
    parts = (
        run.id, run.request.get("notes"), result.get("notes"), data.get("source"), run.request.get("metric"),
        verdict.get("sentence"), *(each.get("model_type") for each in models), *(each.get("name") for each in models),
        run.error,
    )  # fmt: skip
    text = "\n".join(part for part in parts if isinstance(part, str))
    kind = verdict.get("kind")
    ending = kind if run.state == "done" and isinstance(kind, str) and kind else run.state
    return RunText(text[:MAX_TEXT].casefold(), run.by, ending)


class RunTexts:
    """Caches what ended runs are searched by. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[str, RunText] = OrderedDict()

    def search(
        self, ids: Iterable[str], wanted: RunSearch, read: Callable[[str], RunView], most: int
    ) -> tuple[list[str], str | None, str | None]:
        """Returns the first runs of `ids` that match, at most `most`, and the `before` of the next page.

        Also returns the last run that was searched, if the bound of a request ended the search. `read` may raise
        ZeladorError: such a run is searched by its id.
        """
        found: list[str] = []
        last, until = None, self._clock() + READ_S
        for count, run in enumerate(ids):
            if len(found) == most:
                return found, last, None
            text = self._known(run)
            if count == MAX_SEARCHED or (text is None and last is not None and self._clock() > until):
                return found, last, last
            if wanted.finds(run, text or self._read(run, read)):
                found.append(run)
            last = run
        return found, None, None

    def _known(self, run: str) -> RunText | None:
        with self._lock:
            return self._kept.get(run)

    def _read(self, run: str, read: Callable[[str], RunView]) -> RunText:
        try:
            view = read(run)
        except ZeladorError:
            return RunText(run.casefold(), "", "")
        found = text_of(view)
        if not view.is_active:
            with self._lock:
                self._kept[run] = found
                while len(self._kept) > MAX_CACHED:
                    self._kept.popitem(last=False)
        return found
