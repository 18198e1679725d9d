"""Words that the console shows for the plant's classes, and labels that the plant does not have yet."""

from __future__ import annotations

import pytest

from zelador.labels.classes import in_classes_of
from zelador.labels.label import Label
from zelador.labels.rules import Wish, checked, findings
from zelador.settings import Settings

NOW = 1_800_000_000_000


def wish(text: str | float | bool) -> Wish:
    return Wish("press", NOW - 2_000, NOW - 1_000, text)


def label(text: str) -> Label:
    return checked(wish(text), Settings(), "somebody", NOW, "import")


@pytest.mark.parametrize(
    ("text", "classes", "read"),
    [
        ("sim", {"yes", "no"}, "yes"),
        (" Não ", {"yes", "no"}, "no"),
        ("NAO", {"yes", "no"}, "no"),
        ("na\u0303o", {"yes"}, "no"),
        ("sim", set(), "yes"),
        ("sim", {"yes", "no", "sim"}, "sim"),
        ("sim", {"ok", "broken"}, "sim"),
        ("Yes", {"yes", "no"}, "Yes"),
        ("simples", {"yes", "no"}, "simples"),
        (1.0, {"yes", "no"}, 1.0),
    ],
)
def test_a_word_of_the_console_is_read_as_the_class_it_is_shown_for(
    text: str | float, classes: set[str], read: str | float
) -> None:
    """The console in Portuguese shows yes as sim, so a table written there says sim."""
    found, word = in_classes_of(wish(text), classes)
    assert (str(found.label).strip(), bool(word)) == (str(read), str(read) != str(text).strip())


def test_a_new_label_is_named_once_beside_those_of_the_plant() -> None:
    rows = [(label("ok"), 2), (label("ok"), 3), (label("no"), 4)]
    active = [label("yes")]
    found = [each for each in findings(rows, active, {"press"}, NOW, ["no"]) if each.kind == "new label"]
    assert [(each.sentence, each.line) for each in found] == [("new label: “ok”; the plant has no, yes", 2)]
    assert not [each for each in findings(rows, [], {"press"}, NOW) if each.kind == "new label"]
    many = [each for each in findings(rows, [], {"press"}, NOW, list("abcdefgh")) if each.kind == "new label"]
    assert many[0].sentence.endswith("the plant has a, b, c, d, e, f, …")
