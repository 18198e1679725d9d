"""What a device with a password may publish and read: rules for the gate, and Mosquitto's access list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from operations.device_passwords import EVERY, SERVICE_USER, DevicePassword
from zelador.settings import TopicSettings

NOWHERE = "zelador/denied"  # receives what a device may not publish; nobody reads it
DEVICE = "{device_id}"
EVERYTHING = ("#",)  # except $SYS


@dataclass(frozen=True, slots=True)
class Templates:
    """Topic filters with `{device_id}` for the device's name: those it may publish on, and those it may read."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]

    def of(self, name: str, reader: bool = False, behind: Sequence[str] = ()) -> Rights:
        """Of a device, a reader, or a gateway of the devices `behind` it."""
        if reader:
            return Rights((), EVERYTHING)
        names = ("+",) if EVERY in behind else (name, *behind)
        return Rights(
            tuple(each.replace(DEVICE, one) for one in names for each in self.writes),
            tuple(each.replace(DEVICE, one) for one in names for each in self.reads),
        )


@dataclass(frozen=True, slots=True)
class Rights:
    """The topic filters of one device."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]

    def may_publish(self, topic: str) -> bool:
        return any(matches(each, topic) for each in self.writes)

    def readable(self, wanted: str) -> str | None:
        """Returns the part of the filter `wanted` that the device may read; None if it may read nothing of it.

        So a subscription to `sensors/+/prediction` delivers the device's own predictions, as with Mosquitto.
        """
        return next((found for each in self.reads if (found := intersection(wanted, each)) is not None), None)


def templates(topics: TopicSettings, reading_topics: Sequence[str] = ()) -> Templates:
    """Returns the rights that follow from the topics. `reading_topics` are the templates on which devices publish."""
    writes = [_one_level(each) for each in (*(reading_topics or (topics.reading,)), topics.label)]
    reads = [f"{prefix.removesuffix('/')}/#" for prefix in topics.answered_prefixes if DEVICE in prefix.split("/")]
    prediction = _one_level(topics.prediction)
    if not any(matches_all(each, prediction) for each in reads):
        reads.append(prediction)
    return Templates(tuple(dict.fromkeys(writes)), tuple(dict.fromkeys(reads)))


def access_list(rules: Templates, records: Iterable[DevicePassword] = ()) -> str:
    """Returns Mosquitto's acl_file. Services may do everything, readers may read, and devices have their own topics.

    A gateway also has the topics of the devices behind it.
    """
    lines = [f"user {SERVICE_USER}", "topic readwrite #", "topic read $SYS/#", ""]
    records = tuple(records)
    for each in (each for each in records if each.behind and not each.reader):
        rights = rules.of(each.name, behind=each.behind)
        lines += [f"user {each.name}", *(f"topic write {topic}" for topic in rights.writes)]
        lines += [*(f"topic read {topic}" for topic in rights.reads), ""]
    for name in (each.name for each in records if each.reader):
        # The patterns apply to readers too, so the topics on which they would let a reader publish are denied.
        denied = (f"topic deny {each.replace(DEVICE, name)}" for each in rules.writes)
        lines += [f"user {name}", *denied, *(f"topic read {each}" for each in EVERYTHING), ""]
    lines += [f"pattern write {each.replace(DEVICE, '%u')}" for each in rules.writes]
    lines += [f"pattern read {each.replace(DEVICE, '%u')}" for each in rules.reads]
    return "\n".join(lines) + "\n"


def matches(rule: str, topic: str) -> bool:
    """Returns whether the topic matches the filter (MQTT 5, 4.7). A wildcard never matches a first level with `$`."""
    wanted, levels = rule.split("/"), topic.split("/")
    if levels[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or level not in ("+", levels[at]):
            return False
    return len(wanted) == len(levels)


def matches_all(rule: str, narrower: str) -> bool:
    """Returns whether every topic that matches the filter `narrower` also matches `rule`."""
    return intersection(narrower, rule) == narrower


def intersection(one: str, other: str) -> str | None:
    """Returns the filter for exactly the topics that match both, or None."""
    first, second = one.split("/"), other.split("/")
    found: list[str] = []
    for at in range(max(len(first), len(second)) + 1):
        a = first[at] if at < len(first) else None
        b = second[at] if at < len(second) else None
        if a == "#" or b == "#":  # `#` also matches its parent level
            rest = second[at:] if a == "#" else first[at:]
            return None if _hides(found, rest) else "/".join([*found, *rest])
        if a is None or b is None:
            return "/".join(found) if a is None and b is None and not _hides(found, []) else None
        if a == b or b == "+":
            found.append(a)
        elif a == "+":
            found.append(b)
        else:
            return None
        if at == 0 and found[0].startswith("$") and "+" in (a, b):
            return None  # a wildcard does not match a first level with `$`
    return None


def _hides(found: list[str], rest: list[str]) -> bool:
    """Returns whether a leading wildcard was narrowed to a first level with `$`, which it never matches."""
    return not found and bool(rest) and rest[0].startswith("$")


def _one_level(template: str) -> str:
    """Returns the template with a wildcard for every placeholder but the device's."""
    return "/".join("+" if level.startswith("{") and level != DEVICE else level for level in template.split("/"))
