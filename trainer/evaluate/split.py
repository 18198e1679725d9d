"""Splits the rows: which a candidate is fitted on, and which it is tested on. Pure.

A random split tests a model on rows that it has nearly seen, because neighboring readings are almost equal. So whole
devices or the last stretch of time are held out, and blocks (stretches of time of one device) are tested together.
The notes say what was decided, and what the split cannot show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from archive.dataset.fewest import DRAWN_HOLDOUT, FOLDS, HOLDOUT
from registry.evaluation.blocks import FEWEST_OF_A_DEVICE, MOST_BLOCKS, blocks, recordings
from trainer.evaluate import folds as fold
from trainer.evaluate import holdout as held
from trainer.evaluate.copies import copies
from trainer.evaluate.holdout import DRAWN, NEW_DEVICE
from trainer.evaluate.known import Known
from trainer.evaluate.split_notes import naming_notes, naming_notes_in_order, near_copy_notes, split_notes, trend_notes
from trainer.evaluate.split_parts import Asked, Codes, FoldsBy, Kind, Mask, Split
from trainer.evaluate.stretches import Named, named
from zelador.errors import InvalidInput
from zelador.printable import counted

GIVEAWAY = 0.1  # how much better a device's name may predict the label than the most frequent label does
PURE = 0.95  # if this share of each class is in recordings of that class, a recording gives the label away
FEW_DEVICES = 4  # in the hold-out
SLICES = 200  # of the rows, if nothing else is known about them
NEAR_COPIES = "many rows are almost equal to rows of another time"


def split(known: Known, asked: Asked, folds: int | None, holdout: float | None, seed: int) -> Split:
    """Splits the rows. `folds` and `holdout` (a share) are None for the defaults. Copies of rows are in no part.

    Raises InvalidInput if the requested split is impossible, or if the data cannot be evaluated.
    """
    again = copies(known.values, known.labels, known.devices, known.times)
    if not again.any():
        plan = _split(known, asked, folds, holdout, seed)
        if near := near_copy_notes(known):
            return replace(plan, notes=(*plan.notes, *near), unsure=plan.unsure or NEAR_COPIES)
        return plan
    plan, count = _split(known.at(~again), asked, folds, holdout, seed), int(again.sum())
    rows_are = counted(count, "row is a copy of another", "rows are copies of others")
    they_are, them = ("it is", "it") if count == 1 else ("they are", "them")
    note = f"{rows_are}, in every value and the label: {they_are} in no part, as a model would know {them} by heart"
    return plan.spread(~again, note)


def _split(known: Known, asked: Asked, folds: int | None, holdout: float | None, seed: int) -> Split:
    kind = _kind(known, asked)
    if kind == "random":
        return _random(known, asked, folds or FOLDS, DRAWN_HOLDOUT if holdout is None else holdout, seed)
    whole = _recordings(known)
    naming = Named((), None)
    if known.times is not None and whole is None:
        naming = named(known.values, known.labels, known.devices, known.times)
    fine = blocks(known.devices if whole is None else whole, known.times, known.count, naming.begins)
    if naming.begins is not None and not _are_in_two(known, fine):
        naming = replace(naming, begins=None)
        fine = blocks(known.devices, known.times, known.count)
    of_block = fine if whole is None else whole
    _check_classes(known, fine)
    alone = _alone(known, whole, by_device=kind != "time")
    counted = ~np.isin(known.labels, [known.classes.index(name) for name in alone])
    by = _folds_by(known, kind, of_block, counted, asked)
    plan = Split(
        kind=kind, asked=asked, folds_by=by, folds=0, tested=np.zeros(known.count, np.int64), blocks=of_block,
        units=of_block, alone=alone, counted=counted, within=_within(known, whole, alone),
    )  # fmt: skip
    plan = _hold_out(known, plan, HOLDOUT if holdout is None else holdout, seed, whole is not None, naming)
    plan = _fold(known, plan, fine, folds, seed)
    notes = (*naming_notes(known, naming), *trend_notes(known), *split_notes(known, plan, whole, naming))
    return replace(plan, notes=(*plan.notes, *notes))


def _kind(known: Known, asked: Asked) -> Kind:
    """Returns the kind of split to try. Raises InvalidInput if the data lack what it needs."""
    devices = 0 if known.devices is None else len(np.unique(known.devices))
    moments = 0 if known.times is None else len(np.unique(known.times))
    if asked == "device" and devices < 2:
        has = "no device" if devices == 0 else "only one device"
        raise InvalidInput(f"--split device: the data have {has}; name the column with --device, or use another split")
    if asked == "time" and moments < 2:
        has = "no time" if moments == 0 else "the same time for each row"
        raise InvalidInput(
            f"--split time: the data have {has}; name the column with --time (row: the order of the rows), "
            "or use another split"
        )
    if asked != "auto":
        return asked
    if devices > 1:
        return "device_and_time" if moments > 1 else "device"
    return "time" if moments > 1 else "random"


def _recordings(known: Known) -> Codes | None:
    """Returns the recording of each row, if recordings give the label away, so that none may be cut.

    Returns None if labels change within recordings, or if the recordings are no longer than usual blocks.
    """
    if known.times is None:
        return None
    found = recordings(known.devices, known.times, known.count)
    counts = fold.table(known.labels, found)
    most = 2 * max(MOST_BLOCKS, FEWEST_OF_A_DEVICE * len(known.names))
    if not len(known.names) < len(counts) <= most or len(counts) < 2:
        return None  # if each device has a single recording, the recordings are the devices
    pure = np.zeros_like(counts)
    pure[np.arange(len(counts)), counts.argmax(axis=1)] = 1
    return found if bool(((counts * pure).sum(axis=0) >= PURE * counts.sum(axis=0)).all()) else None


def _are_in_two(known: Known, of_block: Codes) -> bool:
    """Returns whether each class is in at least two blocks."""
    return bool(((fold.table(known.labels, of_block) > 0).sum(axis=0) >= 2).all())


def _check_classes(known: Known, fine: Codes) -> None:
    """Raises InvalidInput for a class that is in one block only: no other block could test it."""
    if known.times is None:
        return  # without times, a class on one device gets a note instead
    for number, name in enumerate(known.classes):
        if len(np.unique(fine[known.labels == number])) < 2:
            rows = int((known.labels == number).sum())
            raise InvalidInput(
                f"the class {name!r} ({counted(rows, 'row')}) is in one stretch of time only, so nothing could test "
                "what a model learns about it; label it at another time too, or leave it out"
            )


def _alone(known: Known, whole: Codes | None, by_device: bool) -> dict[str, str]:
    """Returns the classes that are on one device or in one recording only, and where."""
    found = {}
    several = known.devices is not None and len(np.unique(known.devices)) > 1
    for number, name in enumerate(known.classes):
        rows = known.labels == number
        if by_device and several and known.devices is not None:
            on = np.unique(known.devices[rows])
            if len(on) == 1:
                found[name] = f"on the device {known.names[int(on[0])]!r} only"
                continue
        if whole is not None and len(np.unique(whole[rows])) == 1:
            found[name] = "in one recording only"
    return found


def _within(known: Known, whole: Codes | None, alone: dict[str, str]) -> Mask:
    """Marks the rows of the devices, or recordings, that have a class of their own."""
    found = np.zeros(known.count, bool)
    for name, where in alone.items():
        of = whole if where == "in one recording only" or known.devices is None else known.devices
        assert of is not None  # noqa: S101
        found |= np.isin(of, of[known.labels == known.classes.index(name)])
    return found


def _folds_by(known: Known, kind: Kind, of_block: Codes, counted: Mask, asked: Asked) -> FoldsBy:
    if kind == "time" or known.devices is None:
        return "block"
    if len(np.unique(known.labels[counted])) < 2:
        if asked == "device":
            raise InvalidInput(
                "--split device: fewer than two classes are on more than one device, so no device can test what was "
                "learned on others; label each class on two devices, or use --split time"
            )
        return "block"
    if asked == "device" or known.times is None:
        return "device"
    return "device" if fold.giveaway(known.labels, known.devices, of_block) > GIVEAWAY else "block"


def _hold_out(known: Known, plan: Split, share: float, seed: int, whole: bool, naming: Named) -> Split:
    """Marks the hold-out and the embargo. If there can be none, a note says why."""
    tested, of_block, notes = plan.tested.copy(), plan.blocks, list(plan.notes)
    if plan.kind != "time" and known.devices is not None:
        out, why = held.devices(known.labels, known.devices, len(known.classes), share, seed)
        if out is None:
            told = "; how good a model is on a device that it has not seen cannot be told"
            notes.append(f"no device is held out: {why}{'' if plan.folds_by == 'device' else told}")
        else:
            tested[np.isin(known.devices, out)] = NEW_DEVICE
            if plan.folds_by != "device" and len(out) < FEW_DEVICES:
                some = counted(len(out), "device is", "devices are")
                notes.append(
                    f"{some} held out, too few to tell how much devices differ: on a new one a model may be worse than "
                    "the intervals say"
                )
    by_device = bool((tested == NEW_DEVICE).any())
    by_time = False
    if plan.asked != "device" and known.times is not None and plan.folds_by == "block":
        found, why = held.last_period(
            known.labels, known.devices, known.times, tested, of_block, share, whole, naming.begins
        )
        if found is None:
            notes.append(f"no last stretch of time is held out: {why}")
        else:
            tested, of_block, by_time = *found, True
    kind = plan.kind
    if kind == "device_and_time" and not (by_device and by_time):
        kind = "device" if by_device or plan.folds_by == "device" else "time"
    if plan.folds_by == "device":
        why = (
            ", because a device's name gives the label away" if plan.asked == "auto" and known.times is not None else ""
        )
        notes.append(f"whole devices are tested together{why}")
    if not by_device and not by_time:
        notes.append("there is no separate hold-out: the scores on the hold-out are those of the folds")
    return replace(plan, kind=kind, tested=tested, blocks=of_block, notes=tuple(notes))


def _fold(known: Known, plan: Split, fine: Codes, folds: int | None, seed: int) -> Split:
    """Assigns each training row its fold, and each row its stretch."""
    training, tested = plan.tested >= 0, plan.tested.copy()
    units = plan.blocks
    if plan.folds_by == "device" and known.devices is not None:
        units = known.devices
    # A class of one device only is split by its blocks: with that device in one fold, no model could learn the class.
    own = fine if known.times is not None else np.arange(known.count) * SLICES // known.count
    groups = np.where(plan.counted, units, own + units.max() + 1)
    number, which = fold.assign(known.labels[training], groups[training], folds, FOLDS, seed)
    tested[training] = which
    if known.devices is not None and (new := plan.tested == NEW_DEVICE).any():
        groups[new] = groups.max() + 1 + known.devices[new]
    by: FoldsBy = "row" if plan.folds_by == "block" and known.times is None else plan.folds_by
    return replace(plan, folds=number, folds_by=by, tested=tested, units=groups)


def _random(known: Known, asked: Asked, folds: int, share: float, seed: int) -> Split:
    out, which = fold.drawn(known.labels, known.classes, folds, share, seed)
    tested = np.full(known.count, DRAWN, np.int64)
    tested[~out] = which
    of_block = blocks(known.devices, known.times, known.count)
    unsure = None
    if known.times is None and (known.devices is None or len(np.unique(known.devices)) < 2):
        unsure = "no device and no time are known, and so not which rows are independent of each other"
    notes = ["the rows were drawn at random: neighbors in time are on both sides, so that scores can be far too good"]
    if known.devices is None and known.times is None:
        notes = [
            "no device and no time are known, so the rows were drawn at random. If neighboring rows resemble each "
            "other, all scores are too good, and how good a model is on other rows cannot be told: name --device and "
            "--time"
        ]
    if known.order == "unclear":
        notes.append("neighboring rows are alike, and sorted, so the order is not chronological")
    notes += naming_notes_in_order(known) + trend_notes(known)
    everything = np.ones(known.count, bool)
    return Split(
        kind="random", asked=asked, folds_by="row", folds=folds, tested=tested, blocks=of_block, units=of_block,
        alone={}, counted=everything, within=~everything, notes=tuple(notes), unsure=unsure,
    )  # fmt: skip


def codes_of(texts: Sequence[str]) -> tuple[Codes, tuple[str, ...]]:
    """Returns the place of each text among the sorted distinct texts, and those texts."""
    names, codes = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return codes.astype(np.int64), tuple(map(str, names))
