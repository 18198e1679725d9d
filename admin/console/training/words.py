"""Describes what is odd about the readings in the reader's language; a finding's own sentence is in English."""

from __future__ import annotations

import re
from collections.abc import Mapping

from admin.console.catalog import Messages, Plural, plural
from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.words import feature_text, label_text
from archive.dataset.description import Finding

ISO = re.compile(r"\d{4}-\d\d-\d\dT")
QUOTED = re.compile(r"(['\"])(.*?)\1(?= \()")
NUMBER = re.compile(r"[-+]?\d{1,15}(\.\d+)?")
KINDS: Mapping[str, tuple[str, str, str]] = {  # a word, a sentence, and what to do
    "no labels": (
        _("No labels"),
        _("No reading has a label."),
        _("Label periods, import work orders, or let devices send labels."),
    ),
    "one class": (
        _("One class"),
        _("All labeled readings have the same label, so there is nothing to tell apart."),
        _("Label periods of the other state as well."),
    ),
    "small class": (
        _("Class too small"),
        _("A class has too few readings to learn from."),
        _("Label more of it. Without enough of it, a run leaves the class out."),
    ),
    "label case": (
        _("Spelling"),
        _("Labels that differ by case or blanks alone are different classes."),
        _("Label the periods again with one of the spellings."),
    ),
    "constant": (
        _("Constant"),
        _("%(feature)s always has the same value. Nothing can be learned from it."),
        _("Leave it out, or check whether the sensor is connected."),
    ),
    "leak": (
        _("Gives it away"),
        _("%(feature)s alone tells the label. Is it known before the label is?"),
        _("If it is known only afterwards, leave it out."),
    ),
    "device label": (
        _("Device reveals label"),
        _("Nearly every device has one label only, so a model would learn the device instead of its state."),
        _("Label both states of the same device."),
    ),
    "sentinel": (
        _("Sentinel value"),
        _("%(feature)s has a value that looks like a mark for “missing”."),
        _("Set the range of the feature, so that such values are refused."),
    ),
    "clock": (
        _("Clock"),
        _("The clock of %(device)s went back, or was ahead."),
        _("Set the clock of the device, or let it send no time."),
    ),
    "stuck": (
        _("Stuck"),
        _("%(feature)s of %(device)s kept one value for longer than is usual."),
        _("Check whether the sensor is stuck."),
    ),
    "unit change": (
        _("Unit changed"),
        _("%(feature)s of %(device)s changed by the factor between two units."),
        _("Correct the scale of its profile, and train on readings of one side of the change only."),
    ),
    "missing": (
        _("Missing values"),
        _("%(feature)s is missing in many readings."),
        _("Check which device does not send it. A model fills it with a usual value."),
    ),
    "out of range": (
        _("Out of range"),
        _("%(feature)s was outside its physical range; such readings are left out."),
        _("Correct the range in the settings, or the sensor."),
    ),
    "duplicates": (
        _("Duplicates"),
        _("Some readings came twice; training takes each once."),
        _("Let the device send each reading once."),
    ),
}


UNIT = r"(?P<feature>.+?) of (?P<device>.+) changes its unit at about (?P<moment>\S+)"
SENTENCES: Mapping[str, str | Plural] = {  # pattern of the finding's own sentence to its translation
    r"no reading has a label": _("No reading has a label."),
    r"all (?P<count>\d+) labeled readings have the label (?P<label>.+)": plural(
        "The only labeled reading has the label “%(label)s”, so there is nothing to tell apart.",
        "All %(count)s labeled readings have the label “%(label)s”, so there is nothing to tell apart.",
        "count",
    ),
    r"the class (?P<label>.+) has (?P<count>\d+) of (?P<all>\d+) labeled readings": _(
        "The class “%(label)s” has %(count)s of %(all)s labeled readings."
    ),
    r"the labels (?P<labels>.+) differ by case or blanks alone": _(
        "The labels %(labels)s differ by case or blanks alone, and are different classes."
    ),
    r"the device's name gives the label away: nearly all labeled readings of each of (?P<count>\d+) devices .+": _(
        "On each of %(count)s devices nearly all readings have one label, so a model would learn the device instead of "
        "its state."
    ),
    r"(?P<feature>.+) always has the value (?P<value>\S+)": _(
        "%(feature)s always has the value %(value)s. Nothing can be learned from it."
    ),
    r"(?P<feature>.+) is missing in (?P<count>\d+) of (?P<all>\d+) readings": _(
        "%(feature)s is missing in %(count)s of %(all)s readings."
    ),
    r"(?P<feature>.+) is outside its physical range in (?P<count>\d+) readings?": plural(
        "%(feature)s is outside its physical range in 1 reading, which is left out.",
        "%(feature)s is outside its physical range in %(count)s readings, which are left out.",
        "count",
    ),
    r"(?P<feature>.+) is (?P<value>\S+) in (?P<count>\d+) readings and far from that in all others: .+": plural(
        "%(feature)s is %(value)s in 1 reading and far from that in all others: it looks like a mark for “missing”.",
        "%(feature)s is %(value)s in %(count)s readings and far from that in all others: it looks like a mark for "
        "“missing”.",
        "count",
    ),
    r"(?P<feature>.+) alone tells the label: .+": _(
        "%(feature)s alone tells the label. Is it known before the label is?"
    ),
    r"(?P<count>\d+) readings? (has|have) the device, time and values of another": plural(
        "1 reading came twice; training takes it once.",
        "%(count)s readings came twice; training takes each once.",
        "count",
    ),
    r"the clock of (?P<device>.+) jumped: it went back (?P<count>\d+) times?, first at (?P<moment>\S+)": plural(
        "The clock of %(device)s went back once, on %(moment)s.",
        "The clock of %(device)s went back %(count)s times, first on %(moment)s.",
        "count",
    ),
    r"the clock of (?P<device>.+) jumped: it was ahead in (?P<ahead>\d+) readings?, first at (?P<moment>\S+)": plural(
        "The clock of %(device)s was ahead in 1 reading, on %(moment)s.",
        "The clock of %(device)s was ahead in %(ahead)s readings, first on %(moment)s.",
        "ahead",
    ),
    r"the clock of (?P<device>.+) jumped: it went back (?P<count>\d+) times? and was ahead in (?P<ahead>\d+) "
    r"readings?, first at (?P<moment>\S+)": _(
        "The clock of %(device)s jumped, first on %(moment)s. Number of times that it went back: %(count)s. Number of "
        "readings in which it was ahead: %(ahead)s."
    ),
    r"(?P<feature>.+?) of (?P<device>.+) stays at (?P<value>\S+) for (?P<hours>\S+) hours from (?P<moment>\S+)": _(
        "%(feature)s of %(device)s stays at %(value)s for %(hours)s h, from %(moment)s."
    ),
    rf"{UNIT}: .+ multiplied .+ (?P<value>\S+) from .+": _(
        "%(feature)s of %(device)s changes its unit at about %(moment)s: its values are multiplied by about %(value)s."
    ),
    rf"{UNIT}: .+ divided .+ (?P<value>\S+) from .+": _(
        "%(feature)s of %(device)s changes its unit at about %(moment)s: its values are divided by about %(value)s."
    ),
    rf"{UNIT}: .+": _("%(feature)s of %(device)s changes its unit at about %(moment)s."),
}
MESSAGES = Messages(SENTENCES)


def data_kind(language: Language, finding: Finding) -> str:
    return language.text(KINDS[finding.kind][0]) if finding.kind in KINDS else str(finding.kind)


def data_text(language: Language, finding: Finding) -> str:
    """Returns a finding as a sentence, with its figures; a sentence of a later version in the words of its kind."""
    said = MESSAGES.translated(language, finding.sentence, lambda name, part: _part(language, name, part))
    if said or finding.kind not in KINDS:
        return said or f"{finding.sentence[:1].upper()}{finding.sentence[1:]}."
    feature = feature_text(language, finding.feature) if finding.feature else ""
    return language.text(KINDS[finding.kind][1], feature=feature, device=finding.device or "")


def _part(language: Language, name: str, part: str) -> str:
    match name:
        case "feature":
            return feature_text(language, part)
        case "label":
            return label_text(language, part)
        case "labels":
            return QUOTED.sub(r"“\2”", ", ".join(re.split(r"(?<=\)) and ", part)))
        case "moment":
            return language.day_and_time(part) if ISO.match(part) else part
        case "count" | "all" | "ahead" | "value" | "hours":
            return language.plain(float(part)) if NUMBER.fullmatch(part) else part
        case _:
            return part


def data_advice(language: Language, finding: Finding) -> str:
    """Returns what to do about a finding, in the words of the console: its own advice is for the command line."""
    if finding.kind not in KINDS:
        return f"{finding.advice[:1].upper()}{finding.advice[1:]}."
    return language.text(KINDS[finding.kind][2])
