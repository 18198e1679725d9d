"""How much memory Redis needs when everything that is bounded is at its bound: its `maxmemory` follows from that. Pure.

Each bound counts bytes of content. What Redis takes for them was measured, and is again by a test: a stream takes up to
1.27 of its content, an entry of a hash or a set some 60 to 100 bytes beside it.
"""

from __future__ import annotations

from zelador.settings import Settings

STREAM = 1.3  # memory of a stream, to the bytes in it
REQUEST = 160  # bytes beside a request's own
QUARANTINED = 4_000  # bytes beside a quarantined entry's own: its device, of up to 512 bytes, stands in four places
KNOWN_ID = 160  # bytes of an id by which a repeat is known
DEVICE = 4_400  # bytes of a device with the longest name and label, and as many gaps as are kept
PREDICTION = 4_096  # bytes of a prediction that is shown
MISSING = 1_000 * 700  # bytes of the devices that miss most
APPEND = 16 * 1_048_576  # bytes of one append: above a bound by so much until it is held again
ANSWERS = 64 * 1_048_576  # bytes of answers kept for an Idempotency-Key
OTHER = 72 * 1_048_576  # bytes of runs, ledger, marks, functions, and of the connections' buffers

ROOM = 1.3  # maxmemory, to the sum: what is refused at maxmemory has to be refused by a bound before


def parts(settings: Settings) -> dict[str, int]:
    """Bytes of memory, by what they are for, with everything at its bound."""
    redis, ingest = settings.redis, settings.ingest
    return {
        "waiting": int(STREAM * (ingest.high_water_bytes + APPEND)) + REQUEST * ingest.high_water,
        "finished": int(STREAM * (redis.keep_bytes + APPEND)),
        "quarantine": int(STREAM * (redis.keep_quarantine_bytes + APPEND)) + QUARANTINED * redis.keep_quarantine,
        "repeats": 2 * KNOWN_ID * (redis.repeat_window + ingest.max_array),
        "devices": DEVICE * redis.keep_devices + MISSING,
        "predictions": int(STREAM * PREDICTION * (redis.keep_predictions + 100)),
        "answers": ANSWERS,
        "other": OTHER,
    }


def maxmemory(settings: Settings) -> int:
    """Bytes to give Redis."""
    return int(ROOM * sum(parts(settings).values()))
