"""Sends payloads through the whole path: device, broker, the ingester as a process, Redis, and the ledger."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import TracebackType

import psutil
import redis

from tests.malformed.corpus import Sample
from tests.malformed.generate import topic
from zelador.buffer.keys import Keys
from zelador.decode import Decoder
from zelador.heartbeat import workers
from zelador.ledger import LedgerReader
from zelador.link import Link, LinkOptions, Outgoing
from zelador.settings import Settings, environment

LOT = 250  # messages published at once
LOT_BYTES = 8_000_000
AHEAD = 5_000  # readings published and not in the ledger, at most
PATIENCE_S = 60.0


@dataclass(slots=True)
class Tally:
    """What was sent, and the expected counts."""

    sent: int = 0
    good: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)  # samples for which the decoder gives unexpected counts

    @property
    def readings(self) -> int:
        return self.good + self.refused


class Through:
    """A running ingester, and a device that sends to it. `tally` adds up all calls of `send`."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.log = folder / "ingest.log"
        self.tally = Tally()
        self._decoder = Decoder(settings)
        self.client = redis.Redis.from_url(settings.redis.url, socket_timeout=30.0)
        self.keys = Keys(settings.redis.prefix)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ZELADOR_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "zelador", "ingest"], stderr=log, env=clean | environment(settings), cwd=folder
            )
        self._device = Link(settings.mqtt, LinkOptions(f"device-{settings.redis.prefix}"), Event())

    def __enter__(self) -> Through:
        self._device.open(60.0)
        self._await(self._connected, "the ingester to be connected")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._device.close()
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
        self.client.close()

    def send(self, samples: Iterable[Sample]) -> None:
        """Publishes all, never far ahead of the ledger; returns once the ledger has the expected counts."""
        lot: list[Outgoing] = []
        size = 0
        for sample in samples:
            name = topic(self.settings.topics.reading, self.tally.sent)
            self._expect(sample, name)
            lot.append(Outgoing(name, sample.payload))
            size += len(sample.payload)
            if len(lot) >= LOT or size >= LOT_BYTES:
                self._publish(lot)
                lot, size = [], 0
        self._publish(lot)
        self.catch_up()

    def catch_up(self) -> None:
        self._await(lambda: self.received() >= self.tally.readings, "the ledger to have counted all")

    def received(self) -> int:
        return int(self.client.hget(self.keys.ledger, "received") or 0)  # type: ignore[arg-type]

    def rss(self) -> int:
        """Bytes of memory that the ingester has now."""
        return psutil.Process(self.process.pid).memory_info().rss

    def faults(self) -> list[str]:
        """The differences from the expected counts; empty if there are none."""
        tally, limits = self.tally, self.settings.redis
        ledger = LedgerReader(self.client, limits.prefix).read()
        taken = ledger.accepted + ledger.repeated
        kept = self.client.xlen(self.keys.quarantine)
        kept_bytes = int(self.client.hget(self.keys.ledger, "quarantine_bytes") or 0)  # type: ignore[arg-type]
        checks = {
            f"received {ledger.received}, expected {tally.readings}": ledger.received == tally.readings,
            f"taken {taken}, expected {tally.good}": taken == tally.good,
            f"quarantined {ledger.quarantined}, expected {tally.refused}": ledger.quarantined == tally.refused,
            f"unaccounted {ledger.unaccounted}": ledger.unaccounted == 0,
            f"the quarantine has {kept} messages": kept <= limits.keep_quarantine,
            f"the quarantine has {kept_bytes} bytes": kept_bytes <= limits.keep_quarantine_bytes,
            f"the ingester ended with {self.process.poll()}": self.process.poll() is None,
        }
        return [said for said, well in checks.items() if not well] + tally.wrong

    def _expect(self, sample: Sample, name: str) -> None:
        arrival, refused = self._decoder.decode(name, sample.payload, time.time_ns() // 1_000_000)
        good = len(arrival.readings) if arrival else 0
        self.tally.sent += 1
        self.tally.good += good
        self.tally.refused += len(refused)
        known, found = (sample.good, sample.refused), (good, len(refused))
        if None not in known and known != found and not any(reason.startswith("the device") for reason, _ in refused):
            self.tally.wrong.append(f"{sample.kind}: {sample.payload[:80]!r} gave {found}, not {known}")

    def _publish(self, lot: list[Outgoing]) -> None:
        if not lot:
            return
        publication = self._device.publish(lot)
        if not self._device.confirmed(publication, PATIENCE_S) or publication.refused:
            raise AssertionError(f"the broker did not take a lot: {publication}")
        self._await(lambda: self.tally.readings - self.received() <= AHEAD, "the ingester to come after")

    def _connected(self) -> bool:
        alive = workers(self.client, self.settings.redis.prefix)
        return any(worker["service"] == "ingest" and worker.get("connected_at") for worker in alive)

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"waited for {what}; {self.received()} of {self.tally.readings} received, "
                    f"exit code {self.process.poll()}: {self.log.read_text(errors='replace')[-2_000:]}"
                )
            self._device.rest(0.005)
