"""`python -m benchmarks.alarms`: what the states of devices cost Redis, alone with it.

Batches are settled in which each reading is of another device, with and without their states, in turn: µs of Redis's
CPU for a reading. Then sweeps for silence: one that finds nothing to do; one that looks at all devices, which are well;
and one in which nearly all have fallen silent at once, with the longest step, because Redis serves nobody else
meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from threading import Event

from benchmarks.servers import Failed
from command.up.ports import HOST, choose
from command.up.servers import redis_server
from inference.sweep import SWEPT
from zelador.alarms import Rule
from zelador.alarms.store import DeviceStates
from zelador.buffer import Outcome, Reader, Sightings, Writer
from zelador.buffer.connection import RedisConnection
from zelador.buffer.keys import Keys
from zelador.clock import now_ms
from zelador.messages import Arrival, Prediction, Reading, iso
from zelador.settings import Settings

GAP_MS = 450  # between two readings of a device: 22,000 a second of 10,000 devices
START_S = 10.0
LEFT = 3  # devices that are still heard when all others are silent


class Plant:
    """Devices without trouble, on a Redis of its own."""

    def __init__(self, port: int, pid: int, devices: int, batch: int) -> None:
        settings = Settings(redis={"url": f"redis://{HOST}:{port}/0"})  # type: ignore[arg-type]
        self._connection = RedisConnection(settings.redis, Event())
        self._connection.open(START_S)
        self._pid = pid
        self._writer = Writer(self._connection, settings, "bench")
        self._reader = Reader(self._connection, settings, "bench")
        self.client = self._connection.client
        self.keys = Keys(settings.redis.prefix)
        self.states = DeviceStates(self.client, settings.redis.prefix)
        self.names = [f"machine-{number:05d}" for number in range(devices)]
        self._batches = [self.names[at : at + batch] for at in range(0, devices, batch)]
        self._at = now_ms()

    def cpu_us(self) -> float:
        """CPU time of Redis's main thread."""
        return int(Path(f"/proc/{self._pid}/schedstat").read_text().split()[0]) / 1_000

    def round(self, with_states: bool) -> float:
        """Settles a reading of each device. Returns µs of Redis's CPU for a reading."""
        self._at += GAP_MS if with_states else 0
        spent = 0.0
        for names in self._batches:
            now = now_ms()
            arrivals = [Arrival(name, (Reading(f"r{self._at}", (1.0, 2.0, 3.0), self._at),), now) for name in names]
            self._writer.append(arrivals, [])
            entries = self._reader.read(len(names), 0.1)
            done = [Outcome(each.stream_id, each.count) for each in entries]
            calm = (names, [self._at] * len(names), ()) if with_states else ((), (), ())
            before = self.cpu_us()
            self._reader.settle(done, self._predictions(names), Sightings((Rule(),), (), 60.0, calm))
            spent += self.cpu_us() - before
        return spent / len(self.names)

    def _predictions(self, names: Sequence[str]) -> list[Prediction]:
        said, shares = iso(self._at), {"no": 0.9632, "yes": 0.0368}
        return [
            Prediction(f"p{self._at}", f"r{self._at}", name, said, "no", 0.9632, shares, "forest", "a" * 64, 3, said)
            for name in names
        ]

    def sweep(self, silent: int, ago_s: float = 100.0) -> tuple[float, float]:
        """The first `silent` devices were last heard `ago_s` ago, the others now: one sweep. Returns ms, and of its
        longest step.
        """
        now = now_ms()
        heard = {name: now - (ago_s * 1_000 - n % 500 if n < silent else 0) for n, name in enumerate(self.names)}
        self.client.zadd(self.keys.devices, heard)
        return self._steps(silent)

    def look(self) -> tuple[float, float]:
        """All devices are to be looked at, and are well."""
        now = now_ms()
        self.client.zadd(self.keys.devices, dict.fromkeys(self.names, now))
        self.client.zadd(self.keys.due, dict.fromkeys(self.names, now - 1))
        return self._steps(0)

    def hear_again(self) -> None:
        self.round(True)
        with self.client.pipeline(transaction=False) as pipeline:
            for name in self.names:
                pipeline.hdel(self.keys.device(name), "long")  # its silence is no usual gap
            pipeline.execute()

    def _steps(self, expected: int) -> tuple[float, float]:
        found, steps = 0, list[float]()
        looked = SWEPT
        while looked >= SWEPT:
            before = self.cpu_us()
            looked, silent, _ = self.states.sweep(SWEPT, None)
            steps.append((self.cpu_us() - before) / 1_000)
            found += silent
        if found != expected:
            raise Failed(f"{found} devices were found silent, not {expected}")
        return sum(steps), max(steps)


def run(port: int, pid: int, devices: int, batch: int, rounds: int) -> dict[str, float]:
    plant = Plant(port, pid, devices, batch)
    for _ in range(4):
        plant.round(True)
    pairs = [(plant.round(True), plant.round(False)) for _ in range(rounds)]
    steady = [plant.sweep(0)[0] for _ in range(5)]
    looked = [plant.look() for _ in range(3)]
    due = []
    for number in range(3):
        due.append(plant.sweep(devices - LEFT, 100.0 - number))
        plant.hear_again()
    return {
        "settle_us": median([one for one, _ in pairs]),
        "settle_without_us": median([other for _, other in pairs]),
        "states_us": median([one - other for one, other in pairs]),
        "sweep_steady_ms": median(steady),
        "sweep_all_looked_at_ms": median([whole for whole, _ in looked]),
        "sweep_all_silent_ms": median([whole for whole, _ in due]),
        "sweep_longest_step_ms": median([longest for _, longest in due]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000, help="(%(default)d)")
    parser.add_argument("--batch", type=int, default=250, help="readings settled at once (%(default)d)")
    parser.add_argument("--rounds", type=int, default=9, help="readings of each device, with and without (%(default)d)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    port = choose(["redis"], {}, {})["redis"]
    with tempfile.TemporaryDirectory(prefix="zelador-bench-") as folder:
        command = redis_server(Path(folder), port).command
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                found = run(port, process.pid, options.devices, options.batch, options.rounds)
            except Failed as error:
                sys.exit(f"alarms: {error}")
            finally:
                process.terminate()
    for name, value in found.items():
        print(f"{name:24} {value:8.3f}")
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
