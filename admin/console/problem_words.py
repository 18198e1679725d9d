"""Says what a problem is, and what to do about it, by its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.refusals import refusal_text
from admin.console.sent import Sent


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    text: str
    command: str = ""


WHAT_IS_WRONG = Step(_("See what is wrong"), _("It asks the broker, Redis and the registry:"), "zelador doctor")

# Kind to heading, explanation (None for the API's own sentence, in English), and steps.
WORDS: Mapping[str, tuple[str, str | None, tuple[Step, ...]]] = {
    "forbidden": (
        _("Your key does not allow this"),
        None,
        (
            Step(_("Ask an admin"), _("A key of a higher role can do it.")),
            Step(_("Go on with what your key allows"), _("The navigation shows all of it.")),
        ),
    ),
    "not-found": (
        _("There is no such page"),
        None,
        (Step(_("Look in the list"), _("The name may have changed, or it was deleted.")),),
    ),
    "session-ended": (
        _("Not sent yet"),
        _("Your session had ended when you sent this, so nothing was done. You are signed in again: send it now."),
        (),
    ),
    "file-not-sent": (
        _("Not sent yet"),
        _("Your session had ended when you sent this, so nothing was done. Choose the file again, and send it."),
        (),
    ),
    "sent-before": (
        _("Not sent yet"),
        _("This is what you typed. If it may have been done already, look first; then send it."),
        (),
    ),
    "changed-meanwhile": (
        _("Someone changed the registry while you were reading"),
        _("Nothing was done. Look at the page as it is now, then decide again."),
        (),
    ),
    "features-missing": (
        _("The plant does not send what this model needs"),
        None,
        (Step(_("Select another model"), _("Nothing was changed, and the current model stays live.")),),
    ),
    "corrupt": (
        _("The registry cannot be read"),
        _("Stored data does not match its digest, so this page does not guess."),
        (
            Step(
                _("See what is wrong"),
                _("It names the entry and the file, and changes nothing:"),
                "zelador models verify",
            ),
            Step(
                _("Was the folder restored or copied over?"),
                _("Then the newest entries are missing. Restore the whole folder from one backup; never merge two."),
            ),
        ),
    ),
    "model-refused": (
        _("This model cannot be read"),
        _("Its files do not match their digests, so this page does not guess. Other models are not affected."),
        (
            Step(
                _("See what is wrong"),
                _("It names the file, and changes nothing:"),
                "zelador models verify",
            ),
            Step(_("Restore its files from a backup"), _("Or select another model: this one is refused until then.")),
        ),
    ),
    "redis-unavailable": (
        _("Redis does not answer"),
        _("What this page shows is in Redis. Nothing is lost, and everything continues by itself when Redis is back."),
        (WHAT_IS_WRONG,),
    ),
    "cross-site": (
        _("Refused: the form was sent by another site"),
        None,
        (Step(_("Open the page here"), _("Then send the form again.")),),
    ),
    "too-many-requests": (
        _("Too many requests"),
        None,
        (Step(_("Wait a moment"), _("The limit is for each key.")),),
    ),
    "internal": (
        _("Something broke"),
        _("This is a fault of Zelador, not yours."),
        (Step(_("Look in the log"), _("The admin server wrote what happened.")),),
    ),
    "unavailable": (_("This cannot be done now"), None, (WHAT_IS_WRONG,)),
}
OTHERS = (_("This was not done"), None, (Step(_("Go back and change the form"), _("Nothing was changed.")),))
LOG = _(
    "Its log has an entry that is damaged, or does not follow the one before it, so no page guesses which model is "
    "which."
)
UNKNOWN = _("It is not known whether it was done. Look, before you do it again.")
NOTHING_DONE = _("Nothing was done, and what was typed is not kept. Send it again when Redis is back.")
# What a refused form says instead, by the kind of the problem: heading (None: as above), and what follows the API's own
# sentence; a heading alone replaces that sentence.
FORMS: Mapping[str, tuple[str | None, str]] = {
    "too-many-requests": (None, _("Nothing was done. Wait a moment, and send it again.")),
    "too-large": (
        _("Too large to be read"),
        _("Nothing was done, and what was typed could not be kept. It must be typed again."),
    ),
    "outcome-unknown": (None, UNKNOWN),
}
NOT_RECORDED, DONE = "was done, but could not be recorded", _("Done, but not recorded")
SAME_AS = {"outcome-unknown": "unavailable"}


def problem_words(language: Language, kind: str, said: str) -> tuple[str, str, tuple[Step, ...]]:
    """Returns a heading, an explanation and steps. `said` is the product's own sentence, in English."""
    heading, lede, steps = WORDS.get(SAME_AS.get(kind, kind), OTHERS)
    if kind == "corrupt" and said.startswith("log/"):
        lede = LOG
    shown = tuple(Step(language.text(step.title), language.text(step.text), step.command) for step in steps)
    return language.text(heading), refusal_text(language, said) if lede is None else language.text(lede), shown


def refused_words(language: Language, sent: Sent) -> tuple[str, str]:
    """Returns a heading and the reason why a form was refused."""
    heading, text, _ = problem_words(language, sent.kind, sent.refusal)
    if sent.kind == "redis-unavailable":
        return heading, language.text(UNKNOWN)
    if sent.kind == "not-found":
        return language.text(OTHERS[0]), text
    if NOT_RECORDED in sent.refusal:
        return language.text(DONE), text
    if sent.kind in FORMS:
        own, more = FORMS[sent.kind]
        return heading if own is None else language.text(own), f"{text.rstrip('.')}. {language.text(more)}"
    return heading, text


def refused_because(language: Language, sent: Sent) -> str:
    """Returns why a form was refused, as a text beside the field or in the form."""
    heading, text = refused_words(language, sent)
    is_whole = sent.kind in FORMS or NOT_RECORDED in sent.refusal or WORDS.get(sent.kind, OTHERS)[1] is not None
    return f"{heading}. {text}" if is_whole else text
