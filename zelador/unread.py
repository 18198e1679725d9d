"""Messages that no device profile reads: a topic that nobody subscribes to is the commonest mistake. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zelador.decode import Decoder, Unusable
from zelador.decode.profiles import profiles_of
from zelador.decode.routes import DEVICE, Route
from zelador.link.message import Message
from zelador.settings import Settings
from zelador.settings.presets import PRESETS
from zelador.settings.profiles import DEFAULT, overlap

MAX_TOPICS = 1_000
MAX_TOPIC, MAX_SAMPLE = 300, 4_096  # bytes
NOW = 1_795_514_400_000  # any time: only the shape of a message matters


class Unread(msgspec.Struct, frozen=True):
    """A topic that no profile reads. `advice` says what would read it; empty if nothing known would."""

    topic: str
    count: int
    device: str = ""
    advice: str = ""


class UnreadTopics:
    """Counts messages by topic, at most MAX_TOPICS of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = (settings.topics.prediction, settings.topics.status)
        self._routes = [Route(profile) for profile in profiles_of(settings)]
        self._counts: dict[str, int] = {}
        self._samples: dict[str, bytes] = {}

    def note(self, topic: str, payload: bytes) -> None:
        known = self._counts.get(topic)
        if known is not None:
            self._counts[topic] = known + 1
        elif len(self._counts) < MAX_TOPICS and topic and len(topic) <= MAX_TOPIC and not self._is_ours(topic):
            self._counts[topic], self._samples[topic] = 1, payload[:MAX_SAMPLE]

    def found(self) -> list[Unread]:
        """Those that something known would read first, then by number."""
        all_of_them = [advised(self._settings, topic, n, self._samples[topic]) for topic, n in self._counts.items()]
        return sorted(all_of_them, key=lambda each: (not each.advice, -each.count, each.topic))

    def _is_ours(self, topic: str) -> bool:
        if topic.startswith(("$", "zelador/")) or any(overlap(template, topic) for template in self._own):
            return True
        return any(route.place(topic) is not None for route in self._routes)


def advised(settings: Settings, topic: str, count: int, sample: bytes) -> Unread:
    for name, preset in PRESETS.items():
        template = preset.get("topic")
        if template is None or name in settings.profile_names or not overlap(template, topic):
            continue
        place = topic.split("/")[template.split("/").index(DEVICE)]
        return Unread(topic, count, place, _preset_advice(settings, name, topic, sample))
    levels = topic.split("/")
    if len(levels) > 1 and _as_default(settings, sample) is None:
        usual = settings.topics.reading.split("/").index(DEVICE)
        at = usual if usual < len(levels) else len(levels) - 1
        template = "/".join([*levels[:at], DEVICE, *levels[at + 1 :]])
        return Unread(topic, count, levels[at], f"ZELADOR_TOPICS__READING={template} would read it")
    return Unread(topic, count)


def merged(several: Iterable[Iterable[Unread]]) -> list[Unread]:
    """One list, each topic once."""
    by_topic: dict[str, Unread] = {}
    for each in (item for found in several for item in found):
        known = by_topic.get(each.topic)
        by_topic[each.topic] = each if known is None or each.count > known.count else known
    return sorted(by_topic.values(), key=lambda each: (not each.advice, -each.count, each.topic))


def _preset_advice(settings: Settings, name: str, topic: str, sample: bytes) -> str:
    names = ",".join([*settings.profile_names, name])
    would = f"the preset {name} would (ZELADOR_PROFILES={names})"
    decoder = Decoder(settings.model_copy(update={"profiles": (name,), "profile_tables": {}}))
    if decoder.has_parts:
        found = decoder.part(Message(topic, sample, NOW, 0, 0, 0))
        if found is None:
            return ""  # a field that no feature reads
        return would if not isinstance(found, str) else f"{would}, but {found}"
    _, refused = decoder.decode(topic, sample, NOW)
    bad = next((why for why, _ in refused if not why.startswith("ts is")), None)
    return would if bad is None else f"{would}, but {bad}"


def _as_default(settings: Settings, sample: bytes) -> str | None:
    """Why the default profile could not read the message; None if it could."""
    alone = settings.model_copy(update={"profiles": (DEFAULT,), "profile_tables": {}})
    topic = settings.topics.reading.replace(DEVICE, "device")
    try:
        arrival, refused = Decoder(alone).decode(topic, sample, NOW)
    except Unusable as error:
        return str(error)
    if arrival is not None or (refused and refused[0][0].startswith("ts is")):
        return None
    return refused[0][0] if refused else "it is empty"
