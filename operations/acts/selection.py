"""Select a model, or roll back to the previous one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from operations.actor import Actor
from operations.audit import Act
from registry.errors import FeaturesMissing
from registry.facts import describe_selection
from registry.log.state import Model, Selection
from registry.registry import Registry

GENERATED = re.compile(r"x\d+")  # names generated for columns without a name
MAX_LISTED = 10


def select(
    actor: Actor,
    registry: Registry,
    model: str,
    features: Sequence[str],
    *,
    force: bool = False,
    why: str = "",
    if_match: str | None = None,
) -> Selection:
    """Selects a model. `features` are those of the plant; `force`: also a model that needs others.

    Raises ModelNotFound, FeaturesMissing, ChangedMeanwhile (`if_match` is not the current ETag), Unavailable.
    """
    state = registry.sync()
    if not force:
        check_features(state.model(model), features)
    actor.check()
    selection = registry.select(model, by=actor.name, why=why, if_match=if_match)
    return _announced(actor, registry, Act.MODEL_SELECTED, selection)


def check_features(model: Model, features: Sequence[str]) -> None:
    """Raises FeaturesMissing if the plant does not send every feature that the model needs: workers would refuse it."""
    needed = [str(name) for name in model.metadata.get("features") or ()]
    missing = [name for name in needed if name not in features]
    if missing:
        unnamed = ", whose columns have no names," if all(map(GENERATED.fullmatch, needed)) else ""
        more = f" and {len(missing) - MAX_LISTED} more" if len(missing) > MAX_LISTED else ""
        raise FeaturesMissing(
            f"{model.name}{unnamed} needs {', '.join(missing[:MAX_LISTED])}{more}, and the plant sends "
            f"{', '.join(features)} (ZELADOR_FEATURES): workers would refuse it and keep the current model. Add the "
            "features, or import the model again with --features. With force (--force), it is selected anyway"
        )


def roll_back(
    actor: Actor,
    registry: Registry,
    features: Sequence[str],
    *,
    force: bool = False,
    why: str = "",
    if_match: str | None = None,
) -> Selection:
    """Selects the previous model; deleted models are skipped. `features` and `force`: as for `select`.

    Raises Conflict, FeaturesMissing, ChangedMeanwhile, Unavailable.
    """
    state = registry.sync()
    if not force:
        check_features(state.model(state.previous()), features)
    actor.check()
    selection = registry.roll_back(by=actor.name, why=why, if_match=if_match)
    return _announced(actor, registry, Act.SELECTION_ROLLED_BACK, selection)


def _announced(actor: Actor, registry: Registry, act: Act, selection: Selection) -> Selection:
    actor.wake(selection.sequence)
    before = registry.state.replaced_by(selection)
    old = None if before is None else describe_selection(before)
    actor.record(act, selection.model, old, describe_selection(selection))
    return selection
