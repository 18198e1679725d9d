"""Applies the policy to a finished run: selects its best model, or not. Stores and audits the decision."""

from __future__ import annotations

import logging

from operations.actor import Actor
from operations.acts import selection
from operations.audit import Act
from registry.errors import ChangedMeanwhile
from registry.registry import Registry
from registry.run_document import HoldoutFacts, Promotion, RunDocument
from trainer.policy import decide, uses_of
from zelador.errors import ZeladorError
from zelador.settings import Settings

log = logging.getLogger(__name__)

MAX_EARLIER_RUNS = 200  # whose decisions are counted, the newest
TRIES = 3  # if the registry changes between decision and selection


def promote(document: RunDocument, registry: Registry, actor: Actor, settings: Settings) -> RunDocument:
    """Returns the document with the decision. A decision that cannot be carried out or recorded never fails the run."""
    decision = _decide_and_select(document, registry, actor, settings)
    document["promotion"] = decision
    log.info("run %s: %s", document["run"], decision["sentence"])
    try:
        registry.put_run(document["run"], document)
        actor.record(Act.PROMOTION_DECIDED, document["run"], None, decision)
    except (ZeladorError, OSError) as error:
        log.warning("the decision on run %s is not recorded: %s", document["run"], error)
    return document


def _decide_and_select(document: RunDocument, registry: Registry, actor: Actor, settings: Settings) -> Promotion:
    uses = _count_uses(document, registry)
    for attempt in range(1, TRIES + 1):
        state = registry.sync()
        live = None if state.selection is None else state.selection.model
        decision = decide(document, settings.training.promote_margin, live, uses)
        if not decision["promoted"] or decision["model"] is None:
            return decision
        try:
            selection.select(
                actor, registry, decision["model"], settings.features, why=decision["sentence"], if_match=state.etag
            )
        except ChangedMeanwhile as error:
            if attempt == TRIES:
                return _not_selected(decision, error)
        except (ZeladorError, OSError) as error:
            if _is_selected(registry, decision["model"]):  # only the audit failed
                log.error("%s", error)
                return decision
            return _not_selected(decision, error)
        else:
            return decision
    raise AssertionError("unreachable")


def _is_selected(registry: Registry, model: str) -> bool:
    try:
        selected = registry.sync().selection
    except (ZeladorError, OSError):
        return False
    return selected is not None and selected.model == model


def _not_selected(decision: Promotion, error: Exception) -> Promotion:
    better = decision["sentence"].removeprefix("Promoted: ").rstrip(".")
    sentence = f"Not promoted, although it is better ({better}): it could not be selected: {error}"
    return {**decision, "promoted": False, "reason": "not_selected", "sentence": sentence}


def _count_uses(document: RunDocument, registry: Registry) -> int:
    """Counts the earlier decisions that used the hold-out of this run."""
    holdout = document["split"].get("holdout") if "split" in document else None
    if holdout is None:
        return 0
    earlier: list[HoldoutFacts] = []
    for run in registry.runs()[-MAX_EARLIER_RUNS:]:
        try:
            other = registry.run(run)
        except ZeladorError:  # damaged or just collected; its decision no longer counts
            continue
        judged = other["split"].get("holdout") if "split" in other else None
        if run != document["run"] and "promotion" in other and judged is not None:
            earlier.append(judged)
    return uses_of(holdout, earlier)
