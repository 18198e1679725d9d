"""The pages that import a table of work orders: upload, preview, choice of columns, import."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import File, Form, Query, Response, UploadFile
from fastapi import Path as InPath

from admin.access.identity import Acting
from admin.access.roles import needs
from admin.console.console import Console, Shown
from admin.console.labels.page import choices_of
from admin.console.labels.words import import_said, is_of_rows
from admin.console.page import go, pages, renderer, show, signed_in
from admin.console.said import Said
from admin.console.visitor import Visiting
from operations.actor import Actor
from operations.acts import labels as acts
from operations.views.labels import LabelView
from zelador.errors import InvalidInput
from zelador.labels.rules import Finding
from zelador.labels.work_orders import NEEDED, guessed, read_work_orders
from zelador.messages import MAX_LABEL
from zelador.table.table import open_table

router = pages("labels/import")

PAGE_ROWS = 200
MAX_NAME = 100  # characters of a file's name
MAX_OPTIONS = 200  # columns to choose from
MISSING = re.compile(r": no column says \w+; ")
MAX_SAID = 6  # findings of one kind, and reasons, above the table

Token = Annotated[str, InPath(max_length=40)]
Rows = Literal["all", "look", "out"]
Column = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Mapped:
    """How the table is read: the column for each role, empty to guess; or one device or label for all rows."""

    device: str = ""
    begin: str = ""
    end: str = ""
    label: str = ""
    note: str = ""
    one_device: str = ""
    one_label: str = ""
    zone: str = ""  # "UTC", or empty for the plant's

    @property
    def given_once(self) -> set[str]:
        """Roles with one value for all rows."""
        return {role for role, value in (("device", self.one_device), ("label", self.one_label)) if value}

    @property
    def columns(self) -> dict[str, str]:
        named = {"device": self.device, "from": self.begin, "to": self.end, "label": self.label, "note": self.note}
        return {role: column for role, column in named.items() if column and role not in self.given_once}

    @property
    def fields(self) -> dict[str, str]:
        """Returns the fields of the form."""
        found = {
            "device": self.device, "from": self.begin, "to": self.end, "label": self.label, "note": self.note,
            "one_device": self.one_device, "one_label": self.one_label, "zone": self.zone,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    label: LabelView | None  # None if the row cannot be a label
    findings: tuple[Finding, ...]
    fault: str


@dataclass(frozen=True, slots=True)
class Odd:
    """Findings of one kind that differ in their words, each with the rows that it is about."""

    what: tuple[Finding, ...]
    lines: tuple[tuple[int, ...], ...]  # of each
    more: int  # that are not among them


@dataclass(frozen=True, slots=True)
class Preview:
    rows: tuple[Row, ...]
    fine: int
    look: int
    out: int
    known: int
    readings: int
    devices: int
    odd: tuple[Odd, ...]
    left_out: tuple[tuple[tuple[int, ...], str], ...]  # rows, and why; not all
    taken: Mapping[str, str]  # role to column
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImportPage:
    token: str
    name: str  # of the file
    size: int  # bytes
    columns: tuple[str, ...]
    mapped: Mapped
    preview: Preview | None
    trouble: str  # why the table cannot be read in this way, in English
    guessed: Mapping[str, str]  # role to column, as chosen or guessed by its name
    missing: frozenset[str]  # roles that need a column, if that is why the table cannot be read
    shown: Rows
    links: dict[str, str]  # filter of the rows to path
    choices: tuple[str, ...]  # labels
    limit: int  # bytes of a table


@router.get("", **needs("operator"))
def ask_for_a_table(console: Shown, visitor: Visiting) -> Response:
    limit = console.services.settings.api.max_body_bytes
    context = ImportPage("", "", 0, (), Mapped(), None, "", {}, frozenset(), "all", {}, (), limit)
    return show(console, visitor, "labels/import.html", context, section="labels")


@router.post("", **needs("operator"))
def upload(console: Shown, visitor: Visiting, file: Annotated[UploadFile, File()]) -> Response:
    name = "".join(each for each in file.filename or "" if each.isprintable())[:MAX_NAME]
    data = file.file.read(console.services.settings.api.max_body_bytes + 1)
    if not data:
        raise InvalidInput("choose a file that has rows; nothing was uploaded", field="file")
    token = console.uploads.keep(signed_in(visitor).id, name, data)
    return go(f"/console/labels/import/{token}")


@router.get("/{token}", **needs("operator"))
def preview(
    token: Token,
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    device: Column = "",
    begin: Annotated[str, Query(alias="from", max_length=200)] = "",
    end: Annotated[str, Query(alias="to", max_length=200)] = "",
    label: Column = "",
    note: Column = "",
    one_device: Annotated[str, Query(max_length=512)] = "",
    one_label: Annotated[str, Query(max_length=MAX_LABEL)] = "",
    zone: Annotated[str, Query(max_length=10)] = "",
    rows: Rows = "all",
) -> Response:
    mapped = Mapped(device, begin, end, label, note, one_device.strip(), one_label.strip(), "UTC" if zone else "")
    upload = console.uploads.get(token, signed_in(visitor).id)
    columns, found, trouble = _read(console, actor, upload.data, mapped, rows)
    guess = _guess(columns, mapped)
    base = f"/console/labels/import/{token}"
    context = ImportPage(
        token,
        upload.name,
        len(upload.data),
        columns,
        mapped,
        found,
        trouble,
        guess,
        frozenset(NEEDED) - guess.keys() - mapped.given_once if MISSING.search(trouble) else frozenset(),
        rows,
        {each: f"{base}?{urlencode(mapped.fields | {'rows': each})}" for each in get_args(Rows)},
        choices_of(console.plant.read(), console.services.label_views.summary()),
        console.services.settings.api.max_body_bytes,
    )
    return show(console, visitor, "labels/import.html", context, section="labels", status=422 if trouble else 200)


@router.post("/{token}", **needs("operator"))
def take(
    token: Token,
    console: Shown,
    visitor: Visiting,
    actor: Acting,
    device: Annotated[str, Form(max_length=200)] = "",
    begin: Annotated[str, Form(alias="from", max_length=200)] = "",
    end: Annotated[str, Form(alias="to", max_length=200)] = "",
    label: Annotated[str, Form(max_length=200)] = "",
    note: Annotated[str, Form(max_length=200)] = "",
    one_device: Annotated[str, Form(max_length=512)] = "",
    one_label: Annotated[str, Form(max_length=MAX_LABEL)] = "",
    zone: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Imports the table. Rows that cannot be labels are left out, as the preview says."""
    mapped = Mapped(device, begin, end, label, note, one_device.strip(), one_label.strip(), "UTC" if zone else "")
    owner, language = signed_in(visitor).id, renderer(console, visitor).language
    done = _imported(console, actor, console.uploads.get(token, owner).data, mapped, is_preview=False)
    console.uploads.drop(token, owner)
    if not done.labels:
        return go("/console/labels", Said("nothing imported"))
    said = import_said(language, len(done.labels), done.findings, len(done.faults))
    return go(f"/console/labels?imported={done.labels[0].at}", said)


def _read(
    console: Console, actor: Actor, data: bytes, mapped: Mapped, shown: Rows
) -> tuple[tuple[str, ...], Preview | None, str]:
    """Returns the table's columns, and either the preview or the reason why it cannot be shown."""
    columns: tuple[str, ...] = ()
    try:
        with _file(data) as path:
            columns = open_table(path).columns[:MAX_OPTIONS]
        return columns, _preview(console, _imported(console, actor, data, mapped, is_preview=True), shown), ""
    except InvalidInput as error:
        return columns, None, str(error)


def _guess(columns: Sequence[str], mapped: Mapped) -> dict[str, str]:
    chosen = {role: columns.index(column) for role, column in mapped.columns.items() if column in columns}
    return {role: columns[place] for role, place in guessed(columns, chosen, mapped.given_once).items()}


def odd_of(findings: Sequence[Finding]) -> tuple[Odd, ...]:
    """Returns the findings by kind; those that say the same of several rows are one."""
    kinds: dict[str, dict[tuple[str, tuple[str, ...], bool], list[Finding]]] = {}
    for finding in findings:
        alike = (finding.device, finding.details, is_of_rows(finding))
        kinds.setdefault(finding.kind, {}).setdefault(alike, []).append(finding)
    return tuple(
        Odd(
            tuple(each[0] for each in [*parts.values()][:MAX_SAID]),
            tuple(tuple(f.line for f in each if f.line is not None) for each in [*parts.values()][:MAX_SAID]),
            max(0, len(parts) - MAX_SAID),
        )
        for parts in kinds.values()
    )


def left_out_of(faults: Sequence[tuple[int, str]]) -> tuple[tuple[tuple[int, ...], str], ...]:
    """Returns the reasons why rows are left out, each with its rows."""
    reasons: dict[str, list[int]] = {}
    for line, why in faults:
        reasons.setdefault(why, []).append(line)
    return tuple((tuple(lines), why) for why, lines in [*reasons.items()][:MAX_SAID])


def _preview(console: Console, done: acts.Imported, shown: Rows) -> Preview:
    odd: dict[int | None, list[Finding]] = {}
    for finding in done.findings:
        odd.setdefault(finding.line, []).append(finding)
    views = console.services.label_views
    pairs = list(zip(done.labels, done.lines, strict=True))
    look = [line for _, line in pairs if line in odd]
    wanted = pairs if shown == "all" else [pair for pair in pairs if shown == "look" and pair[1] in odd]
    wanted = wanted[:PAGE_ROWS]
    touched = views.views([label for label, _ in wanted])
    rows = [Row(line or 0, view, tuple(odd.get(line, ())), "") for view, (_, line) in zip(touched, wanted, strict=True)]
    if shown != "look":
        rows += [Row(line, None, (), why) for line, why in done.faults[:PAGE_ROWS]]
    rows.sort(key=lambda row: row.line)
    return Preview(
        tuple(rows[:PAGE_ROWS]),
        len(pairs) - len(look),
        len(look),
        len(done.faults),
        done.known,
        views.imported(done)["readings"],
        len({label.device for label in done.labels}),
        odd_of(done.findings),
        left_out_of(done.faults),
        dict(done.columns),
        done.notes,
    )


def _imported(console: Console, actor: Actor, data: bytes, mapped: Mapped, is_preview: bool) -> acts.Imported:
    services = console.services
    settings = services.settings.model_copy(update={"time_zone": mapped.zone or services.settings.time_zone})
    with _file(data) as path:
        orders = read_work_orders(
            path, settings, mapped.columns, mapped.one_device or None, mapped.one_label or None, source="the table"
        )
    classes = console.plant.read().labels
    return acts.import_table(actor, services.labels, settings, orders, preview=is_preview, skip=True, classes=classes)


@contextmanager
def _file(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        path.write_bytes(data)
        yield path


ROUTERS = (router,)
