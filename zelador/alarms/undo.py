"""Whether an acknowledgment can be undone: for a while, and only if the alarm that was acknowledged is still on."""

from __future__ import annotations

from zelador.alarms.state import Record

UNDO_S = 600.0  # after the acknowledgment
NOT_ACKNOWLEDGED = "has no alarm that is acknowledged: it ended, or another one began; nothing was changed"
REPLACED = "was acknowledged again meanwhile; nothing was changed"
TOO_LATE = f"was acknowledged more than {UNDO_S / 60:g} minutes ago; nothing was changed"


def objection_to_undo(record: Record, now: float, acknowledged_at: float | None = None) -> str | None:
    """Returns why an acknowledgment is not undone; None if it can be. Pure.

    `acknowledged_at` is the one that is meant, None for the present one. Times are in ms since 1970 UTC.
    """
    if record.by is None or record.at is None:
        return NOT_ACKNOWLEDGED
    if acknowledged_at is not None and record.at != acknowledged_at:
        return REPLACED
    return TOO_LATE if now - record.at > UNDO_S * 1000 else None


def can_undo(record: Record, now: float) -> bool:
    return not record.retired and objection_to_undo(record, now) is None
