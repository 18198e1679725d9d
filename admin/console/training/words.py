"""Describes what is odd about the readings in the reader's language; a finding's own sentence is in English."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.words import feature_text
from archive.dataset.description import Finding

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
        _("Leave it out, or look whether the sensor is connected."),
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
        _("Look whether the sensor is stuck."),
    ),
    "unit change": (
        _("Unit changed"),
        _("%(feature)s of %(device)s changed by the factor between two units."),
        _("Correct the scale of its profile, and train on readings of one side of the change only."),
    ),
    "missing": (
        _("Missing values"),
        _("%(feature)s is missing in many readings."),
        _("Look which device does not send it. A model fills it with a usual value."),
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


def data_kind(language: Language, finding: Finding) -> str:
    return language.text(KINDS[finding.kind][0]) if finding.kind in KINDS else str(finding.kind)


def data_text(language: Language, finding: Finding) -> str:
    """Returns a finding as a sentence; empty for a kind that is not translated."""
    if finding.kind not in KINDS or language.tag == "en":
        return ""
    feature = feature_text(language, finding.feature) if finding.feature else ""
    return language.text(KINDS[finding.kind][1], feature=feature, device=finding.device or "")


def data_advice(language: Language, finding: Finding) -> str:
    if finding.kind not in KINDS or language.tag == "en":
        return f"{finding.advice[:1].upper()}{finding.advice[1:]}."
    return language.text(KINDS[finding.kind][2])
