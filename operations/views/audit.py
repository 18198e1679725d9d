"""Changes in the audit log that match a filter, newest first. A request reads a bounded number of entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import msgspec

from operations.audit import Act
from operations.audit_entry import Change
from operations.audit_file import AuditFile

MAX_SEARCHED = 20_000  # entries that one request reads
MAX_STRAY = 200  # entries in a row that are older than asked for, after which the others are too
AUTHORS_READ = 5_000  # entries

TOLD = ("device", "devices", "label", "classes", "note", "notes", "why", "topic", "reason", "begins")

Kind = Literal["selections", "models", "runs", "labels", "devices", "quarantine", "keys", "registry"]
KINDS: Mapping[Kind, tuple[Act, ...]] = {
    "selections": (Act.MODEL_SELECTED, Act.SELECTION_ROLLED_BACK, Act.PROMOTION_DECIDED),
    "models": (Act.MODEL_REGISTERED, Act.MODEL_ANNOTATED, Act.MODEL_RENAMED, Act.MODEL_DELETED),
    "runs": (Act.RUN_REQUESTED, Act.RUN_CANCELLED, Act.RUN_FINISHED),
    "labels": (Act.LABEL_ADDED, Act.LABEL_UNDONE, Act.LABELS_IMPORTED, Act.LABELS_UNDONE),
    "devices": (
        Act.ALARM_ACKNOWLEDGED, Act.ALARM_UNACKNOWLEDGED, Act.DEVICE_SHELVED, Act.DEVICE_UNSHELVED, Act.DEVICE_RETIRED,
        Act.DEVICE_RESTORED,
    ),
    "quarantine": (Act.QUARANTINE_REPLAYED, Act.QUARANTINE_DISCARDED),
    "keys": (Act.KEY_MADE, Act.KEY_REVOKED, Act.DEVICE_PASSWORD_MADE, Act.DEVICE_PASSWORD_REMOVED),
    "registry": (Act.REGISTRY_ACCEPTED, Act.REGISTRY_COLLECTED, Act.REGISTRY_TRUSTED, Act.DATASET_DROPPED),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Times are in ms since 1970 UTC. Empty and None: any."""

    who: str = ""  # as in the log, or on whose behalf; without the way in which it came (`author`), all of that author
    kind: Kind | None = None
    text: str = ""  # in who, what, target, address, or what the values before and after say (TOLD); of any case
    since: int | None = None
    until: int | None = None  # this moment is not included

    @property
    def is_empty(self) -> bool:
        return not (self.who or self.kind or self.text or self.since is not None or self.until is not None)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of changes. `next` is the `before` of the following page; None after the last one."""

    changes: tuple[Change, ...]
    next: str | None
    searched_to: str | None = None  # time (ISO 8601) to which it was searched, if the search ended before the log did


def search(
    audit: AuditFile,
    wanted: AuditFilter,
    names: Mapping[str, str],
    limit: int,
    before: str | None = None,
    shown: Callable[[Change], str] = lambda _: "",
) -> Found:
    """Changes that match and whose ids are below `before`. `names` are what people call the authors.

    `shown` is what the reader sees of a change, in which the text is looked for as well.
    """
    found: list[Change] = []
    since = "" if wanted.since is None else _id(wanted.since)
    is_wanted = _matcher(wanted, names, shown)
    strays = 0
    for looked, change in enumerate(audit.newest(_first(before, wanted.until)), 1):
        if change.id < since:
            strays += 1
            if strays > MAX_STRAY:
                break
        else:
            strays = 0
            credited = credit(change)
            if is_wanted(credited):
                if len(found) == limit:
                    return Found(tuple(found), found[-1].id)
                found.append(credited)
        if looked == MAX_SEARCHED:
            return Found(tuple(found), change.id, change.at)
    return Found(tuple(found), None)


def _matcher(wanted: AuditFilter, names: Mapping[str, str], shown: Callable[[Change], str]) -> Callable[[Change], bool]:
    acts = None if wanted.kind is None else frozenset(act.value for act in KINDS[wanted.kind])
    text = wanted.text.strip().casefold()

    def is_wanted(change: Change) -> bool:
        if wanted.who and wanted.who not in (change.who, author(change.who), change.on_behalf_of):
            return False
        if acts is not None and change.what not in acts:
            return False
        return not text or text in _recorded(change, names).casefold() or text in shown(change).casefold()

    return is_wanted


def reasons(change: Change) -> list[str]:
    """The texts that say why, or the notes; a text may be empty. What was before has those of an earlier change."""
    for facts in (change.after, change.before):
        if isinstance(facts, dict):
            given = [facts[name] for name in ("why", "note", "notes") if isinstance(facts.get(name), str)]
            if given:
                return given
    return []


def _recorded(change: Change, names: Mapping[str, str]) -> str:
    """What an entry says, but for the figures in its values."""
    asked_by = change.on_behalf_of or ""
    named = (names.get(each, "") for each in (change.who, asked_by, f"key {change.target}"))
    facts = (each for value in (change.before, change.after) for each in _told(value))
    return "\n".join((change.who, asked_by, *named, change.what, change.target, change.address or "", *facts))


def _told(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name in TOLD:
            given = value.get(name)
            yield from (each for each in (given if isinstance(given, list) else [given]) if isinstance(each, str))


def authors(audit: AuditFile) -> tuple[str, ...]:
    """Who made the newest changes, each once, however they came, and on whose behalf: a trainer acts in many runs."""
    newest = map(credit, islice(audit.newest(), AUTHORS_READ))
    people = ((author(change.who), change.on_behalf_of) for change in newest)
    return tuple(dict.fromkeys(who for each in people for who in each if who))


def credit(change: Change) -> Change:
    """The change with on whose behalf it was made; entries that do not say it may name who saved the model."""
    if change.on_behalf_of is not None or change.what != Act.MODEL_REGISTERED or not isinstance(change.after, dict):
        return change
    saved_by = change.after.get("saved_by")
    is_other = isinstance(saved_by, str) and saved_by not in ("", author(change.who))
    return msgspec.structs.replace(change, on_behalf_of=saved_by) if is_other else change


def author(who: str) -> str:
    """Who made a change, without the way in which it came: `trainer-1` of `trainer-1 (run 20261124_115838-a38d)`."""
    name, bracket, way = who.partition(" (")
    return name if bracket and name and way.endswith(")") else who


def _first(before: str | None, until: int | None) -> str | None:
    """The lower of two bounds on ids."""
    bounds = [] if before is None else [before.zfill(20)]
    bounds += [] if until is None else [_id(until)]
    return min(bounds, default=None)


def _id(moment: int) -> str:
    """The least id of a change at a moment: ids are ns since 1970 UTC."""
    return f"{max(0, moment) * 1_000_000:020d}"
