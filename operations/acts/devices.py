"""Acknowledge the alarm of a device or of several and undo that, shelve a device for a time, or retire it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operations.actor import Actor
from operations.audit import Act
from zelador.alarms.store import Acted, DeviceAct, DeviceStates
from zelador.alarms.undo import objection_to_undo
from zelador.clock import now_ms
from zelador.errors import Conflict, InvalidInput, NotFound
from zelador.messages import iso

MAX_SHELVED_S = 366 * 86_400.0
MAX_WHY = 500  # characters
MAX_AT_ONCE = 200  # alarms that one call acknowledges; each is an entry of the audit log


@dataclass(frozen=True, slots=True)
class Acknowledged:
    devices: tuple[str, ...]  # the oldest alarm first
    left: int  # devices that are still in alarm and not acknowledged


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    devices: tuple[str, ...]  # that need somebody again
    left: tuple[str, ...]  # whose alarms went on meanwhile


def acknowledge(actor: Actor, states: DeviceStates, device: str) -> Acted:
    """Acknowledges the alarm: somebody takes care of it. A second person's name does not replace the first.

    Raises NotFound, Conflict if the device is not in alarm, Unavailable.
    """
    return _act(actor, states, device, "acknowledge", Act.ALARM_ACKNOWLEDGED)


def acknowledge_all(actor: Actor, states: DeviceStates, until: int | None = None) -> Acknowledged:
    """Acknowledges the alarms that were raised until a time (ms since 1970 UTC; None: now), MAX_AT_ONCE at most.

    With the time at which a person saw the list, nobody acknowledges an alarm that they have not seen. An alarm that
    ended meanwhile is passed over. Raises Conflict if there is none, Unavailable.
    """
    actor.check()
    done: list[str] = []
    for device in states.in_alarm(now_ms() if until is None else until, MAX_AT_ONCE):
        try:
            acted = acknowledge(actor, states, device)
        except (Conflict, NotFound):
            continue
        if acted.is_changed:
            done.append(device)
    if not done:
        raise Conflict("no device is in alarm; nothing was acknowledged")
    return Acknowledged(tuple(done), states.counts()["alarm"])


def unacknowledge(actor: Actor, states: DeviceStates, device: str, at: int | None = None) -> Acted:
    """Undoes an acknowledgment: the alarm needs somebody again.

    `at` is when the alarm was acknowledged (ms since 1970 UTC), as the person saw it; None for the present one.

    Raises NotFound, Unavailable; Conflict if the alarm ended meanwhile, was acknowledged again, or long ago.
    """
    (record,) = states.records([device])
    if record is not None and not record.retired:
        if (objection := objection_to_undo(record, now_ms(), at)) is not None:
            raise Conflict(f"{device[:80]} {objection}")
        at = int(record.at or 0)
    return _act(actor, states, device, "unacknowledge", Act.ALARM_UNACKNOWLEDGED, at)


def unacknowledge_all(actor: Actor, states: DeviceStates, devices: Mapping[str, int | None]) -> Unacknowledged:
    """Undoes the acknowledgments of `devices`, each with its own time (ms since 1970 UTC; None: the present one).

    One whose alarm went on meanwhile is left as it is. Raises Conflict if none was undone, Unavailable.
    """
    actor.check()
    done: list[str] = []
    left: list[str] = []
    for device, at in devices.items():
        try:
            unacknowledge(actor, states, device, at)
        except (Conflict, NotFound):
            left.append(device)
        else:
            done.append(device)
    if not done:
        raise Conflict("no acknowledgment can be undone any more: the alarms went on meanwhile; nothing was changed")
    return Unacknowledged(tuple(done), tuple(left))


def shelve(actor: Actor, states: DeviceStates, device: str, until: int, why: str = "") -> Acted:
    """Shelves the device: it needs nobody until a time (ms since 1970 UTC).

    Raises InvalidInput, NotFound, Conflict, Unavailable.
    """
    now = now_ms()
    if until <= now:
        raise InvalidInput(f"until: {iso(until)} is in the past; name a future time")
    if until - now > MAX_SHELVED_S * 1000:
        raise InvalidInput(f"until: {iso(until)} is more than a year ahead; retire the device instead")
    if len(why) > MAX_WHY:
        raise InvalidInput(f"why: {len(why)} characters, at most {MAX_WHY}")
    return _act(actor, states, device, "shelve", Act.DEVICE_SHELVED, until, why)


def unshelve(actor: Actor, states: DeviceStates, device: str) -> Acted:
    """Ends the shelving. Raises NotFound, Conflict if the device is not shelved, Unavailable."""
    return _act(actor, states, device, "unshelve", Act.DEVICE_UNSHELVED)


def retire(actor: Actor, states: DeviceStates, device: str) -> Acted:
    """Stops watching the device. Raises NotFound, Conflict if it is retired, Unavailable."""
    return _act(actor, states, device, "retire", Act.DEVICE_RETIRED)


def restore(actor: Actor, states: DeviceStates, device: str) -> Acted:
    """Watches a retired device again. Raises NotFound, Conflict if it is not retired, Unavailable."""
    return _act(actor, states, device, "restore", Act.DEVICE_RESTORED)


def _act(
    actor: Actor,
    states: DeviceStates,
    device: str,
    act: DeviceAct,
    noted: Act,
    until: int | None = None,
    why: str = "",
) -> Acted:
    """Acts, and records what changed."""
    actor.check()
    acted = states.act(device, act, actor.name, until, why)
    if acted.is_changed:
        facts: dict[str, str] = {"state": acted.after}
        facts |= {"until": iso(until), "why": why} if act == "shelve" and until is not None else {}
        actor.record(noted, device, {"state": acted.before}, facts)
    return acted
