"""The verdict: who wins, who cannot be told apart, and when there is nothing to say."""

from __future__ import annotations

from dataclasses import replace

from registry.evaluation.bootstrap import Difference
from trainer.evaluate.learnable import Learnable
from trainer.evaluate.verdict import Contender, Verdict, decide

CLEAR, OPEN = Difference(0.1, (0.02, 0.2)), Difference(0.02, (-0.05, 0.1))
SURE = Learnable(0.005)


def contender(name: str, score: float, lead: Difference | None, us: float = 1.0, **more: object) -> Contender:
    return Contender(name, score, (score - 0.1, score + 0.1), lead, (score - 0.1, score + 0.1), us_per_row=us, **more)


def said(*contenders: Contender, learnable: Learnable = SURE, alone: dict | None = None, classes: int = 2) -> Verdict:
    return decide(contenders, "MCC", learnable, alone or {}, classes)


def test_the_best_is_named_with_its_interval_if_it_is_clearly_better() -> None:
    found = said(contender("A", 0.9, None), contender("B", 0.8, CLEAR), contender("C", 0.7, CLEAR))
    assert (found.kind, found.take, found.tied) == ("clear", "A", ())
    assert found.sentence == "A is better than the other 2: MCC 0.900 (0.800 to 1.000)."


def test_those_that_cannot_be_told_apart_are_listed_and_the_fastest_of_the_best_is_taken() -> None:
    found = said(
        contender("A", 0.900, None, 9.0),
        contender("B", 0.895, OPEN, 2.0),
        contender("C", 0.850, OPEN, 1.0),  # faster still, but not as good
        contender("D", 0.5, CLEAR, 0.1),
    )
    assert (found.kind, found.take, found.tied) == ("tied", "B", ("A", "B", "C"))
    assert found.sentence.startswith(
        "A, B and C cannot be told apart by MCC; take B because it is calibrated and faster"
    )


def test_of_many_that_cannot_be_told_apart_the_best_are_named_and_the_one_that_is_taken() -> None:
    names = "ABCDEFG"
    speeds = dict.fromkeys(names, 9.0) | {"E": 0.1}
    found = said(*(contender(name, 0.9, OPEN if name != "A" else None, speeds[name]) for name in names))
    assert (found.take, found.tied) == ("E", tuple(names))
    assert found.sentence.startswith("A, B, E and 4 others cannot be told apart by MCC; take E because")


def test_a_calibrated_model_is_taken_before_a_faster_one() -> None:
    found = said(contender("A", 0.9, None, 1.0, calibrated=False), contender("B", 0.9, OPEN, 5.0))
    assert found.take == "B"


def test_without_intervals_nothing_can_be_told_apart() -> None:
    reason = "too few independent stretches for an interval: 6, and it takes 10"
    found = said(contender("A", 0.9, None), contender("B", 0.1, Difference(0.8, None, reason)))
    assert found.kind == "tied"
    assert reason in found.sentence


def test_nothing_to_learn_recommends_nothing() -> None:
    found = said(contender("A", 0.1, None), learnable=Learnable(0.4))
    assert (found.kind, found.recommends) == ("nothing_to_learn", False)
    assert found.sentence.startswith("There is nothing to learn here: labels moved at random do as well (p = 0.4)")


def test_a_small_p_is_not_enough_if_no_model_is_better_than_guessing() -> None:
    weak = contender("A", 0.05, None)
    assert said(weak, learnable=Learnable(0.03)).kind == "nothing_to_learn"
    assert said(weak, learnable=SURE).kind == "clear"
    assert said(contender("A", 0.5, None), learnable=Learnable(0.03)).kind == "clear"
    assert said(weak, learnable=Learnable(None, "too few ways")).kind == "clear"


def test_a_model_that_the_hold_out_overtakes_is_not_called_clearly_better() -> None:
    """Folds had each machine on both sides, so a forest that knew them by heart was clear; new ones said otherwise."""
    first = contender("forest", 0.757, None, 9.0, asked=(0.74, 0.70, 0.75))
    better = contender("logistic", 0.72, CLEAR, asked=(0.73, 0.74, 0.72))  # on the new machines
    worse = contender("bayes", 0.6, CLEAR, asked=(0.6, 0.6, 0.6))
    found = said(first, better, worse)
    assert (found.kind, found.take, found.tied) == ("tied", "forest", ("forest", "logistic"))
    assert "cannot be told apart by MCC (the hold-out disagrees with the folds); take forest" in found.sentence
    assert said(first, replace(better, asked=(0.73, 0.705, 0.72)), worse).kind == "clear"  # as good, within 0.01
    assert said(first, replace(better, asked=(0.73, None, 0.72)), worse).kind == "clear"
    assert said(first, replace(better, asked=()), worse).kind == "clear"  # it was not built


def test_too_few_stretches_cannot_show_that_there_is_nothing_to_learn() -> None:
    """Six recordings of each of three states: "nothing to learn", and sixty later ones were told apart at 0.7."""
    few = "the class 'fault' is in 5 independent stretches only"
    weak, strong = contender("A", 0.05, None), contender("A", 0.5, None)
    for learnable, why in (
        (Learnable(0.03), "no model is clearly better"),
        (Learnable(0.1), "at random do as well (p = 0.1)"),
    ):
        found = decide([weak], "MCC", learnable, {}, 2, few)
        assert (found.kind, found.recommends) == ("not_evaluable", False)
        assert found.sentence.startswith("Whether there is anything to learn cannot be told: ")
        assert why in found.sentence
        assert f"{few}, too few to show that a model is good. Label it more often." in found.sentence
    assert decide([strong], "MCC", SURE, {}, 2, few).kind == "clear"  # a strong effect shows in few stretches
    assert decide([weak], "MCC", Learnable(0.1), {}, 2, None).kind == "nothing_to_learn"


def test_too_few_stretches_of_a_class_cannot_show_that_a_model_is_better_than_another() -> None:
    """One row in 200 was a fault, in few periods: one model was clear at 0.40, and another was better later."""
    few = "the class 'fault' is in 7 independent stretches only"
    found = decide([contender("A", 0.4, None), contender("B", 0.0, CLEAR)], "MCC", SURE, {}, 2, few)
    assert (found.kind, found.take, found.tied) == ("tied", "A", ("A", "B"))
    assert f"A and B cannot be told apart by MCC ({few}); take A" in found.sentence


def test_scores_of_guessing_mean_nothing_to_learn_even_if_moved_labels_score_worse() -> None:
    """Folds with uneven classes push the scores of models that know nothing below 0, and those of moved labels too."""
    assert said(contender("A", -0.02, None, correlation=-0.02), learnable=SURE).kind == "nothing_to_learn"
    assert said(contender("A", 0.08, None, correlation=0.08), learnable=SURE).kind == "clear"


def test_a_class_on_one_device_cannot_be_evaluated() -> None:
    found = said(contender("A", 0.9, None), alone={"x": "on the device 'm1' only"}, classes=1)
    assert found.kind == "not_evaluable"
    assert "the class 'x' is on the device 'm1' only, and only one other class is left" in found.sentence
    assert not found.recommends


def test_a_model_that_could_not_be_built_is_not_taken() -> None:
    found = said(contender("A", 0.9, None, built=False), contender("B", 0.89, OPEN))
    assert found.take == "B"


def test_luck_in_the_folds_does_not_count_if_the_hold_out_contradicts_it() -> None:
    """Random labels whose p is below 0.05 by luck: rows that no fold has seen decide."""
    lucky = Contender("lr", 0.4, None, None, (0.01, 0.2), 0.1, holdout=0.03)
    other = Contender("nb", 0.4, None, None, (-0.1, 0.2), 0.05)  # a lucky guesser is not chosen
    assert decide([lucky, other], "F1", Learnable(0.03), {}, 2).kind == "nothing_to_learn"
    assert decide([replace(lucky, holdout=0.3), other], "F1", Learnable(0.03), {}, 2).kind != "nothing_to_learn"
    assert decide([lucky, other], "F1", Learnable(0.004), {}, 2).kind != "nothing_to_learn"  # that is no luck


def test_of_a_tie_one_that_guesses_on_the_hold_out_is_not_taken() -> None:
    found = said(
        contender("A", 0.90, None, 9.0, holdout=0.8),
        contender("B", 0.90, OPEN, 0.1, holdout=0.0),
        contender("C", 0.89, OPEN, 5.0, holdout=0.7),
    )
    assert (found.kind, found.take, found.tied) == ("tied", "C", ("A", "C"))


def test_costs_that_ask_for_one_answer_are_named_instead_of_nothing_to_learn() -> None:
    always = [Contender(name, 1.0, None, None if name == "A" else OPEN, (0.0, 0.0), 0.0) for name in "AB"]
    found = decide(always, "Recall", SURE, {}, 2, None, "these costs")
    assert (found.kind, found.recommends) == ("nothing_to_learn", False)
    assert found.sentence.startswith(
        "At the threshold for these costs, no model does better than always giving the same answer. The features do "
    )
    assert decide(always, "Recall", SURE, {}, 2).sentence.startswith("There is nothing to learn here")
    assert decide(always, "Recall", Learnable(0.4), {}, 2, None, "these costs").sentence.startswith("There is nothing")
