"""The archiver process: moves readings and predictions from Redis to the archive, and maintains its files."""

from __future__ import annotations

import logging
import time
from threading import Event

from archive import paths
from archive.archive import open_archive
from archive.batch import ReadingBatch
from archive.maintain import Maintenance
from archive.register import register
from archive.writer import Unwritable, Writer
from registry.errors import LogReplaced
from zelador import endpoints
from zelador.buffer.archive_stream import ArchiveStream, PositionChanged, Raw, say_end
from zelador.buffer.connection import RedisConnection, Stopping
from zelador.errors import ZeladorError
from zelador.heartbeat import Heartbeat
from zelador.log_limit import LogLimit
from zelador.metrics import ArchiveMetrics
from zelador.retry import backoff
from zelador.settings import ArchiveSettings, Settings
from zelador.watchdog import Facts, Watchdog

log = logging.getLogger(__name__)

SERVICE = "archive"
BY = "the archiver"
IDLE_S = 0.5  # between two reads of Redis if nothing arrives
PAGE_ENTRIES = 500
OUTCOME_ENTRIES, OUTCOME_BYTES = 2_000, 1_048_576  # per file; a prediction has about four bytes
REPEAT_S = 60.0  # between two log lines about the same trouble
RETRY_CAP_S = 10.0
FINISH_S = 5.0  # time to write the rest on a stop
MAX_ENTRIES = 1_000_000  # per batch; fewer after an entry that cannot be written


def run(settings: Settings, stop: Event) -> None:
    """Archives until `stop` is set. Raises Unavailable or Corrupt if Redis or archive cannot be used at startup."""
    connection = RedisConnection(settings.redis, stop)
    connection.open(settings.redis.start_patience_s)
    heartbeat = Heartbeat(connection.client, settings.redis.prefix, SERVICE, "1")  # there is only one archiver
    stream = ArchiveStream(connection, settings.redis.prefix)
    metrics = ArchiveMetrics()
    if settings.archive.enabled:
        archiver = Archiver(settings.archive, stream, heartbeat, metrics, stop)
        watchdog = Watchdog(archiver.facts, settings.health.stalled_after_s, stop, metrics.stalled.set)
        maintenance = Maintenance(settings.archive, stop)
        close_probes = endpoints.serve(
            settings.metrics, metrics.registry, lambda: archiver.trouble or watchdog.trouble(), lambda: archiver.remark
        )
        watchdog.start()
        maintenance.start()
    else:
        maintenance = None
        close_probes = endpoints.serve(settings.metrics, metrics.registry, lambda: None)
    try:
        if settings.archive.enabled:
            archiver.run()
        else:
            rest(stream, heartbeat, stop)
    except Stopping as stopped:
        log.info("%s", stopped)
    finally:
        stop.set()
        heartbeat.stop()
        if maintenance is not None:
            maintenance.close()
        close_probes()
        log.info("stopped")


def rest(stream: ArchiveStream, heartbeat: Heartbeat, stop: Event) -> None:
    """Unregisters an archive that was switched off, then waits for `stop`; a supervisor would restart it otherwise."""
    say_end(*stream.end())
    log.info("the archive is switched off (ZELADOR_ARCHIVE__ENABLED): readings are kept in Redis only")
    while not stop.wait(IDLE_S):
        heartbeat.beat(enabled=False)


class Archiver:
    def __init__(
        self,
        settings: ArchiveSettings,
        stream: ArchiveStream,
        heartbeat: Heartbeat,
        metrics: ArchiveMetrics,
        stop: Event,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._heartbeat = heartbeat
        self._metrics = metrics
        self.stop = stop
        self._writer: Writer | None = None  # None if the archive is not open
        self._log = LogLimit(REPEAT_S)
        self._at = ""  # the last archived entry
        self._batch = ReadingBatch()
        self._closed = False  # True if the batch accepts no more entries
        self._most = MAX_ENTRIES  # limit of a batch
        self._tries = 0  # failed tries in a row
        self._began = self._outcomes_began = 0.0  # when the batch, and the outcomes, began to wait; 0 if none waits
        self._failures = -1  # of the connection when the archive was registered; -1 to register again
        self._turned_at = self._progressed_at = time.monotonic()
        self.trouble: str | None = None  # why nothing can be written now
        self.remark: str | None = None  # what an operator should know

    def run(self) -> None:
        """Archives until asked to stop, then writes what it holds.

        Readings are marked as archived in Redis only after the archive's log has them. So a crash at any point repeats
        a batch, whose rows the log recognizes, and loses none.
        """
        while not self.stop.is_set():
            self.stop.wait(self.turn())
        try:
            self._finish()
        except (ZeladorError, PositionChanged) as error:
            log.warning("%s; the remaining readings are archived after the next start", error)

    def turn(self) -> float:
        """Makes a step; logs an error, to try again. Returns the seconds to wait. Raises Stopping."""
        try:
            wait = self.step()
        except Stopping:
            raise
        except PositionChanged:
            self.lost_place()
            return IDLE_S
        except Unwritable as error:
            self._halve(error)
            return 0.0
        except ZeladorError as error:
            self._tries += 1
            self._log_trouble(error)
            return backoff(self._tries, cap=RETRY_CAP_S)
        self._tries, self.trouble = 0, None
        return wait

    def step(self) -> float:
        """Reads a page, and writes what is due. Returns the seconds to wait before the next step."""
        self._turned_at = time.monotonic()
        self._heartbeat.beat(enabled=True, trouble=self.trouble, remark=self.remark)
        if self._failures != self._stream.connection.failures:
            self._register()
        more = self._read()
        if self._due(more):
            self._flush()
            return 0.0
        return 0.0 if more else IDLE_S

    def lost_place(self) -> None:
        """Makes the next step register again, after another archiver or another Redis moved the archive's position."""
        self._failures = -1

    @property
    def waiting(self) -> bool:
        """Returns whether the archiver holds readings, or predictions wait for it."""
        return bool(len(self._batch) or self._outcomes_began)

    def facts(self) -> Facts:
        """Returns the state for the watchdog, which calls it on its own thread."""
        connection = self._stream.connection
        return Facts(
            turned_at=self._turned_at if connection.error is None else time.monotonic(),
            held=len(self._batch) if self.trouble else 0,
            progressed_at=self._progressed_at,
            redis_error=connection.error,
            redis_away_since=connection.away_since,
            why=self.trouble,
            refusal=connection.refusal or self._heartbeat.refusal,
        )

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _register(self) -> None:
        failures = self._stream.connection.failures
        writer = self._writer or self._opened()
        place = register(writer.archive, self._stream, self._settings.hold_bytes, BY)
        self._writer, self._at, self._failures = writer, place.at, failures
        self.remark = place.remark or self.remark
        self._clear()

    def _opened(self) -> Writer:
        archive = open_archive(self._settings, make=True)
        paths.settle(archive.store, archive.log)
        return Writer(archive, BY)

    def _halve(self, error: Unwritable) -> None:
        """Halves the batch to find the entry that cannot be written, which counts as missed; others are archived."""
        self._most = max(1, len(self._batch) // 2)
        log.warning("%s; trying %d at a time", error, self._most)
        self._clear()

    def _finish(self) -> None:
        """Writes what is still in Redis on a stop, if there is time."""
        deadline, more = time.monotonic() + FINISH_S, self._writer is not None
        while more and time.monotonic() < deadline:
            more = self._read()
            if len(self._batch) or self._outcomes_began:
                self._flush()

    def _clear(self) -> None:
        self._batch, self._closed, self._began = ReadingBatch(), False, 0.0

    def _read(self) -> bool:
        """Reads a page of entries into the batch. Returns whether there may be more."""
        if self._closed:
            return True
        batch, limits = self._batch, self._settings
        page = self._stream.read(batch.entries[-1][0] if len(batch) else self._at, PAGE_ENTRIES)
        for stream_id, entry in page:
            self._closed = not batch.takes(stream_id)
            if self._closed:
                break
            self._began = self._began or time.monotonic()
            batch.add(stream_id, entry)
            full = batch.rows >= limits.batch_readings or batch.bytes >= limits.batch_bytes
            self._closed = full or len(batch) >= self._most
            if self._closed:
                break
        return self._closed or len(page) == PAGE_ENTRIES

    def _due(self, more: bool) -> bool:
        now, limit = time.monotonic(), self._settings.write_s
        if self._closed or (self._began and now - self._began >= limit):
            return True
        if not more and not self._outcomes_began and self._stream.outcomes(1):
            self._outcomes_began = now
        return bool(self._outcomes_began) and now - self._outcomes_began >= limit

    def _flush(self) -> None:
        """Writes the batch and the predictions that wait, then marks them as archived in Redis."""
        if self._writer is None:
            return
        outcomes, more = self._outcomes()
        self._stream.wait_written()
        if self._batch.rows and self._stream.has_late_labels():
            self._batch.add_labels(self._stream.late_labels)
        started = time.perf_counter()
        written = self._writer.write(self._at, self._batch, outcomes)
        self._at = self._stream.done(written.taken, written.seen)
        self._most = min(2 * self._most, MAX_ENTRIES)
        sizes = [file.bytes for file in written.files]
        self._metrics.wrote(sizes, written.taken.archived, time.perf_counter() - started)
        if written.taken.unreadable:
            log.error("%d readings in Redis cannot be decoded, and are not archived", written.taken.unreadable)
        self._progressed_at = time.monotonic()
        self._outcomes_began = self._outcomes_began if more else 0.0
        self._clear()

    def _outcomes(self) -> tuple[list[Raw], bool]:
        """Returns the predictions for one file, and whether more wait."""
        found = self._stream.outcomes(OUTCOME_ENTRIES)
        taken: list[Raw] = []
        size = 0
        for raw in found:
            if taken and size + len(raw.data) > OUTCOME_BYTES:
                break
            taken.append(raw)
            size += len(raw.data)
        return taken, len(taken) < len(found)

    def _log_trouble(self, error: ZeladorError) -> None:
        self.trouble = str(error)
        if isinstance(error, LogReplaced):
            self._writer = None
            self.lost_place()
        if self._log.due():
            log.error("nothing can be archived: %s%s", error, self._log.take_skipped())
