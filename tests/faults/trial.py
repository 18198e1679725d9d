"""A site with devices and a subscriber, and the check of every case that nothing is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import redis

from tests.faults.book import Book, Verdict
from tests.faults.outside import Awaited, Devices, Subscriber, device
from tests.faults.site import PREFIX, Failed, Shape, Site
from zelador.buffer.keys import Keys
from zelador.ledger import Ledger

SILENT_S = 2.0  # after this silence with nothing in flight, missing predictions will not arrive any more
LAST = 40  # last readings for each ingester: the broker delivers in order, so all earlier ones have left it


@dataclass(frozen=True, slots=True)
class Outcome:
    """`differs`: readings that the ledger accepted, less those that the witnesses know of; anything but 0 is ours."""

    verdict: Verdict
    ledger: Ledger
    differs: int

    def ours(self) -> str | None:
        """Describes a fault of ours; None if there is none."""
        found = []
        if self.verdict.lost:
            found.append(f"{len(self.verdict.lost)} readings are lost, {self.verdict.lost[:5]} …")
        if self.ledger.unaccounted or self.ledger.waiting:
            found.append(f"the ledger does not close: {self.ledger.flat()}")
        if self.differs:
            word = "more" if self.differs > 0 else "fewer"
            found.append(f"the ledger accepted {abs(self.differs)} readings {word} than the witnesses know of")
        return "; ".join(found) or None


class Trial:
    """Enter it to have everything running; `first` is where the readings of the present case begin."""

    def __init__(self, folder: Path, shape: Shape | None = None, name: str = "r") -> None:
        self.book = Book(name)
        self.site = Site(folder, shape or Shape(), self.book)
        self.first = 0
        self._differed = 0  # before the present case
        self._differs = 0
        self._outside = contextlib.ExitStack()

    def __enter__(self) -> Trial:
        self.site.__enter__()
        try:
            self.devices = Devices(self.book, self.site.wire("devices", "broker").port)
            self.subscriber = Subscriber(self.book, self.site.ports["mqtt"])
            for one in (self.subscriber, self.devices):
                one.start()
                self._outside.callback(one.close)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._outside.close()
        self.site.close()

    def begin(self) -> None:
        """Starts a new case on the same site, about the readings published from now on."""
        self.first = self.devices.next
        self._differed = self._differs

    @contextlib.contextmanager
    def load(self, rate: float = 300.0) -> Iterator[None]:
        """Publishes `rate` readings a second during the block, which begins when predictions arrive."""
        came = self.subscriber.came
        self.devices.rate = rate
        try:
            self.site.wait(lambda: self.subscriber.came > came + 50, "predictions before the fault")
            yield
        finally:
            self.devices.rate = 0.0

    def await_the_next(self, since: float | None = None) -> Awaited:
        """Counts from `since` (now) to the prediction of a reading that is not yet published."""
        return self.subscriber.await_one_from(self.devices.next + 1, since or time.monotonic())

    def kill(self, name: str) -> Awaited:
        """Sends SIGKILL; returns an object with the time until a reading published afterwards has its prediction."""
        since = time.monotonic()
        self.site.kill(name)
        return self.await_the_next(since)

    def answered(self, awaited: Awaited, within_s: float = 60.0) -> float:
        self.site.wait(lambda: awaited.seconds is not None, "a prediction of a reading after the fault", within_s)
        assert awaited.seconds is not None
        return awaited.seconds

    def outcome(self, within_s: float = 60.0) -> Outcome:
        """The outcome of the readings since `begin`, once nothing changes. Raises Failed if changes do not end."""
        self.settle(within_s)
        return self.reckon()

    def reckon(self) -> Outcome:
        """The present outcome."""
        ledger = self.site.ledger()
        self._differs = ledger.accepted - self.book.known_to_us(self.devices.next)
        verdict = self.book.verdict(self.first, self.devices.next, self._in_redis)
        return Outcome(verdict, ledger, self._differs - self._differed)

    def settle(self, within_s: float = 60.0) -> None:
        """Waits until all have their predictions, or no more predictions can come.

        That is: every worker answers, the last readings published have come through, no ingester holds anything
        unacknowledged, nothing waits in Redis, and the subscriber has heard nothing for SILENT_S.
        """
        deadline = time.monotonic() + within_s
        site, devices = self.site, self.devices
        site.wait(lambda: devices.quiet, "the broker to acknowledge everything", within_s)
        site.ready(*site.processes)
        first_of_last = devices.next
        devices.send(LAST * site.shape.ingesters)
        site.wait(lambda: devices.quiet, "the broker to acknowledge the last readings", within_s)
        while not self._at_rest(first_of_last):
            if time.monotonic() > deadline:
                raise Failed(f"does not come to rest within {within_s:g} s: {self._state()}\n{site.last_words()}")
            time.sleep(0.05)

    def _at_rest(self, first_of_last: int) -> bool:
        if self.site.with_the_broker() or self._waiting():
            return False
        if not self.book.missing(self.first, self.devices.next):
            return True
        silent = time.monotonic() - self.subscriber.last_at > SILENT_S
        return silent and not self.book.missing(first_of_last, self.devices.next)

    def _waiting(self) -> int:
        try:
            return self.site.ledger().waiting
        except (redis.RedisError, OSError):
            return 1

    def _state(self) -> str:
        missing = self.book.missing(self.first, self.devices.next)
        try:
            ledger = str(self.site.ledger().flat())
        except (redis.RedisError, OSError) as error:
            ledger = str(error)
        return (
            f"{len(missing)} readings have no prediction ({missing[:5]} …), "
            f"{self.site.with_the_broker()} are with an ingester; {ledger}"
        )

    def _in_redis(self, number: int) -> bool:
        """True if the buffer has the reading."""
        member = f"{device(number)}\x1f{self.book.id(number)}"
        return any(self.site.client.sismember(key, member) for key in Keys(PREFIX).seen)
