"""A form that is refused is shown again on its page, as it was sent, with the reason at the field. Nothing is lost."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.attacks.api import wait_for
from tests.console.conftest import Site, serving, window
from tests.console.ended_runs import CLEAR
from tests.console.outline import Outline, shape
from tests.console.test_browser import findings

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
LONG = "x" * 2_001


@dataclass(frozen=True)
class Case:
    """A form with a bad value. `at` is the field at fault, None if the form as a whole is refused."""

    action: str
    fields: dict[str, str | list[str]]
    status: int
    at: str | None
    said: str
    chosen: dict[str, str] = field(default_factory=dict)  # options and boxes that stay chosen


LABEL: dict[str, str | list[str]] = {
    "device": "press-07", "from": "2026-11-20T10:00:00", "to": "2026-11-20T11:00:00", "label": "no", "note": "W<4",
}  # fmt: skip
OF_DEVICE: dict[str, str | list[str]] = {**LABEL, "back": "device", "page": "/console/devices/press-07"}
SHELVE: dict[str, str | list[str]] = {"hours": "8", "until": "", "why": "bearing <on> order"}
KEY: dict[str, str | list[str]] = {"note": "tablet", "role": "operator", "lasts": "1y"}
NOTES: dict[str, str | list[str]] = {"notes": "a\n\nb <c>", "description": "one line", "tags": "autumn, d"}
RUN: dict[str, str | list[str]] = {
    "metric": "MCC", "from": "2026-11-01", "to": "2026-11-24", "devices": "press-*, mill-03", "split": "device",
    "cost_missed": "3", "cost_false_alarm": "1", "recall": "", "tune": "2", "budget": "", "candidates": ["lr", "dt"],
    "more": ["stack"], "notes": "why <not>", "save": "first",
}  # fmt: skip
CHOSEN = {"split": "device", "metric": "MCC"}
SAVE: dict[str, str | list[str]] = {
    "keep": ["1", "3"], "name1": "first-one", "note1": "quick", "name3": "third-one", "note3": "", "name2": "other-one"
}  # fmt: skip
PRESS = "devices/press-07"
CASES = (
    Case("labels", {**LABEL, "device": " "}, 422, "device", "The device is missing."),
    Case("labels", {**LABEL, "device": "a/b"}, 422, "device", "too long, or has characters"),
    Case("labels", {**LABEL, "from": ""}, 422, "from", "Give the time"),
    Case("labels", {**LABEL, "from": "soon"}, 422, "from", "“soon” is not a time"),
    Case("labels", {**LABEL, "from": "1999-01-01T00:00:00"}, 422, "from", "before the year 2000"),
    Case("labels", {**LABEL, "to": "2026-11-20T09:00:05"}, 422, "to", "09:00:05, is not after the start"),
    Case("labels", {**LABEL, "to": "25:00"}, 422, "to", "“25:00” is not a time"),
    Case("labels", {**LABEL, "note": "x" * 501}, 422, "note", "500 characters"),
    Case("labels", {**LABEL, "other": "x" * 129}, 422, "label", "128 characters"),
    Case("labels", {**OF_DEVICE, "from": "soon"}, 422, "from", "“soon” is not a time", {"label": "no"}),
    Case("labels", {**OF_DEVICE, "to": "2026-11-20T10:00:00"}, 422, "to", "is not after the start", {"label": "no"}),
    Case("labels/undo", {"id": "none"}, 404, None, "There is no such label."),
    Case("labels/redo", {"id": "none"}, 404, None, "There is no such label."),
    Case("labels/undo-import", {"at": "1", "by": "nobody"}, 404, None, "undone already"),
    Case("labels/undo-import", {"at": "x", "by": "nobody"}, 422, None, "cannot be used"),
    Case(f"{PRESS}/shelve", {**SHELVE, "until": "tomorrow"}, 422, "until", "“tomorrow” is not a time"),
    Case(f"{PRESS}/shelve", {**SHELVE, "until": "2020-01-01T10:00"}, 422, "until", "1 Jan 2020 10:00 is in the"),
    Case(f"{PRESS}/shelve", {**SHELVE, "until": "2099-01-01T10:00"}, 422, "until", "more than a year ahead"),
    Case(f"{PRESS}/shelve", {**SHELVE, "why": "x" * 501}, 422, "why", "At most 500 characters", {"hours": "8"}),
    Case(f"{PRESS}/shelve", {**SHELVE, "hours": "0"}, 422, None, "cannot be used"),
    Case(f"{PRESS}/acknowledge", {}, 409, None, "The device is not in alarm."),
    Case(f"{PRESS}/unshelve", {}, 409, None, "The device is not shelved."),
    Case(f"{PRESS}/restore", {}, 409, None, "The device is not retired."),
    Case("keys", {**KEY, "note": "x" * 201}, 422, "note", "At most 200 characters", {"lasts": "1y"}),
    Case("keys", {**KEY, "note": "a\tb"}, 422, "note", "200 printable characters", {"role": "operator"}),
    Case("keys", {**KEY, "role": "king"}, 422, None, "cannot be used", {"lasts": "1y"}),
    Case("models/other/notes", {**NOTES, "tags": "a, b" + "x" * 65}, 422, "tags", "At most 50 tags"),
    Case("models/other/notes", {**NOTES, "tags": "a, b\tc"}, 422, "tags", "is not a tag"),
    Case("models/other/notes", {**NOTES, "description": "x" * 4_001}, 422, "description", "At most 4,000 characters"),
    Case("models/other/notes", {**NOTES, "etag": '"old"'}, 412, None, "Someone changed the registry"),
    Case("models/other/select", {"why": "quieter", "etag": '"old"'}, 412, None, "Someone changed the registry"),
    Case("models/other/select", {"why": LONG}, 422, "why", "At most 2,000 characters"),
    Case("models/hungry/select", {"why": "louder"}, 409, None, "hungry needs current"),
    Case("models/other/delete", {"typed": "othe", "why": "old"}, 422, "typed", "To delete other, type its name."),
    Case("models/small/delete", {"typed": "small", "why": "old"}, 409, None, "small is the selected model."),
    Case("rollback", {"why": "worse", "etag": '"old"'}, 412, None, "Someone changed the registry"),
    Case("training", {**RUN, "from": "soon"}, 422, "from", "“soon” is not a date", CHOSEN),
    Case("training", {**RUN, "to": "2026-10-31"}, 422, "to", "31 Oct 2026, is before the first, 1 Nov 2026"),
    Case("training", {**RUN, "devices": "x" * 600}, 422, "devices", "may have at most 512 characters"),
    Case("training", {**RUN, "cost_missed": "-1"}, 422, "cost_missed", "above 0", {"candidates": "dt"}),
    Case("training", {**RUN, "cost_false_alarm": "x"}, 422, "cost_false_alarm", "above 0", {"more": "stack"}),
    Case("training", {**RUN, "recall": "101"}, 422, "recall", "up to 100"),
    Case("training", {**RUN, "tune": "none"}, 422, "tune", "minutes of tuning"),
    Case("training", {**RUN, "budget": "1e9"}, 422, "budget", "minutes of the comparison"),
    Case("training", {**RUN, "candidates": ["lr", "rm"]}, 422, None, "of the list", {"candidates": "lr"}),
    Case("training", {**RUN, "notes": LONG}, 422, "notes", "At most 2,000 characters"),
    Case("training", {**RUN, "metric": "x"}, 422, None, "cannot be used", {"split": "device"}),
    Case(f"runs/{CLEAR}/save", {**SAVE, "name3": "a b"}, 422, "name3", "“a b” is not a name", {"keep": "3"}),
    Case(f"runs/{CLEAR}/save", {**SAVE, "name3": "small"}, 409, "name3", "There is a model small already"),
    Case(f"runs/{CLEAR}/save", {**SAVE, "keep": []}, 422, None, "Choose at least one candidate."),
    Case(f"runs/{CLEAR}/finish", {}, 404, None, "There is no such run."),
    Case(f"runs/{CLEAR}/cancel", {}, 404, None, "There is no such run."),
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, redis_url: str, mqtt_url: str) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("console"), redis_url, mqtt_url, changes_burst=1_000) as found:
        with found.client("admin") as client:  # so that there is a model to roll back to
            assert all(client.post(f"/console/models/{name}/select").status_code == 303 for name in ("other", "small"))
        yield found


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client("admin") as found:
        yield found


def errors_of(page: Outline) -> list[dict[str, str | None]]:
    """The elements that say why the form was refused: a text in the form or at its field, or the notice of the page."""
    return [each for _, each in page.tags if each.get("class") == "error" or each.get("id") == "refused"]


def check(answer: httpx.Response, case: Case) -> Outline:
    assert answer.status_code == case.status, answer.text[-400:]
    page = shape(answer)
    main = answer.text.partition("<main")[2]
    assert len(errors_of(page)) == 1
    if case.at is None:
        assert [each for _, each in page.tags if each.get("id") == "refused" and "autofocus" in each]
    else:
        (wrong,) = [each for _, each in page.tags if each.get("aria-invalid")]
        assert "autofocus" in wrong
        assert wrong["aria-describedby"] is not None
        assert errors_of(page)[0]["id"] == wrong["aria-describedby"].split()[0]
        assert wrong["name"] == ("other" if case.at == "label" else case.at)
    shown = {(each.get("name"), each.get("value")) for each in page.of("input")
             if each.get("type") not in ("radio", "checkbox", "hidden")}  # fmt: skip
    for name in {name for name, _ in shown} & case.fields.keys():
        assert (name, case.fields[name]) in shown, name
    if "notes" in case.fields and "models/" in case.action:
        assert f">\n{html.escape(str(case.fields['notes']))}</textarea>" in answer.text
    for name, value in case.chosen.items():
        boxes = [e for e in page.of("input") if (e.get("name"), e.get("value")) == (name, value) and "checked" in e]
        options = [e for e in page.of("option") if e.get("value", value) == value and "selected" in e]
        assert boxes or options, name
    assert page.of("body")[0]["data-address"]
    for reason in re.findall(r'class="error".*?</p>', main, re.DOTALL):
        assert "UTC" not in re.sub(r"<[^>]+>", " ", reason)
    return page


@pytest.mark.parametrize(
    "case", CASES if ALL else CASES[::3], ids=lambda case: f"{case.action}-{case.at}-{case.status}"
)
def test_a_refused_form_is_shown_again_with_all_that_was_typed(site: Site, client: httpx.Client, case: Case) -> None:
    """Also when it is refused twice, from a page that is itself the answer to the form, and in Portuguese."""
    path = f"/console/{case.action}"
    first = client.post(path, data=case.fields)
    page = check(first, case)
    assert case.said in html.unescape(first.text)
    given = {"Referer": f"{site.url}{path}", "Accept-Language": "pt-BR"}
    again = client.post(path, data=case.fields, headers=given)
    assert check(again, case).of("body")[0]["data-address"] == page.of("body")[0]["data-address"]
    assert case.said not in html.unescape(again.text)  # it is in Portuguese
    assert 'lang="en"' not in again.text.partition("<main")[2].partition('class="error"')[2][:500]


def test_a_selection_that_came_first_is_named_with_a_link(client: httpx.Client) -> None:
    answer = client.post("/console/models/other/select", data={"why": "quieter", "etag": '"old"'})
    said = answer.text.partition('class="error"')[2].partition("</div>")[0]
    assert re.search(r'Selected now: <a href="/console/models/small">small</a>, since \d\d:\d\d:\d\d\.', said), said


def test_who_comes_too_late_reads_who_changed_what_before(site: Site, client: httpx.Client) -> None:
    """The page said only that somebody had changed the registry."""
    with site.client("admin") as other:
        notes = {"notes": "bearings only", "description": "", "tags": ""}
        assert other.post("/console/models/hungry/notes", data=notes).status_code == 303
    last = r"The last change: the admin changed the notes of hungry, \d\d:\d\d:\d\d\."
    for action, is_selection in (("models/hungry/notes", False), ("models/other/select", True)):
        sent = {"notes": "mine", "description": "", "tags": "", "why": "quieter", "etag": '"old"'}
        answer = client.post(f"/console/{action}", data=sent)
        assert answer.status_code == 412
        said = answer.text.partition('class="error"')[2].partition("</div>")[0]
        assert re.search(last, said), said
        assert ("Selected now" in said) is is_selection
    later = client.post("/console/rollback", data={"etag": '"old"'})
    assert later.status_code == 412
    assert re.search(last, later.text)


def test_a_refused_file_leaves_what_was_typed_beside_it(client: httpx.Client) -> None:
    typed = {"name": "mine", "why": "from <lab>"}
    for content, status, at in (
        (b"no zip", 422, "file"),
        (client.get("/v1/models/other/archive").content, 409, "name"),
    ):
        files = {"file": ("m.zip", content, "application/zip")}
        answer = client.post(
            "/console/import", data={**typed, "name": "small"} if status == 409 else typed, files=files
        )
        check(answer, Case("import", {**typed, "name": "small"} if status == 409 else dict(typed), status, at, ""))
    check(client.post("/console/import", data=typed), Case("import", dict(typed), 422, "file", ""))
    empty = {"file": ("orders.csv", b"")}
    check(client.post("/console/labels/import", files=empty), Case("labels/import", {}, 422, "file", ""))
    sent_from = {"Referer": "http://127.0.0.1/console/labels?q=press"}  # the list has the same form
    again = client.post("/console/labels/import", files=empty, headers=sent_from)
    page = check(again, Case("labels/import", {}, 422, "file", ""))
    assert page.of("body")[0]["data-address"] == "/console/labels?q=press"


def test_a_form_of_a_dialog_is_shown_again_in_the_dialog(site: Site, client: httpx.Client) -> None:
    """The page that sent it has the dialog; the page of the form itself, for browsers without scripts, has none."""
    site.plant.raw(b"{broken")
    wait_for(lambda: client.get("/v1/quarantine").json()["entries"], "the quarantine")
    entry = client.get("/v1/quarantine").json()["entries"][0]["id"]
    for page, form, dialog, fields in (
        ("devices/press-07", "devices/press-07/shelve", "shelve", SHELVE | {"until": "x"}),
        ("models/other", "models/other/select", "select-dialog", {"why": LONG}),
        ("models/other", "models/other/delete", "delete-dialog", {"typed": "o", "why": ""}),
        (f"quarantine/{entry}", f"quarantine/{entry}/discard", "discard", {"typed": "no"}),
        ("quarantine", f"quarantine/{entry}/discard", "discard", {"typed": "x" * 21}),
    ):
        sent_from = {"Referer": f"{site.url}/console/{page}"}
        answer = client.post(f"/console/{form}", data=fields, headers=sent_from)
        at = next(name for name in ("until", "typed", "why") if name in fields)
        found = check(answer, Case(form, dict(fields), 422, at, ""))
        assert found.of("body")[0]["data-address"] == f"/console/{page}"
        assert [each["id"] for each in found.of("dialog") if "open" in each] == [dialog]
        assert not shape(client.post(f"/console/{form}", data=fields)).of("dialog")


def test_the_page_of_a_form_is_never_one_that_the_visitor_may_not_see(site: Site) -> None:
    """Nor one of another host, of the API, or a file: the page nearest to the form is shown."""
    others = ("//evil.example/console/labels", "/v1/keys", "/console/audit/csv", "/console/stream/overview", "\x00")
    with site.client("operator") as client:
        for page in (*others, "/console/audit", "/console/signin", "/console/link/x", "/console/devices/none"):
            answer = client.post("/console/labels", data={**LABEL, "from": "soon", "page": page})
            assert answer.status_code == 422, page
            assert shape(answer).of("body")[0]["data-address"] == "/console/labels", page
    with site.client("viewer") as client:
        assert client.post("/console/labels", data=LABEL).status_code == 403


def test_what_was_typed_stays_when_the_readings_are_looked_at(client: httpx.Client) -> None:
    """The same form is sent by GET for that; also for days that cannot be."""
    for begin, status in (("2026-11-01", 200), ("2026-12-01", 422)):
        answer = client.get("/console/training", params={**RUN, "from": begin})
        assert answer.status_code == status
        page = shape(answer)
        shown = {(each.get("name"), each.get("value")) for each in page.of("input")}
        assert {("from", begin), ("cost_missed", "3"), ("tune", "2"), ("notes", "why <not>")} <= shown
        assert {e.get("value") for e in page.of("input") if "checked" in e} == {"device", "lr", "dt", "stack", "first"}
    assert ("The last day, " in answer.text) and "Something broke" not in answer.text


def test_what_was_typed_stays_when_a_period_is_shown(client: httpx.Client) -> None:
    """Beside the period, the form of a label has its note and label: they stay, and are in no address."""
    typed = {"device": "press-07", "label": "yes", "other": "", "note": "order <7>", "to": "2026-11-01T10:00"}
    for begin, status in (("2026-11-01T09:00", 200), ("2026-11-02T09:00", 422), ("yesterday", 422), ("", 422)):
        answer = client.post("/console/devices/press-07/period", data={**typed, "from": begin})
        assert answer.status_code == status
        page = shape(answer)
        shown = {(each.get("name"), each.get("value")) for each in page.of("input")}
        assert {("from", begin), ("to", typed["to"]), ("note", typed["note"])} <= shown
        assert [each["value"] for each in page.of("input") if each.get("name") == "label" and "checked" in each] == [
            "yes"
        ]
        address = str(page.of("body")[0]["data-address"])
        assert address.startswith("/console/devices/press-07")
        assert not re.search("note|label|order|=yes(&|$)", address)
        assert answer.text.count('id="refused"') <= 1
    answer = client.post("/console/devices/press-07/period", data={**typed, "from": "2026-11-01T09:00", "open": "yes"})
    assert answer.status_code == 200
    assert str(shape(answer).of("body")[0]["data-address"]).endswith("from=2026-11-01T09%3A00&open=yes")


def test_blank_lines_of_notes_are_kept(client: httpx.Client) -> None:
    notes = "first\n\n\n  second\n"
    assert client.post("/console/models/other/notes", data={"notes": notes.replace("\n", "\r\n")}).status_code == 303
    assert f">\n{notes}</textarea>" in client.get("/console/models/other").text


SEND = """([path, fields]) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action: path });
  for (const [name, value] of fields) form.append(Object.assign(document.createElement("input"), { name, value }));
  document.body.append(form);
  form.submit();
}"""


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
@pytest.mark.parametrize(("scheme", "width", "language"), [("light", 1_440, "en-US"), ("dark", 360, "pt-BR")])
def test_axe_finds_nothing_on_refused_forms(
    chromium: Browser, site: Site, scheme: str, width: int, language: str
) -> None:
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "locale": language}
    wrong = {}
    with window(chromium, site, "admin", **look) as found:
        for case in (*{(each.action, each.at is None): each for each in CASES}.values(),):
            page = found.open(
                f"/console/{case.action.partition('/shelve')[0]}"
                if case.action.endswith("/shelve")
                else "/console/labels"
            )
            pairs = [
                (name, value)
                for name, given in case.fields.items()
                for value in ([given] if isinstance(given, str) else given)
            ]
            with page.expect_navigation():
                page.evaluate(SEND, [f"/console/{case.action}", pairs])
            page.wait_for_load_state("load")
            name = f"{case.action} {case.at}"
            if faults := findings(page):
                wrong[name] = faults
            if (inner := page.evaluate("document.documentElement.scrollWidth")) > width:
                wrong[f"{name}, width"] = [str(inner)]
            if page.evaluate("document.activeElement === document.body"):
                wrong[f"{name}, focus"] = ["on the body"]
    assert not wrong, json.dumps(wrong, indent=1)


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_a_dialog_is_refused_twice_and_corrected_by_keyboard(chromium: Browser, site: Site) -> None:
    """The address stays that of the page, so that loading it again sends nothing."""
    with window(chromium, site, "operator", locale="pt-BR") as found:
        page = found.open("/console/devices/mill-03")
        page.get_by_role("link", name="Suspender…").press("Enter")
        dialog = page.get_by_role("dialog")
        page.fill("#swhy", "rolamento")
        for moment in ("2020-01-01T10:00", "2021-01-01T10:00"):
            page.fill("#until", moment)
            page.press("#swhy", "Enter")
            expect(dialog.locator("#until-why")).to_contain_text(f"jan. {moment[:4]}")
            expect(page.locator("#until")).to_be_focused()
            expect(page.locator("#until")).to_have_accessible_description(re.compile("está no passado"))
            assert page.input_value("#swhy") == "rolamento"
            assert page.url.endswith("/console/devices/mill-03")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.get_by_role("link", name="Suspender…")).to_be_focused()
        page.keyboard.press("Enter")
        page.fill("#until", "")
        page.press("#swhy", "Enter")
        expect(page.locator(".runline .shelved")).to_be_visible()
        page.get_by_role("button", name="Encerrar a suspensão").press("Enter")
        expect(page.locator(".runline .shelved")).to_be_hidden()
        assert [text for text in found.said if "422" not in text] == []
