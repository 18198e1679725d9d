"""The candidates of a run that can be saved as models, now or weeks after it ended."""

from __future__ import annotations

from dataclasses import dataclass

from operations.views.metadata import text_of
from operations.views.run_view import RunView
from operations.views.runs import saved_names
from registry.log.state import Model
from registry.registry import Registry
from registry.run_document import default_name


@dataclass(frozen=True, slots=True)
class SavedView:
    """A model that comes from a candidate: who saved it, when (ISO 8601, UTC), and its notes."""

    name: str
    by: str
    at: str
    notes: str


@dataclass(frozen=True, slots=True)
class CandidateView:
    """`saved_as` are the models that it was saved as; `proposed` is a free name for the next."""

    rank: int
    model_type: str
    saved_as: tuple[str, ...]
    proposed: str
    is_kept: bool  # its files are still there
    saved: tuple[SavedView, ...] = ()


def candidates(registry: Registry, run: RunView) -> tuple[CandidateView, ...]:
    """The candidates, by rank. A candidate is kept as long as its run; a model saved from it, until it is deleted."""
    models = run.result.get("models") or ()
    if not models:
        return ()
    saved = saved_names(registry, run.id)
    kept, taken = registry.candidates(run.id), registry.state.models
    return tuple(
        CandidateView(
            each["rank"],
            each["model_type"],
            saved.get(each["rank"], ()),
            default_name(each["model_type"], run.id, taken),
            each["rank"] in kept,
            tuple(_saved(taken[name]) for name in saved.get(each["rank"], ()) if name in taken),
        )
        for each in models
    )


def _saved(model: Model) -> SavedView:
    return SavedView(model.name, model.saved_by, model.saved_at, text_of(model.metadata.get("notes")))
