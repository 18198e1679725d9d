"""What the state of a device must be, by docs/contracts.md alone."""

from __future__ import annotations

ON_COUNT, WINDOW, OFF_COUNT, OFF_S, HOLD_S = 3, 5, 4, 60.0, 3_600.0
SETTINGS = {"on_count": ON_COUNT, "window": WINDOW, "off_count": OFF_COUNT, "off_s": OFF_S, "hold_s": HOLD_S}


class DeviceModel:
    """A device whose readings come in the order of their times."""

    def __init__(self) -> None:
        self.state = "ok"
        self.reason: str | None = None
        self.reading: str | None = None
        self.alarms: list[str] = []  # the readings that began them
        self._window: list[bool] = []
        self._at = 0.0
        self._began: float | None = None
        self._calm_s: float | None = None

    def read(self, at: float, is_worn: bool, name: str) -> None:
        gap, self._at = at - self._at, at
        self._window = [*self._window, is_worn][-WINDOW:]
        is_due = self._began is None or at - self._began >= HOLD_S
        if self.state == "alarm" or self.reason == "chattering":
            if self._window.count(False) >= OFF_COUNT:
                self._calm_s = 0.0 if self._calm_s is None else self._calm_s + min(gap, OFF_S / 2)
                if self._calm_s >= OFF_S:
                    self._become("ok")
                return
            self._calm_s = None
            if self.reason == "chattering" and is_worn and is_due:
                self._alarm(at, name)
        elif self._window.count(True) >= ON_COUNT and is_due:
            self._alarm(at, name)
        elif self._window.count(True) >= ON_COUNT:
            self._become("suspect", "chattering", name)
        elif any(self._window):
            self.state, self.reading = "suspect", self.reading or name
        else:
            self.state, self.reading = "ok", None

    def _alarm(self, at: float, name: str) -> None:
        self._began = at
        self.alarms.append(name)
        self._become("alarm", None, name)

    def _become(self, state: str, reason: str | None = None, name: str | None = None) -> None:
        self.state, self.reason, self.reading = state, reason, name
        self._window, self._calm_s = [], None
