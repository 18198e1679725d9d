"""Checks for messages that no device profile reads. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from command.doctor.finding import Finding, fine, risky
from zelador.printable import clean
from zelador.unread import Unread

MAX_NAMED = 5


def judge(found: Sequence[Unread]) -> Iterator[Finding]:
    readable = [each for each in found if each.advice]
    for each in readable[:MAX_NAMED]:
        yield risky(
            "topics.unread",
            f"{clean(each.device)} publishes on {clean(each.topic)}, and no profile reads it; {clean(each.advice)}",
            "all readings on that topic: nobody subscribes to it",
            "set ZELADOR_PROFILES or ZELADOR_TOPICS__READING as suggested; ignore it if the topic is not for Zelador",
        )
    if len(readable) > MAX_NAMED:
        yield fine("topics.unread", f"{len(readable) - MAX_NAMED} more such topics")
    others = [each for each in found if not each.advice]
    if others and not readable:
        shown = ", ".join(clean(each.topic) for each in others[:MAX_NAMED])
        more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
        yield fine("topics.unread", f"no profile reads what is published on {shown}{more}; no preset would either")
