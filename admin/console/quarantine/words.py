"""Says in the reader's language why a message is in quarantine; the reason itself is in English."""

from __future__ import annotations

import re
from collections.abc import Mapping

from admin.console.catalog import Messages
from admin.console.catalog import mark as _
from admin.console.labels.words import fault_text
from admin.console.language import Language
from admin.console.words import FEATURES, feature_text

QUOTED = r"['\"].*['\"]"
TRANSLATIONS: Mapping[str, str] = {  # pattern of a reason to its translation
    r"(?P<count>\d+) elements of an array; the first: (?P<first>.+)": _(
        "%(count)s elements of an array; the first: %(first)s"
    ),
    r"not JSON: nested too deep": _("Not JSON: nested too deep"),
    r"not JSON: .*\(byte (?P<count>\d+)\)": _("Not JSON, from byte %(count)s on"),
    r"not JSON: .*truncated.*": _("Not JSON: its end is missing"),
    r"not JSON: .*utf-?8.*": _("Not JSON: it is not text in UTF-8"),
    r"not JSON: .*": _("Not JSON"),
    r"a number is too large: at most (?P<value>\S+) can be read": _(
        "A number is too large: at most %(value)s can be read"
    ),
    r"the value is not text in UTF-8": _("The value is not text in UTF-8"),
    r"the message has (?P<count>\d+) bytes; on a topic of one value, at most (?P<most>\d+)": _(
        "The message has %(count)s bytes; on a topic of one value, at most %(most)s"
    ),
    r"the message has (?P<count>\d+) bytes; a label has at most (?P<most>\d+)": _(
        "The message has %(count)s bytes; a label has at most %(most)s"
    ),
    r"the message has (?P<count>\d+) bytes, more than (?P<most>\d+)": _(
        "The message has %(count)s bytes, more than %(most)s"
    ),
    r"the array is empty": _("The array is empty"),
    r"the array has (?P<count>\d+) readings, more than (?P<most>\d+)": _(
        "The array has %(count)s readings, more than %(most)s"
    ),
    r"the message is an array; a profile with device takes one object": _(
        "The message is an array; a profile with a device takes one object"
    ),
    r"the message is (?P<what>.+); a reading is an object such as \{…\}": _(
        "The message is %(what)s; a reading is an object"
    ),
    r"the message is (?P<what>.+); a label is an object with from, to and label": _(
        "The message is %(what)s; a label is an object with from, to and label"
    ),
    rf"it was read by the profile (?P<name>{QUOTED}), which is not in ZELADOR_PROFILES any more": _(
        "It was read by the profile %(name)s, which is not in ZELADOR_PROFILES any more"
    ),
    r"(?P<feature>.+?) is not a finite number": _("%(feature)s is not a finite number"),
    r"(?P<feature>.+?) is (?P<name>\S+), a finite number is needed": _(
        "%(feature)s is %(name)s; a finite number is needed"
    ),
    r"(?P<feature>.+?) is (?P<value>\S+), outside (?P<low>\S+) to (?P<high>[^\s,]+)(, the numbers .+)?": _(
        "%(feature)s is %(value)s, outside %(low)s to %(high)s"
    ),
    r"(?P<feature>.+?) is (?P<value>\S+) (?P<unit>.*), outside (?P<low>\S+) to (?P<high>[^\s,]+)(, the numbers .+)?": _(
        "%(feature)s is %(value)s %(unit)s, outside %(low)s to %(high)s"
    ),
    r"a value cannot be used": _("A value cannot be used"),
    r"(?P<feature>.+?) is missing; the message has no keys": _("%(feature)s is missing; the message is empty"),
    r"(?P<feature>.+?) is missing; the message has other keys": _("%(feature)s is missing; the message has other keys"),
    r"(?P<feature>.+?) is missing; the message has (?P<name>.*)": _("%(feature)s is missing; the message has %(name)s"),
    r"(?P<feature>.+?) is there (?P<count>\d+) times \((?P<name>.+)\); name one in the fields of the profile .+": _(
        "%(feature)s is there %(count)s times (%(name)s): name one in the fields of the device profile"
    ),
    rf"(?P<feature>.+?): the unit (?P<name>{QUOTED}) is not known; units are (?P<units>.+)": _(
        "%(feature)s: the unit %(name)s is not known; units are %(units)s"
    ),
    r"(?P<feature>.+?): (?P<name>\S+) cannot be converted to (?P<unit>.+)": _(
        "%(feature)s: %(name)s cannot be converted to %(unit)s"
    ),
    r"(?P<feature>.+?) is (?P<what>.+), a number is needed with a decimal point": _(
        "%(feature)s is %(what)s; a number with a decimal point is needed"
    ),
    r"(?P<feature>.+?) is (?P<what>.+), a number is needed; (?P<name>\w+) of a device profile can read it .+": _(
        "%(feature)s is %(what)s; a number is needed. %(name)s of a device profile can read it"
    ),
    r"(?P<feature>.+?) is (?P<what>.+), a number is needed; a device profile can take a path into it .+": _(
        "%(feature)s is %(what)s; a number is needed. A device profile can take a path into it"
    ),
    r"(?P<feature>.+?) is (?P<what>.+), a number is needed": _("%(feature)s is %(what)s; a number is needed"),
    rf"the topic (?P<name>{QUOTED}) does not name a device": _("The topic %(name)s does not name a device"),
    r"the device's name is (?P<name>\.{1,2}), which clients remove from an address; name it differently": _(
        "The device’s name is %(name)s, which clients remove from an address; name it differently"
    ),
    r"the device's name is longer than (?P<most>\d+) characters, or not printable, or has a /": _(
        "The device’s name is longer than %(most)s characters, cannot be printed, or has a /"
    ),
    rf"no prediction can be published for the device (?P<name>{QUOTED}): of the topic, (?P<topic>.+)": _(
        "No prediction can be published for the device %(name)s. Its topic: %(topic)s"
    ),
    r"(?P<name>.+), which names the device, is (?P<what>.+)": _("%(name)s, which names the device, is %(what)s"),
    r"nothing names the device: (?P<name>.+)": _("Nothing names the device: %(name)s"),
    r"(?P<name>ts|from|to) is (?P<what>.+); it must be ISO 8601 .+": _(
        "%(name)s is %(what)s; it must be a time such as 2026-11-24T10:00:00Z, or an epoch in s, ms, µs or ns"
    ),
    r"(?P<name>ts|from|to) is (?P<moment>.+?), more than (?P<span>.+?) ahead of the server's clock .+": _(
        "%(name)s is %(moment)s, more than %(span)s ahead of the server’s clock (ZELADOR_INGEST__MAX_AHEAD_S)"
    ),
    r"(?P<name>ts|from|to) is (?P<what>.+), which is before the year 2000: .+": _(
        "%(name)s is %(what)s, before the year 2000: the device’s clock is not set, or it sends the time since its "
        "start. Without ts, the time of receipt counts"
    ),
    r"(?P<name>ts|from|to) is (?P<moment>.+?), more than (?P<span>.+?) before it was received: .+": _(
        "%(name)s is %(moment)s, more than %(span)s before it was received: the device’s clock is not set, or the "
        "reading is old. ZELADOR_INGEST__MAX_BEHIND_S is the limit"
    ),
    r"seq is (?P<what>.+), a whole number is needed": _("seq is %(what)s; a whole number is needed"),
    r"id is (?P<what>.+), a text or a number is needed": _("id is %(what)s; a text or a number is needed"),
    r"id is (?P<what>.+); it must be text": _("id is %(what)s; it must be text"),
    r"id must have 1 to (?P<most>\d+) printable characters.*": _("id must have 1 to %(most)s printable characters"),
    r"label is (?P<what>.+); it must be .+": _("label is %(what)s; it must be a text, a number or a boolean"),
    r"label must have 1 to (?P<most>\d+) printable characters": _("label must have 1 to %(most)s printable characters"),
    r"note is (?P<what>.+); it must be text": _("note is %(what)s; it must be text"),
    r"from is missing: .+": _("from is missing: the start of the period"),
    rf"the id (?P<name>{QUOTED}) came before, with other content \(ZELADOR_INGEST__UNIQUE_IDS\)": _(
        "The id %(name)s came before, with other content (ZELADOR_INGEST__UNIQUE_IDS)"
    ),
    r"devices may not label their readings here \(ZELADOR_INGEST__LABELS is false\)": _(
        "Devices may not label their readings here (ZELADOR_INGEST__LABELS is false)"
    ),
    r"more than (?P<most>\d+) labels of the device in a minute; it can be replayed": _(
        "More than %(most)s labels of the device in a minute; it can be replayed"
    ),
    r"the id of the label came before, with another content; use a new id": _(
        "The id of the label came before, with other content: use a new one"
    ),
    r"the list of labels has no room for more of this device, or of all devices": _(
        "The list of labels has no room for more of this device, or of all devices"
    ),
    r"too many devices with one topic a value are heard at once; replay it when there are fewer": _(
        "Too many devices that send each value on a topic of its own are heard at once: replay it when there are fewer"
    ),
    r"the stream entry cannot be decoded": _("The entry of the buffer cannot be read"),
    r"given to a worker (?P<count>\d+) times and never finished: .+": _(
        "Given to a worker %(count)s times and never finished: each time the worker died first, because of this "
        "reading, of another one beside it, or for another reason"
    ),
    r"the model (?P<name>\S+) needs (?P<feature>.+), which the reading does not have": _(
        "The model %(name)s needs %(feature)s, which the reading does not have"
    ),
    r"the model (?P<name>\S+) failed: (?P<error>.+)": _("The model %(name)s failed: %(error)s"),
    r"the broker refused the prediction: (?P<error>.+)": _("The broker refused the prediction: %(error)s"),
    r"its prediction is larger than the (?P<most>\d+) bytes that .+": _(
        "Its prediction is larger than the %(most)s bytes that the broker or ZELADOR_MQTT__PACKET_BYTES allow"
    ),
}
TOPICS: Mapping[str, str] = {  # why nothing can be published to a topic
    r"it is empty": _("it is empty"),
    r"it has a wildcard, .+": _("it has a wildcard, a control character or a non-character"),
    r"it begins with \$ .+": _("it begins with $ or a character that is not ASCII"),
    r"it is longer than (?P<most>\d+) bytes": _("it is longer than %(most)s bytes"),
    r"it has more than (?P<most>\d+) levels": _("it has more than %(most)s levels"),
}
VALUES: Mapping[str, str] = {  # what a reason says of a value
    r"text \((?P<name>\".*\")\)": _("the text %(name)s"),
    r"text with characters .+": _("text with characters that cannot be printed"),
    r"the number (?P<value>.+)": _("the number %(value)s"),
    r"a huge number": _("a huge number"),
    r"an array": _("an array"),
    r"an object": _("an object"),
}
MOMENTS: Mapping[str, str] = {
    r"after the year 9999": _("after the year 9999"),
    r"before the year 1": _("before the year 1"),
    r"(?P<count>\d+) days": _("%(count)s days"),
}
PARSED = "not JSON: "
OUTSIDE = re.compile(r" is \S+( .*)?, outside ")
MOST = 1e15  # a number with more digits keeps its exponent
KEY = re.compile(r"(ts|from|to|seq|id|label|note) ")  # of a message; it is written as it is there
MINUS = re.compile(r"(?<= is )-(?=\d)|(?<= outside )-(?=\d)|(?<= to )-(?=\d)")
REASONS, TOPIC_REASONS, VALUE_TEXTS, TIMES = (
    Messages(TRANSLATIONS),
    Messages(TOPICS),
    Messages(VALUES),
    Messages(MOMENTS),
)


def reason_text(language: Language, reason: str) -> str:
    """Returns the reason in the reader's language; one that is not known stays in English.

    In English it is shown as it is stored, except for numbers outside a range and for what a parser said, and with the
    minus of the console.
    """
    if (language.tag != "en" or reason.startswith(PARSED) or OUTSIDE.search(reason)) and (
        found := translated(language, reason)
    ):
        return found
    return MINUS.sub("−", reason if KEY.match(reason) else reason[:1].upper() + reason[1:])


def translated(language: Language, reason: str) -> str:
    """Translates a reason; empty for an unknown one."""
    return REASONS.translated(language, reason, lambda name, part: _part(language, name, part)) or fault_text(
        language, reason
    )


def _part(language: Language, name: str, part: str) -> str:
    """Returns a part of a reason, as the reader writes it."""

    def inner(messages: Messages) -> str:
        return messages.translated(language, part, lambda name, inside: _part(language, name, inside)) or part

    match name:
        case "count" | "most":
            return language.number(int(part)) if len(part) < 20 else part
        case "value" | "low" | "high":
            is_number = re.fullmatch(r"[-+]?\d*\.?\d+(e[-+]?\d+)?", part)
            return _number(language, part) if is_number else part
        case "feature":
            return feature_text(language, part) if part in FEATURES else part
        case "first":
            return translated(language, part) or part
        case "what":
            return inner(VALUE_TEXTS)
        case "topic":
            return inner(TOPIC_REASONS)
        case "moment" | "span":
            return inner(TIMES)
        case _:
            return part


def _number(language: Language, written: str) -> str:
    """Writes a number with all its digits, as the reader does; a huge or tiny one with its exponent."""
    value = float(written)
    if value == 0 or 1e-4 <= abs(value) < MOST:
        return language.plain(value)
    text = written.replace("-", "−")
    return text if language.tag == "en" else text.replace(".", ",")
