"""The split: no neighbor of a tested row is used for learning, and notes name what cannot be done."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.dataset.fewest import fewest_rows
from trainer.dataset import assemble
from trainer.evaluate.copies import copies
from trainer.evaluate.holdout import DRAWN, EMBARGO, LATER, NEW_DEVICE
from trainer.evaluate.known import Known
from trainer.evaluate.split import split
from trainer.evaluate.split_parts import Split
from trainer.run.job import known_of
from zelador.errors import InvalidInput


def known(labels: np.ndarray, devices: np.ndarray | None, times: np.ndarray | None, values=None) -> Known:
    count = 0 if devices is None else int(devices.max()) + 1
    values = np.random.default_rng(1).normal(size=(len(labels), 2)) if values is None else values
    names = tuple(f"m{i}" for i in range(count))
    return Known(values, labels, tuple("abcdef"[: int(labels.max()) + 1]), devices, names, times)


def by_hours(devices: int, rows: int, period: int = 40) -> Known:
    """Machines that are on and off in turn, each with its own phase."""
    of, at = np.repeat(np.arange(devices), rows), np.tile(np.arange(rows), devices)
    labels = (((at + 7 * of) // period) % 2).astype(np.int64)
    return known(labels, of, at * 60_000)


def in_recordings(states: str, rows: int = 300, pause: int = 10_000, devices: bool = True) -> Known:
    """Recordings of each state, one after the other: each on a separate device, or all on one device with pauses."""
    labels = np.repeat([ord(state) - 97 for state in states], rows)
    at = np.concatenate([np.arange(rows) + number * (rows + pause) for number in range(len(states))])
    of = np.repeat(np.arange(len(states)), rows) if devices else None
    return known(labels, of, at * 1_000)


def made(given: Known, asked="auto", folds=None, holdout=None, seed=7) -> Split:
    return split(given, asked, folds, holdout, seed)


def text(found: Split) -> str:
    return "\n".join(found.notes)


def test_one_device_the_last_fifth_of_time_is_held_out_behind_an_embargo() -> None:
    found = made(by_hours(1, 2_400))
    assert (found.kind, found.folds_by, found.folds) == ("time", "block", 5)
    assert found.questions.keys() == {"later"}
    assert np.flatnonzero(found.tested == LATER).tolist() == list(range(1_900, 2_400))
    assert np.flatnonzero(found.tested == EMBARGO).tolist() == list(range(1_800, 1_900))
    assert (found.stretches(found.training), found.stretches(found.holdout)) == (18, 5)
    assert found.notes == ()


def test_many_devices_some_are_held_out_and_the_last_time_of_the_others() -> None:
    given = by_hours(10, 600)
    found = made(given)
    assert (found.kind, found.folds_by) == ("device_and_time", "block")
    assert given.devices is not None
    new = np.unique(given.devices[found.tested == NEW_DEVICE])
    assert len(new) == 2
    assert set(found.questions) == {"new_device", "later"}
    assert not np.isin(given.devices[found.tested != NEW_DEVICE], new).any()
    for device in set(range(10)) - set(new.tolist()):
        of = found.tested[given.devices == device]
        assert (of[-120:] == LATER).all()
        assert (of[-180:-120] == EMBARGO).all()
        assert (of[:-180] >= 0).all()
    assert found.stretches(found.questions["new_device"]) == 2  # one device is a single example of a new machine


def test_classes_that_device_names_give_away_are_tested_on_whole_devices() -> None:
    given = in_recordings("aabbccdd")
    found = made(given)
    assert (found.kind, found.folds_by, found.holdout.sum()) == ("device", "device", 0)
    for device in range(8):
        assert given.devices is not None
        assert len(set(found.tested[given.devices == device])) == 1
    assert "a device's name gives the label away" in text(found)
    assert "no separate hold-out" in text(found)
    assert found.stretches(found.training) == 8


def test_classes_that_recordings_give_away_are_tested_on_whole_recordings() -> None:
    """Tests the same recordings without device names: only pauses in time separate them."""
    given = in_recordings("aabbccdd", devices=False)
    found = made(given)
    assert (found.kind, found.folds_by) == ("time", "block")
    assert all(len(set(found.tested[300 * i : 300 * (i + 1)])) == 1 for i in range(8))
    assert "whole recordings are tested together" in text(found)
    many = made(in_recordings("abcd" * 5, devices=False))
    assert many.questions.keys() == {"later"}
    assert (many.tested != EMBARGO).all()


def test_a_class_on_one_device_is_named_and_does_not_count() -> None:
    found = made(in_recordings("aabbcd"))
    assert found.alone == {"c": "on the device 'm4' only", "d": "on the device 'm5' only"}
    assert found.counted.sum() == 1_200
    assert found.within.tolist() == (~found.counted).tolist()
    assert "the class 'c' is on the device 'm4' only" in text(found)
    for label in (2, 3):  # each fold can learn it
        assert len(set(found.tested[in_recordings("aabbcd").labels == label])) > 1
    without = made(in_recordings("aabbcd", devices=False))
    assert without.alone == {"c": "in one recording only", "d": "in one recording only"}


def test_a_class_in_one_stretch_is_refused() -> None:
    labels = np.zeros(2_400, np.int64)
    labels[310:350] = 1
    with pytest.raises(InvalidInput, match=r"the class 'b' \(40 rows\) is in one stretch of time only"):
        made(known(labels, None, np.arange(2_400)))


def test_a_hold_out_that_would_remove_a_class_is_not_made() -> None:
    labels = np.zeros(2_400, np.int64)
    labels[1_750:2_390] = 1
    found = made(known(labels, None, np.arange(2_400)))
    assert found.holdout.sum() == 0
    assert "no last stretch of time is held out: no row of a class would be left to learn from" in text(found)
    assert "the class 'b' is one uninterrupted stretch" in text(found)


def test_devices_without_times_are_the_unit() -> None:
    found = made(replace(in_recordings("aabbccdd"), times=None))
    assert (found.kind, found.folds_by, found.stretches(found.training)) == ("device", "device", 8)
    many = made(replace(in_recordings("abcd" * 5), times=None))
    assert many.questions.keys() == {"new_device"}


def test_without_device_and_time_rows_are_drawn_with_a_note() -> None:
    found = made(replace(by_hours(1, 900), devices=None, times=None))
    assert (found.kind, found.asked, found.folds_by) == ("random", "auto", "row")
    assert (found.tested == DRAWN).sum() == 270  # 30 %: the default for drawn rows
    assert "no device and no time are known" in text(found)
    assert found.stretches(found.training) is None


@pytest.mark.parametrize(
    ("given", "asked", "says"),
    [
        (replace(by_hours(1, 900), devices=None), "device", "--split device: the data have no device"),
        (by_hours(1, 900), "device", "--split device: the data have only one device"),
        (replace(by_hours(3, 900), times=None), "time", "--split time: the data have no time"),
        (replace(by_hours(1, 90), times=np.zeros(90, np.int64)), "time", "the same time for each row"),
        (in_recordings("abcd"), "device", "--split device: fewer than two classes are on more than one device"),
    ],
)
def test_a_requested_split_that_is_impossible_is_an_error(given: Known, asked: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        made(given, asked)


def test_a_requested_split_is_made() -> None:
    given = by_hours(10, 600)
    by_device = made(given, "device")
    assert (by_device.kind, by_device.folds_by, by_device.questions.keys()) == ("device", "device", {"new_device"})
    by_time = made(given, "time")
    assert (by_time.kind, by_time.folds_by, by_time.questions.keys()) == ("time", "block", {"later"})
    drawn = made(given, "random", folds=3, holdout=0.5)
    assert (drawn.kind, drawn.folds, (drawn.tested == DRAWN).sum()) == ("random", 3, 3_000)
    assert "drawn at random: neighbors in time are on both sides" in text(drawn)
    assert made(given, holdout=0.5).holdout.sum() > 1.5 * made(given).holdout.sum()
    assert made(given, folds=3).folds == 3


def test_more_folds_than_there_are_groups_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(InvalidInput, match=r"9 folds \(ZELADOR_TRAINING__FOLDS\) .* there are 8"):
        made(in_recordings("aabbccdd"), folds=9)


def test_readings_that_change_slowly_are_few_independent_ones_with_a_note() -> None:
    """A sensor that was mounted again each week: 0.51 to 0.76 by the folds, and 0.31 in the next weeks."""
    draw = np.random.default_rng(2)
    given = by_hours(1, 2_400)
    weekly = draw.normal(size=(2_400, 2)) + 3 * np.repeat([0, 1, -1, 1], 600)[:, None]
    slow = text(made(replace(given, values=weekly)))
    assert re.search(
        r"over \d+ rows, so all rows are worth only about \d independent stretches: .+ cannot be told", slow
    )
    daily = draw.normal(size=(2_400, 2)) + np.sin(np.arange(2_400) / 20)[:, None]
    assert text(made(replace(given, values=daily))) == ""
    rising = np.stack([np.arange(2_400.0), daily[:, 0]], axis=1)
    assert "worth only about" not in text(made(replace(given, values=rising)))  # it has a note of its own


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    devices=st.integers(1, 12),
    rows=st.integers(30, 200),
    period=st.integers(3, 60),
    asked=st.sampled_from(["auto", "device", "time", "random"]),
    seed=st.integers(0, 1_000),
)
def test_whatever_the_data_each_row_has_one_place_and_each_fold_each_class(
    devices: int, rows: int, period: int, asked: str, seed: int
) -> None:
    given = by_hours(devices, rows, period)
    try:
        found = made(given, asked, seed=seed)
    except InvalidInput:
        return
    assert set(found.tested[found.training]) == set(range(found.folds))
    assert ((found.tested >= 0) | np.isin(found.tested, [NEW_DEVICE, LATER, DRAWN, EMBARGO])).all()
    for fold in range(found.folds):
        learned = found.training & (found.tested != fold)
        assert set(given.labels[learned]) == set(given.labels[found.training])
    if found.folds_by != "row":
        for unit in np.unique(found.units[found.training]):
            assert len(set(found.tested[found.training & (found.units == unit)])) == 1
    again = made(given, asked, seed=seed)
    assert np.array_equal(found.tested, again.tested)


def test_a_random_split_of_too_few_rows_is_refused() -> None:
    labels = np.array([0] * 50 + [1] * 3)
    with pytest.raises(InvalidInput, match="3 rows of the class 'b'; 5 folds and a hold-out need at least 9"):
        made(known(labels, None, None))


@given(folds=st.integers(2, 20), holdout=st.floats(0.01, 0.89))
def test_the_fewest_rows_reach_every_fold_and_the_hold_out(folds: int, holdout: float) -> None:
    held = (need := fewest_rows(folds, holdout)) * holdout
    assert held >= 1
    assert need - held >= folds


def test_rows_in_a_file_without_times_are_taken_in_their_order_if_neighbors_are_alike() -> None:
    """A table of a slow sensor without its time column: a random split would test on neighbors of known rows."""
    draw = np.random.default_rng(4)
    slow = np.cumsum(draw.normal(size=(1_200, 2)), axis=0)
    labels = [f"c{(i // 50) % 2}" for i in range(1_200)]

    def of(order: np.ndarray, values: np.ndarray = slow) -> Split:
        names = [labels[i] for i in order]
        found = known_of(assemble(values[order].tolist(), names, ("a", "b"), "file", 10_000, 7))
        return made(found)

    in_order = of(np.arange(1_200))
    assert (in_order.kind, in_order.folds_by) == ("time", "block")
    assert "the order of the rows stands for the time" in text(in_order)
    assert of(draw.permutation(1_200)).kind == "random"
    by_class = of(np.argsort(labels, kind="stable"))
    assert by_class.kind == "random" and "on other rows cannot be told" in text(by_class)
    assert by_class.unsure is not None  # so that there are no intervals
    independent = draw.normal(size=(1_200, 2))
    assert of(np.argsort(labels, kind="stable"), independent).kind == "random"
    assert "sorted" in text(by_class) and "sorted" not in text(of(np.argsort(labels, kind="stable"), independent))


@pytest.mark.parametrize("times", [None, "of each", "of the whole"])
def test_copies_of_rows_are_in_no_part(times: str | None) -> None:
    """A file that was joined to itself, or whose rows were repeated: a model would know the tested rows by heart."""
    draw = np.random.default_rng(5)
    values = np.repeat(draw.normal(size=(400, 3)), 3, axis=0)
    labels = (values[:, 0] > 0).astype(np.int64)
    order = draw.permutation(1_200) if times is None else np.arange(1_200)
    if times == "of the whole":
        order = np.argsort(np.arange(1_200) % 3, kind="stable")
    given = known(labels[order], None, None if times is None else np.arange(1_200) * 1_000, values[order])
    found = made(given)
    kept = found.tested != EMBARGO
    assert len(np.unique(given.values[kept], axis=0)) == kept.sum() <= 400
    assert "800 rows are copies of others" in text(found)


def test_rare_rows_that_were_repeated_to_balance_classes_are_copies() -> None:
    draw = np.random.default_rng(6)
    rows = np.concatenate([np.arange(1_000), np.repeat(np.arange(20), 50)])
    labels = (np.arange(1_000) < 20).astype(np.int64)[rows]
    assert copies(draw.normal(size=(1_000, 3)).round(3)[rows], labels, None, None).sum() == 1_000


@pytest.mark.parametrize("kind", ["coarse", "stuck", "switches", "computed", "stays"])
def test_repeated_values_of_a_coarse_sensor_are_not_copies(kind: str) -> None:
    draw = np.random.default_rng(7)
    values, labels = draw.normal(size=(1_500, 3)), draw.integers(0, 2, 1_500)
    times = None
    match kind:
        case "coarse":
            values = values.round(1)[:, :2]
        case "stuck":
            values[:300], labels[:300] = 0.0, 2
        case "switches":
            values = draw.integers(0, 2, (1_500, 3)).astype(float)
        case "computed":  # from two coarse ones
            values = values.round(1)
            values[:, 2] = np.exp(values[:, 0]) * values[:, 1] + values[:, 1]
        case "stays":  # a value is sent until there is a new one
            values, times = (
                values[np.repeat(np.arange(500), draw.multinomial(1_500, [1 / 500] * 500))],
                np.arange(1_500),
            )
            labels = (values[:, 0] > 0).astype(np.int64)
    assert not copies(values, labels, None, times).any()
