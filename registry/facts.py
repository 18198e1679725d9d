"""A registered model as the API, the command line, the card and scripts see it: one flat mapping, ready for JSON."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, cast

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from registry.log.state import Model as Registered
from registry.log.state import Selection as Selected
from registry.log.state import State
from registry.model.manifest_shape import shown

# What training found and what the files are: set once, never by hand.
FIXED = frozenset(
    {"name", "digest", "saved_at", "saved_by", "selected", "upload", "tags", "model_type", "metric", "metrics"}
    | {"holdout", "rank", "run", "served_by", "features", "units", "classes", "has_probabilities", "agreement"}
    | {"versions", "data", "confusion", "folds", "parameters", "positive", "holdout_rows"}
)


class Logged(TypedDict):
    """What the registry's log knows of every model, whatever its metadata says."""

    name: Annotated[str, Field(description="Its own among all models.")]
    tags: Annotated[list[str], Field(description="Sorted, each once.")]
    digest: Annotated[str, Field(description="SHA-256 of its manifest, and so of all its files.")]
    saved_at: Annotated[str, Field(description="When it was registered, ISO 8601, UTC.")]
    saved_by: Annotated[str, Field(description="Who registered it.")]
    selected: Annotated[bool, Field(description="Whether it is the model that live inference is to run.")]


@with_config(ConfigDict(extra="allow"))
class Model(Logged):
    """A registered model. What is said to be any JSON is metadata, shown as it was given; so are all further keys."""

    model_type: Annotated[Any, Field(description="Any JSON: the trainer gives its name; null when not known.")]
    metric: Annotated[Any, Field(description="Any JSON: the trainer gives what it was ranked by; null when not known.")]
    metrics: Annotated[Any, Field(description="Any JSON: the trainer gives numbers by metric, the folds' means.")]
    holdout: Annotated[Any, Field(description="Any JSON: the trainer gives numbers by metric, on rows kept aside.")]
    rank: Annotated[Any, Field(description="Any JSON: the trainer gives its place in its run, from 1.")]
    run: Annotated[Any, Field(description="Any JSON: the trainer gives the id of its run; null for one without.")]
    description: Annotated[Any, Field(description="Any JSON: text, as people wrote it.")]
    notes: Annotated[Any, Field(description="Any JSON: text, as people wrote it.")]
    features: NotRequired[Annotated[Any, Field(description="Any JSON: the names of its inputs, in their order.")]]
    units: NotRequired[Annotated[Any, Field(description="Any JSON: the unit of each input that has one, by name.")]]
    classes: NotRequired[Annotated[Any, Field(description="Any JSON: the labels that it can give.")]]
    served_by: NotRequired[Annotated[Any, Field(description="Any JSON: what live inference runs, onnx or pipeline.")]]
    damaged: NotRequired[
        Annotated[list[str], Field(description="Keys that the log has and that cannot be shown; absent without any.")]
    ]


class Selection(TypedDict):
    """One selection: which model, since when, by whom, why."""

    model: Annotated[str, Field(description="Its name.")]
    sequence: Annotated[int, Field(description="Its number in the log; no two selections share it.")]
    by: Annotated[str, Field(description="Who made it: a key, or a person at the command line.")]
    at: Annotated[str, Field(description="When it was made, ISO 8601, UTC.")]
    why: Annotated[str, Field(description="The reason that was given; may be empty.")]
    rolled_back: Annotated[bool, Field(description="Whether it was made by rolling back.")]


def facts_of(model: Registered, state: State) -> Model:
    """Its metadata, flat, with what the log knows of it; no key of the metadata hides one of the log's.

    Never raises: what cannot be shown is left out and named under `damaged`.
    """
    logged: Logged = {
        "name": model.name,
        "tags": [str(tag) for tag in model.tags],  # save_model took whatever was given
        "digest": model.digest,
        "saved_at": model.saved_at,
        "saved_by": model.saved_by,
        "selected": state.selection is not None and state.selection.model == model.name,
    }
    metadata, damaged = shown(model.metadata)
    found = {
        "model_type": None,
        "metric": None,
        "metrics": {},
        "holdout": {},
        "rank": None,
        "run": None,
        "description": "",
        "notes": "",
        **metadata,
        **logged,
    }
    if damaged:
        found["damaged"] = damaged
    return cast(Model, found)


def selection_facts(selection: Selected) -> Selection:
    return {
        "model": selection.model,
        "sequence": selection.sequence,
        "by": selection.by,
        "at": selection.at,
        "why": selection.why,
        "rolled_back": selection.rolled_back,
    }
