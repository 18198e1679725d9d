"""Lists, shows, replays and discards messages in quarantine: those that were refused or set aside."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
import redis
from pydantic import Field
from typing_extensions import TypedDict

from zelador.buffer.batch import append_arguments, refusals
from zelador.buffer.keys import Keys
from zelador.buffer.library import Library
from zelador.buffer.written import Confirmer
from zelador.clock import now_ms
from zelador.decode import Decoder
from zelador.decode.unusable import Unusable
from zelador.errors import InvalidInput, NotFound
from zelador.labels.message import NOT_STORED, LabelMessages
from zelador.labels.sent import SentLabels
from zelador.messages import Arrival, iso
from zelador.settings import Settings

Kind = Literal["refused", "set_aside"]
Outcome = Literal["accepted", "repeated", "waiting", "still_refused", "not_whole", "gone"]

PREVIEW = 256  # bytes of each payload in a list
MAX_PAGE = 500  # entries
CHECKED_BYTES = 1_048_576  # of the messages that are decoded to see what would be accepted now
CHECKED_READS = 20  # of these, those that are longer than what a list shows of them
ID = re.compile(r"[1-9]\d{0,18}-\d{1,19}", re.ASCII)
WRITER = "quarantine"  # the name of the writer for a replay


class QuarantinedMessage(msgspec.Struct, frozen=True):
    """A quarantined message, element of an array, or reading. Times are in ms since 1970 UTC.

    `kind` is "refused" (it could not be read) or "set_aside" (it was accepted but could not be classified; its
    payload is the decoded reading). In a list, `payload` contains only the first PREVIEW bytes.
    """

    id: str
    kind: str
    topic: str
    reason: str
    payload: bytes
    length: int  # bytes received
    digest: str  # SHA-256 of the received bytes
    received_at: int
    kept_at: int
    features: str = ""
    count: int = 1  # number of readings that it counts as
    profile: str = ""  # the device profile that read it; empty: default
    device: str = ""  # empty: by the topic
    retained: bool = False


class QuarantineEntry(TypedDict):
    """A message, an element of an array, or a reading that was refused or set aside."""

    id: Annotated[str, Field(description="The entry's id; ids grow with time.")]
    kind: Annotated[Kind, Field(description="refused: it could not be read; set_aside: it could not be classified.")]
    topic: Annotated[str, Field(description="Topic of the message.")]
    reason: Annotated[str, Field(description="Why it is in quarantine.")]
    count: Annotated[int, Field(description="Number of readings that it counts as.")]
    payload: Annotated[str | None, Field(description="The payload as text; null if it is not UTF-8.")]
    payload_base64: Annotated[str, Field(description="The payload in Base64; in a list only its first 256 bytes.")]
    whole: Annotated[bool, Field(description="True if `payload` contains everything that was received.")]
    length: Annotated[int, Field(description="Size of the received payload, in bytes.")]
    sha256: Annotated[str, Field(description="SHA-256 of the received payload, as hexadecimal digits.")]
    received_at: Annotated[str, Field(description="Time of receipt, ISO 8601, UTC.")]
    kept_at: Annotated[str, Field(description="Time when it was quarantined, ISO 8601, UTC.")]


def device_of(kept: QuarantinedMessage, topic: str) -> str:
    """The device of a message, by its topic and the template of topics if nothing else names it; empty for none."""
    before, _, after = topic.partition("{device_id}")
    given = kept.topic
    if not kept.device and after and given.startswith(before) and given.endswith(after):
        return given[len(before) : len(given) - len(after)]
    return kept.device


def described(kept: QuarantinedMessage) -> QuarantineEntry:
    """The message as a JSON object."""
    try:
        text: str | None = kept.payload.decode()
    except UnicodeDecodeError:
        text = None
    return {
        "id": kept.id,
        "kind": cast(Kind, kept.kind),
        "topic": kept.topic,
        "reason": kept.reason,
        "count": kept.count,
        "payload": text,
        "payload_base64": base64.b64encode(kept.payload).decode(),
        "whole": len(kept.payload) == kept.length,
        "length": kept.length,
        "sha256": kept.digest,
        "received_at": iso(kept.received_at),
        "kept_at": iso(kept.kept_at),
    }


class Replay(msgspec.Struct, frozen=True):
    """The outcome of a replay: readings were accepted, were repeats, or wait again; else why the message stays."""

    id: str
    outcome: Outcome
    readings: int = 0
    reason: str | None = None


class Quarantine:
    """The quarantine in Redis. Every call raises redis.RedisError if Redis does not answer."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._keys = Keys(settings.redis.prefix)
        self._library = Library(client)
        self._confirmer = Confirmer(client)
        self._decoder = Decoder(settings)
        self._label_messages = LabelMessages(settings)
        self._labels = SentLabels(client, settings.redis.prefix)

    def device_of(self, kept: QuarantinedMessage) -> str:
        """The device of a message; empty if nothing names it."""
        return device_of(kept, self._settings.topics.reading)

    def page(self, limit: int = 50, before: str | None = None, kind: Kind | None = None) -> list[QuarantinedMessage]:
        """Messages with ids below `before`, newest first. Raises InvalidInput for an invalid id."""
        start = "+" if before is None else f"({checked_id(before)}"
        arguments = (start, min(limit, MAX_PAGE), kind or "", PREVIEW)
        entries: Any = self._library.call("page", [self._keys.quarantine], arguments)
        return [_kept(stream_id, dict(zip(flat[::2], flat[1::2], strict=True))) for stream_id, flat in entries]

    def get(self, entry: str) -> QuarantinedMessage:
        """One message, with all of its stored payload. Raises NotFound."""
        checked_id(entry)
        found: Any = self._client.xrange(self._keys.quarantine, entry, entry)
        if not found:
            raise NotFound(f"there is no message {entry} in quarantine; it may have been replayed or discarded")
        return _kept(*found[0])

    def would_pass(self, entries: Sequence[QuarantinedMessage]) -> dict[str, bool]:
        """Whether the present settings would accept each refused message, by its id; without those of which this cannot
        be known, or beyond CHECKED_BYTES and CHECKED_READS. Changes nothing. Raises redis.RedisError.
        """
        found, room, reads = dict[str, bool](), CHECKED_BYTES, CHECKED_READS
        for entry in entries:
            is_whole = len(entry.payload) == entry.length
            if entry.kind != "refused" or entry.length > room or not (is_whole or reads):
                continue
            room, reads = room - entry.length, reads if is_whole else reads - 1
            try:
                kept = entry if is_whole else self.get(entry.id)
            except NotFound:  # replayed or discarded meanwhile
                continue
            if (passes := self._passes(kept)) is not None:
                found[entry.id] = passes
        return found

    def _passes(self, kept: QuarantinedMessage) -> bool | None:
        """None if only the buffer knows: whether the id of a reading came before."""
        if len(kept.payload) < kept.length:
            return False
        if self._label_messages.takes(kept.topic):
            try:
                return self._label_messages.read(kept.topic, kept.payload, kept.received_at, replayed=True) is not None
            except Unusable:
                return False
        if kept.features and self._settings.ingest.unique_ids:
            return None
        return self._decoded(kept)[0] is not None

    def replay(self, entry: str) -> Replay:
        """Decodes a message again with the current settings, or returns a reading to the buffer, in one atomic step.

        Raises NotFound, InvalidInput.
        """
        return self._replay(self.get(entry))

    def replay_all(self, kind: Kind | None = None) -> Iterator[Replay]:
        """Every message that is in quarantine now, oldest first."""
        newest: Any = self._client.xrevrange(self._keys.quarantine, count=1)
        start, last = "-", newest[0][0].decode() if newest else None
        while last is not None:
            entries: Any = self._client.xrange(self._keys.quarantine, start, last, count=20)
            for stream_id, fields in entries:
                kept = _kept(stream_id, fields)
                if kind is None or kept.kind == kind:
                    yield self._replay(kept)
            if not entries:
                return
            start = f"({entries[-1][0].decode()}"

    def discard(self, *entries: str) -> int:
        """Discards messages; returns their number. The ledger does not change. Raises InvalidInput."""
        return sum(self.discarding(entries))

    def discarding(self, entries: Sequence[str]) -> Iterator[int]:
        """Discards messages step by step; yields the number of each step. Raises InvalidInput before the first one."""
        ids = [checked_id(entry) for entry in entries]
        keys = [self._keys.quarantine, self._keys.ledger]
        for at in range(0, len(ids), MAX_PAGE):
            yield int(self._library.call("discard", keys, ids[at : at + MAX_PAGE]))

    def discarding_all(self, kind: Kind | None = None) -> Iterator[int]:
        """Discards all messages step by step; yields the number of each step."""
        while page := self.page(MAX_PAGE, kind=kind):
            yield from self.discarding([kept.id for kept in page])

    def _replay(self, kept: QuarantinedMessage) -> Replay:
        if len(kept.payload) < kept.length:
            return Replay(kept.id, "not_whole", 0, f"only its first {len(kept.payload)} bytes were stored")
        if kept.kind == "set_aside":
            keys = [self._keys.readings, self._keys.quarantine, self._keys.ledger, self._keys.requests]
            if not kept.features:
                return Replay(kept.id, "still_refused", 0, "it is not a reading that could be classified")
            moved, written = self._library.call("readmit", keys, [kept.id])
            self._confirmer.confirm(written)
            return Replay(kept.id, "waiting", 1) if moved else Replay(kept.id, "gone")
        if self._label_messages.takes(kept.topic):
            return self._replay_label(kept)
        arrival, bad = self._decoded(kept)
        if arrival is None:
            return Replay(kept.id, "still_refused", 0, bad[0][0] if bad else self._decoder.last_passed_over)
        most = self._settings.ingest.max_payload_bytes
        refused = refusals(
            kept.topic, bad, kept.received_at, most, profile=kept.profile, device=kept.device, retained=kept.retained
        )
        now = now_ms()
        keys, arguments = append_arguments(
            self._settings, WRITER, kept.id, now, [arrival], refused, lambda _device, _now: 1, replaces=kept.id
        )
        answer = self._library.call("append", keys, arguments)
        accepted, repeated, not_unique, written = answer[0], answer[1], answer[7], answer[-1]
        self._confirmer.confirm(written)
        if accepted < 0:
            return Replay(kept.id, "gone")
        if not_unique and not accepted + repeated:
            return Replay(kept.id, "still_refused", 0, kept.reason)
        return Replay(kept.id, "accepted", accepted) if accepted else Replay(kept.id, "repeated", repeated)

    def _replay_label(self, kept: QuarantinedMessage) -> Replay:
        """Adds the label first: a repeat after a failure finds it in the list."""
        try:
            label = self._label_messages.read(kept.topic, kept.payload, kept.received_at, replayed=True)
        except Unusable as reason:
            return Replay(kept.id, "still_refused", 0, str(reason))
        if label is None:
            return Replay(kept.id, "still_refused", 0, "the message is empty")
        (outcome,) = self._labels.add([label])
        if outcome in NOT_STORED:
            return Replay(kept.id, "still_refused", 0, NOT_STORED[outcome])
        if not self.discard(kept.id):
            return Replay(kept.id, "gone")
        return Replay(kept.id, "accepted" if outcome == "added" else "repeated")

    def _decoded(self, kept: QuarantinedMessage) -> tuple[Arrival | None, list[tuple[str, bytes]]]:
        """The readings of a refused message. One that was refused after it was decoded was stored as a reading."""
        if not kept.features:
            retained, profile = kept.retained, kept.profile
            return self._decoder.decode(
                kept.topic, kept.payload, kept.received_at, retained=retained, profile_name=profile
            )
        if kept.features != ",".join(self._settings.features):
            return None, [(f"it has the values {kept.features}, and ZELADOR_FEATURES has changed since", kept.payload)]
        return msgspec.json.decode(kept.payload, type=Arrival), []


def checked_id(entry: str) -> str:
    if not ID.fullmatch(entry):
        raise InvalidInput(f"{entry[:60]!r} is not an id of the quarantine; ids look like 1795514400004-0")
    return entry


def _kept(stream_id: bytes, fields: dict[bytes, bytes]) -> QuarantinedMessage:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode("utf-8", "replace")

    return QuarantinedMessage(
        stream_id.decode(),
        text(b"kind"),
        text(b"topic"),
        text(b"reason"),
        fields.get(b"payload", b""),
        int(fields.get(b"length", b"0")),
        text(b"digest"),
        int(fields.get(b"received_at", b"0")),
        int(stream_id.partition(b"-")[0]),
        text(b"features"),
        int(fields.get(b"n", b"1")),
        text(b"profile"),
        text(b"device"),
        text(b"retained") == "1",
    )
