"""Renders the console's templates, with one environment per language, and answers with a page."""

from __future__ import annotations

import dataclasses
import gzip
import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from fastapi import Response
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from admin.console import axes, charts
from admin.console.authors import named, person, run_notes
from admin.console.course import course
from admin.console.labels.table_words import note_text
from admin.console.labels.words import finding_kind, finding_text, source_text
from admin.console.language import RANGE, Language
from admin.console.model.words import worker_reason
from admin.console.problem_words import refused_because, refused_words
from admin.console.quarantine.words import reason_text
from admin.console.refusals import translated_refusal
from admin.console.runs import charts as run_charts
from admin.console.runs.events import event_text, step_text
from admin.console.runs.settings import parameters_text
from admin.console.runs.words import error_text, said_text
from admin.console.said import said_words
from admin.console.sent_words import deed, typed
from admin.console.static_files import static_file
from admin.console.templates import loader
from admin.console.training.words import data_advice, data_kind, data_text
from admin.console.words import STATES, device_line, device_why, feature_text, label_text, period
from zelador.classifiers import spelled

FOLDER = Path(__file__).parent
ICONS = FOLDER / "icons"
BLANK = re.compile(r"(<(?:textarea|pre)\b.*?</(?:textarea|pre)>)|\n\s+", re.DOTALL)  # of the template's lines
COMPRESS = 9  # gzip's level: a page of 60 kB takes about two milliseconds


class Renderer:
    """The templates in one language. Thread-safe."""

    def __init__(self, language: Language, plant: str) -> None:
        self.language = language
        self.plant = plant

    @cached_property
    def environment(self) -> Environment:
        found = Environment(
            loader=loader(),
            auto_reload=False,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
        )
        found.install_gettext_translations(  # type: ignore[attr-defined]  # by the extension i18n
            self.language.translations, newstyle=True
        )
        language = self.language
        found.policies["ext.i18n.trimmed"] = True
        found.filters.update(
            n=language.number,
            signed=language.signed,
            bound=language.bound,
            measure=language.measure,
            plain=language.plain,
            entry=language.entry,
            percent=language.percent,
            size=language.size,
            duration=language.duration,
            clock=language.clock,
            moment=language.day_and_time,
            day=language.day,
            when=language.when,
            whole_ago=language.whole_ago,
            whole_duration=language.whole_duration,
            iso=lambda moment: language.local(moment).isoformat(timespec="seconds"),
            brk=breakable,
            visible=visible,
            spelled=spelled,
            safe_json=safe_json,
            label=lambda text: label_text(language, text),
            feature=lambda name: feature_text(language, name),
            fraction=language.fraction,
            field=language.field,
            source=lambda source: source_text(language, source),
            finding_kind=lambda finding: finding_kind(language, finding),
            table_note=lambda note: note_text(language, note),
            finding_text=lambda finding: finding_text(language, finding),
            data_kind=lambda finding: data_kind(language, finding),
            data_text=lambda finding: data_text(language, finding),
            data_advice=lambda finding: data_advice(language, finding),
            happened=lambda event, metric: event_text(language, event, metric),
            said=lambda text: said_text(language, text),
            run_error=lambda text: error_text(language, text),
            refused_because=lambda sent: refused_because(language, sent),
            refused_words=lambda sent: refused_words(language, sent),
            typed=lambda sent: typed(language, sent),
            deed=lambda action: deed(language, action),
            said_words=lambda said: said_words(language, said),
            refused=lambda text: translated_refusal(language, text),
            reason=lambda text: reason_text(language, text),
            worker_reason=lambda text: worker_reason(language, text),
            step=lambda message: step_text(language, message or ""),
            readings=lambda count: language.counted(
                "1 reading", "%(shown)s readings", count, shown=language.number(count)
            ),
            devices=lambda count: language.counted(
                "1 device", "%(shown)s devices", count, shown=language.number(count)
            ),
            person=lambda who, names: person(language, who, names),
            named=lambda who, names: named(language, who, names),
            parameters=lambda parameters: parameters_text(language, parameters),
            run_notes=lambda notes: run_notes(language, notes),
            to=lambda low, high: f"{low}{RANGE}{high}",
            period=lambda label: period(language, label["from"], label["to"]),
            device_state=lambda state: language.text(STATES.get(state, state)),
            device_why=lambda device, names: device_why(language, device, names),
            device_line=lambda device, names: device_line(language, device, names),
        )
        found.globals.update(
            icon=icon,
            static=lambda name: static_file(name).url,
            axes=axes,
            charts=charts,
            course=course,
            run_charts=run_charts,
            language=language,
            plant=self.plant,
        )
        return found

    def render(self, template: str, context: Any, **more: object) -> str:
        """Renders a template. `context` is a dataclass whose fields are the template's variables."""
        fields = {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}
        fields["context"] = context
        text = self.environment.get_template(template).render(**fields, **more)
        return BLANK.sub(lambda found: found[1] or "\n", text)

    def macro(self, template: str, name: str, *arguments: object) -> str:
        """Renders a macro of a template, which makes a part of a page."""
        module = self.environment.get_template(template).module
        return " ".join(str(getattr(module, name)(*arguments)).split())


def page_response(text: str, status: int, packed: bool, headers: Mapping[str, str]) -> Response:
    """Returns the response with a page, compressed if the client accepts that."""
    data = text.encode("utf-8", "replace")
    found = {**headers, "Vary": "Accept-Encoding, Accept-Language, Cookie"}
    if packed:
        data = gzip.compress(data, COMPRESS, mtime=0)
        found["Content-Encoding"] = "gzip"
    return Response(data, status, found, media_type="text/html; charset=utf-8")


@lru_cache(maxsize=128)
def icon(name: str) -> Markup:
    """Returns an icon as inline SVG."""
    text = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    body = (
        re.sub(r"\s+", " ", text.partition("<svg")[2].partition(">")[2].rpartition("</svg>")[0])
        .strip()
        .replace(" />", "/>")
        .replace("> <", "><")
    )
    return Markup(f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{body}</svg>')  # noqa: S704 - our file


def breakable(text: object) -> Markup:
    """Returns a name that may break only after an underscore."""
    return Markup(str(escape(text)).replace("_", "_<wbr>"))  # noqa: S704 - escaped


def visible(text: str) -> str:
    """Returns a name with what cannot be seen of it, such as a space of no width, written out."""
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


def safe_json(text: str) -> Markup:
    """Returns JSON for a script element of type application/json, which ends at the first `</`."""
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(safe)  # noqa: S704 - no character of HTML is left
