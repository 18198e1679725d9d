"""Translates what a run notes about its split and its test, which the trainer writes in English."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.catalog import Plural, plural
from admin.console.catalog import mark as _

TOO_LONG = r"the run took longer than (?P<limit>\S+) s \(ZELADOR_TRAINING__TIMEOUT_S\)"
NAMED = r"['\"](?P<name>.+)['\"]"
NOTES: Mapping[str, str | Plural] = {  # pattern of the trainer's note to its translation
    rf"the class {NAMED} is on the device ['\"](?P<device>.+)['\"] only, so it cannot be evaluated elsewhere: .+": _(
        "“%(name)s” is on the device %(device)s only, so it cannot be evaluated elsewhere. Its readings do not count."
    ),
    rf"the class {NAMED} is in one recording only, so it cannot be evaluated elsewhere: .+": _(
        "“%(name)s” is in one recording only, so it cannot be evaluated elsewhere. Its readings do not count."
    ),
    r"no time is known; neighboring rows are alike, so the order of the rows stands for the time": _(
        "No time is known. Neighboring rows are alike, so their order stands for the time."
    ),
    r"the label is the same throughout a recording, so whole recordings are tested together": _(
        "The label is the same throughout a recording, so whole recordings are tested together."
    ),
    rf"the class {NAMED} is one uninterrupted stretch: models may learn the time, not the class": _(
        "“%(name)s” is one uninterrupted stretch: models may learn the time instead of it."
    ),
    r"the hold-out has no row of (?P<names>.+)": _("The held-out readings have none of %(names)s."),
    r"(?P<rows>\d+) rows? (is a copy of another|are copies of others), in every value and the label: .+": plural(
        "1 reading is a copy of another. It is not used, as a model would know it by heart.",
        "%(rows)s readings are copies of others. They are not used, as a model would know them by heart.",
        "rows",
    ),
    r"the feature (?P<names>.+) has a value of its own in each stretch of time, .+; such stretches .+": _(
        "%(names)s has a value of its own in each stretch of time, which identifies the stretch. Leave it out if it "
        "says nothing else. Such stretches are never cut between folds."
    ),
    r"the feature (?P<names>.+) has a value of its own in each stretch of time, .+; some optimism .+": _(
        "%(names)s has a value of its own in each stretch of time, which identifies the stretch. Leave it out if it "
        "says nothing else. Some optimism is left in all scores."
    ),
    r"the features (?P<names>.+) have values of their own in each stretch of time, .+; such stretches .+": _(
        "%(names)s have values of their own in each stretch of time, which identify the stretch. Leave them out if "
        "they say nothing else. Such stretches are never cut between folds."
    ),
    r"the features (?P<names>.+) have values of their own in each stretch of time, .+; some optimism .+": _(
        "%(names)s have values of their own in each stretch of time, which identify the stretch. Leave them out if "
        "they say nothing else. Some optimism is left in all scores."
    ),
    r"(?P<share>\d+)% of the rows are almost equal to rows of another time, .+": _(
        "%(share)s of 100 readings are almost equal to readings of another time, as if they were copied and changed a "
        "little. Scores can be far too good, and how good a model is on others cannot be told. Leave copies out."
    ),
    r"the feature (?P<name>.+) rises throughout the data, .+": _(
        "%(name)s rises throughout the data. Later readings have values of it that no model has learned, so how good a "
        "model is on them cannot be told. Leave it out if it is a counter or a clock."
    ),
    r"the feature (?P<name>.+) falls throughout the data, .+": _(
        "%(name)s falls throughout the data. Later readings have values of it that no model has learned, so how good a "
        "model is on them cannot be told. Leave it out if it is a counter or the charge of a battery."
    ),
    r"no device is held out: there (is|are) (?P<some>\d+), and at least (?P<least>\d+) are needed; .+": plural(
        "No device is held out: there is 1, and at least %(least)s are needed. How good a model is on a new device "
        "cannot be told.",
        "No device is held out: there are %(some)s, and at least %(least)s are needed. How good a model is on a new "
        "device cannot be told.",
        "some",
    ),
    r"no device is held out: there (is|are) (?P<some>\d+), and at least (?P<least>\d+) are needed": plural(
        "No device is held out: there is 1, and at least %(least)s are needed.",
        "No device is held out: there are %(some)s, and at least %(least)s are needed.",
        "some",
    ),
    r"no device is held out: a class is on (?P<some>\d+) of them, and at least (?P<least>\d+) are needed; .+": _(
        "No device is held out: a class is on %(some)s of them, and at least %(least)s are needed. "
        "How good a model is on a new device cannot be told."
    ),
    r"no device is held out: a class is on (?P<some>\d+) of them, and at least (?P<least>\d+) are needed": _(
        "No device is held out: a class is on %(some)s of them, and at least %(least)s are needed."
    ),
    r"no device is held out: too few devices would be left for a class; .+": _(
        "No device is held out: too few would be left for a class. How good a model is on a new device cannot be told."
    ),
    r"no device is held out: too few devices would be left for a class": _(
        "No device is held out: too few would be left for a class."
    ),
    r"no last stretch of time is held out: the stretches are too few or too short": _(
        "No later days are held out: the stretches of time are too few or too short."
    ),
    r"no last stretch of time is held out: no row of a class would be left to learn from": _(
        "No later days are held out: no reading of a class would be left to learn from."
    ),
    r"no last stretch of time is held out: it would have only one class": _(
        "No later days are held out: they would have only one class."
    ),
    r"whole devices are tested together, because a device's name gives the label away": _(
        "Whole devices are tested together, because the name of a device gives the label away."
    ),
    r"whole devices are tested together": _("Whole devices are tested together."),
    r"there is no separate hold-out: the scores on the hold-out are those of the folds": _(
        "No readings are held out: the scores are those of the folds."
    ),
    r"the rows were drawn at random: neighbors in time are on both sides, so that scores can be far too good": _(
        "The readings were drawn at random: neighbors in time are on both sides, so scores can be far too good."
    ),
    r"no device and no time are known, so the rows were drawn at random\. .+": _(
        "No device and no time are known, so rows were drawn at random. If neighboring rows are alike, all scores are "
        "too good. How good a model is on other rows cannot be told."
    ),
    r"neighboring rows are alike, and sorted, so the order is not chronological": _(
        "Neighboring rows are alike, and sorted, so their order says nothing about time."
    ),
    r"(?P<name>\S+) has (?P<metric>\S+) (?P<score>-?[\d.]+), but does no better than guessing on the hold-out, so it "
    r"is not the best": _(
        "%(name)s has %(metric)s %(score)s, but does no better than guessing on the held-out readings, so it is not "
        "the best."
    ),
    r"on the hold-out, the (?P<metric>\S+) of (?P<name>\S+) is (?P<score>-?[\d.]+), but the folds predicted "
    r"(?P<low>-?[\d.]+) to (?P<high>-?[\d.]+): .+; later rows may differ more, .+": _(
        "On the held-out readings, %(metric)s of %(name)s is %(score)s, but the folds predicted %(low)s to %(high)s. "
        "The intervals were widened. Later readings may differ more: how good a model is on them cannot be told."
    ),
    r"on the hold-out, the (?P<metric>\S+) of (?P<name>\S+) is (?P<score>-?[\d.]+), but the folds predicted "
    r"(?P<low>-?[\d.]+) to (?P<high>-?[\d.]+): .+": _(
        "On the held-out readings, %(metric)s of %(name)s is %(score)s, but the folds predicted %(low)s to %(high)s. "
        "The intervals were widened."
    ),
    r"the budget of (?P<limit>\S+) s was used up \(--budget\): (?P<some>\d+) of (?P<all>\d+) .+": plural(
        "The time for the comparison, %(limit)s s, was used up: 1 of %(all)s candidates was compared.",
        "The time for the comparison, %(limit)s s, was used up: %(some)s of %(all)s candidates were compared.",
        "some",
    ),
    r"it was not compared: the budget of (?P<limit>\S+) s was used up \(--budget\)": _(
        "It was not compared: the time, %(limit)s s, was used up."
    ),
    r"it was not finished: the budget of (?P<limit>\S+) s was used up \(--budget\)": _(
        "It was not finished: the time, %(limit)s s, was used up."
    ),
    r"fold (?P<fold>\d+) failed: (?P<why>.+)": _("Fold %(fold)s failed: %(why)s"),
    r"(?P<rows>\d+) rows? got no score": plural("1 reading got no score.", "%(rows)s readings got no score.", "rows"),
    rf"it needs {NAMED}, which is not among the features": _("It needs %(name)s, which this run does not have."),
    r"rebuilt without PyCaret, it gives a different label on (?P<differ>\d+) of (?P<rows>\d+) hold-out rows": plural(
        "As it would be saved, it labels 1 of %(rows)s held-out readings differently.",
        "As it would be saved, it labels %(differ)s of %(rows)s held-out readings differently.",
        "differ",
    ),
    r"it cannot be served: a model of (?P<name>.+) is served by its compiled form only, and (?P<why>.+)": _(
        "It cannot be saved: a model of %(name)s runs in its compiled form only. %(why)s"
    ),
    r"it does not convert: (?P<reason>.+)": _("It cannot be compiled: %(reason)s"),
    r"no row can be evaluated": _("No reading can be evaluated."),
}
