"""Describes labels, and what is odd about them, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.language import Language
from admin.console.words import label_text
from zelador.labels.rules import Finding


def _(text: str) -> str:
    """Marks a text for the catalog; it is translated when it is shown."""
    return text


SOURCES: Mapping[str, str] = {
    "command line": _("command line"),
    "api": _("API"),
    "console": _("console"),
    "import": _("import"),
    "mqtt": _("device"),
}
KINDS: Mapping[str, str] = {
    "overlap": _("Overlap"),
    "unknown device": _("Unknown device"),
    "future": _("Future"),
    "long": _("Long"),
    "label case": _("Spelling"),
}
SENTENCES: Mapping[str, str] = {
    "overlap": _("%(device)s already has the label “%(what)s” in a part of it. There, the one added later counts."),
    "unknown device": _("No device %(device)s has sent a reading yet. The label counts as soon as it does."),
    "future": _("The period of %(device)s reaches into the future, to %(what)s. Are the date and its time zone right?"),
    "long": _("The period of %(device)s lasts %(what)s days. Is the year right?"),
    "label case": _("The labels %(what)s differ by case or blanks alone. Training takes them for different classes."),
}
NEAR = _("Did you mean %(what)s?")


def source_text(language: Language, source: str) -> str:
    return language.text(SOURCES.get(source, source))


def finding_kind(language: Language, finding: Finding) -> str:
    return language.text(KINDS.get(finding.kind, finding.kind))


def finding_text(language: Language, finding: Finding) -> str:
    """Returns a finding as a sentence; one of an unknown kind stays in English."""
    pattern = SENTENCES.get(finding.kind)
    if pattern is None:
        return f"{finding.sentence}; {finding.advice}"
    if finding.kind == "future":
        what = language.day_and_time(finding.details[0]) if finding.details else ""
    else:
        what = ", ".join(label_text(language, each) for each in finding.details)
    said = language.text(pattern, device=finding.device, what=what)
    if finding.kind == "unknown device" and what:
        said += " " + language.text(NEAR, what=what)
    return said
