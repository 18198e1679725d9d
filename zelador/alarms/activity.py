"""How often devices go into alarm, from the stream of changes of states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import redis

from zelador.buffer.keys import Keys
from zelador.clock import now_ms

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
CHATTERS_FROM, CHATTERS_H = 3, 6  # alarms in this many hours
MAX_READ = 5_000  # changes; if there are more, both numbers are too low, but still high
WEBHOOK_LOST = "webhook_lost"  # field of the ledger
NOT_NEW = (b"acknowledged", b"shelved", b"retired")  # a device that leaves one of these was in alarm before


@dataclass(frozen=True, slots=True)
class AlarmActivity:
    """`per_minute`: alarms that began in the last minute. `chattering`: devices with several in the last hours.

    `fleet_silent`: nothing arrives from any device. `webhook_lost`: changes that were never sent to the webhook.
    """

    per_minute: int = 0
    chattering: int = 0
    fleet_silent: bool = False
    webhook_lost: int = 0


def read_activity(client: redis.Redis, prefix: str) -> AlarmActivity:
    """The activity of the last hour. Raises redis.RedisError if Redis does not answer."""
    now, keys = now_ms(), Keys(prefix)
    changes: Any = client.xrevrange(keys.device_events, min=str(now - CHATTERS_H * HOUR_MS), count=MAX_READ)
    found = activity((fields for _, fields in changes), now, bool(client.hexists(keys.states, "")))
    lost: Any = client.hget(keys.ledger, WEBHOOK_LOST)
    return replace(found, webhook_lost=int(lost or 0))


def activity(changes: Iterable[Mapping[bytes, bytes]], now: int, fleet_silent: bool = False) -> AlarmActivity:
    """The activity, from the changes of the last CHATTERS_H hours."""
    minute, devices = 0, Counter[bytes]()
    for fields in changes:
        if fields.get(b"to") == b"alarm" and fields.get(b"from") not in NOT_NEW:
            devices[fields[b"device"]] += 1
            minute += int(fields.get(b"at", b"0")) > now - MINUTE_MS
    return AlarmActivity(minute, sum(count >= CHATTERS_FROM for count in devices.values()), fleet_silent)
