"""A form that is refused before its route runs, or while Redis is away, is not lost: 401, 403, 413, 429 and 503."""

from __future__ import annotations

import html
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from operations.key_file import new_key, revoke
from tests.attacks.own_redis import OwnRedis
from tests.console.conftest import Site, serving, window
from tests.console.outline import shape

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
NOTES = {"notes": "first <line>\n\nsecond", "description": "one line", "tags": "a, b"}
SHELVE = {"hours": "8", "until": "", "why": "bearing <on> order"}


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """With a key of its own, so that its limits are its own."""
    _, key = new_key(site.settings.api.keys_file, "operator", "own")
    with site.client(None) as found:
        assert found.post("/console/signin", data={"key": key}).status_code == 303
        yield found


def main(answer: httpx.Response) -> str:
    shape(answer)
    return html.unescape(answer.text.partition("<main")[2])


def use_up(client: httpx.Client) -> None:
    """Makes as many changes as a key may in ten seconds. A long form counts as many."""
    long = {"notes": "x", "more": "x" * 900_000}
    for _ in range(4):
        if client.post("/console/models/other/notes", data=long).status_code == 429:
            return
    raise AssertionError("the rate is not limited")


def test_too_many_changes_keep_what_was_typed(site: Site, client: httpx.Client) -> None:
    use_up(client)
    answer = client.post("/console/models/other/notes", data=NOTES)
    assert (answer.status_code, answer.headers["retry-after"].isdecimal()) == (429, True)
    assert f">\n{html.escape(NOTES['notes'])}</textarea>" in answer.text
    assert "Nothing was done. Wait a moment, and send it again." in main(answer)
    assert shape(answer).of("body")[0]["data-address"] == "/console/models/other"
    sent_from = {"Referer": f"{site.url}/console/devices/press-07?range=6h", "Accept-Language": "pt-BR"}
    use_up(client)
    answer = client.post("/console/devices/press-07/shelve", data=SHELVE, headers=sent_from)
    page = shape(answer)
    assert [each["id"] for each in page.of("dialog") if "open" in each] == ["shelve"]
    assert page.of("body")[0]["data-address"] == "/console/devices/press-07?range=6h"
    assert SHELVE["why"] in {each.get("value") for each in page.of("input")}
    assert "Nada foi feito. Espere um momento e envie de novo." in main(answer)


def test_what_was_typed_is_listed_where_its_form_is_not(client: httpx.Client) -> None:
    """Such as that of a device that is gone: the list of devices says so."""
    answer = client.post("/console/devices/none/shelve", data=SHELVE)
    assert answer.status_code == 404
    assert "What you typed" in main(answer)
    assert SHELVE["why"] in main(answer)
    assert "This was not done" in main(answer)
    assert "What you typed" not in client.post("/console/labels", data={"device": "a/b", "note": "x"}).text


def test_a_form_that_is_too_large_says_that_it_is_not_kept(site: Site, client: httpx.Client) -> None:
    more = site.settings.api.max_body_bytes + 1
    for length in (more, 70_000 + more):
        answer = client.post("/console/models/other/notes", data={**NOTES, "more": "x" * length})
        assert answer.status_code == 413
        assert "Nothing was done, and what was typed could not be kept. It must be typed again." in main(answer)
        assert answer.text.count('id="refused"') == 1
        assert NOTES["description"] not in answer.text


def hidden(answer: httpx.Response) -> dict[str, str]:
    return {str(e["name"]): str(e["value"]) for e in shape(answer).of("input") if e.get("type") == "hidden"}


def test_a_form_sent_after_the_session_ended_is_carried_through_the_sign_in(site: Site) -> None:
    for referer, page in (
        (f"{site.url}/console/devices/press-07?range=6h", "/console/devices/press-07?range=6h"),
        ("", "/console/devices/press-07/shelve"),
        ("http://evil.example//console/x", "/console/devices/press-07/shelve"),
    ):
        with site.client(None) as client:
            sent_from = {"Referer": referer} if referer else {}
            asked = client.post("/console/devices/press-07/shelve", data=SHELVE, headers=sent_from)
            assert asked.status_code == 401
            assert "Nothing was done. After you sign in, you see what you typed" in main(asked)
            assert SHELVE["why"] in main(asked)
            again = client.post("/console/signin", data={**hidden(asked), "key": "zlk_mistyped"})
            assert again.status_code == 401
            assert hidden(again)["unsent"] == hidden(asked)["unsent"]  # a mistyped key loses nothing
            answer = client.post("/console/signin", data={**hidden(again), "key": site.keys["operator"]})
            assert answer.status_code == 200
            assert "Your session had ended when you sent this, so nothing was done." in main(answer)
            opened = [each["id"] for each in shape(answer).of("dialog") if "open" in each]
            assert opened == ([] if page.endswith("/shelve") else ["shelve"])
            assert SHELVE["why"] in {each.get("value") for each in shape(answer).of("input")}
            assert shape(answer).of("body")[0]["data-address"] == page
            assert client.get("/v1/devices/press-07").json()["state"] != "shelved"  # the person has not sent it yet
    with site.client("operator") as client:
        assert client.post("/console/devices/press-07/shelve", data=SHELVE).status_code == 303
        assert client.get("/v1/devices/press-07").json()["state"] == "shelved"
        assert client.post("/console/devices/press-07/unshelve").status_code == 303


TRAINING = {
    "metric": "F1", "split": "time", "cost_missed": "7", "cost_false_alarm": "2", "notes": "why <not>",
    "candidates": ["lr", "nb"], "from": "2026-11-31", "devices": "press-*", "save": "first",
}  # fmt: skip
KEYS = {"note": "a gauge", "role": "operator", "lasts": "1y"}


@pytest.mark.parametrize(("path", "fields"), [("/console/training", TRAINING), ("/console/keys", KEYS)])
def test_the_page_of_a_form_shows_every_field_after_the_sign_in_and_on_the_way_back(
    site: Site, path: str, fields: dict[str, str | list[str]]
) -> None:
    with site.client(None) as client:
        asked = client.post(path, data=fields)
        answer = client.post("/console/signin", data={**hidden(asked), "key": site.keys["admin"]})
    assert shown(answer, fields) == fields
    with site.client("admin") as client:
        answer = client.post(f"/console/form?action={path}", data={**fields, "page": path})
        assert answer.status_code == 200
        assert "This is what you typed." in main(answer)
        assert shown(answer, fields) == fields
        gone = client.post("/console/form?action=//evil.example/console/x", data={"why": "lost?", "page": "/console/x"})
        assert "evil" not in gone.text
    with site.client("viewer") as client:
        assert shown(client.post("/console/form?action=/console/keys", data=KEYS), KEYS) == {}


def shown(answer: httpx.Response, wanted: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
    """What the fields of a page's forms have."""
    page = shape(answer)
    found: dict[str, list[str]] = {}
    for each in page.of("input"):
        name, value = str(each.get("name")), str(each.get("value", ""))
        if each.get("type") != "hidden" and (each.get("type") not in ("radio", "checkbox") or "checked" in each):
            found.setdefault(name, []).append(value)
    for each in re.finditer(r'<select[^>]*name="(\w+)".*?</select>', answer.text, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', each[0])
        found.setdefault(each[1], []).append("" if chosen is None else html.unescape(chosen[1] or chosen[2]))
    return {
        name: found[name] if isinstance(value, list) else found[name][0]
        for name, value in wanted.items()
        if name in found
    }


def test_what_is_too_large_to_be_carried_must_be_typed_again(site: Site) -> None:
    with site.client(None) as client:
        for length in (30_000, 100_000):
            answer = client.post("/console/models/other/notes", data={"notes": "x" * length})
            assert answer.status_code == 303
            assert "what you typed must be typed again" in main(client.get(answer.headers["location"]))


@pytest.mark.parametrize(
    "unsent",
    [
        "{",
        "[]",
        '{"action":"/v1/models","fields":{"notes":["x"]}}',
        '{"action":"//evil.example/console/","fields":{"notes":["x"]}}',
        '{"action":"javascript:alert(1)","fields":{"notes":["x"]}}',
        '{"action":"/console/models/other/notes","fields":{}}',
        '{"action":"/console/models/other/notes","fields":{"notes":"x"}}',
        '{"action":"/console/models/other/notes","fields":{"notes":["' + "x" * 20_000 + '"]}}',
    ],
)
def test_what_no_sign_in_form_carries_is_left_out(site: Site, unsent: str) -> None:
    with site.client(None) as client:
        answer = client.post("/console/signin", data={"unsent": unsent, "key": site.keys["operator"]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/overview")
        refused = client.post("/console/signin", data={"unsent": unsent})
        assert "unsent" not in hidden(refused)


def test_neither_a_key_nor_a_form_of_another_site_is_carried(site: Site) -> None:
    key = site.keys["admin"]
    with site.client(None) as client:
        answer = client.post("/console/models/other/notes", data={**NOTES, "key": key, "password": key})
        assert answer.status_code == 401
        assert key not in answer.text
        foreign = {"Sec-Fetch-Site": "cross-site"}
        answer = client.post("/console/models/other/notes", data=NOTES, headers=foreign)
        assert answer.status_code == 403
        assert NOTES["description"] not in answer.text
        carried = json.dumps({"action": "/console/models/other/notes", "fields": {"key": [key], "notes": ["x"]}})
        answer = client.post("/console/signin", data={"unsent": carried, "key": site.keys["operator"]})
        assert (answer.status_code, key in answer.text) == (200, False)


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
@pytest.mark.parametrize("how", ["sign-out", "revoked"])
def test_a_form_that_is_open_when_the_session_ends_stays_and_can_be_sent(
    chromium: Browser, site: Site, how: str
) -> None:
    record, key = new_key(site.settings.api.keys_file, "operator", "own")
    with window(chromium, site, None) as found:
        page = found.page

        def sign_in(page: Page) -> None:
            page.get_by_label("Your key").fill(site.keys["operator"] if page is not found.page else key)
            page.get_by_role("button", name="Sign in").click()

        page.goto("/console/signin")
        sign_in(page)
        page.wait_for_url("**/console/overview")
        found.open("/console/devices/mill-03")
        page.get_by_role("link", name="Shelve").click()
        page.get_by_label("Reason").fill("bearing on order")
        if how == "revoked":
            revoke(site.settings.api.keys_file, record.id)
        else:
            other = page.context.new_page()
            other.goto("/console/models")
            other.get_by_role("button", name="Sign out").click()
        ended = page.locator("#ended")
        expect(ended).to_be_visible()
        expect(ended).to_have_text("Your session has ended. Sign in (opens in a new tab), then send this again.")
        page.get_by_role("dialog").get_by_role("button", name="Shelve").click()
        expect(ended.get_by_role("link")).to_be_focused()
        expect(page.get_by_label("Reason")).to_have_value("bearing on order")
        with page.context.expect_page() as opened:
            ended.get_by_role("link").press("Enter")
        sign_in(opened.value)
        opened.value.wait_for_url("**/console/overview")
        page.bring_to_front()
        expect(ended).to_be_hidden()
        page.get_by_role("dialog").get_by_role("button", name="Shelve").click()
        expect(page.locator("#said")).to_have_text("mill-03 is shelved")
        page.get_by_role("button", name="Unshelve").click()
        assert [each for each in found.said if "401" not in each] == []


def test_a_form_of_another_site_is_not_shown_again(client: httpx.Client) -> None:
    """Otherwise that site could fill a form of this one."""
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.post("/console/models/other/notes", data=NOTES, headers=foreign)
    assert answer.status_code == 403
    assert "What was typed is not shown again, because another site may have written it." in answer.text
    assert NOTES["description"] not in answer.text


def test_a_key_is_never_shown_again(site: Site, client: httpx.Client) -> None:
    key = site.keys["admin"]
    use_up(client)
    for path, fields in (
        ("signin", {"key": key, "next": "x" * 70_000}),
        ("models/other/notes", {"key": key, "password": key, "notes": "x" * 20_001}),
        ("devices/none/shelve", {"key": key, "password": key, **SHELVE}),
    ):
        answer = client.post(f"/console/{path}", data=fields)
        assert answer.status_code in (413, 422, 429), path
        assert key not in answer.text, path


@pytest.mark.skipif(not ALL, reason="make test-console: a server of its own")
def test_a_client_that_asks_too_often_gets_a_page_that_costs_little(
    tmp_path: Path, redis_url: str, mqtt_url: str, chromium: Browser
) -> None:
    """What was typed is in it, and can be sent again. The stream is refused too, which changes nothing on the page."""
    with (
        serving(tmp_path, redis_url, mqtt_url, rate_per_s=0.05, rate_burst=40) as site,
        site.client("operator") as client,
    ):
        for _ in range(50):
            sent_from = {"Referer": f"{site.url}/console/devices/press-07"}
            answer = client.post("/console/devices/press-07/unshelve", data=SHELVE, headers=sent_from)
            if answer.status_code == 429:
                break
        assert "Unshelve press-07" in main(answer)
        assert 'id="his"' not in answer.text  # not the page of the device
        form = re.search(r'<form class="actions gap" method="post" action="([^"]+)".*?</form>', answer.text, re.DOTALL)
        assert form is not None
        assert form[1] == "/console/devices/press-07/unshelve"
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
        assert {name: html.unescape(value) for name, value in fields.items()} == {
            **SHELVE, "page": "/console/devices/press-07",
        }  # fmt: skip
        with window(chromium, site, "admin") as found:
            page = found.open("/console/devices/press-07")
            page.fill("[name=note]", "kept")
            session = {str(each.get("name")): str(each.get("value")) for each in page.context.cookies()}
            while httpx.get(f"{site.url}/v1/ledger", cookies=session, timeout=30.0).status_code != 429:
                pass
            page.evaluate("document.querySelector('form[action=\"/console/labels\"]').noValidate = true")
            with page.expect_response("**/console/stream/**"):
                page.locator("button[data-readings]").click()
            expect(page.get_by_role("heading", name="Add a label")).to_be_visible()
            expect(page.locator("#late")).to_be_visible()
            expect(page.locator("main")).to_have_count(1)
            expect(page.locator("dd", has_text="kept")).to_be_visible()


@pytest.mark.skipif(not ALL, reason="make test-console: a plant of its own, whose Redis hangs")
def test_what_was_typed_is_kept_while_redis_does_not_answer(
    tmp_path: Path, mqtt_url: str, chromium: Browser, eventually: Callable[..., None]
) -> None:
    """On the page of the form, if it needs no Redis; else in an error page. It is sent again when Redis is back."""
    (tmp_path / "redis").mkdir()
    server = OwnRedis(tmp_path / "redis")
    try:
        with serving(tmp_path, f"redis://127.0.0.1:{server.port}/0", mqtt_url) as site, site.client("admin") as client:
            with window(chromium, site, "admin") as found:
                page = found.open("/console/devices/press-07")
                page.get_by_role("link", name="Shelve…").click()
                page.fill("#swhy", SHELVE["why"])
                server.process.send_signal(signal.SIGSTOP)
                try:
                    page.get_by_role("button", name=re.compile("^Shelve( for 1 h)?$")).click()
                    expect(page.get_by_role("heading", name="Shelve press-07")).to_be_visible()
                    expect(page.locator("dd", has_text=SHELVE["why"])).to_be_visible()
                    form = {"metric": "MCC", "notes": "why <not>", "candidates": ["lr"]}
                    answer = client.post("/console/training", data=form)
                    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
                    assert "why <not>" in main(answer)
                    assert shape(answer).of("body")[0]["data-address"] == "/console/training"
                finally:
                    server.process.send_signal(signal.SIGCONT)
                eventually(lambda: client.get("/console/devices").status_code == 200, "Redis")
                page.get_by_role("button", name="Send it again").click()
                expect(page.locator("h2#said, h2#refused")).to_be_visible()
            device = client.get("/v1/devices/press-07").json()
            assert (device["state"], device["reason"]) == ("shelved", SHELVE["why"])
    finally:
        server.kill()
        server.client.close()
