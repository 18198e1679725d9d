"""The query of a data set: which readings, with the labels that were known at which moment. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal, cast, get_args

import msgspec

from zelador.buffer.entry import order_of
from zelador.errors import InvalidInput
from zelador.labels.moment import moment
from zelador.messages import iso, label_text
from zelador.settings import Settings

Source = Literal["all", "archive", "buffer"]
SOURCES: tuple[str, ...] = get_args(Source)
POSITION = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)  # the id of an entry of the stream
MAX_PART = 2**64 - 1  # of each number in it
MAX_NAMES = 10_000
MIN_MS, MAX_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999
MAX_PATTERN = 512  # characters
FORMAT = 1  # of a data set; with another format, the same query returns another data set


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query: readings measured from `begin` until before `end` (ms since 1970 UTC), of devices that match a pattern.

    Empty `devices` or `labels` mean all; empty `features` mean those of the settings. At most `cap` labeled rows are
    drawn, by class and block of time; None for all rows. A class with fewer than `fewest` rows is left out, if two
    others remain. Labels are used as they were at `labels_at` (ms), and entries of the stream up to `arrived_to`; None
    for now. A query with both returns the same data set at any later time.
    """

    begin: int | None = None
    end: int | None = None
    devices: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    cap: int | None = None
    fewest: int = 1
    source: Source = "all"
    labels_at: int | None = None
    arrived_to: str | None = None


def query_of(body: Mapping[str, object], settings: Settings) -> Query:
    """Reads a query from JSON with the keys of `as_json`. Raises InvalidInput, which names the key."""
    known = {"from", "to", "devices", "features", "labels", "cap", "fewest", "source", "labels_at", "arrived_to"}
    if strange := sorted(set(body) - known):
        raise InvalidInput(f"{strange[0]!r} is not a key of a data set; it has {', '.join(sorted(known))}")
    given = {name: value for name, value in body.items() if value is not None}
    cap, fewest, source = given.get("cap"), given.get("fewest", 1), given.get("source", "all")
    for name, number in (("cap", cap), ("fewest", fewest)):
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
            raise InvalidInput(f"{name} must be a whole number from 1")
    if source not in SOURCES:
        raise InvalidInput(f"source must be one of {', '.join(SOURCES)}")
    position = given.get("arrived_to")
    if position is not None and not (isinstance(position, str) and _is_position(position)):
        raise InvalidInput("arrived_to must be an entry of the stream, such as 1795514400000-0")
    return checked(
        Query(
            begin=_moment(given, "from", settings),
            end=_moment(given, "to", settings),
            devices=_texts(given, "devices"),
            features=_texts(given, "features"),
            labels=_texts(given, "labels"),
            cap=cast("int | None", cap),
            fewest=cast(int, fewest),
            source=cast(Source, source),
            labels_at=_moment(given, "labels_at", settings, 0),
            arrived_to=position,
        ),
        settings,
    )


def _is_position(text: str) -> bool:
    return POSITION.fullmatch(text) is not None and max(order_of(text)) <= MAX_PART


def checked(query: Query, settings: Settings) -> Query:
    """Returns the query in canonical form: names sorted and unique, labels normalized, features filled in."""
    if query.begin is not None and query.end is not None and query.end <= query.begin:
        raise InvalidInput(
            f"to ({iso(query.end)}) is not after from ({iso(query.begin)}); a period ends after it starts, and its end "
            "is not part of it"
        )
    features = query.features or settings.features
    if twice := [name for name in features if features.count(name) > 1]:
        raise InvalidInput(f"{twice[0]!r} is named twice among the features; name each once")
    labels = []
    for label in query.labels:
        try:
            text = label_text(label)
        except ValueError as error:
            raise InvalidInput(str(error)) from None
        labels += [text] if text is not None else []
    return msgspec.structs.replace(
        query,
        devices=tuple(sorted(set(query.devices))),
        features=features,
        labels=tuple(sorted(set(labels))),
    )


def as_json(query: Query) -> dict[str, object]:
    """Returns the query as JSON, without the keys that are not set."""
    found: dict[str, object] = {
        "from": None if query.begin is None else iso(query.begin),
        "to": None if query.end is None else iso(query.end),
        "devices": list(query.devices) or None,
        "features": list(query.features) or None,
        "labels": list(query.labels) or None,
        "cap": query.cap,
        "fewest": None if query.fewest == 1 else query.fewest,
        "source": None if query.source == "all" else query.source,
        "labels_at": None if query.labels_at is None else iso(query.labels_at),
        "arrived_to": query.arrived_to,
    }
    return {name: value for name, value in found.items() if value is not None}


def key_of(query: Query, *state: object) -> str:
    """Returns the cache id of a data set, from the query and the state of the data."""
    return hashlib.sha256(msgspec.json.encode((FORMAT, query, state))).hexdigest()[:24]


def matching(patterns: Sequence[str], devices: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the devices that match a name or pattern (`press-0[1-4]`), and the patterns that match none."""
    names, found = set(devices), set[str]()
    unmatched = []
    for pattern in patterns:
        hits = {pattern} if pattern in names else {name for name in devices if fnmatchcase(name, pattern)}
        found |= hits
        unmatched += [] if hits else [pattern]
    return sorted(found), unmatched


def _moment(body: Mapping[str, object], name: str, settings: Settings, least: int = MIN_MS) -> int | None:
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise InvalidInput(f"{name} must be a time, such as 2026-11-24T14:00:00Z")
    found = moment(value, settings, name)
    if not least <= found <= MAX_MS:
        year = "1" if least == MIN_MS else "1970"
        raise InvalidInput(f"{name} must be a time from the year {year} to the year 9999")
    return found


def _texts(body: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = body.get(name, ())
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MAX_NAMES:
        raise InvalidInput(f"{name} must be a list of at most {MAX_NAMES} texts", field=name)
    found = [each for each in value if isinstance(each, str) and 0 < len(each) <= MAX_PATTERN]
    if len(found) != len(value):
        raise InvalidInput(f"{name} must have texts of 1 to {MAX_PATTERN} characters", field=name)
    return tuple(found)
