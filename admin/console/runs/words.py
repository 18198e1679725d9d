"""Describes the verdict of a run in the reader's language, from its facts; the run's own sentence is in English."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.language import Language
from operations.views.comparison import Comparison


def _(text: str) -> str:
    """Marks a text for the catalog; it is translated when it is shown."""
    return text


VERDICTS: Mapping[str, str] = {
    "clear": _("%(first)s is better than the others by %(metric)s."),
    "tied": _("%(tied)s cannot be told apart by %(metric)s. Take %(first)s."),
    "nothing_to_learn": _("There is nothing to learn here. No model is recommended."),
    "not_evaluable": _("This cannot be evaluated. No model is recommended."),
}
CHANCE = _("Labels moved at random do as well (p = %(p)s).")
AND = _("%(others)s and %(last)s")


def verdict_text(language: Language, found: Comparison) -> str:
    """Returns the verdict as a sentence; empty if the run has none."""
    if not found.verdict or language.tag == "en":
        return found.sentence
    pattern = VERDICTS.get(found.verdict)
    if pattern is None or found.first is None:
        return found.sentence
    names = [*found.tied]
    tied = language.text(AND, others=", ".join(names[:-1]), last=names[-1]) if len(names) > 1 else "".join(names)
    said = language.text(pattern, first=found.first.model_type, tied=tied, metric=found.metric)
    if found.verdict == "nothing_to_learn" and found.chance is not None:
        said += " " + language.text(CHANCE, p=language.number(found.chance, 2))
    return said
