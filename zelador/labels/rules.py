"""The checks of a label: an invalid one is refused, an odd one is accepted with a finding. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Literal

import msgspec

from zelador.decode.routes import check_device
from zelador.decode.unusable import Unusable
from zelador.errors import InvalidInput
from zelador.labels.label import Label, Source, digest_of
from zelador.labels.timeline import Timeline
from zelador.messages import iso, label_text
from zelador.settings import Settings

MAX_NOTE = 500  # characters
MAX_ID = 128  # characters
MAX_FINDINGS = 200
YEAR_2000, YEAR_9999 = 946_684_800_000, 253_370_764_800_000  # ms since 1970 UTC
LONG_MS = 366 * 86_400_000
NAMED = 3
USUAL = frozenset({"yes", "no"})  # classes of a plant that has named no others
MAX_CLASSES = 6  # of the plant, named in a finding
NO_WORDS: Mapping[str, str] = MappingProxyType({})
SIMILAR = 0.6  # of names: share of characters that are alike
MAX_COMPARED = 4_000_000  # pairs of characters of one call, which take a quarter of a second

Kind = Literal[
    "overlap", "unknown device", "future", "long", "no end", "repeated", "label case", "read as", "new label"
]


class Finding(msgspec.Struct, frozen=True):
    """Something odd about a label, which is accepted nevertheless. `line` is that of the table, if it came from one.

    `device` and `details` have what the sentence names, so that it can be translated. Details by kind: overlap, the
    other labels; unknown device, similar names; future, a time; long, days; label case, the texts; read as, the word
    and the class; new label, the label and the classes of the plant.
    """

    kind: Kind
    sentence: str
    advice: str
    line: int | None = None
    device: str = ""
    details: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True):
    """A label to add, not checked yet. Times are in ms since 1970 UTC."""

    device: str
    begin: int
    end: int | None
    label: str | float | bool | None
    note: str = ""
    id: str | None = None
    line: int | None = None


def checked(wish: Wish, settings: Settings, by: str, at: int, source: Source) -> Label:
    """Checks a wish; returns the label to store. Raises InvalidInput."""
    if not wish.device.strip():
        raise InvalidInput("the device is missing", field="device")
    try:
        check_device(wish.device, settings.topics.prediction)
    except Unusable as error:
        raise InvalidInput(str(error), field="device") from None
    try:
        label = label_text(wish.label)
    except ValueError as error:
        raise InvalidInput(str(error), field="label") from None
    if label is None:
        raise InvalidInput("label is missing: give the label of the period, such as yes", field="label")
    for name, moment in (("from", wish.begin), ("to", wish.end)):
        if moment is not None and not YEAR_2000 <= moment < YEAR_9999:
            side = "before the year 2000" if moment < YEAR_2000 else "after the year 9998"
            raise InvalidInput(
                f"{name} is {side}; write it as 2026-11-24T14:00:00Z, or as an epoch in s or ms", field=name
            )
    if wish.end is not None and wish.end <= wish.begin:
        raise InvalidInput(
            f"to ({iso(wish.end)}) is not after from ({iso(wish.begin)}); a period ends after it starts, and "
            "its end is not part of it",
            field="to",
        )
    note = wish.note.strip()
    if len(note) > MAX_NOTE or not note.isprintable():
        raise InvalidInput(f"note must have at most {MAX_NOTE} printable characters", field="note")
    id_ = wish.id if wish.id is not None else digest_of(wish.device, wish.begin, wish.end, label, note)
    if not 1 <= len(id_) <= MAX_ID or not id_.isprintable() or id_ != id_.strip():
        raise InvalidInput(f"id must have 1 to {MAX_ID} printable characters, without blanks around them")
    return Label(id_, wish.device, wish.begin, wish.end, label, note, by, at, source)


def findings(
    labels: Sequence[tuple[Label, int | None]],
    active: Sequence[Label],
    known: Collection[str],
    now: int,
    classes: Collection[str] = (),
    words: Mapping[str, str] = NO_WORDS,
) -> list[Finding]:
    """What is odd about new labels, each with its line. `active` are those in the list that count, `known` the devices
    that have sent something, `classes` those of the live model, `words` those that were read as a class. At most
    MAX_FINDINGS.
    """
    found: list[Finding] = []
    named = {*classes, *(each.label for each in active)}
    for finding in chain(_read(words), _new(labels, named), _findings(labels, active, known, now)):
        found.append(finding)
        if len(found) == MAX_FINDINGS:
            break
    return found


def _findings(
    labels: Sequence[tuple[Label, int | None]], active: Sequence[Label], known: Collection[str], now: int
) -> Iterator[Finding]:
    by_device: dict[str, list[Label]] = {}
    for each in active:
        by_device.setdefault(each.device, []).append(each)
    written = {each.label for each in active} | {label.label for label, _ in labels}
    yield from _case(labels, written)
    unknown: dict[str, int | None] = {}  # and the line of its first label
    for label, line in labels:
        if label.device not in known:
            unknown.setdefault(label.device, line)
    near_of = _similar(list(unknown), known)
    for device, line in unknown.items():
        near = near_of.get(device, ())
        hint = f"did you mean {' or '.join(near)}?" if near else "check its name, as in the topic"
        yield Finding(
            "unknown device",
            f"no device {device} has sent a reading yet",
            f"{hint}; the label applies once it does; otherwise undo it",
            line,
            device,
            tuple(near),
        )
    before: dict[str, list[tuple[Label, int | None]]] = {}
    for label, line in labels:
        if label.begin > now or (label.end is not None and label.end > now):
            which = "starts" if label.begin > now else "ends"
            moment = label.begin if label.begin > now or label.end is None else label.end
            yield Finding(
                "future",
                f"the period of {label.device} {which} in the future, at {iso(moment)}",
                "it applies to readings still to come; undo it if the date or its time zone is wrong",
                line,
                label.device,
                (iso(moment),),
            )
        if label.end is not None and label.end - label.begin > LONG_MS:
            days = (label.end - label.begin) // 86_400_000
            yield Finding(
                "long",
                f"the period of {label.device} is {days} days long",
                "check the year of its start and end",
                line,
                label.device,
                (str(days),),
            )
        if label.end is None and line is not None:  # a cell may be empty by oversight
            yield Finding(
                "no end",
                f"the period of {label.device} has no end",
                "it holds until further notice, for readings still to come as well; undo it if it is over",
                line,
                label.device,
            )
        before.setdefault(label.device, []).append((label, line))
    for device, given in before.items():
        yield from _overlaps(device, given, by_device.get(device, []))


def _similar(devices: Sequence[str], known: Collection[str]) -> dict[str, Sequence[str]]:
    """The known names most like each of `devices`: those with the same letters and digits, else those that share most.

    The latter are looked for until MAX_COMPARED is reached.
    """
    plain: dict[str, list[str]] = {}
    for name in known:
        plain.setdefault(_plain(name), []).append(name)
    found: dict[str, Sequence[str]] = {}
    in_order, left, length = sorted(known), MAX_COMPARED, sum(map(len, known))
    for device in devices:
        if (same := plain.get(_plain(device))) is not None:
            found[device] = sorted(same)[:NAMED]
        elif (cost := len(device) * length) <= left:
            left -= cost
            found[device] = difflib.get_close_matches(device, in_order, NAMED, SIMILAR)
    return found


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold())) or name


def _overlaps(device: str, given: list[tuple[Label, int | None]], active: list[Label]) -> Iterator[Finding]:
    ids = {label.id for label, _ in given}
    timeline = Timeline([each for each in active if each.id not in ids])
    for label, line in given:
        if others := timeline.labels_in(label.begin, label.end):
            shown = ", ".join(others[:NAMED])
            yield Finding(
                "overlap",
                f"{device} already has the label {shown} in a part of {_period(label)}",
                f"there, {label.label} counts from now on, because it was added later; undo the one that is wrong",
                line,
                device,
                tuple(others[:NAMED]),
            )
    latest: Label | None = None
    for label, line in sorted(given, key=lambda each: each[0].begin):
        if latest is not None and (latest.end is None or label.begin < latest.end):
            yield Finding(
                "overlap",
                f"two periods of {device} overlap: {_period(latest)} ({latest.label}) and "
                f"{_period(label)} ({label.label})",
                "the later row counts where they overlap",
                line,
                device,
                (latest.label,),
            )
        if latest is None or (latest.end is not None and (label.end is None or label.end > latest.end)):
            latest = label


def _case(labels: Sequence[tuple[Label, int | None]], written: set[str]) -> Iterator[Finding]:
    alike: dict[str, set[str]] = {}
    for each in written:
        alike.setdefault(_spelled(each), set()).add(each)
    new = {label.label for label, _ in labels}
    for texts in alike.values():
        if len(texts) > 1 and texts & new:
            yield Finding(
                "label case",
                f"the labels {' and '.join(map(repr, sorted(texts)))} differ by case or blanks alone",
                "training takes them as different classes; write them alike",
                details=tuple(sorted(texts)),
            )


def _spelled(text: str) -> str:
    return "".join(text.casefold().split())


def _read(words: Mapping[str, str]) -> Iterator[Finding]:
    for word, meant in words.items():
        yield Finding(
            "read as",
            f"“{word}” was read as “{meant}”",
            f"the console shows {meant} so; nothing needs to be done",
            details=(word, meant),
        )


def _new(labels: Sequence[tuple[Label, int | None]], classes: Collection[str]) -> Iterator[Finding]:
    """Labels that the plant does not have yet, each once. A plant without any has no new ones."""
    if not classes:
        return
    if USUAL.issuperset(classes):
        classes = USUAL
    plain = {_spelled(each) for each in classes}
    have = sorted(classes)[:MAX_CLASSES]
    more = ", …" if len(classes) > MAX_CLASSES else ""
    lines: dict[str, int | None] = {}
    for label, line in labels:
        if _spelled(label.label) not in plain:  # a class in another spelling has a finding of its own
            lines.setdefault(label.label, line)
    for text, line in lines.items():
        yield Finding(
            "new label",
            f"new label: “{text}”; the plant has {', '.join(have)}{more}",
            "training takes it as a class of its own; undo it if it is one of those",
            line,
            details=(text, *have, *(["…"] if more else [])),
        )


def _period(label: Label) -> str:
    return f"{iso(label.begin)} to {'further notice' if label.end is None else iso(label.end)}"
