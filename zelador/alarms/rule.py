"""When a device is in alarm: hysteresis over its newest readings. Pure.

Each reading has a level: `h` (the model says an alarm class, with a probability of at least `high`), `l` (the
probability of the alarm classes is below `low`), `m` (between), `x` (the model gave no answer). An alarm turns on when
`on_count` of the last `window` readings are `h`, and off when `off_count` of them have been `l` for `off_s` seconds,
without a break. Both empty the window: readings from before an alarm do not end it, and readings of one alarm never
turn on another. A gap without readings counts for at most half of `off_s`: missing data does not end an alarm. The rule
follows ISA-18.2: separate limits for on and off, and a delay for off.

An alarm ends as soon as the device has recovered, but the next one begins at least `hold_s` seconds after it began.
Until then, a device that would be in alarm again is `chattering` (shown as suspect), and nobody is called. If it is
still chattering after that time, the next reading at level h begins an alarm. So no input gives more than one alarm in
`hold_s` seconds. Because a recovered device is shown as ok at once, no other rule can promise that.

`buffer/lua/alarms.lua` is the same rule inside Redis, because several workers classify the readings of one device. A
property test compares the two. There the time of the newest reading is accurate to a second.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Condition = Literal["ok", "suspect", "chattering", "alarm"]

HIGH, MIDDLE, LOW, NONE = "h", "m", "l", "x"  # levels
MAX_WINDOW = 60  # readings
LEAST_SILENCE_S = 60.0  # the shortest silence that is noticed, unless the settings name another
ADOPT_S = 60.0  # after only late readings for this long, the device's clock must have been set back


class Rule(msgspec.Struct, frozen=True):
    """`high` and `low` are probabilities of the alarm classes together; `low` is not above `high`."""

    on_count: int = 3
    window: int = 5
    off_count: int = 4
    off_s: float = 60.0
    hold_s: float = 3_600.0
    high: float = 0.7
    low: float = 0.4

    def level(self, probability: float, is_alarm: bool) -> str:
        """The level of a reading. `is_alarm`: the predicted label is an alarm class."""
        if is_alarm and probability >= self.high:
            return HIGH
        return LOW if probability < self.low else MIDDLE


class Track(msgspec.Struct, frozen=True):
    """The stored history of a device. Times are in milliseconds since 1970 UTC.

    `measured_at`: of the newest reading (not later than its receipt). `window`: levels, the newest last. `calm_at`:
    since when an alarm could end. `late_at`: when the first of only late readings arrived. `began_at`: of the newest
    alarm; None if none began in the last `hold_s` seconds. `seen_at`: when the reading that began it was settled.
    """

    measured_at: int = 0
    window: str = ""
    condition: Condition = "ok"
    calm_at: int | None = None
    late_at: int | None = None
    began_at: int | None = None
    seen_at: int = 0


def step(track: Track, measured_at: int, level: str, rule: Rule, now: int) -> Track:
    """The track after a reading. A late reading (an older time than the newest one's) changes nothing.

    If a device sends only late readings for ADOPT_S, its clock was set back: its new time is accepted, and its window
    is emptied. If the clock of a device jumps, the beginning of its alarm moves with it.
    """
    window, calm_at, began_at, seen_at = track.window, track.calm_at, track.began_at, track.seen_at
    hold = rule.hold_s * 1000
    jumps = began_at is not None and measured_at - track.measured_at >= hold > now - seen_at
    if measured_at < track.measured_at:
        late_at = now if track.late_at is None else track.late_at
        if now - late_at < ADOPT_S * 1000:
            return msgspec.structs.replace(track, late_at=late_at)
        window, calm_at, jumps = "", None, True
    if jumps and began_at is not None:
        began_at = measured_at - (now - seen_at)
    window = (window + level)[-rule.window :]
    condition = track.condition
    is_due = began_at is None or measured_at - began_at >= hold
    begins = False
    if condition in ("alarm", "chattering"):
        if window.count(LOW) < rule.off_count:
            calm_at = None
            begins = condition == "chattering" and level == HIGH and is_due
        else:
            off, gap = round(rule.off_s * 1000), measured_at - track.measured_at
            calm_at = measured_at if calm_at is None else calm_at + max(0, gap - off // 2)
            if measured_at - calm_at >= off:
                condition, calm_at, window = "ok", None, ""
    elif level == HIGH and window.count(HIGH) >= rule.on_count:
        begins = is_due
        if not is_due:
            condition, window = "chattering", ""
    else:
        condition = "suspect" if HIGH in window else "ok"
    if begins:
        condition, calm_at, window, began_at, seen_at = "alarm", None, "", measured_at, now
    elif condition != "alarm" and is_due:
        began_at = None
    return Track(measured_at, window, condition, calm_at, None, began_at, seen_at)
