"""Says in the reader's language why a form was refused; the product's own sentence is in English."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from babel.dates import format_date

from admin.console.catalog import Messages, quoted
from admin.console.catalog import mark as _
from admin.console.labels.table_words import TABLES
from admin.console.labels.words import fault_text
from admin.console.language import Language
from admin.console.models.import_words import IMPORTS

TRANSLATIONS: Mapping[str, str] = {  # pattern of a message to its translation
    r"(?P<field>\w+): ['\"](?P<text>.*)['\"] is not a time; .+": _(
        "%(field)s: “%(text)s” is not a time. Give a day of the calendar and a time, such as 2026-11-25 06:00."
    ),
    r"(?P<field>\w+): ['\"](?P<text>.*)['\"] is not a date; .+": _(
        "%(field)s: “%(text)s” is not a date. Give one such as 2026-11-25."
    ),
    r"devices must have texts of 1 to (?P<most>\d+) characters": _(
        "The name of a device, or a pattern, may have at most %(most)s characters."
    ),
    r"devices must be a list of at most (?P<most>\d+) texts": _("At most %(most)s names and patterns."),
    r"(to|until): the last day, (?P<end>\S+), is before the first, (?P<begin>[^\s;]+)(; nothing was started)?": _(
        "The last day, %(end)s, is before the first, %(begin)s."
    ),
    r"(from|to): the period must lie in the years 1970 to 9999": _("The period must lie in the years 1970 to 9999."),
    r"to: the period may have at most (?P<most>\d+) days": _("The period may have at most %(most)s days."),
    r"from: give the time at which the period starts; nothing was labeled": _(
        "Give the time at which the period starts. Nothing was labeled."
    ),
    r"from: give the time at which the period starts": _("Give the time at which the period starts."),
    r"to: give the time at which the period ends, or .+; nothing was labeled": _(
        "Give the time at which the period ends, or tick “Until further notice”. Nothing was labeled."
    ),
    r"until: (?P<moment>\S+) is in the past; name a future time": _("%(moment)s is in the past. Name a future time."),
    r"until: (?P<moment>\S+) is more than a year ahead; .+": _(
        "%(moment)s is more than a year ahead. Retire the device instead."
    ),
    r"why: (?P<count>\d+) characters, at most (?P<most>\d+)": _(
        "The reason has %(count)s characters; it may have at most %(most)s."
    ),
    r"no device is in alarm; nothing was acknowledged": _("No device is in alarm. Nothing was acknowledged."),
    r".+ is not in alarm": _("The device is not in alarm."),
    r".+ has no alarm that is acknowledged: .+": _(
        "The device has no acknowledged alarm: it ended, or another one began. Nothing was changed."
    ),
    r".+ was acknowledged again meanwhile; .+": _("The alarm was acknowledged again meanwhile. Nothing was changed."),
    r".+ was acknowledged more than (?P<most>\d+) minutes ago; .+": _(
        "The alarm was acknowledged more than %(most)s minutes ago. Nothing was changed."
    ),
    r"no acknowledgment can be undone any more: .+": _(
        "No acknowledgment can be undone any more: the alarms went on meanwhile. Nothing was changed."
    ),
    r".+ is not shelved": _("The device is not shelved."),
    r".+ is retired; restore it first": _("The device is retired. Bring it back first."),
    r".+ is not retired": _("The device is not retired."),
    r"choose at least one candidate; nothing was saved": _("Choose at least one candidate. Nothing was saved."),
    r"at most (?P<most>\d+) models at once; nothing was saved": _(
        "At most %(most)s models at once. Nothing was saved."
    ),
    r"run (?P<run>\S+) has not ended; .+": _("Run %(run)s has not ended. Save its models when it is done."),
    r"run (?P<run>\S+) has no candidates to save: .+": _("Run %(run)s has no candidates to save. Start another run."),
    r"run (?P<run>\S+) has no candidate .+": _("Run %(run)s has no such candidate."),
    r"run (?P<run>\S+) has ended: .+": _("Run %(run)s has ended."),
    r"run (?P<run>\S+) is active, and only one run can be: .+": _(
        "Run %(run)s is using the trainer, and only one can go at a time."
    ),
    r"(candidate \d+ of )?run (?P<run>\S+) has no threshold to choose.*": _(
        "Run %(run)s has no threshold to choose: its model has more than two classes or no probabilities, or its files "
        "are gone."
    ),
    r"run (?P<run>\S+) is not running: .+": _("Run %(run)s is not in progress."),
    r"run (?P<run>\S+) has compared all of its candidates, .+": _(
        "All candidates of run %(run)s are compared, so it cannot finish earlier. Wait until it ends."
    ),
    r"run (?P<run>\S+) registers its models already, .+": _(
        "The models of run %(run)s are being registered, which cannot be taken back. Wait until it ends."
    ),
    r"this label is in the list already, as .+": _("This label is in the list already."),
    r"the id .+ names another label; .+": _("The id of the label names another one. Undo that one first."),
    r"the label .+ was undone a moment ago; add it again": _("The label was undone a moment ago. Add it again."),
    r"the list of labels is full .+": _("The list of labels is full. Nothing was added."),
    r"nothing was imported, because (?P<count>\d+)( rows?)? cannot be labels .+": _(
        "Nothing was imported, because some rows cannot be labels: %(count)s. Correct them, or leave them out."
    ),
    r"nothing was imported: (?P<why>.+)": _("Nothing was imported. %(why)s"),
    r"all labels of this import are undone already": _("All labels of this import are undone already."),
    r"choose a file that has rows; nothing was uploaded": _("Choose a file that has rows. Nothing was uploaded."),
    r"the candidate .+ is named twice; nothing was saved": _("A candidate is listed twice. Nothing was saved."),
    r"the label .+ is undone already": _("The label is undone already."),
    r"the label .+ is not undone": _("The label is not undone."),
    r"there is no label .+": _("There is no such label."),
    r"there is no run .+": _("There is no such run."),
    r"there is no device .+": _("There is no such device, or it is new and has no state yet."),
    r"there is no model to ask; .+": _("There is no model to ask yet. A training run makes some, or import one."),
    r"the model has no inputs that can be typed": _("The model has no inputs that can be typed."),
    r"(the files of (?P<name>.+) are|\S+ of .+ is) missing; restore the registry from a backup": _(
        "Files of the model are missing. Restore the registry from a backup."
    ),
    r"there is no model .+": _("There is no such model. It may have been renamed or deleted."),
    r"there is no key .+": _("There is no such key."),
    r"there is no message .+": _("There is no such message in quarantine. It may have been replayed or discarded."),
    r"there is no (metric|reason|state) .+": _("The address is mistyped, or the page has moved."),
    r"the file was removed, because .+": _(
        "The file was removed: files are kept for an hour at most. Upload it again."
    ),
    r"there is a model ['\"](?P<name>.+?)['\"] already; .+": _(
        "There is a model %(name)s already. Choose another name: a model is never overwritten."
    ),
    r"there is a model ['\"](?P<name>.+?)['\"] already, and Windows .+": _(
        "There is a model %(name)s already, whose name differs by case alone. Choose another name."
    ),
    r"['\"](?P<name>.*)['\"] is not a name: .+": _(
        "“%(name)s” is not a name: 1 to 64 letters, digits, “_”, “-” or “.”, that begin with a letter, a digit or “_”."
    ),
    r"['\"](?P<name>.*)['\"] is the name of a device on Windows, .+": _(
        "“%(name)s” cannot be the name of a folder on Windows. Choose another one."
    ),
    r"names: ['\"](?P<name>.*?)['\"] is named twice.*": _("The name %(name)s is listed twice. Give each its own."),
    r"to delete (?P<name>.+), type its name; nothing was deleted": _(
        "To delete %(name)s, type its name. Nothing was deleted."
    ),
    r"(?P<name>.+) is the selected model; select another one before you delete it": _(
        "%(name)s is the selected model. Select another one before you delete it."
    ),
    r"tags: at most (?P<count>\d+), of at most (?P<most>\d+) characters each": _(
        "At most %(count)s tags, of at most %(most)s characters each."
    ),
    r"['\"](?P<name>.*)['\"] is not a tag: .+": _("“%(name)s” is not a tag: 1 to 64 printable characters."),
    r"type the word to discard the message; nothing was discarded": _(
        "Type the word to discard. Nothing was discarded."
    ),
    r"a note has at most (?P<most>\d+) printable characters": _("A note has at most %(most)s printable characters."),
    r"(?P<name>\S+) is the last admin key: .+": _("This is the last admin key. Make another one before you revoke it."),
    r"candidates: choose some of the list; nothing was started": _(
        "Choose some candidates of the list. Nothing was started."
    ),
    r"(?P<text>'.+') can be read in two ways: write (?P<whole>\S+) or (?P<broken>\S+); nothing was started": _(
        "%(text)s can be read in two ways: write %(whole)s or %(broken)s. Nothing was started."
    ),
    r"the cost of a missed reading must be a number .+ and is (?P<text>.+); nothing was started": _(
        "The cost of a missed reading must be a number above 0, and is %(text)s. Nothing was started."
    ),
    r"the cost of a false alarm must be a number .+ and is (?P<text>.+); nothing was started": _(
        "The cost of a false alarm must be a number above 0, and is %(text)s. Nothing was started."
    ),
    r"the share to find, in percent, must be a number .+ and is (?P<text>.+); nothing was started": _(
        "The share to find must be a number above 0 and up to 100, and is %(text)s. Nothing was started."
    ),
    r"the minutes of tuning must be a number .+ up to (?P<most>\d+), and is (?P<text>.+); nothing was started": _(
        "The minutes of tuning must be a number above 0 and up to %(most)s, and are %(text)s. Nothing was started."
    ),
    r"the minutes of the comparison must be a number .+ to (?P<most>\d+), and is (?P<text>.+); nothing was started": _(
        "The minutes of the comparison must be a number above 0 and up to %(most)s, and are %(text)s. Nothing was "
        "started."
    ),
    r"(?P<name>\S+?)(, whose columns have no names,)? needs (?P<wanted>.+), and the plant sends (?P<sent>.+) "
    r"\(ZELADOR_FEATURES\): .+": _(
        "%(name)s needs %(wanted)s, and the plant sends %(sent)s: workers would refuse it. Nothing was changed."
    ),
    r"this needs a key of the role (?P<role>\w+); key (?P<key>\S+) has the role (?P<has>\w+)": _(
        "This needs a key of the role %(role)s; yours has the role %(has)s."
    ),
    r"this key may make 1 request a second": _("A key may make 1 request a second."),
    r"this key may make 1 change a second": _("A key may make 1 change a second."),
    r"this key may make (?P<count>\S+) requests a second": _("A key may make %(count)s requests a second."),
    r"this key may make (?P<count>\S+) changes a second": _("A key may make %(count)s changes a second."),
    r"the request comes from .+": _("The request came from a page of another site."),
    r"(?s).+ was done, but could not be recorded in the audit .+": _(
        "It was done, but could not be recorded in the audit log. Have that fixed before you change anything else."
    ),
    r"nothing can be changed now: the audit file .+": _(
        "Nothing can be changed now, because the audit log cannot be written."
    ),
    r"the audit files have reached their (?P<most>[\d,]+) MiB, .+": _(
        "The audit log has reached its %(most)s MiB, so only keys of the role admin can change anything."
    ),
    r"it is not known whether the label is stored .+": _("It is not known whether the label is stored. Try again."),
    r"the change was not made: other writers were faster .+": _(
        "The change was not made, because others changed the registry at the same time. Try again."
    ),
    r"too many request bodies are being received; .+": _(
        "Too many forms arrive at once. Nothing was done, and what was typed could not be kept. It must be typed again."
    ),
    r"the body may have at most (?P<most>\d+) bytes": _("The form or the file may have at most %(most)s bytes."),
    r"Redis does not answer: .+": _("Redis does not answer"),
    r"they could not be read; the admin server wrote why in its log": _(
        "They could not be read. The admin server wrote why in its log."
    ),
    r"there is no earlier selection to roll back to; .+": _("No model was selected before. Select one by its name."),
    r"rolling back would select .+|the registry changed after you read it; .+|"
    r"another model was selected meanwhile; .+": _(
        "Someone changed the registry meanwhile. Look at it, then decide again."
    ),
    r"['\"](?P<name>.+)['\"] is reserved by .+; choose another name": _(
        "The name %(name)s is reserved for a run. Choose another one."
    ),
    r"a collection condemned the upload of .+|the upload is of .+, which was renamed from .+": _(
        "The model was removed or renamed meanwhile. Send it again."
    ),
    r"(?P<name>\S+) is the selected model; select another one before you rename it": _(
        "%(name)s is the selected model. Select another one before you rename it."
    ),
    r"metadata has (?P<count>[\d,]+) bytes as JSON; .+ (?P<most>[\d,]+)": _(
        "The notes of a model may have at most %(most)s bytes together; these have %(count)s."
    ),
    r"metadata\..+": _("The notes have characters that cannot be stored."),
    r"the change cannot be stored in the log: .+": _(
        "The change is too large, or has characters that cannot be stored."
    ),
    r"devices \(--devices\): in this period .+ has no device (?P<name>['\"].*?['\"]), but no reading at all": _(
        "In this period there is no reading at all."
    ),
    r"devices \(--devices\): in this period .+ has no device (?P<name>['\"].*?['\"]), but (?P<names>.+)": _(
        "In this period there is no device %(name)s. There is: %(names)s."
    ),
    r"(?P<field>\w+): the period must lie in the years (?P<begin>\d+) to (?P<end>\d+)": _(
        "%(field)s: the period must lie in the years %(begin)s to %(end)s."
    ),
    r"from, to: the period may have at most (?P<most>\d+) days": _("The period may have at most %(most)s days."),
    r"there is no archive; .+": _("There is no archive: it is switched off (ZELADOR_ARCHIVE__ENABLED)."),
    r"(?P<field>from|to) must be a time .+": _("%(field)s: this is not a time from the year 1 to the year 9999."),
    r"['\"].*['\"] is not an id of the quarantine; .+": _("The address is mistyped, or the page has moved."),
    r"(\w+: )?(?P<text>.+?) does not exist in (?P<zone>\S+): the clock skips it; .+": _(
        "%(text)s does not exist in %(zone)s, because the clock skips it."
    ),
    r"(\w+: )?(?P<text>.+?) exists twice in (?P<zone>\S+): .+": _(
        "%(text)s exists twice in %(zone)s, because the clock is put back. Write it with its offset."
    ),
    r"Not Found": _("The address is mistyped, or the page has moved."),  # a path without a route
    r"body\..+: String should have at most (?P<most>\d+) characters?": _("At most %(most)s characters."),
    r"body\..+: Field required": _("This is missing."),
    r"body\..+": _("This has a value that cannot be used."),
    r"(query|path)\.(?P<field>[\w. ]+): .+": _("The field %(field)s is missing, or has a value that cannot be used."),
}
DAY = re.compile(r"\d{4}-\d\d-\d\d")
QUOTED_NAME = re.compile(r"""(['"])(.*?)\1""")
MESSAGES = Messages({**TRANSLATIONS, **IMPORTS, **TABLES})
FIELDS: Mapping[str, str] = {
    "from": _("From"), "to": _("To"), "until": _("Until"), "device": _("Device"), "label": _("Label"),
}  # fmt: skip
ROLES: Mapping[str, str] = {"viewer": _("viewer"), "operator": _("operator"), "admin": _("admin")}


def translated_refusal(language: Language, said: str) -> str:
    """Returns the message as a sentence in the reader's language; empty for an unknown one."""
    return MESSAGES.translated(language, said, lambda name, part: _part(language, name, part)) or (
        fault_text(language, said)
    )


def refusal_text(language: Language, said: str) -> str:
    """Returns the message as a sentence in the reader's language; an unknown one stays in English."""
    return translated_refusal(language, said) or said[:1].upper() + said[1:]


def _part(language: Language, name: str, part: str) -> str:
    match name:
        case "field":
            return language.text(FIELDS[part]) if part in FIELDS else part
        case "role" | "has":
            return language.text(ROLES.get(part, part))
        case "why":
            return refusal_text(language, part)
        case "moment":
            return language.day_and_time(part) if re.match(r"\d{4}-\d\d-\d\dT", part) else part
        case "begin" | "end":
            return format_date(date.fromisoformat(part), "d MMM y", language.locale) if DAY.fullmatch(part) else part
        case "names":
            return QUOTED_NAME.sub(r"“\2”", part)
        case "count" | "most":
            return language.plain(float(part)) if re.fullmatch(r"\d{1,15}(\.\d+)?", part) else part
        case _:
            return quoted(part)
