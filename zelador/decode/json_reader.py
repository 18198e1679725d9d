"""Reads one JSON object of a profile: a fast lane for flat messages of numbers, and a general one for all others.

When the fast one cannot read a message, the general one finds the reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from operator import mul
from typing import Annotated, Any

import msgspec

from zelador.decode import not_numbers
from zelador.decode.moments import Moments
from zelador.decode.profile import Path, Profile, Source, find
from zelador.decode.unusable import PassedOver, Unusable, described
from zelador.decode.values import number
from zelador.messages import Reading, content_hash, label_text
from zelador.ranges import Ranges, objection
from zelador.settings import Settings

MAX_NAME = 128  # characters of a device, an id, a label
MAX_KEYS = 8  # keys of the message that are listed in a reason
WHOLE = re.compile(r"(?<=\d)\.0+$", re.ASCII)  # 17.0, as a program writes a number that it keeps as a float
OUT_OF_RANGE = "out of range"  # what msgspec says of a number that no float or integer of Python can hold
TOO_LARGE = "a number is too large: at most 1.8e308 can be read"
ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError, ValueError)


class JsonReader:
    def __init__(self, profile: Profile, settings: Settings, moments: Moments, new_id: Callable[[], str]) -> None:
        self._profile, self._moments, self._new_id = profile, moments, new_id
        self._ranges = Ranges.of(settings, settings.features)
        self._features = settings.features
        self._units = tuple(field.unit for field in self._ranges.fields)
        self._lowest, self._highest = zip(*self._ranges.bounds, strict=True)
        scales = tuple(alternatives[0].scale for alternatives in profile.sources)
        self._scales = scales if any(scale != 1.0 for scale in scales) else None
        self._width = len(self._features)
        limits = None if self._scales else self._ranges.bounds
        self._fast = _fast(profile, limits) if profile.plain else None
        self.is_fast = self._fast is not None
        self._any = msgspec.json.Decoder().decode

    def read(self, device: str, raw: bytes, received_at: int, retained: bool = False) -> Reading:
        """The reading in a message. Raises Unusable, PassedOver."""
        if self._fast is not None:
            try:
                parts = msgspec.structs.astuple(self._fast(raw))
            except ERRORS:
                pass
            else:
                values = parts[: self._width]
                if self._scales is not None:
                    values = tuple(map(mul, values, self._scales))
                    self._check(values)
                ts, seq, given_id, label = parts[self._width :]
                if ts.__class__ is str:
                    ts = ts.strip()
                return self._made(device, values, ts, seq, given_id, label, received_at, retained)
        return self._read(device, self.parsed(raw), received_at, retained)

    def device(self, raw: bytes) -> str:
        """The name that the message gives its device. Raises Unusable."""
        document, names = self.parsed(raw), []
        for path in self._profile.device:
            for value in find(document, path)[:1]:
                if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
                    raise Unusable(f"{'.'.join(path)}, which names the device, is {described(value)}")
                names.append(str(value).strip())
        if not names:
            raise Unusable(f"nothing names the device: {', '.join('.'.join(path) for path in self._profile.device)}")
        return "-".join(names)

    def parsed(self, raw: bytes) -> dict[str, Any]:
        """The message as an object. Raises Unusable."""
        try:
            document = self._any(raw)
        except ERRORS as error:
            document = self._repaired(raw, error)
        if not isinstance(document, dict):
            raise Unusable(f"the message is {described(document)}; a reading is an object such as {{…}}")
        return document

    def _repaired(self, raw: bytes, error: Exception) -> Any:
        changed = None if isinstance(error, RecursionError) else not_numbers.replaced(raw)
        if changed is not None:
            try:
                return self._any(changed)
            except ERRORS as second:
                error = second
        raise Unusable(not_json(error)) from None

    def _read(self, device: str, document: dict[str, Any], received_at: int, retained: bool) -> Reading:
        profile = self._profile
        if profile.shared_topic and not any(
            find(document, source.path) for sources in profile.sources for source in sources
        ):
            raise PassedOver(f"the profile {profile.name} finds none of {', '.join(self._features)}"[:280])
        values = tuple(
            self._value(document, feature, unit, sources)
            for feature, unit, sources in zip(self._features, self._units, profile.sources, strict=True)
        )
        self._check(values)
        ts, seq, given_id, label = (
            self._single(document, key) for key in (profile.ts, profile.seq, profile.id, profile.label)
        )
        if isinstance(ts, str):
            ts = ts.strip()
        given_id = None if not_numbers.token(given_id) else given_id
        return self._made(device, values, ts, seq, given_id, label, received_at, retained)

    def _value(self, document: dict[str, Any], feature: str, unit: str, sources: tuple[Source, ...]) -> float:
        for source in sources:
            found = find(document, source.path)
            if len(found) > 1:
                raise Unusable(
                    f"{feature} is there {len(found)} times ({'.'.join(source.path)}); name one in the fields of "
                    f"the profile {self._profile.name}"
                )
            if found:
                return number(document, found[0], feature, unit, source, self._profile)
        have = ", ".join(list(map(str, document))[:MAX_KEYS]) or "no keys"
        have = have if have.isprintable() else "other keys"
        where = " or ".join(dict.fromkeys(".".join(source.path) for source in sources))
        named = feature if where == feature else f"{feature} ({where})"
        raise Unusable(f"{named} is missing; the message has {have}"[:280])

    def _single(self, document: dict[str, Any], path: Path | None) -> Any:
        if path is None:
            return None
        found = find(document, path)
        return found[0] if len(found) == 1 else None

    def _made(
        self,
        device: str,
        values: tuple[float, ...],
        ts: Any,
        seq: Any,
        given_id: Any,
        label: Any,
        received_at: int,
        retained: bool,
    ) -> Reading:
        """Makes the reading; checks everything but the values. Raises Unusable, PassedOver."""
        if ts is not None and ts != "":
            measured_at = self._moments.of(ts, received_at)
        elif retained:
            raise PassedOver("retained messages without a time of their own")
        else:
            ts, measured_at = None, received_at
        if seq is not None and type(seq) is not int:
            seq = _sequence(seq)
        if given_id is not None and not (
            type(given_id) is str and 0 < len(given_id) <= MAX_NAME and given_id.isprintable() and given_id[0] != " "
        ):
            given_id = _identifier(given_id)
        if label is not None:
            label = _label(label)
        if given_id is None:
            if ts is None or seq is None:
                return Reading(self._new_id(), values, measured_at, label, seq)
            given_id = _derived(device, seq, measured_at)
        return Reading(given_id, values, measured_at, label, seq, content_hash(ts, seq, values))

    def _check(self, values: tuple[float, ...]) -> None:
        """Raises Unusable if a value is outside its range."""
        for value, low, high in zip(values, self._lowest, self._highest):  # noqa: B905 - strict costs time for each
            if not low <= value <= high:
                raise Unusable(next(filter(None, map(objection, values, self._features, self._ranges.fields))))


def not_json(error: Exception) -> str:
    if OUT_OF_RANGE in str(error):
        return TOO_LARGE
    why = "nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
    return f"not JSON: {why}"


def _fast(profile: Profile, limits: Sequence[tuple[float, float]] | None) -> Callable[[bytes], Any]:
    """A decoder of flat messages: value_0, value_1 …, ts, seq, id, label. It refuses values outside `limits`."""
    names = {f"value_{i}": sources[0].path[0] for i, sources in enumerate(profile.sources)}
    kinds: list[Any] = [float] * len(names)
    if limits is not None:
        kinds = [Annotated[float, msgspec.Meta(ge=low, le=high)] for low, high in limits]
    own = {"ts": profile.ts, "seq": profile.seq, "id": profile.id, "label": profile.label}
    shape: Any = msgspec.defstruct(
        "DeviceMessage",
        [
            *zip(names, kinds, strict=True),
            ("ts", str | int | float | None, None),
            ("seq", str | int | None, None),
            ("id", str | int | None, None),
            ("label", str | int | float | bool | None, None),
        ],
        rename={**names, **{name: path[0] for name, path in own.items() if path}},
        gc=False,
    )
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(shape).decode
    return decode


def _sequence(seq: Any) -> int | None:
    """The sequence number: an integer, also as text or as 17.0. None for an empty text. Raises Unusable."""
    if isinstance(seq, str):
        text = seq.strip()
        if not text or not_numbers.token(seq):
            return None
        text = WHOLE.sub("", text)
        if len(text) <= 20 and text.removeprefix("-").isdecimal() and text.isascii():
            return int(text)
    elif isinstance(seq, float) and seq.is_integer() and abs(seq) < 2**53:
        return int(seq)
    elif isinstance(seq, int) and not isinstance(seq, bool):
        return seq
    raise Unusable(f"seq is {described(seq)}, a whole number is needed")


def _identifier(given: Any) -> str | None:
    if isinstance(given, int | float) and not isinstance(given, bool):
        given = str(int(given)) if isinstance(given, int) or given.is_integer() else repr(given)
    if not isinstance(given, str):
        raise Unusable(f"id is {described(given)}, a text or a number is needed")
    if not given.strip():
        return None
    if len(given) > MAX_NAME or not given.isprintable():
        raise Unusable(f"id must have 1 to {MAX_NAME} printable characters")
    return given


def _label(value: Any) -> str | None:
    if isinstance(value, dict | list):
        raise Unusable(f"label is {described(value)}; it must be a text, a number or a boolean")
    if not_numbers.token(value):
        return None
    try:
        return label_text(value)
    except ValueError:
        raise Unusable(f"label must have 1 to {MAX_NAME} printable characters") from None


def _derived(device: str, seq: int, measured_at: int) -> str:
    """An id for a device that sends `ts` and `seq` but no ids: the same reading always gets the same id."""
    return hashlib.blake2b(f"{device}\0{measured_at}\0{seq}".encode(), digest_size=16).hexdigest()
