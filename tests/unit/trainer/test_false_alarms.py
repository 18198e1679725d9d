"""False alarms per day and device: consecutive wrong readings count once, and pauses do not count as time."""

from __future__ import annotations

import numpy as np

from registry.evaluation.scores import Answers
from trainer.evaluate.false_alarms import false_alarms

MINUTE = 60_000


def answers(expected: list[int], predicted: list[int]) -> Answers:
    return Answers(np.array(expected), np.array(predicted), None, ("no", "yes"), "yes")


def test_wrong_readings_in_a_row_are_one_alarm_of_their_device() -> None:
    day = 1_440
    predicted = np.zeros((2, day), int)
    predicted[0, 100:110] = predicted[0, 500] = predicted[1, day - 1] = 1  # three alarms, one of them long
    given = answers([0] * 2 * day, predicted.ravel().tolist())
    times, devices = np.tile(np.arange(day) * MINUTE, 2), np.repeat([0, 1], day)
    order = np.random.default_rng(1).permutation(2 * day)  # rows come in any order
    found = false_alarms(given.at(order), 1, devices[order], times[order])
    assert found == {"alarms": 1.5, "readings": 6.0, "device_days": 2.0}


def test_time_in_trouble_and_pauses_do_not_count() -> None:
    times = np.concatenate([np.arange(720), 100_000 + np.arange(720)]) * MINUTE
    given = answers([0] * 720 + [1] * 360 + [0] * 360, [0] * 719 + [1] * 361 + [0] * 359 + [1])
    found = false_alarms(given, 1, None, times)
    assert found == {"alarms": 2.667, "readings": 2.667, "device_days": 0.75}


def test_without_times_or_rows_of_another_class_there_is_no_count() -> None:
    assert false_alarms(answers([0, 0], [0, 1]), 1, None, np.zeros(2, np.int64)) is None
    assert false_alarms(answers([1, 1], [1, 1]), 1, None, np.arange(2) * MINUTE) is None
