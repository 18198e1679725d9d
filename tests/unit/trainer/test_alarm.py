"""The rule for alarms that training computes: a device without trouble gives at most one alarm a week."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.evaluation.scores import Answers
from trainer.candidate.alarm import alarm_rule
from zelador.alarms import Rule, Track, step
from zelador.alarms.policy import policy
from zelador.settings import AlarmSettings

GAP_MS = 10_000
WEEK = 60_480  # readings


def noise(count: int, often: float, length: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Probabilities of the alarm class from a calm device: low, except for false runs of `length`."""
    begins = draw.random(count) < often / length
    false = np.convolve(begins, np.ones(length))[:count] > 0
    return np.where(false, draw.uniform(0.6, 0.97, count), draw.beta(1, 12, count))


def answers_of(normal: NDArray[np.float64], trouble: NDArray[np.float64]) -> Answers:
    shares = np.concatenate([normal, trouble])
    expected = np.repeat([0, 1], [len(normal), len(trouble)])
    return Answers(expected, (shares >= 0.5).astype(int), np.stack([1 - shares, shares], 1), ("no", "yes"), "yes")


def alarms_in(shares: NDArray[np.float64], rule: Rule) -> int:
    track, count = Track(), 0
    for place, share in enumerate(shares.tolist()):
        after = step(track, place * GAP_MS, rule.level(share, share >= 0.5), rule, 0)
        count += after.condition == "alarm" != track.condition
        track = after
    return count


@pytest.mark.parametrize(("often", "length"), [(0.0, 1), (0.01, 1), (0.05, 1), (0.02, 3), (0.02, 8)])
def test_a_device_without_trouble_gives_at_most_an_alarm_a_week(often: float, length: int) -> None:
    draw = np.random.default_rng(11)
    normal, trouble = noise(20_000, often, length, draw), draw.beta(12, 1, 2_000)
    times = np.arange(22_000) * GAP_MS
    found = alarm_rule(answers_of(normal, trouble), "yes", np.zeros(22_000, int), times)
    assert found is not None
    training = {"data": {"classes": {"no": 20_000, "yes": 2_000}}, "alarm": {"class": "yes", **found}}
    rule = policy(AlarmSettings(), ("no", "yes"), training).rules[0]
    assert alarms_in(noise(WEEK, often, length, draw), rule) <= 1, rule
    troubled = np.concatenate([noise(500, often, length, draw), draw.beta(12, 1, 100)])
    assert alarms_in(troubled, rule) == 1, "trouble is seen"
    if not often:
        assert (rule.on_count, rule.window, rule.high) == (3, 5, 0.7)


def test_without_an_estimate_of_false_alarms_there_is_no_rule() -> None:
    some = np.array([0.1, 0.2])
    assert alarm_rule(without_probabilities(answers_of(some, some)), "yes", None, None) is None
    assert alarm_rule(answers_of(some, some[:0]), "yes", None, None) is None
    assert alarm_rule(answers_of(some, np.array([0.9])), "yes", None, None) is not None


def without_probabilities(answers: Answers) -> Answers:
    return Answers(answers.expected, answers.predicted, None, answers.classes, answers.positive)
