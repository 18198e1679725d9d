"""Measures how many acknowledged readings Mosquitto loses when it is killed.

    python -m benchmarks.broker_death [--runs 3] [--json]

Only the autosave settings differ; the others are those that `zelador up` gives Mosquitto. The ingester has a session
but is not connected, except in the last row. All losses here are the broker's: it never delivered the readings.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event

from benchmarks.servers import Failed, Program, accepts, await_that, check_programs, program_path, started, version
from command.up.ports import choose
from command.up.servers import mosquitto_config
from zelador.errors import ZeladorError
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings

READINGS = 3_001
PER_S = 1_000  # rate of the second measurement
STEP_S = 0.01
TOPIC = "sensors/press-07/reading"
PAYLOAD = '{{"id":"{:08d}","lux":412.0,"temperature":61.4,"vibration":3.82,"ts":"2026-11-24T10:00:00.000Z","seq":{}}}'
PATIENCE_S = 60.0
SILENCE_S = 1.0  # without a message for this long, the queue is taken to be empty


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    autosave: str  # lines of mosquitto.conf
    connected: bool = False


STOCK = Setting("autosave_interval 1800 (stock)", "autosave_interval 1800\n")
SETTINGS = (
    STOCK,
    Setting("autosave_interval 1", "autosave_interval 1\n"),
    Setting("on changes, 100", "autosave_on_changes true\nautosave_interval 100\n"),
    Setting("on changes, 1", "autosave_on_changes true\nautosave_interval 1\n"),
    Setting("on changes, 100, ingester connected", "autosave_on_changes true\nautosave_interval 100\n", True),
)


@dataclass(frozen=True, slots=True)
class Death:
    """The result of one crash: how many of the acknowledged READINGS were never delivered, and the publish rate."""

    lost: int
    per_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    try:
        check_programs()
        rows = [measure(setting, options.runs) for setting in SETTINGS]
    except ZeladorError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Mosquitto {version('mosquitto', '-h')}, SIGKILL, {READINGS} readings acknowledged to the device\n")
    print(f"{'':38}{'lost, at full rate':>24}{f'lost, at {PER_S} a second':>26}{'readings a second':>20}")
    for row in rows:
        lost = (", ".join(map(str, row[key])) for key in ("lost_burst", "lost_paced"))  # type: ignore[call-overload]
        print("{:38}{:>24}{:>26}{:>20}".format(row["setting"], *lost, row["per_s"]))
    if options.json:
        print(json.dumps({"readings": READINGS, "rows": rows}))
    return 0


def measure(setting: Setting, runs: int) -> dict[str, object]:
    burst = [die(setting, None) for _ in range(runs)]
    paced = [die(setting, PER_S) for _ in range(runs)]
    return {
        "setting": setting.name,
        "lost_burst": [death.lost for death in burst],
        "lost_paced": [death.lost for death in paced],
        "per_s": round(median(death.per_s for death in burst)),
    }


def die(setting: Setting, per_s: int | None) -> Death:
    """Starts a broker, kills it and counts the losses. Raises Failed if it does not start or acknowledge."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), choose(["mqtt"], {}, {})["mqtt"]
        url, received = f"mqtt://127.0.0.1:{port}", set[int]()
        with broker(folder, port, setting) as program:
            ingester = session(url)
            if not setting.connected:
                ingester.close()
            device = open_link(url, "device")
            began = time.monotonic()
            _send(device, ingester if setting.connected else None, per_s, received)
            seconds = time.monotonic() - began
            program.process.kill()
            program.process.wait(10)
            device.close()
            if setting.connected:
                drain(ingester, received, 0.2)
                ingester.close()
        with broker(folder, port, STOCK):  # nothing needs to be saved any more
            ingester = session(url)
            drain(ingester, received, SILENCE_S)
            ingester.close()
    return Death(READINGS - len(received), READINGS / seconds)


def _send(device: Link, ingester: Link | None, per_s: int | None, received: set[int]) -> None:
    """Publishes all readings and waits for the acknowledgements; a connected ingester receives them meanwhile."""
    began, sent = time.monotonic(), 0
    for turn in itertools.count(1):
        due = READINGS if per_s is None else min(READINGS, turn * int(per_s * STEP_S))
        lot = [Outgoing(TOPIC, PAYLOAD.format(number, number).encode()) for number in range(sent, due)]
        publication, sent = device.publish(lot), due
        deadline = time.monotonic() + PATIENCE_S
        while not device.confirmed(publication, 0.0 if ingester else 0.1):
            if time.monotonic() > deadline:
                raise Failed(f"the broker did not acknowledge {publication.left} readings within {PATIENCE_S:g} s")
            if ingester:
                drain(ingester, received, 0.001)
        if sent == READINGS:
            return
        device.rest(max(0.0, began + turn * STEP_S - time.monotonic()))


def drain(ingester: Link, received: set[int], silence_s: float) -> None:
    """Receives and acknowledges messages until none arrives for `silence_s`."""
    while batch := ingester.receive(500, silence_s):
        ingester.ack(batch)
        received.update(json.loads(message.payload)["seq"] for message in batch)


def session(url: str) -> Link:
    return open_link(url, "ingester", "sensors/+/reading")


def open_link(url: str, client_id: str, *filters: str) -> Link:
    link = Link(MqttSettings(url=url), LinkOptions(client_id, filters, persistent=bool(filters)), Event())
    link.open(10.0)
    return link


@contextmanager
def broker(folder: Path, port: int, setting: Setting) -> Iterator[Program]:
    """Runs Mosquitto with its data in `folder`."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    lines = mosquitto_config(data, (port,)).splitlines(keepends=True)
    config = folder / "mosquitto.conf"
    config.write_text("".join(line for line in lines if not line.startswith("autosave")) + setting.autosave)
    with started("mosquitto", [program_path("mosquitto"), "-c", str(config)], folder) as program:
        await_that(lambda: accepts(port), [program], "Mosquitto to answer")
        yield program


if __name__ == "__main__":
    sys.exit(main())
