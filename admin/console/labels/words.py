"""Describes labels, and what is odd about them, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from admin.console.catalog import Messages, quoted
from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.said import Said
from admin.console.words import label_text
from zelador.labels.rules import Finding

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
    "no end": _("No end"),
    "label case": _("Spelling"),
    "read as": _("Read as"),
    "new label": _("New label"),
}
SENTENCES: Mapping[str, str] = {
    "overlap": _(
        "In a part of this period %(device)s has the label “%(what)s” already. There the new label counts, because it "
        "is later."
    ),
    "unknown device": _("No device %(device)s has sent a reading yet. The label counts as soon as it does."),
    "future": _("The period of %(device)s reaches into the future, to %(what)s. Are the date and its time zone right?"),
    "long": _("The period of %(device)s lasts %(what)s days. Is the year right?"),
    "no end": _(
        "The period of %(device)s has no end. It holds until further notice, for readings still to come as well."
    ),
    "label case": _("The labels %(what)s differ by case or blanks alone. Training takes them for different classes."),
    "read as": _("“%(word)s” was read as “%(what)s”."),
    "new label": _("New label: “%(word)s”. The plant has %(what)s."),
}
OVERLAP_OF_ROWS = _(
    "Two rows about %(device)s overlap, and the other says “%(what)s”. Where they do, the later row counts."
)
FAULTS: Mapping[str, str] = {  # pattern of the English reason why a row cannot be a label, to its translation
    r"the device is missing": _("The device is missing."),
    r"from is missing": _("The start is missing."),
    r"label is missing: .+": _("The label is missing."),
    r"to \((?P<end>.+)\) is not after from \((?P<begin>.+)\); .+": _(
        "The end, %(end)s, is not after the start, %(begin)s."
    ),
    r"(?P<what>['\"].*['\"]) is not a time such as .+": _("%(what)s is not a time. Write it as 2026-12-31 14:00."),
    r"(?P<what>['\"].*['\"]) can be day and month .+": _("%(what)s can be read in two ways. Write it as 2026-12-31."),
    r"from is before the year (?P<year>\d+); .+": _("The start is before the year %(year)s."),
    r"to is before the year (?P<year>\d+); .+": _("The end is before the year %(year)s."),
    r"from is after the year (?P<year>\d+); .+": _("The start is after the year %(year)s."),
    r"to is after the year (?P<year>\d+); .+": _("The end is after the year %(year)s."),
    r"note must have at most (?P<most>\d+) .+": _("The note may have at most %(most)s characters, all printable."),
    r"(a )?label must have 1 to (?P<most>\d+) .+": _("The label may have at most %(most)s characters, all printable."),
    r"label is .+": _("The label is not a text."),
    r"the device's name is .+|no prediction can be published .+": _(
        "The device’s name is too long, or has characters that cannot be used."
    ),
    r"id must have .+": _("The id is too long, or has characters that cannot be printed."),
}
FAULT_MESSAGES = Messages(FAULTS)
OF_WORDS = ("read as", "new label")  # kinds whose first detail is the word that was written
MAX_WORDS = 4  # findings on the page after a form
NEAR = _("Did you mean %(what)s?")


def source_text(language: Language, source: str) -> str:
    return language.text(SOURCES.get(source, source))


def finding_kind(language: Language, finding: Finding) -> str:
    return language.text(KINDS.get(finding.kind, finding.kind))


def is_of_rows(finding: Finding) -> bool:
    """True for an overlap of two rows of one table, false for one with a label of the list."""
    return finding.kind == "overlap" and finding.sentence.startswith("two periods of ")


def finding_text(language: Language, finding: Finding) -> str:
    """Returns a finding as a sentence; one of an unknown kind stays in English."""
    pattern = OVERLAP_OF_ROWS if is_of_rows(finding) else SENTENCES.get(finding.kind)
    if pattern is None:
        return f"{finding.sentence}; {finding.advice}"
    if finding.kind == "overlap" and not is_of_rows(finding):
        return overlap_text(language, finding.device, finding.details)
    if finding.kind == "future":
        what = language.day_and_time(finding.details[0]) if finding.details else ""
    else:
        what = ", ".join(label_text(language, each) for each in finding.details[finding.kind in OF_WORDS :])
    if finding.kind in OF_WORDS:
        what = finding.details[1] if finding.kind == "read as" else what
        return language.text(pattern, word=finding.details[0], what=what)
    said = language.text(pattern, device=finding.device, what=what)
    if finding.kind == "unknown device" and what:
        said += " " + language.text(NEAR, what=what)
    return said


def _words_text(language: Language, findings: Sequence[Finding]) -> str:
    return " ".join([finding_text(language, each) for each in findings if each.kind in OF_WORDS][:MAX_WORDS])


def import_said(language: Language, labels: int, findings: Sequence[Finding], left_out: int) -> Said:
    """Returns what the next page says of an import."""
    return Said("labels imported", _words_text(language, findings), {"count": labels, "left": left_out})


def overlap_text(language: Language, device: str, labels: Sequence[str]) -> str:
    """Says which labels a device has in a period already."""
    named = "”, “".join(label_text(language, each) for each in labels)
    return language.text(SENTENCES["overlap"], device=device, what=named)


def words_said(language: Language, findings: Sequence[Finding]) -> Said | None:
    """Returns what the next page says of words that are not the plant's classes; None if there is nothing to say."""
    found = _words_text(language, findings)
    return Said("label words", found) if found else None


def fault_text(language: Language, fault: str) -> str:
    """Translates why a row cannot be a label; empty for an unknown reason."""

    def shown(name: str, part: str) -> str:
        if name not in ("begin", "end"):
            return quoted(part)
        seconds = language.clock(part)[5:]
        return language.day_and_time(part) + (seconds if seconds != ":00" else "")

    return FAULT_MESSAGES.translated(language, fault, shown)
