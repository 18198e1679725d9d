"""Gathers facts about the broker over MQTT. Every wait has a limit, and nothing is left on the broker."""

from __future__ import annotations

import secrets
import time

from command.doctor.broker import DROPPED, VERSION, BrokerFacts
from command.doctor.mqtt import Session
from command.doctor.outage import Probe
from zelador.errors import Unavailable
from zelador.settings import MqttSettings, Settings
from zelador.status import status_message

PROBE_MESSAGES = 1_100  # more than the default queue of 1,000, and few enough for any broker
LIMIT_S = 3.0  # for one answer
PROBE_LIFE_S = 60  # of the probe's session, if this process dies before it ends the session
QUIET_S = 0.7  # without a message; then the queue counts as empty
TOPIC = "zelador/doctor"
DEVICE = "zelador-doctor"  # the device id in the test of publishing


def look(settings: Settings, probe: bool, known_queue: int | None = None) -> BrokerFacts:
    """Gathers the facts. A queue that is known to be too short is not tested, because dropped messages raise alarms.

    Does not raise for an error of the broker, which is one of the facts."""
    mqtt, name = settings.mqtt, f"zelador-doctor-{secrets.token_hex(4)}"
    is_short = known_queue is not None and known_queue < PROBE_MESSAGES
    limit_s = min(LIMIT_S, mqtt.connect_timeout_s)
    try:
        session = Session(mqtt, name, limit_s, expiry_s=mqtt.session_expiry_s)
    except Unavailable as error:
        return BrokerFacts(trouble=str(error))
    try:
        cannot_subscribe = _subscribing(session, settings)
        cannot_publish = _publishing(session, settings) if probe else {}
        granted = session.granted
    finally:
        session.close()
    shown, hangs_up = _system(mqtt, name, limit_s)
    return BrokerFacts(
        granted=granted,
        asked_expiry_s=mqtt.session_expiry_s,
        version=shown.get(VERSION),
        dropped=int(shown[DROPPED]) if shown.get(DROPPED, "").isdigit() else None,
        hangs_up_on_sys=hangs_up,
        cannot_subscribe=cannot_subscribe,
        cannot_publish=cannot_publish,
        publish_tested=probe,
        probe=try_queue(mqtt, name, limit_s) if probe and not is_short else None,
    )


def try_queue(mqtt: MqttSettings, name: str, limit_s: float, count: int = PROBE_MESSAGES) -> Probe:
    """Tests the queue: disconnects a session, publishes `count` messages for it, reconnects and counts them."""
    topic = f"{TOPIC}/{name}"
    try:
        # Without a clean start, like the ingester: rumqttd keeps only such a session.
        away = Session(mqtt, f"{name}-queue", limit_s, expiry_s=PROBE_LIFE_S, clean=False)
        denied = away.subscribe(topic)
        away.close(forget=denied is not None)
        if denied is not None:
            return Probe(0, 0, False, f"the subscription to {topic} was refused: {denied}")
        try:
            device = Session(mqtt, f"{name}-device", limit_s)
            taken = device.publish_many(topic, count)
            device.close()
            return _count(mqtt, name, topic, limit_s, taken, count)
        finally:
            # A clean start without expiry ends the session, even on a broker that ignores the expiry in DISCONNECT.
            Session(mqtt, f"{name}-queue", limit_s).close()
    except Unavailable as error:
        return Probe(0, 0, False, f"the probe ended early: {error}")


def _count(mqtt: MqttSettings, name: str, topic: str, limit_s: float, taken: int, count: int) -> Probe:
    if taken < count:
        return Probe(taken, 0, False, f"the broker accepted {taken} of {count} messages on {topic}")
    back = Session(mqtt, f"{name}-queue", limit_s, expiry_s=PROBE_LIFE_S, clean=False)
    deadline, seen = time.monotonic() + limit_s, -1
    while len(back.inbox) != seen and time.monotonic() < deadline:
        seen = len(back.inbox)
        if back.until(lambda: len(back.inbox) >= count, QUIET_S):
            break
    kept = len({payload for at, payload in back.inbox if at == topic})
    back.unsubscribe(topic)
    back.close()
    return Probe(count, kept, back.session_present or kept > 0)


def _subscribing(session: Session, settings: Settings) -> dict[str, str]:
    """Tries to subscribe; returns the topics that were refused, with the reason.

    Does not join the shared group, because it would take readings from an ingester.
    """
    denied = {}
    for topic in settings.reading_filters:
        why = session.subscribe(topic, qos=1)
        session.unsubscribe(topic)
        if why is not None:
            denied[topic] = why
    return denied


def _publishing(session: Session, settings: Settings) -> dict[str, str]:
    """Tries to publish; returns the topics that were refused, with the reason.

    Publishes an empty array as the predictions of a device that does not exist, and a status. The contract allows an
    empty array, so subscribers ignore it; an empty message might crash one. Nothing is retained, and nothing is
    published on a topic of readings, where it would be ingested.
    """
    gone = status_message(settings.topics, "doctor", DEVICE, online=False)
    messages = {settings.topics.prediction.replace("{device_id}", DEVICE): b"[]", gone.topic: gone.payload}
    answers = {topic: session.publish(topic, payload) for topic, payload in messages.items()}
    return {topic: why for topic, why in answers.items() if why is not None}


def _system(mqtt: MqttSettings, name: str, limit_s: float) -> tuple[dict[str, str], bool]:
    """Reads Mosquitto's counters on a separate connection: rumqttd disconnects a client that subscribes to them."""
    try:
        session = Session(mqtt, f"{name}-sys", limit_s)
    except Unavailable:
        return {}, False
    shown = session.read_retained([VERSION, DROPPED], 1.0)
    hangs_up = session.lost is not None
    session.close()
    return shown, hangs_up
