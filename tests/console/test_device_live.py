"""The page of a device is live: its state, what can be done, its last reading and its events."""

from __future__ import annotations

import os
import time

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.attacks.api import wait_for
from tests.console.conftest import Site, window
from tests.console.plant import BAD, GOOD

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
PARTS = ("dev-line", "dev-actions", "dev-state", "dev-last", "dev-events")


def alarm(site: Site, device: str) -> None:
    now = time.time_ns() // 1_000_000
    for step in range(8):
        site.plant.publish(BAD, device, ts=now + step)


def state(site: Site, device: str) -> str:
    headers = {"Authorization": f"Bearer {site.keys['viewer']}"}
    return str(httpx.get(f"{site.url}/v1/devices/{device}", headers=headers, timeout=30.0).json()["state"])


def first_message(client: httpx.Client, path: str) -> str:
    with client.stream("GET", f"/console/stream/{path}") as answer:
        return next(answer.iter_text())


def test_the_stream_of_a_device_has_what_its_role_may_see(site: Site) -> None:
    with site.client("operator") as client:
        assert '/console/stream/device?about=press-07"' in client.get("/console/devices/press-07").text
        found = first_message(client, "device?about=press-07")
        assert all(f'"#{part}"' in found for part in PARTS)
        assert "/console/devices/press-07/retire" in found
        assert 'hx-target="#dev-' not in first_message(client, "device?about=nobody")
        assert 'hx-target="#dev-' not in first_message(client, "device")
        assert 'hx-target="#dev-' not in first_message(client, "watch?about=press-07")
    with site.client("viewer") as client:
        found = first_message(client, "device?about=press-07")
        assert all((f'"#{part}"' in found) == (part != "dev-actions") for part in PARTS)
        assert "<form" not in found


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_an_open_page_follows_its_device_and_keeps_what_is_typed_and_where_the_keyboard_is(
    chromium: Browser, site: Site
) -> None:
    with window(chromium, site, "operator") as found, site.client("operator") as other:
        page = found.open("/console/devices/mill-03")
        expect(page.locator("#dev-state")).to_contain_text("OK")
        page.evaluate("window.same = true")  # until the page is loaded again
        page.get_by_label("Work order or note").fill("WO 7")
        page.get_by_role("link", name="Shelve…").focus()

        site.plant.publish({**GOOD, "temperature": 46.8}, "mill-03")
        expect(page.locator("#dev-last")).to_contain_text("46.8")
        alarm(site, "mill-03")
        expect(page.locator("#dev-line")).to_contain_text("Alarm")
        expect(page.locator("#dev-state")).to_contain_text("Alarm")
        expect(page.locator("#dev-last")).to_contain_text("confidence")
        expect(page.locator("#dev-events li").first).to_contain_text("Alarm")
        expect(page.get_by_role("link", name="Shelve…")).to_be_focused()

        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Shelve mill-03")
        expect(dialog.get_by_role("button", name="Shelve for 1 h")).to_be_visible()
        dialog.get_by_role("radio").nth(1).press("Space")
        expect(dialog.get_by_role("button", name="Shelve for 8 h")).to_be_visible()
        dialog.get_by_label("Or until another time").fill("2030-01-01T10:00")
        expect(dialog.get_by_role("button", name="Shelve", exact=True)).to_be_visible()
        dialog.get_by_label("Reason").fill("I wait for a part")
        other.post("/console/devices/mill-03/acknowledge")
        expect(page.locator("#dev-line")).to_contain_text("Acknowledged")
        expect(page.locator("#dev-lane .p-lane-ack")).to_have_count(1)  # the lane of states follows, and its key
        expect(page.locator("#dev-lane .key")).to_contain_text("Acknowledged")
        expect(page.get_by_role("button", name="Acknowledge", include_hidden=True)).to_have_count(0)
        expect(dialog.get_by_label("Reason")).to_have_value("I wait for a part")
        expect(dialog.get_by_label("Reason")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Shelve…")).to_be_focused()  # another element than the one that opened it
        other.post("/console/devices/mill-03/shelve", data={"hours": "1", "why": "its part is ordered"})
        expect(page.locator("#dev-state")).to_contain_text("its part is ordered")
        expect(page.get_by_role("button", name="Unshelve")).to_be_visible()
        expect(page.locator("h1")).to_be_focused()  # there is no such link now
        page.wait_for_timeout(500)  # a press a moment after the buttons changed is not taken
        page.get_by_role("button", name="Unshelve").focus()
        other.post("/console/devices/mill-03/unshelve")
        expect(page.get_by_role("link", name="Shelve…")).to_be_visible()
        assert page.evaluate("window.same")
        expect(page.get_by_label("Work order or note")).to_have_value("WO 7")
        wait_for(lambda: state(site, "mill-03") != "shelved", "the device")
        assert found.said == []
