"""The filters of the audit page: who, what, from which day until which, and a text. All are in the URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query

from admin.console.authors import VIA, origin
from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.sent import Sent, sent_by_address
from operations.views.audit import AuditFilter, Kind
from zelador.errors import InvalidInput

KINDS: Mapping[Kind, str] = {
    "selections": _("Selections"),
    "models": _("Models"),
    "runs": _("Runs"),
    "labels": _("Labels"),
    "devices": _("Alarms and devices"),
    "quarantine": _("Quarantine"),
    "keys": _("Keys and passwords"),
    "registry": _("Registry and data sets"),
}
FIRST, LAST = date(1970, 1, 2), date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class AskedFilter:
    """The filters as they were typed."""

    q: Annotated[str, Query(max_length=100)] = ""
    who: Annotated[str, Query(max_length=400)] = ""
    what: Annotated[str, Query(max_length=20)] = ""
    since: Annotated[str, Query(max_length=40, alias="from")] = ""
    until: Annotated[str, Query(max_length=40)] = ""

    def query(self, **more: str) -> str:
        """The query of a URL with these filters; empty without any."""
        given = {"q": self.q, "who": self.who, "what": self.what, "from": self.since, "until": self.until, **more}
        text = urlencode({name: value for name, value in given.items() if value})
        return f"?{text}" if text else ""

    def refused(self, error: InvalidInput) -> Sent:
        """Returns the form as it was sent, with why it was refused."""
        return sent_by_address("/console/audit", {"from": self.since, "until": self.until}, error)

    def filter(self, language: Language) -> AuditFilter:
        """Raises InvalidInput."""
        kind = next((each for each in KINDS if each == self.what), None)
        since, until = _day(self.since, "from"), _day(self.until, "until")
        if since is not None and until is not None and until < since:
            raise InvalidInput(f"until: the last day, {until}, is before the first, {since}", field="until")
        return AuditFilter(
            self.who,
            kind,
            self.q,
            None if since is None else _begin(since, language),
            None if until is None else _begin(until + timedelta(days=1), language),
        )


def through(who: str, address: str | None, language: Language) -> str:
    """Returns from where a change came: an address, the command line, a run or a schedule."""
    if address:
        return address
    found = VIA.fullmatch(who)
    return origin(language, found["via"] if found else "command line")


def _day(text: str, name: str) -> date | None:
    if not text.strip():
        return None
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        found = date.min
    if FIRST <= found <= LAST:
        return found
    raise InvalidInput(f"{name}: {text!r} is not a date; write it as 2026-11-25", field=name)


def _begin(day: date, language: Language) -> int:
    """Returns when a day begins in the plant, in ms since 1970 UTC."""
    return round(datetime.combine(day, time(), language.zone).timestamp() * 1000)
