"""A registered model as the command line, the card and scripts see it: one flat mapping, ready for JSON."""

from __future__ import annotations

from typing import Any

from registry.state import Model, Selection, State

# What training found and what the files are: set once, never by hand.
FIXED = frozenset(
    {"name", "digest", "saved_at", "saved_by", "selected", "upload", "tags", "model_type", "metric", "metrics"}
    | {"holdout", "rank", "run", "served_by", "features", "units", "classes", "has_probabilities", "agreement"}
    | {"versions", "data", "confusion", "folds", "parameters", "positive", "holdout_rows"}
)


def facts_of(model: Model, state: State) -> dict[str, Any]:
    """Its metadata, flat, with what the log knows of it; no key of the metadata hides one of the log's."""
    return {
        "model_type": None,
        "metric": None,
        "metrics": {},
        "holdout": {},
        "rank": None,
        "run": None,
        "description": "",
        "notes": "",
        **model.metadata,
        "name": model.name,
        "tags": list(model.tags),
        "digest": model.digest,
        "saved_at": model.saved_at,
        "saved_by": model.saved_by,
        "selected": state.selection is not None and state.selection.model == model.name,
    }


def selection_facts(selection: Selection) -> dict[str, Any]:
    return {
        "model": selection.model,
        "sequence": selection.sequence,
        "by": selection.by,
        "at": selection.at,
        "why": selection.why,
        "rolled_back": selection.rolled_back,
    }
