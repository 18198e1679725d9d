"""Which labels are refused, and the findings on labels that are accepted."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import pytest

from zelador.errors import InvalidInput
from zelador.labels import Label
from zelador.labels.moment import moment
from zelador.labels.rules import MAX_COMPARED, MAX_NOTE, Wish, checked, findings
from zelador.settings import Settings

NOW = 1_795_514_400_000  # 2026-11-24T10:00:00Z
HOUR = 3_600_000
DAY = 24 * HOUR


def wish(**changes: object) -> Wish:
    return Wish(**{"device": "press-07", "begin": NOW - HOUR, "end": NOW, "label": "yes", **changes})


def label(begin: int, end: int | None, text: str = "yes", device: str = "press-07") -> Label:
    return checked(Wish(device, begin, end, text), Settings(), "somebody", NOW, "api")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end": NOW - HOUR}, "is not after from"),
        ({"end": NOW - 2 * HOUR}, "is not after from"),
        ({"label": None}, "label is missing"),
        ({"label": " "}, "label is missing"),
        ({"label": "x" * 129}, "128 printable"),
        ({"label": "a\nb"}, "printable"),
        ({"begin": 0}, "before the year 2000"),
        ({"end": 2**62}, "after the year 9998"),
        ({"note": "x" * (MAX_NOTE + 1)}, "note must have"),
        ({"note": "a\x1bb"}, "note must have"),
        ({"id": ""}, "id must have"),
        ({"id": "x" * 129}, "id must have"),
        ({"device": ""}, "device"),
        ({"device": "a/+/b"}, "device"),
        ({"device": "x" * 300}, "device"),
    ],
)
def test_an_invalid_label_is_refused_with_its_cause(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        checked(wish(**changes), Settings(), "somebody", NOW, "api")


def test_a_label_is_text_by_the_rule_of_all_labels_and_its_id_follows_from_it() -> None:
    one, other = (checked(wish(label=each), Settings(), "a", NOW, "api") for each in (True, " 1.0 "))
    assert (one.label, one.id) == ("1", other.id)
    assert checked(wish(note="4471"), Settings(), "a", NOW, "api").id != one.id
    assert checked(wish(id="wo-4471"), Settings(), "a", NOW, "api").id == "wo-4471"


@pytest.mark.parametrize(
    ("new", "kinds"),
    [
        (label(NOW - HOUR, NOW), []),
        (label(NOW - HOUR, None), ["no end"]),
        (label(NOW + HOUR, None), ["future", "no end"]),
        (label(NOW - HOUR, NOW + HOUR), ["future"]),
        (label(NOW - 400 * DAY, NOW), ["long", "overlap"]),
        (label(NOW - HOUR, NOW, device="pres-07"), ["unknown device"]),
        (label(NOW - 10 * DAY - HOUR, NOW - 9 * DAY), ["overlap"]),
        (label(NOW - 9 * DAY, NOW - 8 * DAY), []),
        (label(NOW - HOUR, NOW, "Yes"), ["label case"]),
    ],
)
def test_odd_labels_get_a_finding(new: Label, kinds: list[str]) -> None:
    before = [label(NOW - 10 * DAY, NOW - 9 * DAY)]
    found = findings([(new, 3)], before, {"press-07"}, NOW)
    assert sorted(each.kind for each in found) == sorted(kinds)
    assert all(each.sentence and each.advice for each in found)


def test_a_label_without_an_end_is_odd_in_a_table_alone() -> None:
    """There a cell may be empty by oversight; a form and the API say that there is no end."""
    without = label(NOW - HOUR, None)
    assert findings([(without, None)], [], {"press-07"}, NOW) == []
    (found,) = findings([(without, 3)], [], {"press-07"}, NOW)
    assert (found.kind, found.line) == ("no end", 3)


def test_an_unknown_device_is_named_with_a_similar_one() -> None:
    (found,) = findings([(label(NOW - HOUR, NOW, device="pres-07"), 7)], [], {"press-07", "pump"}, NOW)
    assert "press-07" in found.advice and found.line == 7


def test_devices_written_in_another_way_are_named_without_comparing_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table writes 200 devices of a plant of 10,000 in its own way: comparing each with all took ten seconds."""
    compared = 0
    get_close_matches = difflib.get_close_matches

    def counted(word: str, names: Sequence[str], *more: Any) -> list[str]:
        nonlocal compared
        compared += len(word) * sum(map(len, names))
        return get_close_matches(word, names, *more)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    known = {f"pump-{number:05}" for number in range(10_000)}
    rows = [(label(NOW - HOUR, NOW, device=f"Pump_{number:05}"), number) for number in range(150)]
    rows += [(label(NOW - HOUR, NOW, device=f"pomp-{number:05}"), number) for number in range(150, 190)]
    found = findings(rows, [], known, NOW)
    assert [each.line for each in found] == list(range(190))
    assert all(each.details == (f"pump-{number:05}",) for number, each in enumerate(found[:150]))
    assert "pump-00150" in found[150].details
    assert 0 < compared <= MAX_COMPARED


def test_rows_that_overlap_each_other_are_named() -> None:
    rows = [(label(NOW - 4 * HOUR, NOW - HOUR), 2), (label(NOW - 2 * HOUR, NOW, "no"), 3)]
    (found,) = findings(rows, [], {"press-07"}, NOW)
    assert (found.kind, found.line) == ("overlap", 3)


def test_a_time_without_a_zone_is_in_the_plants_zone() -> None:
    settings = Settings(time_zone="America/Sao_Paulo")
    assert moment("2026-11-24T07:00:00", settings, "from") == NOW
    assert moment("2026-11-24T10:00:00Z", settings, "from") == NOW
    assert moment(NOW / 1000, settings, "from") == moment(str(NOW), settings, "from") == NOW
    with pytest.raises(InvalidInput, match="--from: text"):
        moment("yesterday", settings, "--from")
