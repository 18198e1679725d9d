"""The console's texts: nothing is missing in Portuguese, and no page has a sentence outside the catalog."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from datetime import timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment, meta, nodes

from admin.console.audit.page import AuditPage
from admin.console.classify.page import Classify
from admin.console.device.events import EventsPage
from admin.console.device.page import DevicePage, Question, Readings
from admin.console.devices.acknowledging import Acknowledging
from admin.console.devices.live import Devices
from admin.console.errors import ErrorPage
from admin.console.keys.page import KeysPage
from admin.console.labels.importing import ImportPage
from admin.console.labels.page import LabelsPage
from admin.console.language import TAGS, chosen, language
from admin.console.model.page import ModelPage, RollBack
from admin.console.models.page import Import, Models
from admin.console.overview.live import Overview
from admin.console.quarantine.page import QuarantinePage
from admin.console.render import Renderer, visible
from admin.console.runs.page import RunPage
from admin.console.runs.run_list import Runs
from admin.console.signin.page import SignIn
from admin.console.signin.unsent import Unsent
from admin.console.training.page import Training
from admin.console.words import ACTS
from operations.audit import Act

CONSOLE = Path(__file__).parents[2] / "admin" / "console"
TEMPLATES = sorted(CONSOLE.rglob("*.html"))

PAGES: dict[str, type[Any]] = {
    "audit/page.html": AuditPage,
    "classify/page.html": Classify,
    "device/events.html": EventsPage,
    "device/page.html": DevicePage,
    "device/readings.html": Readings,
    "device/retire.html": Question,
    "device/shelve.html": Question,
    "devices/acknowledge.html": Acknowledging,
    "devices/page.html": Devices,
    "keys/page.html": KeysPage,
    "keys/revoke.html": KeysPage,
    "labels/import.html": ImportPage,
    "labels/page.html": LabelsPage,
    "model/delete.html": ModelPage,
    "model/page.html": ModelPage,
    "model/rollback.html": RollBack,
    "model/select.html": ModelPage,
    "models/import.html": Import,
    "models/page.html": Models,
    "overview/page.html": Overview,
    "quarantine/discard.html": QuarantinePage,
    "quarantine/page.html": QuarantinePage,
    "runs/cancel.html": RunPage,
    "runs/finish.html": RunPage,
    "runs/list.html": Runs,
    "runs/run.html": RunPage,
    "shell/error.html": ErrorPage,
    "shell/plain_error.html": ErrorPage,
    "signin/page.html": SignIn,
    "signin/unsent.html": Unsent,
    "training/page.html": Training,
}
# Names, units and figures, which are the same in each language.
SAME = {
    "Zelador", "English", "Português", "EN", "PT", "AUC", "ROC", "SHA", "Roll", "min", "POST", "classify", "zelador",
    "lang", "max", "UTC", "WARN",
}  # fmt: skip


def updater() -> Any:
    path = CONSOLE / "locale" / "update.py"
    spec = importlib.util.spec_from_file_location("update_catalogs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environment() -> Environment:
    return Renderer(language("en", timezone.utc), "").environment


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


def test_every_text_is_in_the_portuguese_catalog_with_the_same_placeholders() -> None:
    update = updater()
    found = update.catalog(CONSOLE / "locale" / "pt-BR.po")
    for message in update.template():
        if not message.id:
            continue
        translated = found.get(message.id)
        assert translated is not None, f"not in pt-BR.po: {message.id!r}; run admin/console/locale/update.py"
        ours = message.id if isinstance(message.id, tuple) else (message.id,)
        theirs = translated.string if isinstance(translated.string, tuple) else (translated.string,)
        assert len(theirs) == len(ours)
        assert all(theirs), f"not translated: {message.id!r}"
        for text in theirs:
            assert placeholders(text) <= {name for each in ours for name in placeholders(each)}, text
        assert placeholders(theirs[-1]) == placeholders(ours[-1]), theirs[-1]
    known = {message.id for message in update.template()}
    assert {message.id for message in found if message.id} <= known, "run admin/console/locale/update.py"


def test_every_act_of_the_audit_has_a_sentence() -> None:
    assert set(ACTS) == set(Act)


class _Words(HTMLParser):
    """The words of a page outside of expressions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("code", "script", "style", "pre")
        self.found += [value or "" for name, value in attrs if name in ("title", "aria-label", "placeholder", "alt")]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("code", "script", "style", "pre")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(CONSOLE)))
def test_no_page_has_a_sentence_outside_the_catalog(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"{%-?\s*trans\b.*?endtrans\s*-?%}", "", text, flags=re.DOTALL)
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", text, flags=re.DOTALL)
    words = _Words()
    words.feed(text)
    left = {word for part in words.found for word in re.findall(r"[A-Za-zÀ-ÿ]{3,}", part)} - SAME
    assert not left, f"{path.name} says {sorted(left)} in one language only"


def test_every_page_of_the_console_is_in_the_table() -> None:
    whole = {str(path.relative_to(CONSOLE)) for path in TEMPLATES if "{% extends" in path.read_text(encoding="utf-8")}
    assert set(PAGES) == whole


@pytest.mark.parametrize(("name", "context"), PAGES.items(), ids=str)
def test_a_page_uses_only_fields_that_its_context_has(name: str, context: type[Any]) -> None:
    """A page may only use the fields of its context and those that every page has."""
    known = {field.name for field in dataclasses.fields(context)}
    shared = {"visitor", "shell", "context", *environment().globals}
    tree = environment().parse((CONSOLE / name).read_text(encoding="utf-8"))
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    own |= {node.name for node in tree.find_all(nodes.Macro)} | {node.target for node in tree.find_all(nodes.Import)}
    own |= {
        name if isinstance(name, str) else name[1] for node in tree.find_all(nodes.FromImport) for name in node.names
    }
    assert meta.find_undeclared_variables(tree) <= known | shared | own


@pytest.mark.parametrize(
    ("accepted", "cookie", "tag"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", None, "pt-BR"),
        ("pt", None, "pt-BR"),
        ("pt-PT,en;q=0.5", None, "pt-BR"),
        ("en-US,en;q=0.9", None, "en"),
        ("de,pt;q=0.3", None, "pt-BR"),
        ("de;q=0.9,en;q=0.1,pt;q=0", None, "en"),
        ("de", None, "en"),
        ("", None, "en"),
        ("*", None, "en"),
        (";;;q=,,x=1" * 100, None, "en"),
        ("pt-BR", "en", "en"),
        ("en", "pt-BR", "pt-BR"),
        ("pt-BR", "xx", "pt-BR"),
    ],
)
def test_the_language_comes_from_the_cookie_else_from_the_browser(accepted: str, cookie: str | None, tag: str) -> None:
    assert chosen(cookie, accepted) == tag


def test_numbers_and_times_are_written_as_the_reader_writes_them() -> None:
    english, portuguese = (language(tag, ZoneInfo("America/Sao_Paulo")) for tag in TAGS)
    assert (english.number(1234.5, 1), portuguese.number(1234.5, 1)) == ("1,234.5", "1.234,5")
    assert english.number(-3) == "−3"
    assert (english.number(None), english.number(float("nan"))) == ("–", "–")
    assert portuguese.clock("2026-11-24T17:34:07.903Z") == "14:34:07"
    assert portuguese.fraction("2026-11-24T17:34:07.903Z") == ",903"
    assert english.offset("2026-11-24T17:34:07Z") == "UTC−3"
    assert language("en", ZoneInfo("Asia/Kolkata")).offset() == "UTC+5:30"
    assert [english.duration(s) for s in (0.04, 59, 135, 5_520, 90_000)] == [
        "0.0 s", "59 s", "2 min 15 s", "1 h 32 min", "1 d 1 h",
    ]  # fmt: skip
    assert english.signed(-0.0004, 3) == "0.000"
    assert english.signed(0.0071, 3) == "+0.007"


def test_values_of_a_feature_have_the_same_decimals_in_a_column() -> None:
    found = language("en", timezone.utc)
    assert [found.measure(value) for value in (1234.5, 21.84, 0.504, 0.0312, 0.0, 4e-9)] == [
        "1,234", "21.8", "0.50", "0.031", "0.00", "0.000000",
    ]  # fmt: skip
    assert [found.measure(value, (23.0, 1166.0)) for value in (29.7, 409.6, None)] == ["30", "410", "–"]
    assert language("pt-BR", timezone.utc).measure(1.9, (-2.75, 0.33)) == "1,90"


def test_what_cannot_be_seen_of_a_name_is_written_out() -> None:
    assert visible("press\u200b-07\u202e") == "press\\u200b-07\\u202e"
    assert visible("מכבש-07") == "מכבש-07"


@pytest.mark.parametrize("tag", TAGS)
def test_no_count_but_one_takes_the_singular(tag: str) -> None:
    """The singular says "1": with the plural rule of Portuguese, "1 passaria agora" stood for none."""
    translations = language(tag, timezone.utc).translations
    singular, plural = "1 would pass now", "%(shown)s would pass now"
    one, none, two = (translations.ngettext(singular, plural, count) for count in (1, 0, 2))
    assert one.startswith("1 ")
    assert none == two != one
