"""A message in which a device labels a period of its own readings."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from zelador.decode.json_reader import ERRORS, not_json
from zelador.decode.moments import Moments
from zelador.decode.routes import DEVICE
from zelador.decode.unusable import Unusable, described
from zelador.errors import InvalidInput
from zelador.labels.label import Label
from zelador.labels.rules import Wish, checked
from zelador.labels.store import Outcome
from zelador.settings import Settings

MAX_PAYLOAD_BYTES = 1_024
A_MINUTE = 60  # labels of one device
MAX_COUNTED = 10_000  # devices whose labels of a minute are counted
OFF = "devices may not label their readings here (ZELADOR_INGEST__LABELS is false)"
TOO_MANY = f"more than {A_MINUTE} labels of the device in a minute; it can be replayed"
NOT_STORED: dict[Outcome, str] = {
    "other": "the id of the label came before, with another content; use a new id",
    "full": "the list of labels has no room for more of this device, or of all devices",
}


class LabelMessages:
    """Reads the messages of ZELADOR_TOPICS__LABEL. Pure, except that it counts each device's labels per minute."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._enabled = settings.ingest.labels
        self._before, _, self._after = settings.topics.label.partition(DEVICE)
        self._least = len(self._before) + len(self._after) + 1
        self._moments = Moments(settings.time_zone, settings.ingest.max_ahead_s, settings.ingest.max_behind_s)
        self._decode: Callable[[bytes], object] = msgspec.json.Decoder().decode
        self._minute = 0
        self._counts: dict[str, int] = {}

    def takes(self, topic: str) -> bool:
        """True for a label topic. Called for each message, so a topic of readings fails at the first comparison."""
        return (
            topic.endswith(self._after)
            and topic.startswith(self._before)
            and len(topic) >= self._least
            and "/" not in self.device(topic)
        )

    def device(self, topic: str) -> str:
        return topic[len(self._before) : len(topic) - len(self._after)]

    def read(self, topic: str, payload: bytes, received_at: int, replayed: bool = False) -> Label | None:
        """The label; None for an empty message, which clears a retained one. Raises Unusable.

        A label that is `replayed` is not counted.
        """
        if not self._enabled:
            raise Unusable(OFF)
        if not payload:
            return None
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise Unusable(f"the message has {len(payload)} bytes; a label has at most {MAX_PAYLOAD_BYTES}")
        device = self.device(topic)
        if not replayed and not self._is_in_time(device, received_at):
            raise Unusable(TOO_MANY)
        try:
            document = self._decode(payload)
        except ERRORS as error:
            raise Unusable(not_json(error)) from None
        if not isinstance(document, dict):
            raise Unusable(f"the message is {described(document)}; a label is an object with from, to and label")
        label, note, id_ = document.get("label"), document.get("note"), document.get("id")
        if label is not None and not isinstance(label, str | int | float | bool):
            raise Unusable(f"label is {described(label)}; it must be text, a number or a boolean")
        if note is not None and not isinstance(note, str):
            raise Unusable(f"note is {described(note)}; it must be text")
        if isinstance(id_, int) and not isinstance(id_, bool):
            id_ = str(id_) if abs(id_) < 1 << 64 else ""
        if id_ is not None and not isinstance(id_, str):
            raise Unusable(f"id is {described(id_)}; it must be text")
        begin = self._moment(document, "from", received_at)
        if begin is None:
            raise Unusable("from is missing: the start of the period")
        end = self._moment(document, "to", received_at)
        wish = Wish(device, begin, end, label, note or "", id_ or None)
        try:
            return checked(wish, self._settings, device, received_at, "mqtt")
        except InvalidInput as error:
            raise Unusable(str(error)) from None

    def _moment(self, document: dict[str, object], name: str, received_at: int) -> int | None:
        if document.get(name) in (None, ""):
            return None
        try:
            return self._moments.of(document[name], received_at)
        except Unusable as error:
            raise Unusable(f"{name} is {str(error).removeprefix('ts is ')}") from None

    def _is_in_time(self, device: str, received_at: int) -> bool:
        minute = received_at // 60_000
        if minute != self._minute or len(self._counts) >= MAX_COUNTED:
            self._minute, self._counts = minute, {}
        count = self._counts[device] = self._counts.get(device, 0) + 1
        return count <= A_MINUTE
