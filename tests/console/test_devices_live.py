"""The list of devices is live: its counts, and its rows. What is searched or sorted says as of when it is."""

from __future__ import annotations

import os
import re

import pytest
from playwright.sync_api import Browser, expect

from admin.console.devices.live import Asked, asked_in
from tests.attacks.api import wait_for
from tests.console.conftest import Site, window
from tests.console.plant import DEVICES, GOOD
from tests.console.test_device_live import alarm, first_message

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
PARTS = ("list-head", "list-counts", "list-rows", "list-actions")


def test_what_a_list_shows_is_read_from_its_stream_s_address() -> None:
    assert asked_in(":0") == Asked()
    assert asked_in("alarm:50") == Asked("alarm", 50)
    for wrong in ("", "alarm", "alarm:", "x:0", ":-1", ":1e3", ":٣", ":" + "9" * 30, "a:b:c", ":0:0", "alarm: 5"):
        assert asked_in(wrong) is None


def test_a_list_has_a_stream_of_its_own_unless_it_is_searched_or_sorted(site: Site) -> None:
    with site.client("operator") as client:
        wait_for(lambda: client.get("/v1/devices?limit=1").json()["total"] == len(DEVICES), "the devices")
        for path, topic in (("devices", "%3A0"), ("states/ok", "ok%3A0"), ("devices?offset=50", "%3A50")):
            page = client.get(f"/console/{path}").text
            assert f'/console/stream/devices?about={topic}"' in page
            assert "not live." not in re.sub(r"<noscript>.*?</noscript>", "", page)
        for path in ("devices?q=press", "devices?sort=alarm_minutes"):
            page = client.get(f"/console/{path}").text
            assert '/console/stream/watch"' in page
            assert "As of " in page
            assert f'<a href="/console/{path}">Load again</a>' in page
        found = first_message(client, "devices?about=%3A0")
        assert all(f'"#{part}"' in found for part in PARTS)
        assert all(f"/console/devices/{device}" in found for device in DEVICES)
        assert '"#list-rows"' not in first_message(client, "devices?about=nonsense")
        assert "event: ended" in first_message(client, "devices?about=")  # a page without a device is loaded again
    with site.client("viewer") as client:
        assert '"#list-actions"' not in first_message(client, "devices?about=%3A0")


def test_a_device_in_alarm_shows_the_reading_that_raised_it(site: Site) -> None:
    """The values are sampled every 15 s: a new alarm stood beside the usual values of before."""
    with site.client("operator") as client:
        site.plant.calm()
        wait_for(
            lambda: "45.0" in client.get("/console/devices").text, "the usual values"
        )  # and they are kept for 15 s
        alarm(site, "mill-03")
        row = r'<tr class="is-alarm">(?:(?!</tr>).)*mill-03(?:(?!</tr>).)*</tr>'
        wait_for(lambda: re.search(row, client.get("/console/devices").text, re.DOTALL), "the alarm")
        (found,) = re.findall(row, client.get("/console/devices").text, re.DOTALL)
        assert all(value in found for value in ("5.90", "85.0")), found
        site.plant.calm()


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_an_open_list_shows_an_alarm_first_and_keeps_the_keyboard_where_it_is(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        page = found.open("/console/devices")
        page.evaluate("window.same = true")  # until the page is loaded again
        expect(page.locator("#list-rows")).to_contain_text("pump-12")
        page.get_by_label("Find a device").fill("pu")
        page.locator("#list-counts a").first.focus()
        site.plant.publish(GOOD, "pump-12")
        alarm(site, "mill-03")
        expect(page.locator("#list-rows tbody tr").first).to_contain_text("mill-03")
        expect(page.locator("#list-rows tbody tr").first).to_have_class("is-alarm")
        expect(page.locator("#list-head")).to_contain_text("1 in alarm")
        expect(page.locator("#list-counts")).to_contain_text("Alarm 1")
        expect(page.locator("#list-counts a").first).to_be_focused()
        expect(page.get_by_label("Find a device")).to_have_value("pu")
        alarm(site, "press-07")
        expect(page.get_by_role("link", name="Acknowledge all 2…")).to_be_visible()
        assert page.evaluate("window.same")
        assert found.said == []
