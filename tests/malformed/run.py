"""make malformed: a million payloads through broker, ingester and Redis, all accounted for, without memory growth.

    python -m tests.malformed.run [--payloads 1000000] [--seed 1] [--json]

Exit code 1 if a payload is not accounted for, the ingester died, the quarantine exceeds its bounds, or the ingester's
memory grew: at the end it may have 16 MiB more than at half-time. A leak of 34 bytes per payload exceeds that.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from tests import servers
from tests.malformed.corpus import Sample
from tests.malformed.generate import good, samples
from tests.malformed.through import Through
from zelador.ledger import LedgerReader
from zelador.settings import MqttSettings, RedisSettings, Settings

MIB = 1_048_576
GROWTH = 16 * MIB  # of the ingester's memory, from half-time to the end
AFTER = 10_000  # good readings that must be accepted at the end as at the beginning
HIGH_WATER = 1_000_000_000  # no worker runs, so accepted readings wait


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payloads", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    asked = parser.parse_args()
    with servers.run_broker() as broker, servers.run_redis() as database, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            mqtt=MqttSettings(url=broker.url),
            redis=RedisSettings(url=database.url, prefix="malformed"),
            ingest={"client_id": "malformed", "high_water": HIGH_WATER},  # type: ignore[arg-type]
        )
        with Through(settings, Path(folder)) as through:
            report = {"broker": broker.name, "redis": database.name, **measure(through, asked.payloads, asked.seed)}
    for name, value in report.items():
        sys.stdout.write(f"{name:24} {value}\n")
    if asked.json:
        sys.stdout.write(json.dumps(report) + "\n")
    return 1 if report["faults"] else 0


def measure(through: Through, payloads: int, seed: int) -> dict[str, object]:
    began = time.monotonic()
    rss = {"start": through.rss()}
    rest, done = samples(seed, payloads), 0
    for percent in (10, 50, 100):
        until = payloads * percent // 100
        through.send(islice(rest, until - done))
        done = until
        rss[f"{percent} %"] = through.rss()
        sys.stderr.write(f"{percent} %: {time.monotonic() - began:.0f} s, {rss[f'{percent} %'] / MIB:.1f} MiB\n")
    seconds = time.monotonic() - began
    faults = through.faults()
    ledger = LedgerReader(through.client, through.settings.redis.prefix).read()
    through.send([Sample("good", good(payloads + number), 1, 0) for number in range(AFTER)])
    faults += [f"afterwards: {fault}" for fault in through.faults() if not faults]
    grown = rss["100 %"] - rss["50 %"]
    if grown > GROWTH:
        faults.append(f"the ingester's memory grew by {grown / MIB:.1f} MiB from half-time to the end")
    memory = through.client.info("memory")
    return {
        "payloads": payloads,
        "seed": seed,
        "expected": through.tally.readings - AFTER,
        **ledger.flat(),
        "rss_mib": {when: round(size / MIB, 1) for when, size in rss.items()},
        "grown_mib": round(grown / MIB, 1),
        "redis_mib": round(memory["used_memory"] / MIB, 1),
        "redis_peak_mib": round(memory["used_memory_peak"] / MIB, 1),
        "quarantine_messages": through.client.xlen(through.keys.quarantine),
        "quarantine_mib": round(int(through.client.hget(through.keys.ledger, "quarantine_bytes") or 0) / MIB, 1),
        "log_lines": through.log.read_bytes().count(b"\n"),
        "seconds": round(seconds, 1),
        "faults": faults,
    }


if __name__ == "__main__":
    sys.exit(main())
