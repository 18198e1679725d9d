"""Describes what is odd about the readings in the reader's language; a finding's own sentence is in English."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.language import Language
from admin.console.words import feature_text
from archive.dataset.description import Finding


def _(text: str) -> str:
    """Marks a text for the catalog; it is translated when it is shown."""
    return text


KINDS: Mapping[str, tuple[str, str]] = {  # a word, and a sentence
    "no labels": (_("No labels"), _("No reading has a label.")),
    "one class": (_("One class"), _("All labeled readings have the same label, so there is nothing to tell apart.")),
    "small class": (_("Class too small"), _("A class has too few readings to learn from.")),
    "label case": (_("Spelling"), _("Labels that differ by case or blanks alone are different classes.")),
    "constant": (_("Constant"), _("%(feature)s always has the same value. Nothing can be learned from it.")),
    "leak": (_("Gives it away"), _("%(feature)s alone tells the label. Is it known before the label is?")),
    "device label": (
        _("Device reveals label"),
        _("Nearly every device has one label only, so a model would learn the device instead of its state."),
    ),
    "sentinel": (_("Sentinel value"), _("%(feature)s has a value that looks like a mark for “missing”.")),
    "clock": (_("Clock"), _("The clock of %(device)s went back, or was ahead.")),
    "stuck": (_("Stuck"), _("%(feature)s of %(device)s kept one value for longer than is usual.")),
    "unit change": (_("Unit changed"), _("%(feature)s of %(device)s changed by the factor between two units.")),
    "missing": (_("Missing values"), _("%(feature)s is missing in many readings.")),
    "out of range": (_("Out of range"), _("%(feature)s was outside its physical range; such readings are left out.")),
    "duplicates": (_("Duplicates"), _("Some readings came twice; training takes each once.")),
}


def data_kind(language: Language, finding: Finding) -> str:
    return language.text(KINDS[finding.kind][0]) if finding.kind in KINDS else str(finding.kind)


def data_text(language: Language, finding: Finding) -> str:
    """Returns a finding as a sentence; empty for a kind that is not translated."""
    if finding.kind not in KINDS or language.tag == "en":
        return ""
    feature = feature_text(language, finding.feature) if finding.feature else ""
    return language.text(KINDS[finding.kind][1], feature=feature, device=finding.device or "")
