"""What a broker's own death costs: Mosquitto is killed, and what it had acknowledged to the device is looked for.

    python -m benchmarks.broker_death [--runs 3] [--json]

Only the autosave settings differ; the rest is what `zelador up` gives Mosquitto. The session of an ingester is there
and the ingester away, but for the last row. What is lost here was lost by the broker: nobody handed it to us.
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
from zelador.embedded.ports import choose
from zelador.embedded.servers import mosquitto_config
from zelador.errors import ZeladorError
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import MqttSettings

READINGS = 3_001
PER_S = 1_000  # of the second measurement
STEP_S = 0.01
TOPIC = "sensors/press-07/reading"
PAYLOAD = '{{"id":"{:08d}","lux":412.0,"temperature":61.4,"vibration":3.82,"ts":"2026-11-24T10:00:00.000Z","seq":{}}}'
PATIENCE_S = 60.0
SILENCE_S = 1.0  # after which the queue is empty


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
    """Of READINGS acknowledged to the device: how many were never handed out; at which rate they were taken."""

    lost: int
    per_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    asked = parser.parse_args()
    try:
        check_programs()
        rows = [measure(setting, asked.runs) for setting in SETTINGS]
    except ZeladorError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Mosquitto {version('mosquitto', '-h')}, SIGKILL, {READINGS} readings acknowledged to the device\n")
    print(f"{'':38}{'lost, at full rate':>24}{f'lost, at {PER_S} a second':>26}{'readings a second':>20}")
    for row in rows:
        lost = (", ".join(map(str, row[key])) for key in ("lost_burst", "lost_paced"))  # type: ignore[call-overload]
        print("{:38}{:>24}{:>26}{:>20}".format(row["setting"], *lost, row["per_s"]))
    if asked.json:
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
    """One life and death of a broker. Raises Failed when it does not come up or does not take what is sent."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), choose(["mqtt"], {}, {})["mqtt"]
        url, got = f"mqtt://127.0.0.1:{port}", set[int]()
        with broker(folder, port, setting) as program:
            ingester = session(url)
            if not setting.connected:
                ingester.close()
            device = open_link(url, "device")
            began = time.monotonic()
            _send(device, ingester if setting.connected else None, per_s, got)
            seconds = time.monotonic() - began
            program.process.kill()
            program.process.wait(10)
            device.close()
            if setting.connected:
                take(ingester, got, 0.2)
                ingester.close()
        with broker(folder, port, STOCK):  # what is taken now need not be saved
            ingester = session(url)
            take(ingester, got, SILENCE_S)
            ingester.close()
    return Death(READINGS - len(got), READINGS / seconds)


def _send(device: Link, ingester: Link | None, per_s: int | None, got: set[int]) -> None:
    """All readings, until the last is acknowledged; an ingester that is there takes them meanwhile."""
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
                take(ingester, got, 0.001)
        if sent == READINGS:
            return
        device.rest(max(0.0, began + turn * STEP_S - time.monotonic()))


def take(ingester: Link, got: set[int], silence_s: float) -> None:
    """Takes and acknowledges until nothing comes for `silence_s`."""
    while batch := ingester.receive(500, silence_s):
        ingester.ack(batch)
        got.update(json.loads(message.payload)["seq"] for message in batch)


def session(url: str) -> Link:
    return open_link(url, "ingester", "sensors/+/reading")


def open_link(url: str, client_id: str, *filters: str) -> Link:
    link = Link(MqttSettings(url=url), LinkOptions(client_id, filters, persistent=bool(filters)), Event())
    link.open(10.0)
    return link


@contextmanager
def broker(folder: Path, port: int, setting: Setting) -> Iterator[Program]:
    """Mosquitto on the data that is in `folder`."""
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
