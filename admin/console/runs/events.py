"""Translates the events of a run, which the trainer writes in English, to the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.catalog import Messages, Plural, plural
from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.runs.notes import TOO_LONG
from admin.console.runs.words import said_text
from zelador.classifiers import spelled
from zelador.training_queue.event import RunEvent

STATES: Mapping[str, str] = {
    "done": _("The run is done"),
    "failed": _("The run failed"),
    "cancelled": _("The run was canceled"),
}
STEPS: Mapping[str, str | Plural] = {  # pattern of the trainer's message to its translation
    r"fetching the labeled readings": _("The labeled readings are fetched"),
    r"(?P<rows>\d+) rows of (?P<classes>\d+) classes from .+": _("%(rows)s readings of %(classes)s classes loaded"),
    r"(?P<folds>\d+) folds by .+; (?P<held>\d+) rows held out": plural(
        "%(folds)s folds; 1 reading held out", "%(folds)s folds; %(held)s readings held out", "held"
    ),
    r"(?P<folds>\d+) folds by .+; no separate hold-out": _("%(folds)s folds; no reading held out"),
    r"(preparing the|comparing) classifiers": _("The candidates are prepared"),
    r"comparing (?P<count>\d+) classifiers? on .+": plural(
        "1 candidate is compared", "%(count)s candidates are compared", "count"
    ),
    r"compared (?P<done>\d+) of (?P<all>\d+) classifiers?": plural(
        "%(done)s of 1 candidate compared", "%(done)s of %(all)s candidates compared", "all"
    ),
    r"shuffling the rows, for comparison: (?P<done>\d+) of (?P<all>\d+)": _(
        "The shuffled test, for comparison: %(done)s of %(all)s"
    ),
    r"rebuilding (?P<name>.+) \((?P<done>\d+) of (?P<all>\d+)\)": _("%(name)s is built: %(done)s of %(all)s"),
    r"writing the models and their reports": _("The models and their reports are written"),
    r"registering the models": _("The models are registered"),
    r"testing whether there is anything to learn": _("Is there anything to learn? Labels moved at random are tried"),
    r"tuning (?P<name>.+): (?P<count>\d+) settings? tried, (?P<left>\d+) s left": plural(
        "%(name)s is tuned: 1 setting tried, %(left)s s left",
        "%(name)s is tuned: %(count)s settings tried, %(left)s s left",
        "count",
    ),
    r"blending (?P<names>.+)": _("The mean of %(names)s is tried"),
    r"stacking (?P<names>.+)": _("A model on top of %(names)s is tried"),
    r"someone asked the run to finish early: a new process continues with the candidates that were compared": _(
        "Someone asked the run to finish early: it continues with the candidates that were compared."
    ),
    rf"{TOO_LONG}: a new process continues with the candidates that were compared": _(
        "The run took longer than %(limit)s s: it continues with the candidates that were compared."
    ),
    r"a new process continues with the other candidates": _("A new process goes on with the other candidates"),
    r"skipping (?P<name>\S+): (?P<why>.+)": _("%(name)s cannot be used. %(why)s"),
    r"only (?P<some>\d+) of (?P<all>\d+) candidates could be used": plural(
        "Only 1 of %(all)s candidates could be used", "Only %(some)s of %(all)s candidates could be used", "some"
    ),
    r"no blend and no stack: fewer than two candidates have probabilities": _(
        "Candidates are not combined: fewer than two of them give probabilities"
    ),
    r"deciding whether the best model replaces the selected one": _("Is the best model better than the selected one?"),
}
STEP_MESSAGES = Messages(STEPS)
BASELINE = _("Baseline")
STARTS, ENDS, FAILS = _("%(name)s starts"), _("%(name)s ends, %(metric)s %(score)s"), _("%(name)s failed")
STOPS = _("%(name)s was not finished")
LEADS = _("%(name)s ends, %(metric)s %(score)s, first so far")


def event_text(language: Language, event: RunEvent, metric: str) -> str:
    """Returns an event as a sentence; empty if only its own message, in English, can say it."""
    match event.kind:
        case "candidate_started" | "candidate_ended" | "candidate_failed" if event.candidate is not None:
            name = language.text(BASELINE) if event.candidate.id == "dummy" else event.candidate.model_type
            score = language.number(event.candidate.score, 3)
            failed = STOPS if event.candidate.is_left_out else FAILS
            ends = LEADS if _leads(event) else ENDS
            text = {"candidate_started": STARTS, "candidate_ended": ends}.get(event.kind, failed)
            return language.text(text, name=spelled(name), metric=metric, score=score)
        case "ended":
            ended = STATES.get(event.state or "")
            return language.text(ended) if ended else ""
        case _:
            return step_text(language, event.message)


def _leads(event: RunEvent) -> bool:
    """True if the candidate that ended is the best of several."""
    best = event.leaderboard[0].id if len(event.leaderboard) > 1 else None
    return event.candidate is not None and event.candidate.id == best != "dummy"


def step_text(language: Language, message: str) -> str:
    """Translates a step of the trainer; empty for an unknown one."""

    def shown(name: str, part: str) -> str:
        return said_text(language, part) or part[:1].upper() + part[1:] if name == "why" else _number(language, part)

    return spelled(STEP_MESSAGES.translated(language, message, shown))


def _number(language: Language, text: str) -> str:
    return language.number(int(text)) if text.isdecimal() else text
