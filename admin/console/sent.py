"""A form that was refused, as its page shows it again: filled as it was sent, with the reason at the field.

again.py finds the page. A page knows only that `visitor.sent_to(action)` is the form that was sent to that address,
or an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup
from starlette.datastructures import FormData

from admin.document.problems import Problem, problem_of
from zelador.errors import InvalidInput

SENT = "zelador.sent"  # where the form is in the scope of the request that shows its page again
MAX_FIELDS = 300
MAX_TYPED = 20_000  # characters of a field
SECRETS = ("key", "password")  # fields that are never shown again
OF_FILE = ("archive-refused", "type-refused")  # kinds of problems that are about an uploaded file
TYPED = {"datetime-local": r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?", "date": r"\d{4}-\d\d-\d\d"}
LATEST = {"datetime-local": "2999-12-31T23:59:59", "date": "2999-12-31"}


@dataclass(slots=True)
class Sent:
    """A form as it was sent, and why it was refused, in English. Empty if it was not sent."""

    action: str = ""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refusal: str = ""
    at: str = ""  # the field that is at fault; empty if it is none, or unknown
    status: int = 200
    kind: str = ""  # of the problem
    is_shown: bool = False  # by the form; else the page shows the reason

    def text(self, name: str, default: str = "") -> str:
        """Returns what was typed; `default` if the field was not sent."""
        return self.fields[name][0] if name in self.fields else default

    def has(self, name: str, value: str, default: bool = False) -> bool:
        """Returns whether a box, a radio button or an option was chosen; `default` if the form was not sent."""
        return value in self.fields.get(name, ()) if self.fields else default

    def shown(self) -> str:
        """Notes that the form shows the reason. Returns nothing, as a template prints it."""
        self.is_shown = True
        return ""

    def wrong(self, name: str, identity: str, hint: str = "") -> Markup:
        """Returns attributes of an input. `hint` is the id of a text that describes it, beside the reason."""
        if self.at != name:
            return Markup(' aria-describedby="{}"').format(hint) if hint else Markup()
        described = f"{identity}-why {hint}".strip()
        return Markup(' aria-invalid="true" aria-describedby="{}" autofocus').format(described)

    def bad(self, name: str) -> str:
        """Returns the class of a field that is at fault, after other classes."""
        return " bad" if self.at == name else ""

    def opened(self) -> Markup:
        """Returns attributes of a dialog: it is open if its form was refused, and the script makes it modal."""
        return Markup(" open data-again") if self.refusal else Markup()

    def type_of(self, name: str, usual: str, step: str = "") -> Markup:
        """Returns attributes of an input: `usual` as its type, or "text" for what such an input would not show.

        Without a greatest year, a browser takes six digits, and the first of what is typed next.
        """
        text = self.text(name)
        if text and not (re.fullmatch(TYPED[usual], text) and _exists(text)):
            return Markup('type="text"')
        return Markup('type="{}" max="{}"').format(usual, LATEST[usual]) + (
            Markup(' step="{}"').format(step) if step else ""
        )


def _exists(moment: str) -> bool:
    """Returns whether a day, with a time or without, is in the calendar."""
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


def sent_by_address(action: str, fields: Mapping[str, str], error: InvalidInput) -> Sent:
    """Returns a form whose fields are in the address of its page, and why it was refused."""
    return refused_form(action, {name: (text,) for name, text in fields.items()}, error)


def refused_form(action: str, fields: Mapping[str, tuple[str, ...]], error: InvalidInput) -> Sent:
    """Returns a form that a page read itself, and why it was refused."""
    if (problem := problem_of(error)) is None:
        raise error
    return _refused(action, fields, problem)


def typed_of(pairs: Sequence[tuple[str, object]]) -> Sent:
    """Returns a form as it was typed, from its names and values."""
    fields: dict[str, list[str]] = {}
    for name, value in pairs[:MAX_FIELDS]:
        if name in SECRETS:
            continue
        fields.setdefault(name, []).append(value[:MAX_TYPED].replace("\r\n", "\n") if isinstance(value, str) else "")
    return Sent(fields={name: tuple(values) for name, values in fields.items()})


def sent_of(path: str, form: FormData, problem: Problem) -> Sent:
    return _refused(path, typed_of(form.multi_items()).fields, problem)


def _refused(action: str, fields: Mapping[str, tuple[str, ...]], problem: Problem) -> Sent:
    return Sent(action, fields, problem.detail, field_at_fault(fields, problem), problem.status, problem.kind)


def field_at_fault(fields: Mapping[str, tuple[str, ...]], problem: Problem) -> str:
    """Returns the field that the problem is about, or an empty text."""
    before = re.match(r"(?:body\.)?(\w+)\b.*?: ", problem.detail)
    named = problem.field or ("file" if problem.kind in OF_FILE else before[1] if before else "")
    if named in fields:
        return named
    numbered = re.compile(re.escape(named) + r"\d+") if named else None
    for each, values in fields.items():  # such as name3, if a form has several
        if numbered and numbered.fullmatch(each) and any(f"{value.strip()!r}" in problem.detail for value in values):
            return each
    is_absent = problem.field or problem.detail.startswith(f"body.{named}: ")  # such as a group of radio buttons
    return named if is_absent else ""
