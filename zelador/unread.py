"""Messages that no device profile reads. A topic without a subscriber is the most common mistake. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial

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
    """A topic that no profile reads. `advice` names the setting that would read it; empty if no preset would."""

    topic: str
    count: int
    device: str = ""
    advice: str = ""


class UnreadTopics:
    """Counts messages by topic, at most MAX_TOPICS of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own = tuple(settings.own_topics.values())
        self._routes = [Route(profile) for profile in profiles_of(settings)]
        self._counts: dict[str, int] = {}
        self._samples: dict[str, bytes] = {}
        self._advised: dict[str, Unread] = {}
        self._decoder = cache(partial(_decoder, settings))
        self._is_ours = lru_cache(maxsize=4 * MAX_TOPICS)(self._is_known)

    def note(self, topic: str, payload: bytes) -> bool:
        """Counts the message, and returns True, unless a profile reads its topic or Zelador publishes on it."""
        known = self._counts.get(topic)
        if known is not None:
            self._counts[topic] = known + 1
            return True
        if not topic or len(topic) > MAX_TOPIC or self._is_ours(topic):
            return False
        if len(self._counts) < MAX_TOPICS:
            self._samples[topic] = payload[:MAX_SAMPLE]
            self._counts[topic] = 1
        return True

    def found(self) -> list[Unread]:
        """The topics that a preset or profile would read come first. Another thread may call it."""
        counts = list(self._counts.items())
        for topic, _ in counts:
            if topic not in self._advised:
                self._advised[topic] = advised(self._settings, self._decoder, topic, self._samples[topic])
        all_of_them = [msgspec.structs.replace(self._advised[topic], count=count) for topic, count in counts]
        return sorted(all_of_them, key=lambda each: (not each.advice, -each.count, each.topic))

    def _is_known(self, topic: str) -> bool:
        if topic.startswith(("$", "zelador/")) or any(overlap(template, topic) for template in self._own):
            return True
        return any(route.place(topic) is not None for route in self._routes)


def advised(settings: Settings, decoder: Callable[[str], Decoder], topic: str, sample: bytes) -> Unread:
    """The topic of one message, with the advice that fits it."""
    for name, preset in PRESETS.items():
        template = preset.get("topic")
        if template is None or name in settings.profile_names or not overlap(template, topic):
            continue
        place = topic.split("/")[template.split("/").index(DEVICE)]
        advice = _advice(settings, decoder(name), f"the preset {name}", name, topic, sample)
        return Unread(topic, 1, place if advice else "", advice)
    if DEFAULT not in settings.profile_names and overlap(settings.topics.reading, topic):
        advice = _advice(settings, decoder(DEFAULT), f"the profile {DEFAULT}", DEFAULT, topic, sample)
        return Unread(topic, 1, topic.split("/")[settings.topics.reading.split("/").index(DEVICE)], advice)
    levels = topic.split("/")
    if DEFAULT in settings.profile_names and len(levels) > 1 and _reads_as_default(decoder(DEFAULT), settings, sample):
        usual = settings.topics.reading.split("/").index(DEVICE)
        at = usual if usual < len(levels) else len(levels) - 1
        template = "/".join([*levels[:at], DEVICE, *levels[at + 1 :]])
        return Unread(topic, 1, levels[at], f"ZELADOR_TOPICS__READING={template} would read it")
    return Unread(topic, 1)


def merged(several: Iterable[Iterable[Unread]]) -> list[Unread]:
    """One list, each topic once."""
    by_topic: dict[str, Unread] = {}
    for each in (item for found in several for item in found):
        known = by_topic.get(each.topic)
        by_topic[each.topic] = each if known is None or each.count > known.count else known
    return sorted(by_topic.values(), key=lambda each: (not each.advice, -each.count, each.topic))


def _decoder(settings: Settings, profile: str) -> Decoder:
    return Decoder(settings.model_copy(update={"profiles": (profile,), "profile_tables": {}}))


def _advice(settings: Settings, decoder: Decoder, what: str, name: str, topic: str, sample: bytes) -> str:
    names = ",".join([*settings.profile_names, name])
    would = f"{what} would (ZELADOR_PROFILES={names})"
    if decoder.has_parts:
        found = decoder.part(Message(topic, sample, NOW, 0, 0, 0))
        if found is None:
            return ""  # a field that no feature reads
        return would if not isinstance(found, str) else f"{would}, but {found}"
    arrival, refused = decoder.decode(topic, sample, NOW)
    if arrival is None and not refused:
        return ""  # it has none of the features
    bad = next((why for why, _ in refused if not why.startswith("ts is")), None)
    return would if bad is None else f"{would}, but {bad}"


def _reads_as_default(decoder: Decoder, settings: Settings, sample: bytes) -> bool:
    topic = settings.topics.reading.replace(DEVICE, "device")
    try:
        arrival, refused = decoder.decode(topic, sample, NOW)
    except Unusable:
        return False
    return arrival is not None or (bool(refused) and refused[0][0].startswith("ts is"))
