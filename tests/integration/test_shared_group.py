"""Several ingesters on a shared subscription of Mosquitto: each gets its share, even while it is away, and only that.

Mosquitto 2.0 distributes messages in turn to all members with a session, including disconnected ones. It never gives
one member's messages to another: the member has to return for them, and its session has to last until then.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest
import redis

from command.up.ports import HOST, choose
from command.up.servers import broker_server
from tests.servers import found_or_skip, run_broker, run_process
from zelador.buffer.keys import Keys
from zelador.heartbeat import workers
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings, Settings, environment

READINGS = 200
Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[str]:
    found_or_skip("mosquitto")
    with run_broker("local") as running:
        yield running.url


@pytest.fixture
def join(mosquitto: str, mark: str) -> Iterator[Callable[..., Link]]:
    made: list[Link] = []

    def link(name: str, member: bool = True, session_expiry_s: int = 3_600) -> Link:
        filters = (f"$share/{mark}/{mark}/+/reading",) if member else ()
        options = LinkOptions(f"{name}-{mark}", filters, persistent=member)
        made.append(Link(MqttSettings(url=mosquitto, session_expiry_s=session_expiry_s), options, Event()))
        made[-1].open(60.0)
        return made[-1]

    yield link
    for each in made:
        each.close()


def publish(device: Link, mark: str, first: int, last: int) -> None:
    readings = [Outgoing(f"{mark}/press/reading", b"%d" % number) for number in range(first, last)]
    assert device.confirmed(device.publish(readings), 60.0)


def take(member: Link, count: int, acknowledge: bool = True) -> list[int]:
    """Receives at least `count` messages within two seconds; returns their numbers."""
    got: list[int] = []
    deadline = time.monotonic() + 2.0
    while len(got) < count and time.monotonic() < deadline:
        batch = member.receive(500, 0.1)
        if acknowledge:
            member.ack(batch)
        got += [int(message.payload) for message in batch]
    return got


def kill(member: Link) -> None:
    """Ends the connection without a DISCONNECT; the member does not return."""
    member._stop.set()
    member._connection._lose("killed by the test")  # type: ignore[union-attr]
    member._connection = None


@pytest.mark.parametrize("leave", [Link.close, kill], ids=["clean stop", "killed"])
def test_a_returning_member_gets_its_unacknowledged_and_queued_messages(join, mark: str, leave) -> None:
    first, second, device = join("first"), join("second"), join("device", member=False)
    publish(device, mark, 0, READINGS)
    held, got = take(first, READINGS // 2, acknowledge=False), take(second, READINGS // 2)
    leave(first)
    publish(device, mark, READINGS, 2 * READINGS)
    got += take(second, READINGS // 2)
    assert take(second, 1) == []  # this member does not get the messages of the other
    assert len(got) == READINGS
    back = join("first")
    assert back._connection._handshake.session_present  # type: ignore[union-attr]
    again = take(back, READINGS)
    assert set(held) < set(again)
    assert sorted(got + again) == list(range(2 * READINGS))


def test_a_sessions_messages_end_with_it(join, mark: str, eventually: Eventually) -> None:
    """So session_expiry_s must exceed any absence, and a member may only be removed when its queue is empty."""
    first, second, device = join("first", session_expiry_s=1), join("second"), join("device", member=False)
    first.close()
    publish(device, mark, 0, READINGS)
    assert len(take(second, READINGS // 2)) == READINGS // 2
    at = [READINGS]

    def alone() -> bool:
        publish(device, mark, at[0], at[0] + 2)
        at[0] += 2
        return len(take(second, 2)) == 2

    eventually(alone, "the session to end")
    assert take(join("first"), 1) == []


def test_each_connection_subscribes_again(tmp_path: Path, mark: str, eventually: Eventually) -> None:
    """Mosquitto 2.0 saves the queue of a member, but forgets at a restart that the member is in the group.

    From then on no member gets anything, whatever the session's flag says, until one subscribes again.
    """
    found_or_skip("mosquitto")
    ports = choose(["mqtt", "mqtt3"], {}, {})
    server = broker_server(tmp_path, ports["mqtt"], ports["mqtt3"], "mosquitto")
    mqtt = MqttSettings(url=f"mqtt://{HOST}:{ports['mqtt']}")

    def opened(name: str, *filters: str) -> Link:
        link = Link(mqtt, LinkOptions(name, filters, persistent=bool(filters)), Event())
        link.open(60.0)
        return link

    shared = f"$share/{mark}/{mark}/+/reading"
    with run_process(server.command, ports["mqtt"]):
        opened("member", shared).close()
        device = opened("device")
        publish(device, mark, 0, READINGS)
        device.close()
    with run_process(server.command, ports["mqtt"]):
        member, device = opened("member", shared), opened("device")
        assert member._connection._handshake.session_present  # type: ignore[union-attr]
        assert take(member, READINGS) == list(range(READINGS))

        def dealt() -> list[int]:
            publish(device, mark, READINGS, READINGS + 1)
            return take(member, 1)

        # The link does not wait for a SUBACK if it has a session: a message may arrive before the subscription.
        eventually(dealt, "the group to have its member again")
        publish(device, mark, READINGS, 2 * READINGS)
        assert take(member, READINGS) == list(range(READINGS, 2 * READINGS))
        member.close()
        device.close()


def test_two_ingesters_one_killed_and_started_again_lose_nothing(
    settings: Settings, mosquitto: str, mark: str, tmp_path: Path, eventually: Eventually
) -> None:
    mqtt = MqttSettings(url=mosquitto, shared_group=mark)
    settings = settings.model_copy(update={"mqtt": mqtt})
    client = redis.Redis.from_url(settings.redis.url)
    ledger = LedgerReader(client, mark)
    device = Link(mqtt, LinkOptions(f"device-{mark}"), Event())
    device.open(60.0)

    def send(first: int, last: int) -> None:
        topic = settings.topics.reading.format(device_id="press")
        good = {"lux": 1.0, "temperature": 2.0, "vibration": 0.0}
        lot = [Outgoing(topic, json.dumps({**good, "id": str(number)}).encode()) for number in range(first, last)]
        assert device.confirmed(device.publish(lot), 60.0)

    def alive() -> set[str]:
        return {worker["pid"] for worker in workers(client, mark) if worker.get("connected_at")}

    with contextlib.ExitStack() as ends:
        one, _other = (ends.enter_context(ingesting(settings, f"{name}-{mark}", tmp_path)) for name in "ab")
        eventually(lambda: len(alive()) == 2, "both to be connected", 30.0)
        send(0, 3_000)
        one.kill()
        one.wait(60)
        send(3_000, 4_000)
        last = tuple(f"press\x1f{number}\x1f".encode() for number in (4_000, 4_001))
        send(4_000, 4_002)  # one for each member; the living one has then stored all its messages

        def came_to_its_last() -> bool:
            return any(known.startswith(last) for known in client.smembers(Keys(mark).seen[0]))

        eventually(came_to_its_last, "the living one to come to its last")
        assert ledger.read().accepted <= 3_501  # half of the last thousand waits for the dead one
        ends.enter_context(ingesting(settings, f"a-{mark}", tmp_path))
        eventually(lambda: ledger.read().accepted == 4_002, "all to be stored", 30.0)
    assert ledger.read().unaccounted == 0
    device.close()
    client.close()


@contextlib.contextmanager
def ingesting(settings: Settings, client_id: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An ingester as a process."""
    ingest = settings.ingest.model_copy(update={"client_id": client_id})
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZELADOR_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "zelador", "ingest"],
        env=clean | environment(settings.model_copy(update={"ingest": ingest})),
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
