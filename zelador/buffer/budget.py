"""Computes `maxmemory` for Redis: the memory that it needs when everything is at its limit. Pure.

Each limit counts bytes of content. The overhead of Redis was measured, and a test measures it again: a stream takes up
to 1.27 times its content, an entry of a hash or a set some 60 to 100 bytes more than its content.
"""

from __future__ import annotations

from zelador.buffer.outcome_batch import MAX_OUTCOMES_BYTES
from zelador.settings import Settings

STREAM = 1.5  # memory of a stream, relative to its content: 1.47 if each entry has its own millisecond and 2.1 KB
REQUEST = 160  # overhead of a request, in bytes
QUARANTINED = 4_000  # overhead of a quarantined entry: its device, of up to 512 bytes, is stored four times
KNOWN = 190  # bytes of a reading's key, to detect repeats
WINDOWS = 10_000 * 2_500 + 65_535 * 110  # bytes of open windows, with the longest names, and of the packet ids seen
LATE_LABELS = 32 * 1_048_576  # bytes of labels that came with repeats: two hashes of 8 MiB of content
PERIOD_LABELS = 32 * 1_048_576  # bytes of labels of periods and their index: 16 MiB of content
REPEATING = 1_000 * 900  # bytes of devices that have repeats among their last readings
DEVICE = 4_400  # bytes of a device with the longest name and label, and the maximum number of gaps
STATE = 3_200  # bytes of a device's state: its name four times, and label, model and id of a reading
EVENT, EVENTS = 1_600, 20_100  # bytes of a change of a state, and their number
PREDICTION = 4_096  # bytes of a prediction that is shown
MISSING = 1_000 * 700  # bytes of the devices with the most missing numbers
APPEND = 16 * 1_048_576  # bytes of one append, by which a limit may be exceeded for a moment
ANSWERS = 64 * 1_048_576  # bytes of responses stored for Idempotency-Keys
OTHER = 72 * 1_048_576  # bytes of runs, ledger, marks, functions, and of the connections' buffers

ROOM = 1.3  # maxmemory, relative to the sum: limits must take effect before maxmemory does


def parts(settings: Settings) -> dict[str, int]:
    """Bytes of memory by purpose, with everything at its limit."""
    redis, ingest = settings.redis, settings.ingest
    held = settings.archive.hold_bytes if settings.archive.enabled else 0  # of readings that are not archived yet
    return {
        "waiting": int(STREAM * (ingest.high_water_bytes + APPEND)) + REQUEST * ingest.high_water,
        "finished": int(STREAM * (max(redis.keep_bytes, held) + APPEND)),
        "outcomes": int(STREAM * MAX_OUTCOMES_BYTES) if held else 0,
        "quarantine": int(STREAM * (redis.keep_quarantine_bytes + APPEND)) + QUARANTINED * redis.keep_quarantine,
        "repeats": 2 * KNOWN * ((1 + ingest.unique_ids) * (redis.repeat_window + ingest.max_array)) + REPEATING,
        "labels": LATE_LABELS + PERIOD_LABELS,
        "windows": WINDOWS,
        "devices": DEVICE * redis.keep_devices + MISSING,
        "states": STATE * redis.keep_devices + int(STREAM * EVENT * EVENTS),
        "predictions": int(STREAM * PREDICTION * (redis.keep_predictions + 100)),
        "answers": ANSWERS,
        "other": OTHER,
    }


def maxmemory(settings: Settings) -> int:
    """The bytes for `maxmemory`."""
    return int(ROOM * sum(parts(settings).values()))
