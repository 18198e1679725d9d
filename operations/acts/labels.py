"""Add labels of periods, undo one, or import a table of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from operations.actor import Actor
from operations.audit import Act
from zelador.buffer.written import NotWritten
from zelador.clock import now_ms
from zelador.errors import Conflict, InvalidInput, NotFound, Unavailable
from zelador.labels import Label, Snapshot, Source
from zelador.labels.book import LabelBook
from zelador.labels.classes import in_classes_of
from zelador.labels.label import again
from zelador.labels.rules import Finding, Wish, checked, findings
from zelador.labels.store import MAX_BYTES, MAX_LABELS
from zelador.labels.work_orders import WorkOrders
from zelador.messages import iso
from zelador.printable import counted
from zelador.settings import Settings

T = TypeVar("T")

FAULTS_NAMED = 5
FULL = (
    f"the list of labels is full ({MAX_LABELS:,} labels or {MAX_BYTES >> 20} MiB), and nothing is deleted from it; "
    "one long period needs as much room as a short one"
)


@dataclass(frozen=True, slots=True)
class Added:
    label: Label
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import. `labels` were added, or would be if it were no preview.

    `known` counts rows that are in the list already. `faults` has the line and reason of each row that cannot be a
    label.
    """

    labels: tuple[Label, ...]
    lines: tuple[int | None, ...]  # of the labels
    known: int
    faults: tuple[tuple[int, str], ...]
    findings: tuple[Finding, ...]
    columns: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    preview: bool


def add(
    actor: Actor, book: LabelBook, settings: Settings, wish: Wish, source: Source, classes: Collection[str] = ()
) -> Added:
    """Adds a label. `classes`: those of the live model. Its word for one of the plant's classes is read as that class.

    Raises InvalidInput, Conflict (it is in the list already, or the list is full), Unavailable.
    """
    listed = book.labels.snapshot()
    meant, word = in_classes_of(wish, {*classes, *(each.label for each in listed.active())})
    words = {word: str(meant.label)} if word else {}
    return _added(actor, book, settings, meant, source, listed, classes, words)


def _added(
    actor: Actor,
    book: LabelBook,
    settings: Settings,
    wish: Wish,
    source: Source,
    listed: Snapshot,
    classes: Collection[str],
    words: Mapping[str, str],
) -> Added:
    actor.check()
    now = now_ms()
    label = _given_again(checked(wish, settings, actor.name, now, source), listed)
    (outcome,) = _written(lambda: book.store.add([label]))
    if outcome != "added":
        raise Conflict(_why_not(outcome, label))
    known = book.known_devices([label.device])
    odd = findings([(label, None)], tuple(listed.active()), known, now, classes, words)
    actor.record(Act.LABEL_ADDED, label.id, None, _facts(label))
    return Added(label, tuple(odd))


def undo(actor: Actor, book: LabelBook, label: str) -> None:
    """Undoes a label, which stays in the list. Raises NotFound, Conflict if it is undone already, Unavailable."""
    actor.check()
    outcome = _undone(book, label, actor.name)
    if outcome == "absent":
        raise NotFound(f"there is no label {label[:80]!r}")
    if outcome == "already":
        raise Conflict(f"the label {label[:80]} is undone already")
    found = next((each for each in book.labels.snapshot().labels if each.id == label), None)
    actor.record(Act.LABEL_UNDONE, label, None if found is None else _facts(found))


def _undone(book: LabelBook, label: str, by: str) -> str:
    return _written(lambda: book.store.undo(label, by, now_ms()))


def _listed(listed: Snapshot, label: str) -> Label:
    found = next((each for each in listed.labels if each.id == label), None)
    if found is None:
        raise NotFound(f"there is no label {label[:80]!r}")
    return found


def _first_id(listed: Snapshot, label: Label) -> str:
    """The id under which a label was first given; labels that are given again have a number after it."""
    base, _, number = label.id.rpartition(".")
    is_again = number.isdecimal() and any(each.id == base and each.content == label.content for each in listed.labels)
    return base if is_again else label.id


def redo(actor: Actor, book: LabelBook, settings: Settings, label: str, source: Source) -> Added:
    """Adds a label again that was undone. Raises NotFound, Conflict if it counts, or the same one does, Unavailable."""
    listed = book.labels.snapshot()
    found = _listed(listed, label)
    if label not in listed.undone:
        raise Conflict(f"the label {label[:80]} is not undone")
    if (same := next((each for each in listed.active() if each.says == found.says), None)) is not None:
        raise Conflict(_why_not("known", same))
    wish = Wish(found.device, found.begin, found.end, found.label, found.note, _first_id(listed, found))
    return _added(actor, book, settings, wish, source, listed, (), {})


def undo_import(actor: Actor, book: LabelBook, at: int, by: str) -> int:
    """Undoes the labels that `by` imported at one time, and returns how many. Raises NotFound, Unavailable."""
    actor.check()
    wanted = [each for each in book.labels.snapshot().active() if each.is_of_import(at, by)]
    if not wanted:
        raise NotFound("all labels of this import are undone already")
    done: list[Label] = []
    try:
        done.extend(each for each in wanted if _undone(book, each.id, actor.name) == "undone")
    finally:  # record the labels that were undone, even if Redis has stopped answering
        if done:
            actor.record(Act.LABELS_UNDONE, counted(len(done), "label"), _summary(done))
    return len(done)


def import_table(
    actor: Actor,
    book: LabelBook,
    settings: Settings,
    orders: WorkOrders,
    *,
    preview: bool = False,
    skip: bool = False,
    classes: Collection[str] = (),
) -> Imported:
    """Adds the labels of all rows, or of none. With `skip`, leaves out rows that cannot be labels.

    `classes`: those of the live model. Words for the plant's classes are read as these, as `add` does. A preview
    changes nothing. Raises InvalidInput, Conflict if the list is full, Unavailable.
    """
    now, listed = now_ms(), book.labels.snapshot()
    faults = list(orders.faults)
    rows: list[tuple[Label, int | None]] = []
    known = 0
    in_list = {each.id: each for each in listed.labels}
    plant, words = {*classes, *(each.label for each in listed.active())}, dict[str, str]()
    for given in orders.wishes:
        wish, word = in_classes_of(given, plant)
        try:
            label = _given_again(checked(wish, settings, actor.name, now, "import"), listed)
        except InvalidInput as error:
            faults.append((wish.line or 0, str(error)))
            continue
        if word:
            words[word] = label.label
        before = in_list.get(label.id)
        if before is None:
            in_list[label.id] = label
            rows.append((label, wish.line))
        elif before.content == label.content:
            known += 1
        else:
            faults.append(
                (wish.line or 0, f"the id {label.id} names another label, {_period(before)}; undo that first")
            )
    faults.sort()
    if faults and not preview and not skip:
        named = "; ".join(f"line {line}: {why}" for line, why in faults[:FAULTS_NAMED])
        more = f"; and {len(faults) - FAULTS_NAMED} more" if len(faults) > FAULTS_NAMED else ""
        raise InvalidInput(
            f"nothing was imported, because {counted(len(faults), 'row')} cannot be labels ({named}{more}); correct "
            "them, or leave them out with --skip (skip=true)"
        )
    known_devices = book.known_devices({label.device for label, _ in rows})
    odd = findings(rows, tuple(listed.active()), known_devices, now, classes, words)
    labels = [label for label, _ in rows]
    if not preview and labels:
        actor.check()
        _add_all(book, labels)
        actor.record(Act.LABELS_IMPORTED, counted(len(labels), "label"), None, _summary(labels))
    lines = tuple(line for _, line in rows)
    return Imported(tuple(labels), lines, known, tuple(faults), tuple(odd), orders.columns, orders.notes, preview)


def _add_all(book: LabelBook, labels: Sequence[Label]) -> None:
    outcomes = _written(lambda: book.store.add(labels, whole=True))
    for outcome, label in zip(outcomes, labels, strict=True):
        if outcome in ("full", "other"):
            raise Conflict(f"nothing was imported: {_why_not(outcome, label)}")


def _given_again(label: Label, listed: Snapshot) -> Label:
    """A label that was undone may be given again; it gets the next id."""
    base, times = label.id, 1
    while label.id in listed.undone:
        label = _named(label, again(base, times))
        times += 1
    return label


def _named(label: Label, id_: str) -> Label:
    return Label(
        id_, label.device, label.begin, label.end, label.label, label.note, label.by, label.at, label.source
    )  # fmt: skip


def _why_not(outcome: str, label: Label) -> str:
    match outcome:
        case "known":
            return f"this label is in the list already, as {label.id}"
        case "other":
            return f"the id {label.id} names another label; undo that one, or give another id"
        case "undone":
            return f"the label {label.id} was undone a moment ago; add it again"
        case _:
            return FULL


def _written(step: Callable[[], T]) -> T:
    """Runs a step. Raises Unavailable if Redis has not written it to its file yet; a repeat is then recognized."""
    try:
        return step()
    except NotWritten as error:
        raise Unavailable(f"it is not known whether the label is stored ({error}); try again") from None


def _period(label: Label) -> str:
    return f"{label.label} of {label.device} from {iso(label.begin)}"


def _facts(label: Label) -> dict[str, str | None]:
    end = None if label.end is None else iso(label.end)
    return {
        "device": label.device, "from": iso(label.begin), "to": end, "label": label.label, "note": label.note,
        "source": label.source,
    }  # fmt: skip


def _summary(labels: Sequence[Label]) -> dict[str, object]:
    devices = sorted({label.device for label in labels})
    return {
        "labels": len(labels),
        "first": labels[0].id,
        "last": labels[-1].id,
        "devices": devices[:20],
        "classes": sorted({label.label for label in labels})[:20],
    }
