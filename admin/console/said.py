"""What a form did, said on the next page. It is kept in a cookie for a minute, and shown once."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Literal

import msgspec
from fastapi import Request, Response

from admin.console.catalog import mark as _
from admin.console.language import Language

COOKIE = "zelador_said"
LASTS_S = 60
MAX_NAME = 512  # characters
MAX_COOKIE = 3_600  # bytes; browsers keep 4,096 with the name and the attributes

What = Literal[
    "acknowledged", "unacknowledged", "acknowledged all", "unacknowledged all", "shelved", "unshelved", "retired",
    "acknowledged already", "shelved already", "restored", "selected", "rolled back", "notes saved", "deleted",
    "imported", "run started", "run canceled", "run finished", "models saved", "loaded again", "key revoked",
    "discarded", "replayed", "import undone", "nothing imported", "signed out", "label words", "labels imported",
]  # fmt: skip


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done, to what, and numbers of it."""

    what: What
    name: str = ""  # of the object
    counts: dict[str, int] = {}
    back: str = ""  # the page to which an undo returns

    @property
    def is_done(self) -> bool:
        """False if the form changed nothing of what it was for, or not all of it."""
        match self.what:
            case "replayed":
                return 0 < sum(self.counts.values()) == sum(self.counts.get(name, 0) for name in LEFT_QUARANTINE)
            case "nothing imported" | "label words" | "acknowledged already" | "shelved already":
                return False
            case _:
                return True


LEFT_QUARANTINE = ("accepted", "repeated", "waiting")  # outcomes of a replay that is not in vain
TAKES_OVER = _("The workers take it over by themselves.")
ONE: Mapping[str, tuple[str, str]] = {  # heading and explanation of what was done to one object
    "acknowledged": (
        _("Alarm of %(name)s acknowledged"), _("It stays listed until its readings end the alarm."),
    ),
    "acknowledged already": (
        _("The alarm of %(name)s was acknowledged already"), _("Nothing was changed: whoever acknowledged it has it."),
    ),
    "shelved already": (_("%(name)s was shelved until %(until)s already"), _("Nothing was changed.")),
    "unacknowledged": (_("Acknowledgment of %(name)s undone"), _("Its alarm needs somebody again.")),
    "shelved": (_("%(name)s is shelved"), _("No alarm is raised or sent for it until %(until)s.")),
    "unshelved": (_("%(name)s is no longer shelved"), _("Its alarms are raised and sent again.")),
    "retired": (_("%(name)s is retired"), _("It is no longer watched. Its readings and history stay.")),
    "restored": (_("%(name)s is back"), _("It is watched again.")),
    "selected": (_("%(name)s is selected"), TAKES_OVER),
    "rolled back": (_("Rolled back to %(name)s"), TAKES_OVER),
    "notes saved": (_("Notes of %(name)s saved"), ""),
    "deleted": (_("%(name)s deleted"), ""),
    "imported": (_("%(name)s imported"), _("It classifies nothing until somebody selects it.")),
    "run started": (_("Run %(name)s started"), ""),
    "run canceled": (_("Run %(name)s is canceled"), _("The trainer stops it within seconds. No model is registered.")),
    "run finished": (_("Run %(name)s finishes early"), _("Nothing further is tried.")),
    "loaded again": (_("The readings are loaded again"), ""),
    "key revoked": (_("Key of %(name)s revoked"), _("Whoever used it is signed out.")),
    "discarded": (_("Message of %(name)s discarded"), _("The audit keeps who discarded it, when, and its digest.")),
    "nothing imported": (_("No label was added"), _("All rows of the table were left out.")),
    "signed out": (_("You are signed out."), ""),
}  # fmt: skip


def said_in(request: Request) -> Said | None:
    """Returns what the last form of this browser did, if no page has said it yet."""
    text = request.cookies.get(COOKIE, "")
    if not text or len(text) > MAX_COOKIE:
        return None
    try:
        return _decode(base64.urlsafe_b64decode(text))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        return None


def keep(response: Response, said: Said, is_secure: bool) -> None:
    """Keeps `said` in the browser until the next page."""
    kept = _written(msgspec.structs.replace(said, name=said.name[:MAX_NAME]))
    if len(kept) > MAX_COOKIE:
        kept = _written(msgspec.structs.replace(said, name=said.name[:60] + "…"))
    response.set_cookie(COOKIE, kept, max_age=LASTS_S, path="/console", secure=is_secure, httponly=True, samesite="lax")


def forget(response: Response, is_secure: bool) -> None:
    response.delete_cookie(COOKIE, path="/console", secure=is_secure, httponly=True, samesite="lax")


def said_words(language: Language, said: Said) -> tuple[str, str]:
    """Returns a heading and an explanation, which may be empty."""
    ngettext, counts = language.translations.ngettext, said.counts
    count = counts.get("count", 0)
    shown = {"shown": language.number(count)}
    more = language.number(counts.get("left", 0))
    match said.what:
        case "acknowledged all":
            text = ngettext("1 more is in alarm.", "%(more)s more are in alarm.", counts.get("left", 0))
            heading = ngettext("1 alarm acknowledged", "%(shown)s alarms acknowledged", count) % shown
            return heading, text % {"more": more} if counts.get("left") else ""
        case "unacknowledged all":
            heading = ngettext("1 acknowledgment undone", "%(shown)s acknowledgments undone", count) % shown
            if not counts.get("left"):
                return heading, ngettext("The alarm needs somebody again.", "The alarms need somebody again.", count)
            text = ngettext(
                "The alarm of 1 device went on meanwhile, and is left as it is.",
                "The alarms of %(more)s devices went on meanwhile, and are left as they are.",
                counts["left"],
            )
            return heading, text % {"more": more}
        case "models saved":
            return ngettext("%(name)s saved", "%(shown)s models saved: %(name)s", count) % {
                **shown,
                "name": said.name,
            }, ""
        case "import undone":
            heading = ngettext("Import of 1 label undone", "Import of %(shown)s labels undone", count) % shown
            text = ngettext(
                "Its readings have the labels again that they had before.",
                "Their readings have the labels again that they had before.",
                count,
            )
            return heading, text
        case "replayed":
            return _replayed(language, said)
        case "labels imported":
            return ngettext("1 label added", "%(shown)s labels added", count) % shown, said.name
        case "label words":
            return language.text("Look at the words of the labels"), said.name
        case _:
            heading, text = ONE[said.what]
            until = counts.get("until", 0)
            values = {"name": said.name, "until": f"{language.day_and_time(until)} {language.offset(until)}"}
            return language.text(heading, **values), language.text(text, **values) if text else ""


def _replayed(language: Language, said: Said) -> tuple[str, str]:
    """Says how many messages passed, and why the others did not."""
    ngettext, counts = language.translations.ngettext, said.counts
    total = sum(counts.values())
    if not total:
        return language.text("Nothing was replayed"), language.text("No message would pass with the current settings.")
    found = {
        "accepted": ngettext("1 passed", "%(n)s passed", counts.get("accepted", 0)),
        "repeated": ngettext(
            "1 had been sent again since, and counts once",
            "%(n)s had been sent again since, and count once",
            counts.get("repeated", 0),
        ),
        "waiting": ngettext(
            "1 waits for the model again, and comes back here if it cannot be classified",
            "%(n)s wait for the model again, and come back here if they cannot be classified",
            counts.get("waiting", 0),
        ),
        "still_refused": ngettext(
            "1 was refused again and stays here",
            "%(n)s were refused again and stay here",
            counts.get("still_refused", 0),
        ),
        "not_whole": ngettext(
            "1 stays here, because only a part of its bytes was kept",
            "%(n)s stay here, because only a part of their bytes was kept",
            counts.get("not_whole", 0),
        ),
        "gone": ngettext("1 was gone already", "%(n)s were gone already", counts.get("gone", 0)),
    }
    parts = [text % {"n": language.number(counts[name])} for name, text in found.items() if counts.get(name)]
    if said.name:
        heading = language.text("Message of %(name)s replayed", name=said.name)
    elif not said.is_done:
        passed = language.number(counts.get("accepted", 0))
        heading = language.text("%(passed)s of %(all)s passed", passed=passed, all=language.number(total))
        del parts[: bool(counts.get("accepted"))]
    else:
        heading = ngettext("1 message replayed", "%(n)s messages replayed", total) % {"n": language.number(total)}
    return heading, ". ".join(parts) + "."


def _written(said: Said) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(said)).decode()


_decode = msgspec.json.Decoder(Said).decode
