"""Training runs: those in the queue, and those that only the registry has."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from operations.views.differences import SideBySide, live_of_document, of_document, side_by_side
from operations.views.run_search import RunSearch, RunTexts
from operations.views.run_view import RunView
from registry.listing import Query
from registry.registry import Registry
from registry.run_document import RunDocument
from registry.run_trainer import death_of
from zelador import training_queue
from zelador.errors import Conflict, NotFound
from zelador.training_queue import TrainingQueue
from zelador.training_queue.run import ACTIVE

EARLY: tuple[Literal["metric", "request", "rows", "data", "features", "split"], ...] = (
    "metric", "request", "rows", "data", "features", "split",
)  # fmt: skip  # parts of a document that are there before the comparison


@dataclass(frozen=True, slots=True)
class RunList:
    """A page of runs, newest first: those from place `first` (from 0) of `total`.

    `earlier` and `later` are the `before` of the neighboring pages; None if there is no such page, and an empty
    `later` for the page of the newest ones. Of a search, `first` and `later` are not known, and `searched_to` is the
    last run that was searched, if it ended before the runs did.
    """

    rows: list[RunView]
    first: int
    total: int
    earlier: str | None
    later: str | None
    searched_to: str | None = None


class RunReader:
    """Reads runs from the queue and the registry."""

    def __init__(self, registry: Registry, queue: TrainingQueue) -> None:
        self._registry = registry
        self._queue = queue
        self._texts = RunTexts()

    def page(
        self, limit: int, before: str | None = None, wanted: RunSearch | None = None
    ) -> tuple[list[RunView], str | None]:
        """Runs whose id is below `before`, newest first, and the `before` of the next page, or None.

        With `wanted`, only those that it finds. Raises redis.RedisError, Unavailable.
        """
        found = self.listed(limit, before, wanted)
        return found.rows, found.earlier

    def listed(self, limit: int, before: str | None = None, wanted: RunSearch | None = None) -> RunList:
        """Runs whose id is below `before`, and where they are among all. Raises redis.RedisError, Unavailable."""
        return self._page({run.id: run for run in self._queue.list()}, limit, before, wanted)

    def registered_page(self, limit: int, before: str | None = None, wanted: RunSearch | None = None) -> RunList:
        """Returns a page like `listed`, but only of the runs in the registry, without Redis."""
        return self._page({}, limit, before, wanted)

    def _page(
        self, asked: Mapping[str, training_queue.Run], limit: int, before: str | None, wanted: RunSearch | None
    ) -> RunList:
        def read(run: str) -> RunView:
            return self._described(RunView.of(asked[run])) if run in asked else self._registered(run)

        ids = sorted({*asked, *self._registry.runs()}, reverse=True)  # an id begins with its time
        first, earlier, later = neighbors(ids, limit, before)
        if wanted is not None:
            wanted = replace(wanted, saved=saved_models(self._registry))
            found, following, searched_to = self._texts.search(ids[first:], wanted, read, limit)
            return RunList([read(run) for run in found], 0, len(ids), following, None, searched_to)
        return RunList([read(run) for run in ids[first : first + limit]], first, len(ids), earlier, later)

    def current(self) -> RunView | None:
        """The run that is queued or running. Raises redis.RedisError."""
        found = self._queue.current()
        return None if found is None else RunView.of(found)

    def whole(self, run: str) -> RunView:
        """One run with its whole document, if the registry has it; of an active one, what it learns from.

        Raises NotFound.
        """
        view = self._run(run)
        try:
            if view.is_active:
                return replace(view, result=_early(self._registry.run(run)))
            document = self._registry.run(run)
            return self._with_names(replace(_timed(view, document), result=document))
        except NotFound:
            return view

    def registered(self, run: str) -> RunView:
        """One run with its whole document, as the registry has it; without Redis. Raises NotFound."""
        return self._with_names(self._registered(run))

    def run(self, run: str) -> RunView:
        """One run, from the queue or, once its record there expired, from the registry. Raises NotFound."""
        view = self._run(run)
        if not view.is_active:
            with contextlib.suppress(NotFound):  # it was canceled before it began
                view = _timed(view, self._registry.run(run))
        return self._with_names(view)

    def _run(self, run: str) -> RunView:
        try:
            return RunView.of(self._queue.get(run))
        except NotFound:
            return self._registered(run)

    def compared(self, run: str, others: Sequence[str], reference: str | None) -> SideBySide:
        """The models of a run side by side, with the model that was live. With `others`: the best of each run.

        Raises NotFound; Conflict for a run without models.
        """
        documents = [self._registry.run(each) for each in dict.fromkeys([run, *others])]
        found: list[dict[str, Any]] = []
        for document in documents:
            models = of_document(document)
            if not models:
                raise Conflict(f"run {document['run']} has no models to compare; it is {document['state']}")
            found += models[:1] if others else models
        live = live_of_document(documents[0])
        if live is not None and all(each["name"] != live["name"] for each in found):
            found.append(live)
        return side_by_side(found, reference)

    def _described(self, view: RunView) -> RunView:
        """Adds what a run learned from, which the queue has only of a run that is done."""
        if view.state in ("done", "queued"):
            return view
        try:
            document = self._registry.run(view.id)
        except NotFound:  # it ended before it had readings
            return view
        return replace(view, result=_early(document))

    def _with_names(self, view: RunView) -> RunView:
        """Adds to each of the run's models the names under which it is registered now."""
        models = view.result.get("models")
        if not models:
            return view
        names = saved_names(self._registry, view.id)
        shown = [{**model, "saved_as": list(names.get(model.get("rank", 0), ()))} for model in models]
        return replace(view, result=cast(RunDocument, {**view.result, "models": shown}))

    def _registered(self, run: str) -> RunView:
        document = self._registry.run(run)
        request = document.get("request", training_queue.RunRequest()).copy()
        if metric := document.get("metric"):
            request["metric"] = metric
        if notes := document.get("notes"):
            request["notes"] = notes
        began, ended, error = document["started_at"], document.get("ended_at"), document.get("error")
        state, by = document["state"], document["by"]
        if state in ACTIVE and (why := death_of(document.get("trainer"))) is not None:
            state, error = "failed", why
        known = training_queue.Run(run, state, request, by, began, began, ended, error=error)
        return RunView.of(known, document)


def _early(document: RunDocument) -> RunDocument:
    return cast(RunDocument, {name: document[name] for name in EARLY if name in document})


def _timed(view: RunView, document: RunDocument) -> RunView:
    """The run with the times of its document, as they are shown while Redis, which adds a second or two, is away."""
    ended = document.get("ended_at")
    return view if ended is None else replace(view, started_at=document["started_at"], ended_at=ended)


def neighbors(ids: Sequence[str], limit: int, before: str | None) -> tuple[int, str | None, str | None]:
    """Where a page begins in `ids`, the newest first, and the `before` of the next and the previous page."""
    first = 0 if before is None else sum(run >= before for run in ids)
    newer = first - limit
    earlier = ids[first + limit - 1] if first + limit < len(ids) else None
    return first, earlier, None if not first else ids[newer - 1] if newer > 0 else ""


def saved_models(registry: Registry) -> Mapping[str, Sequence[str]]:
    """The names of the models that come from each run that has some."""
    found: dict[str, list[str]] = {}
    for name, model in registry.sync().models.items():
        if isinstance(run := model.metadata.get("run"), str):
            found.setdefault(run, []).append(name)
    return found


def saved_names(registry: Registry, run: str) -> dict[int, tuple[str, ...]]:
    """The names of the models that come from a run, by rank, the oldest first."""
    found: dict[int, tuple[str, ...]] = {}
    for model in sorted(registry.find(Query(equal=(("run", run),))), key=lambda each: each.saved_at):
        rank = model.metadata.get("rank")
        if isinstance(rank, int):  # the metadata of an imported model may be anything
            found[rank] = (*found.get(rank, ()), model.name)
    return found
