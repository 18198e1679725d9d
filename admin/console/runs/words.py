"""Describes the verdict of a run in the reader's language, from its facts; the run's own sentence is in English."""

from __future__ import annotations

import re
from collections.abc import Mapping

from admin.console.catalog import Messages, Plural, plural
from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.runs.notes import NAMED, NOTES, TOO_LONG
from admin.console.words import label_text
from operations.views.comparison import Comparison
from zelador.classifiers import spelled

VERDICTS: Mapping[str, str] = {
    "clear": _("%(first)s is better than the others by %(metric)s."),
    "tied": _("%(tied)s cannot be told apart by %(metric)s. Take %(first)s."),
    "nothing_to_learn": _("There is nothing to learn here. No model is recommended."),
    "not_evaluable": _("This cannot be evaluated. No model is recommended."),
}
REASONS: Mapping[str, str] = {  # in the run's own sentence, to its translation
    "it is calibrated and the fastest": _("It is calibrated and the fastest."),
    "it is calibrated and faster": _("It is calibrated and faster."),
    "it is the fastest": _("It is the fastest."),
    "it is faster": _("It is faster."),
    "it scores best": _("It scores best."),
}
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")  # names in a list of them
REASON = re.compile(r"; take \S+ because ([a-z ]+?)(?: \(and scores within [\d.]+ of the best\))?\.")
AIMED = re.compile(r"At the threshold for (these costs|this recall), .* \(p = (?P<p>[^)]+)\)")
SAME_ANSWER = _(
    "At the threshold for these costs or this recall, no model does better than always giving the same answer. The "
    "features do say something about the labels (p = %(p)s): try others. No model is recommended."
)
OPEN = "Whether there is anything to learn cannot be told: "
UNTOLD = _(
    "Whether there is anything to learn cannot be told: a class is in too few independent stretches of time to show "
    "that a model is good. Label it more often. No model is recommended."
)
LEAD = _(
    "Its lead over %(second)s is %(lead)s %(metric)s, and the interval of that lead, %(low)s to %(high)s, does not "
    "include 0."
)
MORE_BLOCKS = _("With four times as many blocks, %(count)s more, the intervals would be about half as wide.")
TIE = re.compile(r" cannot be told apart by \S+ \((.+)\); take ")
TIES: Mapping[str, str | Plural] = {  # why models cannot be told apart, to its translation
    rf"the class {NAMED} is in (?P<some>\d+) independent stretch(es)? only": plural(
        "“%(name)s” is in 1 independent stretch of time only.",
        "“%(name)s” is in %(some)s independent stretches of time only.",
        "some",
    ),
    r"too few independent stretches for an interval: (?P<some>\d+), and it takes (?P<least>\d+)": _(
        "There are too few independent stretches of time: %(some)s, and it takes %(least)s."
    ),
    rf"too few independent stretches for an interval: the class {NAMED} is in (?P<some>\d+) of (?P<all>\d+), and it "
    r"takes (?P<least>\d+)": _(
        "“%(name)s” is in %(some)s of %(all)s independent stretches of time, and it takes %(least)s."
    ),
    r"the hold-out disagrees with the folds": _("The held-out readings disagree with the others."),
    r"many rows are almost equal to rows of another time": _(
        "Many readings are almost equal to readings of another time."
    ),
    r"no device and no time are known, and so not which rows are independent of each other": _(
        "No device and no time are known, and so not which readings are independent of each other."
    ),
}
TIE_MESSAGES = Messages(TIES)
CHANCE = _("Labels moved at random do as well (p = %(p)s).")
TRANSLATIONS: Mapping[str, str | Plural] = {  # pattern of the trainer's message about a candidate to its translation
    r"it agrees on all (?P<rows>\d+) rows and is faster": _("It agrees on all %(rows)s rows and is faster."),
    r"it agrees on all (?P<rows>\d+) rows, and only this form can be saved": _(
        "It agrees on all %(rows)s rows, and only this form can be saved."
    ),
    r"it agrees, but is not faster": _("It agrees, but is not faster."),
    r"a probability differs by (?P<far>\S+)": _("A probability differs by up to %(far)s."),
    r"(?P<differ>\d+) of (?P<rows>\d+) labels differs?": plural(
        "1 of %(rows)s labels differs.", "%(differ)s of %(rows)s labels differ.", "differ"
    ),
    r"it may have been trained on some of these rows, which would flatter it": _(
        "It may have been trained on some of these rows, which would flatter it."
    ),
    r"(?P<some>\d+) devices? (is|are) held out, too few to tell how much devices differ: on a new one a model may be "
    r"worse than the intervals say": plural(
        "1 device is held out, too few to tell how much devices differ: on a new one, a model may be worse than the "
        "intervals say.",
        "%(some)s devices are held out, too few to tell how much devices differ: on a new one, a model may be worse "
        "than the intervals say.",
        "some",
    ),
    r"readings resemble each other over (?P<over>\d+) rows, so all rows are worth only about (?P<some>\d+) independent "
    r"stretch(es)?: how good a model is on others cannot be told": plural(
        "Readings change slowly: all together are worth about 1 independent stretch of time. How good a model is on "
        "others cannot be told.",
        "Readings change slowly: all together are worth only about %(some)s independent stretches of time. How good a "
        "model is on others cannot be told.",
        "some",
    ),
    r"a shuffled split would give (?P<metric>\S+) (?P<shuffled>\S+) for (?P<name>\S+) instead of (?P<honest>-?[\d.]+): "
    r"it tests models on neighbors of the rows that they were fitted on": _(
        "A shuffled test would say %(metric)s %(shuffled)s for %(name)s instead of %(honest)s."
    ),
    r"someone asked the run to finish early: (?P<some>\d+) of (?P<all>\d+) classifiers (was|were) compared": plural(
        "Someone asked the run to finish early: 1 of %(all)s candidates was compared.",
        "Someone asked the run to finish early: %(some)s of %(all)s candidates were compared.",
        "some",
    ),
    rf"{TOO_LONG}: (?P<some>\d+) of (?P<all>\d+) classifiers (was|were) compared": plural(
        "The run took longer than %(limit)s s: 1 of %(all)s candidates was compared.",
        "The run took longer than %(limit)s s: %(some)s of %(all)s candidates were compared.",
        "some",
    ),
    rf"it was not compared: {TOO_LONG}": _("It was not compared: the run took longer than %(limit)s s."),
    rf"it was not finished: {TOO_LONG}": _("It was not finished: the run took longer than %(limit)s s."),
    r"it was not compared: someone asked the run to finish early": _(
        "It was not compared: someone asked the run to finish early."
    ),
    r"it was not finished: someone asked the run to finish early": _(
        "It was not finished: someone asked the run to finish early."
    ),
    rf"the class {NAMED} was learned on (?P<some>\d+) days? only: the intervals are for days like these, and how much "
    r"others differ cannot be told": plural(
        "“%(name)s” was learned on 1 day only. The intervals are for days like that one. How much others differ cannot "
        "be told.",
        "“%(name)s” was learned on %(some)s days only. The intervals are for days like these. How much others differ "
        "cannot be told.",
        "some",
    ),
}
SAID_MESSAGES = Messages({**TRANSLATIONS, **NOTES})
ERRORS: Mapping[str, str] = {  # pattern of the reason why a run failed, to its translation
    r"the trainer was stopped in the middle of this run; start the run again": _(
        "The trainer was stopped in the middle of this run. Start the run again."
    ),
    r"its trainer \(process \d+\) was killed in the middle of this run; start the run again": _(
        "Its trainer was killed in the middle of this run. Start the run again."
    ),
    r"its trainer ended without reporting; start the run again": _(
        "Its trainer ended without a word. Start the run again."
    ),
    r"the run was stopped before it had a result; start it again": _(
        "The run was stopped before it had a result. Start it again."
    ),
    r"the training process ended without a result \(killed by SIGKILL.*\); start the run again": _(
        "The training process was killed. The system does that when memory runs out."
    ),
    r"the run was told to finish before any candidate was compared": _(
        "Someone asked the run to finish early, before any candidate was compared."
    ),
    TOO_LONG: _("The run took longer than it may: %(limit)s s (ZELADOR_TRAINING__TIMEOUT_S)."),
}
ERROR_MESSAGES = Messages(ERRORS)
CANCELED = re.compile(r"cancell?ed by (?P<by>.+)")
DECISIONS: Mapping[str, str] = {  # by the reason of a decision
    "better": _("The interval lies above the margin of %(margin)s."),
    "no_model": _("The run has no model."),
    "not_recommended": _("The run recommends no model."),
    "not_registered": _("Its best model was not saved."),
    "nothing_selected": _("No model was selected that it could be compared with."),
    "same_model": _("It is the selected model already."),
    "not_compared": _("It was not compared with the model that is selected now."),
    "no_holdout": _("No readings were held out, and the selected model may have seen the others."),
    "no_interval": _("How certain its lead is cannot be estimated: there are too few blocks."),
    "not_better": _("The interval is not above the margin of %(margin)s, so the lead may be chance."),
    "not_selected": _("It is better, but it could not be selected."),
}
DIFFERENCE = _("%(metric)s %(difference)s (%(low)s to %(high)s) against the selected model, on the same readings.")
OTHERS = _("%(count)s others")
AND = _("%(others)s and %(last)s")
MOST_NAMED = 4  # candidates in the sentence


ENDINGS: Mapping[str, str] = {  # a state, or of a run that is done its verdict
    "queued": _("Queued"),
    "running": _("Running"),
    "failed": _("Failed"),
    "cancelled": _("Canceled"),
    "clear": _("Clear"),
    "tied": _("Tied"),
    "nothing_to_learn": _("Nothing to learn"),
    "not_evaluable": _("Not evaluable"),
    "done": _("Done"),
}


def endings(language: Language) -> Mapping[str, str]:
    """Returns how the list of runs says how each ended, by which it can be searched."""
    return {name: language.text(text) for name, text in ENDINGS.items()}


def verdict_text(language: Language, found: Comparison) -> str:
    """Returns the verdict as a sentence; empty if the run has none."""
    return spelled(_verdict(language, found))


def certainty_text(language: Language, found: Comparison) -> str:
    """How sure a clear lead is, or what it takes to be surer of a tie; empty if that is not known."""
    if found.verdict == "tied" and found.split_blocks:
        return language.text(MORE_BLOCKS, count=language.number(3 * found.split_blocks))
    lead = found.lead
    if found.verdict != "clear" or lead is None or not lead.interval[0] > 0 or found.metric != found.ranked_by:
        return ""
    low, high = (language.number(value, 3) for value in lead.interval)
    by = language.number(lead.difference, 3)
    return spelled(language.text(LEAD, second=lead.over, lead=by, metric=found.metric, low=low, high=high))


def _verdict(language: Language, found: Comparison) -> str:
    if found.verdict == "not_evaluable" and (alone := found.alone):
        return language.counted(
            "This cannot be evaluated: 1 of the %(of)s classes was seen on one device, or in one recording, only. "
            "No model is recommended.",
            "This cannot be evaluated: %(count)s of the %(of)s classes were each seen on one device, or in one "
            "recording, only. No model is recommended.",
            len(alone),
            count=language.number(len(alone)),
            of=language.number(len(alone) + len(found.testable)),
        )
    if not found.verdict or language.tag == "en":
        return found.sentence
    pattern = VERDICTS.get(found.verdict)
    if pattern is None or found.first is None:
        return found.sentence
    names = [*found.tied]
    if len(names) > MOST_NAMED:
        best = [found.first.model_type, *(name for name in names if name != found.first.model_type)][: MOST_NAMED - 1]
        names = [*best, language.text(OTHERS, count=language.number(len(names) - len(best)))]
    tied = language.text(AND, others=", ".join(names[:-1]), last=names[-1]) if len(names) > 1 else "".join(names)
    if found.sentence.startswith(OPEN):
        return language.text(UNTOLD)
    if aimed := AIMED.match(found.sentence):
        return language.text(SAME_ANSWER, p=_figure(language, aimed["p"]))
    said = language.text(pattern, first=found.first.model_type, tied=tied, metric=found.ranked_by)
    if found.verdict == "nothing_to_learn" and found.is_chance:
        said += " " + language.text(CHANCE, p=language.number(found.chance, 2))
    if why := TIE.search(found.sentence):
        because = TIE_MESSAGES.translated(language, why[1], lambda _name, part: _figure(language, part))
        said = f"{said} {because}".strip()
    if reason := REASON.search(found.sentence):
        said += " " + language.text(REASONS[reason[1]]) if reason[1] in REASONS else ""
    return said


def decision_text(language: Language, found: Comparison) -> str:
    """Why the best model was promoted, or why not; empty if nothing was decided."""
    made = found.decision
    if made is None:
        return ""
    if made.reason not in DECISIONS:
        return made.sentence
    said = []
    if made.difference is not None and made.interval is not None:
        low, high = made.interval
        signs = {"difference": made.difference, "low": low, "high": high}
        shown = {name: language.bound(value) for name, value in signs.items()}
        said.append(language.text(DIFFERENCE, metric=made.metric, **shown))
    said.append(language.text(DECISIONS[made.reason], margin=language.plain(made.margin or 0.0)))
    if made.uses:
        uses = language.counted(
            "These readings have judged 1 promotion before: label others after 20.",
            "These readings have judged %(count)s promotions before: label others after 20.",
            made.uses,
            count=language.number(made.uses),
        )
        said.append(uses)
    return " ".join(said)


def said_text(language: Language, said: str) -> str:
    """Translates the trainer's message about a candidate or the test; empty for an unknown one."""

    def part_of(name: str, part: str) -> str:
        if name in ("why", "reason"):
            return said_text(language, part) or part
        if quoted := QUOTED.findall(part):
            names = [f"“{one or other}”" for one, other in quoted]
            return language.text(AND, others=", ".join(names[:-1]), last=names[-1]) if len(names) > 1 else names[0]
        return label_text(language, part) if part in ("yes", "no") else _figure(language, part)

    return spelled(SAID_MESSAGES.translated(language, said, part_of))


def error_text(language: Language, error: str) -> str:
    """Translates why a run failed; empty for an unknown reason."""
    return ERROR_MESSAGES.translated(language, error, lambda _name, part: part)


def canceled_by(error: str) -> str:
    """Returns who canceled a run, from the reason why it ended; empty if that does not say it."""
    found = CANCELED.fullmatch(error)
    return "" if found is None else found["by"]


def _figure(language: Language, text: str) -> str:
    if text.isdecimal():
        return language.number(int(text))
    return language.number(float(text), 3) if re.fullmatch(r"-?\d+\.\d+", text) else text
