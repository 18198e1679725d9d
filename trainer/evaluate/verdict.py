"""Decides which model wins, and how certain that is; says it in one sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from registry.evaluation.bootstrap import Difference, Interval
from trainer.evaluate.chance import guesses
from trainer.evaluate.learnable import Learnable, P
from zelador.printable import counted

Kind = Literal["clear", "tied", "nothing_to_learn", "not_evaluable"]
MOST_NAMED = 4  # models that the sentence names
AS_GOOD = 0.01  # a tied model whose score is this close to the best may win because it is faster
SURE = 0.005  # up to this p, a model need not also be clearly better than guessing


@dataclass(frozen=True, slots=True)
class Contender:
    """A model in the comparison. `lead` is how much better the first model is; None for the first itself.

    `mcc` is the interval of its Matthews correlation, which is 0 for guessing. `built` is set if it can be registered.
    """

    name: str
    score: float | None
    interval: Interval | None
    lead: Difference | None
    mcc: Interval | None = None
    correlation: float | None = None  # the Matthews correlation itself
    built: bool = True
    calibrated: bool = True
    us_per_row: float | None = None
    holdout: float | None = None  # the Matthews correlation on the hold-out; None without one, or if it is not built
    asked: tuple[float | None, ...] = ()  # the score on the hold-out, and on the rows of each question

    @property
    def guesses(self) -> bool:
        """Whether it does no better than guessing: on the hold-out, if it was tested there, else on the folds."""
        return guesses(self.correlation, self.holdout)

    @property
    def may_guess(self) -> bool:
        """True unless folds and hold-out both say that it does better than guessing."""
        return guesses(self.holdout) or (self.mcc is not None and self.mcc[0] <= 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict. `take` is the built model to take; it is recommended unless `kind` says otherwise."""

    kind: Kind
    sentence: str
    tied: tuple[str, ...]
    take: str | None

    @property
    def recommends(self) -> bool:
        return self.kind in ("clear", "tied")


def decide(
    contenders: Sequence[Contender],
    metric: str,
    learnable: Learnable,
    alone: Mapping[str, str],
    classes: int,
    few: str | None = None,
    aim: str | None = None,
) -> Verdict:
    """Returns the verdict on `contenders`, which are ranked, the best first.

    `aim` is what the threshold was asked to serve, if anything: "these costs" or "this recall".
    `classes` is the number of classes that can be evaluated; `alone` has those that cannot, and why. `few` says why
    even a good model could fail to show that it is one, or that it is better; None if there are enough stretches.
    """
    tied = [
        each
        for each in contenders
        if few is not None or each.lead is None or not each.lead.is_clear or _overtakes(each, contenders[0])
    ]
    tied = [each for each in tied if not each.guesses] or tied
    names = tuple(each.name for each in tied) if len(tied) > 1 else ()
    take = _model_to_take(tied) or next((each.name for each in contenders if each.built), None)
    if alone or classes < 2:
        return Verdict("not_evaluable", _not_evaluable_sentence(alone, classes), names, take)
    if _is_nothing(contenders, learnable):
        if few is not None:  # no evidence of an effect is not evidence that there is none
            return Verdict("not_evaluable", _open_sentence(learnable, few), names, take)
        is_aimed = aim is not None and learnable.p is not None and not learnable.is_nothing
        sentence = _aimed_sentence(learnable, str(aim)) if is_aimed else _nothing_sentence(learnable)
        return Verdict("nothing_to_learn", sentence, names, take)
    if len(tied) > 1:
        return Verdict("tied", _tied_sentence(tied, take, metric, few), names, take)
    return Verdict("clear", _clear_sentence(contenders, metric) + _replacement(contenders, take), (), take)


def _overtakes(other: Contender, first: Contender) -> bool:
    """Returns whether `other` is better than the first on the hold-out, or on the rows of a question.

    Folds by block have each device on both sides, and so favor a model that knows devices by heart.
    """
    pairs = zip(first.asked, other.asked, strict=False)
    return any(one is not None and more is not None and more > one + AS_GOOD for one, more in pairs)


def _model_to_take(tied: Sequence[Contender]) -> str | None:
    """Returns the model to take from a tie: of those that score about as well, a calibrated one, then the fastest."""
    built = [each for each in tied if each.built]
    if not built:
        return None
    best = built[0].score
    near = [each for each in built if best is None or (each.score is not None and each.score >= best - AS_GOOD)]
    ranked = sorted(near or built[:1], key=lambda each: (not each.calibrated, each.us_per_row or 0.0))
    return ranked[0].name


def _is_nothing(contenders: Sequence[Contender], learnable: Learnable) -> bool:
    if learnable.is_nothing:
        return True
    known = [each for each in contenders if each.mcc is not None]
    asked = [each for each in known if each.holdout is not None]  # among many that guess, one is lucky in its folds
    guessing = bool(known) and all(each.may_guess for each in asked or known)
    chance = all(guesses(each.correlation) for each in contenders)
    return guessing and (chance or (learnable.p is not None and learnable.p > SURE))


def _not_evaluable_sentence(alone: Mapping[str, str], classes: int) -> str:
    listed = "; ".join(f"the class {name!r} is {where}" for name, where in alone.items())
    left = "" if classes >= 2 else f", and {'no' if classes == 0 else 'only one'} other class is left"
    return f"This cannot be evaluated: {listed or 'there are fewer than two classes'}{left}."


def _nothing_sentence(learnable: Learnable) -> str:
    return f"There is nothing to learn here: {_guess_reason(learnable)}. No model is recommended."


def _aimed_sentence(learnable: Learnable, aim: str) -> str:
    """A threshold far from the middle may leave every model with one answer, although the features say something."""
    return (
        f"At the threshold for {aim}, no model does better than always giving the same answer. The features do say "
        f"something about the labels (p = {learnable.p:.2g}): try others. No model is recommended."
    )


def _open_sentence(learnable: Learnable, few: str) -> str:
    return (
        f"Whether there is anything to learn cannot be told: {_guess_reason(learnable)}, but {few}, too few to show "
        "that a model is good. Label it more often. No model is recommended."
    )


def _guess_reason(learnable: Learnable) -> str:
    if learnable.p is not None and learnable.p > P:
        return f"labels moved at random do as well (p = {learnable.p:.2g})"
    return "no model is clearly better than guessing"


def _tied_sentence(tied: Sequence[Contender], take: str | None, metric: str, few: str | None) -> str:
    reason = next((each.lead.reason for each in tied if each.lead is not None and each.lead.reason), few)
    if reason is None and any(each.lead is not None and each.lead.is_clear for each in tied):
        reason = "the hold-out disagrees with the folds"
    why = f" ({reason})" if reason else ""
    first = tied[0].name
    taken = next((each for each in tied if each.name == take), None)
    if taken is None or take == first:
        because = "it scores best" if taken is None or not _is_fastest(taken, tied) else _reason_for(taken, tied)
    else:
        because = f"{_reason_for(taken, tied)} (and scores within {AS_GOOD:g} of the best)"
    names = _join_names(_named([each.name for each in tied], take))
    return f"{names} cannot be told apart by {metric}{why}; take {take} because {because}."


def _reason_for(taken: Contender, tied: Sequence[Contender]) -> str:
    fast = "the fastest" if _is_fastest(taken, tied) else "faster"
    return f"it is calibrated and {fast}" if taken.calibrated else f"it is {fast}"


def _is_fastest(taken: Contender, tied: Sequence[Contender]) -> bool:
    times = [each.us_per_row for each in tied if each.us_per_row is not None]
    return taken.us_per_row is not None and taken.us_per_row <= min(times)


def _clear_sentence(contenders: Sequence[Contender], metric: str) -> str:
    if not contenders:
        return "No model could be compared."
    first = contenders[0]
    score = "unknown" if first.score is None else f"{first.score:.3f}"
    sure = "" if first.interval is None else f" ({first.interval[0]:.3f} to {first.interval[1]:.3f})"
    if len(contenders) == 1:
        return f"{first.name} is the only model that was compared: {metric} {score}{sure}."
    others = "the other one" if len(contenders) == 2 else f"the other {len(contenders) - 1}"
    return f"{first.name} is better than {others}: {metric} {score}{sure}."


def _replacement(contenders: Sequence[Contender], take: str | None) -> str:
    """Returns a sentence that names the model to take if the winner cannot be served; else nothing."""
    if not contenders or contenders[0].built or take is None:
        return ""
    return f" It cannot be served, so take {take}, the best that can."


def _named(names: Sequence[str], take: str | None) -> list[str]:
    """Returns the names, or the best of them, the one that is taken, and how many others there are."""
    if len(names) <= MOST_NAMED:
        return [*names]
    best = [*names[: MOST_NAMED - 1]]
    if take in names and take not in best:
        best[-1] = str(take)
    return [*best, counted(len(names) - len(best), "other")]


def _join_names(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
