"""Checks the archive: that it is registered, written, and within its bounds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.processes import Beat
from operations.views.archive import LATE_S, archive_remark
from zelador.ledger import LedgerSnapshot
from zelador.printable import clean
from zelador.settings import Settings

CHECK = "archive"


def judge(settings: Settings, snapshot: LedgerSnapshot, beats: Sequence[Beat]) -> Iterator[Finding]:
    counts, held = snapshot.ledger.archive, f"{settings.archive.hold_bytes / 1_048_576:,.0f} MiB"
    newest = f"the newest {settings.redis.keep_readings} readings"
    if not settings.archive.enabled:
        if counts is not None:
            yield risky(
                CHECK,
                f"switched off, but still registered: {counts.waiting} readings wait for it",
                f"nothing; Redis keeps up to {held} of readings for it",
                "zelador archive (with ZELADOR_ARCHIVE__ENABLED=false it unregisters the archive)",
            )
        return
    if counts is None:
        yield risky(
            "process.archive",
            f"not running, and no archive is registered: Redis keeps {newest}",
            "older readings, for training; predictions and live classification are not affected",
            "zelador archive, or ZELADOR_ARCHIVE__ENABLED=false if no archive is wanted",
        )
        return
    workers = [beat.facts for beat in beats]
    remark = archive_remark(snapshot, workers, settings)
    if remark is None:
        yield fine(CHECK, f"{counts.archived} readings are archived, {counts.waiting} wait{_lag(snapshot)}")
        return
    stuck = snapshot.archive_lag_s > settings.archive.write_s + LATE_S
    missing = not any(worker.get("service") == "archive" for worker in workers)
    yield (broken if stuck and counts.missed else risky)(
        CHECK,
        clean(remark),
        f"readings beyond {held} that wait are lost to the archive, and counted (archive_missed)",
        "zelador archive" if missing else "see the log of the archiver; check its disk (ZELADOR_ARCHIVE__URL)",
    )


def _lag(snapshot: LedgerSnapshot) -> str:
    return f", the oldest for {snapshot.archive_lag_s:.0f} s" if snapshot.archive_lag_s else ""
