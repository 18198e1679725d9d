"""The schedule on which runs start automatically."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim


class Schedule:
    """A cron expression in the plant's time zone. Times that passed while the trainer was down are skipped."""

    def __init__(self, expression: str, zone: str, now: datetime) -> None:
        self._expression, self._zone = expression, ZoneInfo(zone)
        self.next = self._after(now)

    def due(self, now: datetime) -> datetime | None:
        """Returns the latest scheduled time since the last call; None if there was none."""
        if now < self.next:
            return None
        came = self.next
        while (following := self._after(came)) <= now:
            came = following
        self.next = following
        return came

    def _after(self, moment: datetime) -> datetime:
        found: datetime = next(CronSim(self._expression, moment.astimezone(self._zone)))
        return found.astimezone(timezone.utc)
