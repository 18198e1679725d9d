"""Describes a registered model, for the API, the command line, the card and scripts, as one flat mapping for JSON."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, cast

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from registry.log.state import Model as Registered
from registry.log.state import Selection as Selected
from registry.log.state import State
from registry.model.manifest_shape import shown

# Recorded at training or derived from the files: set once, never by hand.
FIXED = frozenset(
    {"name", "digest", "saved_at", "saved_by", "selected", "upload", "tags", "model_type", "metric", "metrics"}
    | {"holdout", "rank", "run", "served_by", "features", "units", "classes", "has_probabilities", "agreement"}
    | {"versions", "data", "confusion", "folds", "parameters", "positive", "holdout_rows", "train_rows"}
)


class Logged(TypedDict):
    """The fields from the registry's log, which every model has."""

    name: Annotated[str, Field(description="Unique name of the model.")]
    tags: Annotated[list[str], Field(description="Tags, sorted, without duplicates.")]
    digest: Annotated[str, Field(description="SHA-256 of its manifest, which has the digests of all its files.")]
    saved_at: Annotated[str, Field(description="Time of registration, ISO 8601, UTC.")]
    saved_by: Annotated[str, Field(description="Who registered it: a key, or a person at the command line.")]
    selected: Annotated[bool, Field(description="True if it is the selected model.")]


@with_config(ConfigDict(extra="allow"))
class Model(Logged):
    """A registered model. Fields of type any JSON, and all further keys, are metadata, shown as given."""

    model_type: Annotated[
        Any, Field(description="Any JSON: from the trainer, the classifier's name; null if not known.")
    ]
    metric: Annotated[Any, Field(description="Any JSON: from the trainer, the ranking metric; null if not known.")]
    metrics: Annotated[Any, Field(description="Any JSON: from the trainer, means over the folds by metric.")]
    holdout: Annotated[Any, Field(description="Any JSON: from the trainer, values on the hold-out by metric.")]
    rank: Annotated[Any, Field(description="Any JSON: from the trainer, the rank in its run, from 1.")]
    run: Annotated[Any, Field(description="Any JSON: from the trainer, the id of its run; null if none.")]
    description: Annotated[Any, Field(description="Any JSON: text written by people.")]
    notes: Annotated[Any, Field(description="Any JSON: text written by people.")]
    features: NotRequired[Annotated[Any, Field(description="Any JSON: the names of its inputs, in the model's order.")]]
    units: NotRequired[Annotated[Any, Field(description="Any JSON: the units of its inputs, by name.")]]
    classes: NotRequired[Annotated[Any, Field(description="Any JSON: the labels that it can predict.")]]
    served_by: NotRequired[Annotated[Any, Field(description="Any JSON: what live inference runs, onnx or pipeline.")]]
    damaged: NotRequired[
        Annotated[list[str], Field(description="Keys whose values cannot be shown; absent if there are none.")]
    ]


class Selection(TypedDict):
    """A selection: model, time, author and reason."""

    model: Annotated[str, Field(description="Name of the model.")]
    sequence: Annotated[int, Field(description="The selection's number in the log; unique.")]
    by: Annotated[str, Field(description="Who made it: a key, or a person at the command line.")]
    at: Annotated[str, Field(description="Time of the selection, ISO 8601, UTC.")]
    why: Annotated[str, Field(description="The reason given; may be empty.")]
    rolled_back: Annotated[bool, Field(description="True if it was made by rolling back.")]


def describe_model(model: Registered, state: State) -> Model:
    """The model's metadata and its fields from the log, in one mapping. Fields of the log take precedence.

    Never raises: values that cannot be shown are left out, and their keys listed in `damaged`.
    """
    logged: Logged = {
        "name": model.name,
        "tags": [str(tag) for tag in model.tags],  # `save_model` does not check their type
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


def describe_selection(selection: Selected) -> Selection:
    return {
        "model": selection.model,
        "sequence": selection.sequence,
        "by": selection.by,
        "at": selection.at,
        "why": selection.why,
        "rolled_back": selection.rolled_back,
    }
