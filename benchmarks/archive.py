"""`python -m benchmarks.archive`: measures what the archive costs, in CPU time and on the disk.

First the archiver alone: readings with random ids and predictions, from Redis to files, then merged. With --end-to-end
also the product with and without an archiver, in turn, as in benchmarks.durability.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from archive.archive import open_archive
from archive.maintain import Maintenance
from archive.service import Archiver
from benchmarks.durability import exact, measured_on
from benchmarks.load import BACKLOG
from benchmarks.servers import Failed, check_programs, product, servers, started, worker_environment
from zelador.buffer import Writer
from zelador.buffer.archive_stream import ArchiveStream
from zelador.buffer.connection import RedisConnection
from zelador.buffer.keys import Keys
from zelador.buffer.outcome_batch import encode_outcomes, outcome_batch
from zelador.clock import now_iso, now_ms
from zelador.errors import Unavailable
from zelador.heartbeat import Heartbeat
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Prediction, Reading
from zelador.metrics import ArchiveMetrics
from zelador.settings import ArchiveSettings, RedisSettings, Settings

READINGS, TOGETHER, DEVICES = 200_000, 500, 50
MAX_US, MAX_BYTES, MAX_LAG_S, MAX_LOSS = 10.0, 40.0, 60.0, 0.10
SLICE = 20_000
PACED_PER_S, PACED_S = 5_000, 8
LABELS = ("no", "no", "no", "yes")
DAY_S = 86_400.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("--readings", type=int, default=READINGS, help="of the archiver alone (%(default)d)")
    parser.add_argument("--end-to-end", type=int, default=0, metavar="ROUNDS", help="closed loops of each kind")
    parser.add_argument("--folder", type=Path, help="where the data are: on the disk to be measured")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    try:
        check_programs()
        with tempfile.TemporaryDirectory(prefix="zelador-bench-", dir=options.folder) as folder:
            found = alone(Path(folder), options.readings)
            if options.end_to_end:
                found |= end_to_end(Path(folder), options.end_to_end)
    except (Unavailable, Failed) as error:
        sys.exit(f"archive: {error}")
    for name, value in found.items():
        print(f"{name:24} {value:>12,.2f}")
    if options.json:
        print(json.dumps(found))
    sys.exit(1 if exceeded(found) else 0)


def exceeded(found: dict[str, float]) -> list[str]:
    """The figures above their limits."""
    limits = {"archiver_us": MAX_US, "bytes_a_reading": MAX_BYTES, "lag_s": MAX_LAG_S, "slower": MAX_LOSS}
    return [name for name, limit in limits.items() if found.get(name, 0.0) > limit]


def alone(folder: Path, count: int) -> dict[str, float]:
    """The archiver in this process, on readings that wait in Redis, each with a prediction."""
    place = folder / "alone"
    place.mkdir()
    with servers(place) as stack:
        archive = ArchiveSettings(url=str(place / "archive"))
        settings = Settings(
            redis=RedisSettings(url=stack.redis_url, prefix="bench", keep_readings=count), archive=archive
        )
        stop = Event()
        connection = RedisConnection(settings.redis, stop)
        heartbeat = Heartbeat(connection.client, "bench", "archive", "1")
        stream = ArchiveStream(connection, "bench")
        archiver = Archiver(archive, stream, heartbeat, ArchiveMetrics(), stop)
        archiver.step()  # registers
        fill(settings, count)
        began, cpu = time.monotonic(), time.process_time()
        ledger = LedgerReader(connection.client, "bench")
        stop.set()  # `run` then writes what is left
        while archiver.step() == 0.0:
            pass
        archiver.run()
        spent, took = time.process_time() - cpu, time.monotonic() - began
        counts = ledger.read().archive
        if counts is None or counts.archived != count or counts.missed:
            raise Failed(f"{counts} of {count} readings are archived")
        opened = open_archive(archive)
        before = size(folder=place / "archive")
        cpu = time.process_time()
        Maintenance(archive, Event(), opened).round(lambda: time.time() + DAY_S)
        merging = time.process_time() - cpu
        snapshot = opened.snapshot()
        bytes_merged = sum(file.bytes for file in (*snapshot.readings, *snapshot.outcomes))
        if sum(file.rows for file in snapshot.outcomes) != count:
            raise Failed(f"{sum(file.rows for file in snapshot.outcomes)} of {count} predictions are archived")
        return {
            "archiver_us": 1e6 * spent / count,
            "merging_us": 1e6 * merging / count,
            "bytes_a_reading": bytes_merged / count,
            "bytes_with_the_old_files": before / count,
            "archived_per_s": count / took,
        }


def fill(settings: Settings, count: int) -> None:
    """Adds readings as devices send them, with random ids and rounded values, and the predictions of a forest."""
    draw = random.Random(7)
    connection = RedisConnection(settings.redis, Event())
    writer, keys = Writer(connection, settings, "bench"), Keys("bench")
    seen = "0-0"
    for begin in range(0, count, TOGETHER):
        now = now_ms()
        writer.append(
            [
                Arrival(
                    f"press-{draw.randrange(DEVICES):02d}",
                    (
                        Reading(
                            uuid.UUID(int=draw.getrandbits(128)).hex,
                            (
                                round(draw.gauss(400, 50), 1),
                                round(draw.gauss(60, 5), 2),
                                round(draw.gammavariate(2, 1), 3),
                            ),
                            now - draw.randrange(20),
                        ),
                    ),
                    now,
                )
                for _ in range(min(TOGETHER, count - begin))
            ],
            [],
        )
        entries: list[str] = []
        counts: list[int] = []
        page: Any = connection.client.xrange(keys.readings, f"({seen}", "+")
        for stream_id, fields in page:
            entries.append(stream_id.decode())
            counts.append(int(fields.get(b"#", 1)))
        seen = entries[-1]
        at = now_iso()
        made = [
            Prediction("", "", "", "", draw.choice(LABELS), draw.randrange(101) / 100, None, "RF", "d" * 64, 3, at)
            for _ in range(sum(counts))
        ]
        batch = outcome_batch(entries, counts, made)
        assert batch is not None
        connection.client.xadd(keys.outcomes, {b"o": encode_outcomes(batch)})


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def end_to_end(folder: Path, rounds: int) -> dict[str, float]:
    """Returns the rates of the product with and without an archiver. Raises Failed if a reading is lost or repeated."""
    from benchmarks.model import register  # imports the trainer

    registry = folder / "registry"
    model = register(registry)
    modes = ("without", "with")
    with contextlib.ExitStack() as ends:
        stacks = {}
        for mode in modes:
            (folder / mode).mkdir()
            stacks[mode] = ends.enter_context(servers(folder / mode))
            ends.enter_context(product(stacks[mode], registry, model, lane=True))
        stack = stacks["with"]
        environment = worker_environment(os.environ, stack, registry, True)
        environment["ZELADOR_ARCHIVE__URL"] = str(folder / "with" / "archive")
        command = [sys.executable, "-m", "zelador", "archive"]
        stack.programs["archive"] = ends.enter_context(started("archive", command, stack.folder, environment))
        first = 1
        rates: dict[str, list[float]] = {mode: [] for mode in modes}
        cpu: dict[str, list[float]] = {mode: [] for mode in modes}
        archiver: list[float] = []
        for turn in range(2 * rounds):
            mode = modes[(turn + turn // 2) % 2]  # each one goes first equally often
            result = exact(measured_on(stacks[mode], first, SLICE + BACKLOG))
            rates[mode].append(result.per_s)
            cpu[mode].append(sum(value for name, value in result.cpu_us.items() if name != "archive"))
            archiver.append(result.cpu_us.get("archive", 0.0))
            first += SLICE + BACKLOG
        connection = RedisConnection(RedisSettings(url=stack.redis_url), Event())
        ledger = LedgerReader(connection.client, "zelador")
        exact(measured_on(stack, first, PACED_PER_S * PACED_S, PACED_PER_S))
        lag = 0.0
        while (waiting := ledger.snapshot()).archive_lag_s:
            lag = max(lag, waiting.archive_lag_s)
            time.sleep(0.5)
    slower = [1 - on / off for on, off in zip(rates["with"], rates["without"], strict=True)]
    return {
        "without_per_s": median(rates["without"]),
        "with_per_s": median(rates["with"]),
        "slower": median(slower),
        "without_cpu_us": median(cpu["without"]),
        "with_cpu_us": median(cpu["with"]),
        "archiver_us_live": sum(archiver) / max(1, sum(value > 0 for value in archiver)),
        "lag_s": lag,
    }


if __name__ == "__main__":
    main()
