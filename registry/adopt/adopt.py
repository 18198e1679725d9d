"""Turns a fitted model from a script or an old file into an upload for the registry, once it has answered rows.

The order of the columns, the classes and the probabilities are taken from the model. Several objects are joined to
one pipeline if it is certain how. Notes say what was done; anything uncertain is refused, naming it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.adopt.join import chain, transformed, width_of
from registry.adopt.kinds import check_classifier, named
from registry.adopt.labels import class_names
from registry.adopt.narrow import narrowed
from registry.adopt.pickle_parts import Part, Parts, described, sort, texts
from registry.adopt.plain import check_same, core, plain
from registry.adopt.region import draw, region_of
from registry.errors import ModelRefused, TypeRefused
from registry.model.allowed_types import dump_pipeline
from registry.model.artifact import Upload
from registry.model.classifier import Classifier, PipelineEngine, Rows, classes_of
from registry.model.golden import MAX_SAVED, ask, drawn
from registry.model.manifest import Feature
from zelador.errors import InvalidInput

GENERATED = re.compile(r"(x|f|Column_|feature_|column_)?\d+")  # names that libraries give to columns without a name
MAX_LISTED = 8
SLOW_MS = 20.0
TIMED = 3


@dataclass(frozen=True, slots=True)
class Adopted:
    """An upload, and notes for people, for instance on what was joined."""

    upload: Upload
    notes: tuple[str, ...]


def adopt(
    given: Mapping[str, Any],
    metadata: Mapping[str, Any],
    *,
    features: Sequence[str] = (),
    classes: Sequence[str] = (),
    rows: Any = None,
    named_columns: bool = False,
    optional: bool = False,
) -> Adopted:
    """The model among the objects in `given` (by file name) as an upload.

    `features` and `classes` are the names that a person gave. `named_columns`: refuse a model whose columns have no
    names. `optional`: objects that do not fit the model belong to another one. Raises TypeRefused, InvalidInput.
    """
    parts = sort(given)
    original = core(_only(parts))
    check_classifier(original)
    model = plain(original)
    order = chain(model, parts.transformers, optional)
    pipeline, dropped = narrowed(_pipeline(model, order.steps))
    own = _classes(model)
    width = width_of(pipeline)
    known = own_names(order.steps[0].what if order.steps else model) or tuple(features)
    labels, notes = class_names(own, parts, classes, width, optional, known)
    if order.steps:
        notes.append(f"joined in this order: {', '.join(described(part) for part in order.steps)}, then the model")
    notes += [f"not used, because it does not belong before the model: {described(part)}" for part in order.unused]
    if not width:
        dump_pipeline(pipeline)  # a foreign type is the better reason
    if dropped:
        notes.append(f"columns that it does not use are left out: {', '.join(dropped)}")
    names, column_notes = _features(
        pipeline, model, order.steps, parts, features, width, named_columns, optional, bool(dropped)
    )
    notes += column_notes + _left(parts)
    if all(label.lstrip("-").isdigit() for label in labels) and not classes:
        notes.append(
            f"its classes are {', '.join(labels[:MAX_LISTED])}; name them with --classes if they mean something"
        )
    probe = _answered(pipeline, names, labels, _rows(rows, len(names)), notes)
    if dropped:
        check_same(original, pipeline, own_names(original), probe, names)
    else:
        check_same(original, model, own_names(original), transformed(order.steps, probe))
    described_as = {"model_type": named(model).rpartition(" ")[2], **metadata}
    upload = Upload(pipeline, tuple(Feature(name) for name in names), labels, described_as, probe=probe)
    return Adopted(upload, tuple(notes))


def _only(parts: Parts) -> Any:
    """The only model. If there is not exactly one, raises TypeRefused, which says what there is."""
    if parts.foreign:
        found = ", ".join(map(described, parts.foreign[:MAX_LISTED]))
        raise TypeRefused(
            f"it also holds {found}, which may change the answers and cannot be kept; save the model, or one Pipeline, "
            "alone"
        )
    if len(parts.models) == 1:
        return parts.models[0].what
    if parts.models:
        found = ", ".join(map(described, parts.models[:MAX_LISTED]))
        raise TypeRefused(f"it holds {len(parts.models)} models ({found}); save each in a file of its own")
    others = [*parts.transformers, *parts.encoders]
    if len(others) == 1 and not others[0].where:
        check_classifier(others[0].what)
    found = ", ".join(map(described, [*others, *parts.names, *parts.mappings, *parts.facts][:MAX_LISTED]))
    raise TypeRefused(f"{found or 'builtins.dict'} cannot be saved: it holds no model (nothing in it has a predict)")


def _pipeline(model: Any, steps: Sequence[Part]) -> Any:
    if not steps:
        return model
    from sklearn.pipeline import Pipeline

    return Pipeline([*((f"joined{i}", plain(core(part.what))) for i, part in enumerate(steps, 1)), ("model", model)])


def _classes(model: Any) -> tuple[str, ...]:
    own = classes_of(model)
    if len(own) < 2:
        raise TypeRefused(f"{named(model)} knows only the class {', '.join(own)!r}, so every answer would be the same")
    if len(set(own)) != len(own):
        raise TypeRefused(f"two classes of {named(model)} read the same as text: {', '.join(own)}")
    return own


# ── the columns ──────────────────────────────────────────────────────────────────────────────


def _features(
    pipeline: Any,
    model: Any,
    steps: Sequence[Part],
    parts: Parts,
    given: Sequence[str],
    width: int | None,
    needed: bool,
    optional: bool,
    narrow: bool,
) -> tuple[tuple[str, ...], list[str]]:
    """The names of the columns in the model's order, and notes."""
    _check_numeric(pipeline)
    own = own_names(pipeline if narrow else steps[0].what if steps else model)
    if own is None and steps and width_of(model) == width:
        own = own_names(model)  # the rows were scaled, then made into a table again
    notes: list[str] = []
    for part in parts.names:
        listed = tuple(texts(part.what) or ())
        if optional and own is not None and set(listed) != set(own):
            continue
        if width is not None and len(listed) != width:
            raise TypeRefused(f"{described(part)} names {len(listed)} columns, and the model takes {width}")
        if own is not None and set(listed) != set(own):
            raise TypeRefused(
                f"{described(part)} names {', '.join(listed)}, and the model was fitted on {', '.join(own)}"
            )
        if own is not None and listed != own:
            notes.append(f"its own order of columns is kept: {', '.join(own)}, not that of {described(part)}")
        own = own or listed
    if own is not None and len(given) > len(own) and set(own) < set(given):
        return own, [*notes, f"it needs only {', '.join(own)}"]
    if width is not None and given and len(given) != width:
        raise InvalidInput(
            f"{len(given)} features are named, the model was fitted on {width}"
            + (f" ({', '.join(own)})" if own is not None else "")
        )
    if own is None:
        return _unnamed(given, width, needed), notes
    if not given or tuple(given) == own:
        return own, notes
    if set(given) == set(own):
        return own, [*notes, f"its own order of columns is kept: {', '.join(own)}"]
    if moved := [name for i, name in enumerate(given) if name in own and own[i] != name]:
        raise InvalidInput(
            f"the model was fitted on {', '.join(own)}, in this order; with these names {moved[0]} would get the "
            f"values of {own[list(given).index(moved[0])]}: give the new names in the model's order"
        )
    renamed = [f"{old} is now {new}" for old, new in zip(own, given, strict=True) if old != new]
    return tuple(given), [*notes, f"columns are renamed: {', '.join(renamed)}"]


def own_names(estimator: Any) -> tuple[str, ...] | None:
    """The names of the columns that the estimator was fitted on, in its order; None if they had none."""
    for attribute in ("feature_names_in_", "feature_name_", "feature_names_"):
        try:
            found = getattr(estimator, attribute, None)
        except Exception:  # noqa: BLE001 - properties of pipelines and boosters raise anything
            found = None
        names = tuple(str(name) for name in found) if found is not None and not isinstance(found, str) else ()
        if names:
            return None if all(map(GENERATED.fullmatch, names)) else names
    return None


def _unnamed(given: Sequence[str], width: int | None, needed: bool) -> tuple[str, ...]:
    if given:
        return tuple(given)
    count = "its" if width is None else f"its {width}"
    if needed or width is None:
        raise InvalidInput(
            f"the model has no column names, so no worker could use it; name {count} columns in the order of its "
            "training: --features lux,temperature,…"
        )
    return tuple(f"x{i}" for i in range(width))


def _check_numeric(pipeline: Any) -> None:
    """Raises TypeRefused for a model that takes texts: the features of a reading are numbers."""
    for found in _category_lists(pipeline):
        for values in found:
            if texts := [each for each in np.asarray(values, dtype=object).tolist() if isinstance(each, str)]:
                shown = ", ".join(repr(each) for each in texts[:3])
                raise TypeRefused(f"it takes texts in a column ({shown}), and the features of a reading are numbers")


def _category_lists(estimator: Any) -> Iterator[Any]:
    for _, step in getattr(estimator, "steps", ()):
        yield from _category_lists(step)
    for _, step, _ in getattr(estimator, "transformers_", ()):
        yield from _category_lists(step)
    if hasattr(estimator, "categories_"):
        yield estimator.categories_
    if type(estimator).__name__ in ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer", "DictVectorizer"):
        raise TypeRefused(f"it takes texts ({type(estimator).__name__}), and the features of a reading are numbers")


# ── the answers ──────────────────────────────────────────────────────────────────────────────


def _answered(
    pipeline: Any, names: Sequence[str], labels: tuple[str, ...], rows: Rows | None, notes: list[str]
) -> Rows:
    """Rows that the model answers, with arrays as a worker asks it. Raises ModelRefused with the first reason."""
    classifier = Classifier("it", "", tuple(names), labels, "pipeline", PipelineEngine(pipeline, labels))
    refusal: ModelRefused | None = None
    for candidate in [rows] if rows is not None else _candidates(pipeline, len(names)):
        try:
            answer = ask(classifier, candidate[:MAX_SAVED])
        except ModelRefused as error:
            refusal = refusal or error
            continue
        if (milliseconds := _time_of_one(classifier, candidate)) >= SLOW_MS:
            notes.append(
                f"it is slow: {milliseconds:.0f} ms of processor time for one reading; fewer trees or neighbors answer "
                "faster"
            )
        if rows is None and _constant(classifier, answer.labels):
            notes.append(
                f"it answers {answer.labels[0]!r} to each row that it was asked; if a scaler was used before it in "
                "training, import them together"
            )
        return candidate
    assert refusal is not None  # noqa: S101
    raise TypeRefused(str(refusal).removeprefix("it: ")) from None


def _time_of_one(classifier: Classifier, rows: Rows) -> float:
    """Milliseconds of processor time for one row: the shortest of several, to exclude other load on the machine."""
    taken = []
    for _ in range(TIMED):
        begin = time.thread_time()
        classifier.classify(rows[:1])
        taken.append(time.thread_time() - begin)
    return min(taken) * 1000


def _constant(classifier: Classifier, labels: Sequence[str]) -> bool:
    """True if the model gives one answer to all rows, both near the values that it learned and far from them."""
    if len(set(labels)) > 1:
        return False
    try:
        return set(ask(classifier, drawn(len(classifier.features))).labels) == set(labels)
    except ModelRefused:
        return True


def _candidates(pipeline: Any, width: int) -> Iterator[Rows]:
    """Rows to ask: near what the model learned, then of all magnitudes, positive, and small."""
    near = draw(region_of(pipeline, width), MAX_SAVED)
    yield near
    yield np.abs(near)
    yield drawn(width)
    yield np.abs(drawn(width))
    yield np.random.default_rng(0).uniform(0.01, 0.99, size=(MAX_SAVED, width))


def _rows(data: Any, width: int) -> Rows | None:
    if data is None:
        return None
    try:
        rows = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise InvalidInput(f"rows must be numbers, with a column for each of the {width} features")
    return rows


def _left(parts: Parts) -> list[str]:
    """A note on the objects that were found but not used."""
    found = [part for part in parts.facts if part.where]
    if not found:
        return []
    more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    return [f"not used: {', '.join(map(described, found[:MAX_LISTED]))}{more}"]
