"""The state of the archive as text, for readiness and the doctor. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zelador.ledger import LedgerSnapshot
from zelador.printable import counted
from zelador.settings import Settings

LATE_S = 60.0  # beyond ZELADOR_ARCHIVE__WRITE_S, after which readings wait too long for the archive


def archive_remark(snapshot: LedgerSnapshot, workers: Sequence[Mapping[str, str]], settings: Settings) -> str | None:
    """The most urgent problem of the archive; None if it has none, or if no archive is registered."""
    counts = snapshot.ledger.archive
    archivers = [worker for worker in workers if worker.get("service") == "archive"]
    if counts is None:
        return None
    late = snapshot.archive_lag_s > settings.archive.write_s + LATE_S
    waiting = counted(counts.waiting, "reading waits", "readings wait")
    waits = f"{waiting} for the archive, the oldest for {snapshot.archive_lag_s:.0f} s"
    missed = f"; {counted(counts.missed, 'reading')} left Redis unarchived (archive_missed)" if counts.missed else ""
    for worker in archivers:
        if worker.get("trouble"):
            return f"nothing can be archived: {worker['trouble']}; {waits}{missed}"
    if not archivers and (late or counts.missed):
        return f"the archive is registered, but no archiver runs (zelador archive); {waits}{missed}"
    if late:
        return f"{waits}: the archiver is too slow{missed}"
    for worker in archivers:
        if worker.get("remark"):
            return worker["remark"] + missed
    return missed.removeprefix("; ") or None
