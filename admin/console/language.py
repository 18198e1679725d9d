"""The reader's language: translations, and the formats of numbers, dates and durations.

The catalog is read from its .po file when the language is first used: there is no build step.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from zelador.errors import InvalidInput

FOLDER = Path(__file__).with_name("locale")
TAGS = ("en", "pt-BR")  # the languages of the console, the default first
COOKIE = "zelador_language"
MINUTE, HOUR, DAY = 60, 3_600, 86_400
MAX_DECIMALS = 6  # of a measured value
SWAPPED = str.maketrans(",.", ".,")
RANGE = "–\N{WORD JOINER}"  # a line breaks after a dash alone


@dataclass(frozen=True, slots=True)
class Language:
    """A language and the plant's time zone."""

    tag: str
    locale: Locale
    translations: NullTranslations
    zone: tzinfo

    def text(self, message: str, **values: object) -> str:
        """Returns the translation of `message`, with its %(name)s replaced."""
        found = self.translations.gettext(message)
        return found % values if values else found

    def counted(self, one: str, other: str, count: int, /, **values: object) -> str:
        """Returns the translation of `one` if `count` is 1 there, else of `other`, with its %(name)s replaced."""
        return self.translations.ngettext(one, other, count) % values

    def number(self, value: float | None, decimals: int = 0) -> str:
        """Formats a number with the language's separators; a dash for an unknown one."""
        if value is None or value != value:
            return "–"
        text = f"{value:z,.{decimals}f}".replace("-", "−")
        return text.translate(SWAPPED) if self.tag == "pt-BR" else text

    def plain(self, value: float) -> str:
        """Formats a number without trailing zeros."""
        text = f"{value:,.6f}".rstrip("0").rstrip(".").replace("-", "−")
        return text.translate(SWAPPED) if self.tag == "pt-BR" else text

    def figure(self, value: float) -> str:
        """Formats a number of an axis, which has little room: thousands as k, millions as M."""
        for unit, factor, least in (("M", 1e6, 1e7), ("k", 1e3, 1e4)):
            if abs(value) >= least:
                return f"{self.plain(value / factor)}{unit}"
        return self.plain(value)

    def entry(self, value: float, digits: int = 12) -> str:
        """Formats a number for a form's field: significant digits only, without separators of thousands."""
        text = format(Decimal(f"{value + 0.0:.{digits}g}"), "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace(".", ",") if self.tag == "pt-BR" else text

    def signed(self, value: float | None, decimals: int = 3) -> str:
        if value is None or value != value:
            return "–"
        text = self.number(abs(value), decimals)
        return text if abs(value) < 0.5 * 10**-decimals else ("+" if value > 0 else "−") + text

    def bound(self, value: float | None, decimals: int = 3) -> str:
        """Formats an end of an interval of a difference, with more decimals if it would look like 0 and is not."""
        while value is not None and 1e-6 <= abs(value) < 0.5 * 10**-decimals:
            decimals += 1
        return self.signed(value, decimals)

    def measure(self, value: float | None, usual: tuple[float, float] | None = None) -> str:
        """Formats a measured value with about three significant digits, and all digits before the decimal point.

        With `usual`, the usual range of the feature, all its values get the same decimals, so that they align.
        """
        if value is None or value != value:
            return "–"
        return self.number(value, _decimals(max(map(abs, usual)) if usual else abs(value)))

    def percent(self, share: float | None, decimals: int = 1) -> str:
        return "–" if share is None else f"{self.number(100 * share, decimals)}%"

    def size(self, count: float | None) -> str:
        """Formats bytes as kB, MB or GB."""
        if count is None:
            return "–"
        for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
            if count >= factor:
                return f"{self.number(count / factor, 1 if count < 100 * factor else 0)} {unit}"
        return f"{self.number(count)} B"

    def duration(self, seconds: float | None) -> str:
        """Formats a duration in at most two units, such as 2 min 15 s."""
        if seconds is None:
            return "–"
        if seconds < 10:
            return f"{self.number(max(0.0, seconds), 1)} s"
        whole = round(seconds)
        if whole < MINUTE:
            return f"{whole} s"
        if whole < HOUR:
            return _two(whole // MINUTE, "min", whole % MINUTE, "s")
        if whole < DAY:
            return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "min")
        return _two(whole // DAY, "d", whole % DAY // HOUR, "h")

    def whole_duration(self, seconds: float) -> str:
        """Formats a duration in whole seconds."""
        return f"{int(seconds)} s" if seconds < MINUTE else self.duration(seconds)

    def local(self, moment: datetime | str | int) -> datetime:
        """Returns a moment (ISO 8601, or ms since 1970 UTC) in the plant's time zone."""
        if isinstance(moment, int):
            moment = datetime.fromtimestamp(moment / 1000, timezone.utc)
        elif isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        return moment.astimezone(self.zone)

    def typed(self, text: str, name: str) -> int:
        """Parses a local time from the field `name` of a form, to ms since 1970 UTC. Raises InvalidInput."""
        try:
            found = datetime.fromisoformat(text)
            return int(found.replace(tzinfo=found.tzinfo or self.zone).timestamp() * 1000)
        except (ValueError, OverflowError):
            raise InvalidInput(f"{name}: {text!r} is not a time; write it as 2026-11-25T06:00") from None

    def field(self, moment: datetime | str | int) -> str:
        """Formats a moment as the value of a form's field for a local time."""
        return f"{self.local(moment):%Y-%m-%dT%H:%M:%S}"

    def clock(self, moment: datetime | str | int) -> str:
        return f"{self.local(moment):%H:%M:%S}"

    def fraction(self, moment: datetime | str | int) -> str:
        """Formats the milliseconds of a time of day, with the language's decimal separator."""
        return f"{',' if self.tag == 'pt-BR' else '.'}{self.local(moment).microsecond // 1000:03d}"

    def day_and_time(self, moment: datetime | str | int) -> str:
        """Formats a moment such as 24 Nov 14:31, with the year unless it is this year."""
        local = self.local(moment)
        year = "" if local.year == datetime.now(self.zone).year else " y"
        return format_datetime(local, f"d MMM{year} HH:mm", locale=self.locale)

    def when(self, moment: datetime | str | int) -> str:
        """Formats a moment: the time of day, with the day unless it is today."""
        local = self.local(moment)
        return self.clock(local) if local.date() == datetime.now(self.zone).date() else self.day_and_time(local)

    def whole_ago(self, moment: datetime | str | int) -> str:
        """Formats how long ago a moment was, in whole seconds, so that it changes once a second at most."""
        return self.whole_duration(max(0.0, (datetime.now(timezone.utc) - self.local(moment)).total_seconds()))

    def day(self, moment: datetime | str | int) -> str:
        local = self.local(moment)
        return format_datetime(local, "EEEE, d MMM y", locale=self.locale)

    def short_day(self, moment: datetime | str | int) -> str:
        return format_datetime(self.local(moment), "d MMM", locale=self.locale)

    def offset_minutes(self, moment: datetime | str | int | None = None) -> int:
        """Returns the zone's offset from UTC in minutes, now or at a moment."""
        local = self.local(moment if moment is not None else datetime.now(timezone.utc))
        return round((local.utcoffset() or timedelta()).total_seconds() / 60)

    def offset(self, moment: datetime | str | int | None = None) -> str:
        """Formats the zone's offset from UTC, such as UTC−3."""
        minutes = self.offset_minutes(moment)
        hours, rest = divmod(abs(minutes), 60)
        sign = "−" if minutes < 0 else "+"
        return f"UTC{sign}{hours}{f':{rest:02d}' if rest else ''}" if minutes else "UTC"


def _two(first: int, unit: str, second: int, other: str) -> str:
    return f"{first} {unit} {second} {other}" if second else f"{first} {unit}"


@lru_cache(maxsize=len(TAGS))
def translations(tag: str) -> NullTranslations:
    """Returns the catalog of a language. English has none, because its texts are in the templates."""
    path = FOLDER / f"{tag}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalog = read_po(file, locale=tag.replace("-", "_"))
    packed = io.BytesIO()
    write_mo(packed, catalog)
    packed.seek(0)
    found = GNUTranslations(packed)
    # Also in Portuguese, 0 takes the plural ("0 leituras"): the singular of a text has its 1 written out.
    found.plural = lambda count: int(count != 1)  # type: ignore[attr-defined]
    return found


def language(tag: str, zone: tzinfo) -> Language:
    return Language(tag, Locale.parse(tag, sep="-"), translations(tag), zone)


def chosen(cookie: str | None, accepted: str) -> str:
    """Returns the cookie's tag if it is one of TAGS, else the best match of Accept-Language, else English."""
    if cookie in TAGS:
        return cookie
    return negotiate_locale(list(_preferred(accepted)), list(TAGS), sep="-", aliases={"pt": "pt-BR"}) or TAGS[0]


def _preferred(header: str) -> Iterable[str]:
    """Returns the languages of an Accept-Language header, the most preferred first."""
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:1_000].split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        if tag and weight > 0:
            found.append((-weight, place, "pt-BR" if tag.lower().startswith("pt") else tag.partition("-")[0]))
    return [tag for _, _, tag in sorted(found)]


def _decimals(size: float) -> int:
    """Returns how many decimals show a value of this size well enough."""
    if size >= 100:
        return 0
    if size >= 10:
        return 1
    return 2 if size >= 0.1 or size == 0 else min(MAX_DECIMALS, 1 - math.floor(math.log10(size)))
