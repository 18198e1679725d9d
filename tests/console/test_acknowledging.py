"""Alarms are acknowledged from the overview, one by its name or all that a person has seen."""

from __future__ import annotations

import os
import re
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.attacks.api import wait_for
from tests.console.conftest import Site, window
from tests.console.outline import Outline, shape
from tests.console.plant import BAD

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console


def alarm(site: Site, *devices: str) -> None:
    now = time.time_ns() // 1_000_000
    for device in devices:
        for step in range(8):
            site.plant.publish(BAD, device, ts=now + step)
    with site.client("viewer") as client:
        for device in devices:
            path = f"/v1/devices/{device}"
            wait_for(lambda path=path: client.get(path).json().get("state") == "alarm", "the alarm")  # type: ignore[misc]


def test_all_alarms_that_were_seen_are_acknowledged_each_with_an_entry_of_the_audit_log(site: Site) -> None:
    """A device that comes into alarm after the page was read stays in alarm."""
    alarm(site, "saw-01", "saw-02")
    with site.client("operator") as client:
        for path in ("overview", "devices"):
            page = client.get(f"/console/{path}")
            assert "Acknowledge all 2…" in page.text, path
            assert 'href="/console/alarms/acknowledge"' in page.text
        asked = client.get("/console/alarms/acknowledge")
        fields = {str(e["name"]): str(e["value"]) for e in shape(asked).of("input") if e.get("name") == "at"}
        assert "Acknowledge 2 alarms?" in asked.text
        assert {"saw-01", "saw-02"} <= set(re.findall(r">(saw-\d\d)</a>", asked.text))
        time.sleep(0.002)  # alarms are counted in milliseconds
        alarm(site, "saw-03")
        done = client.post("/console/alarms/acknowledge", data=fields)
        assert done.headers["location"] == "/console/alarms/acknowledge"  # one is left
        assert "Acknowledge 1 alarm?" in client.get("/console/alarms/acknowledge").text
        states = {device: client.get(f"/v1/devices/{device}").json() for device in ("saw-01", "saw-02", "saw-03")}
        assert [each["state"] for each in states.values()] == ["acknowledged", "acknowledged", "alarm"]
        again = client.post("/console/alarms/acknowledge", data=fields)
        assert again.status_code == 409
        assert "Nothing was acknowledged." in again.text
        shape(again)
        rest = client.post("/v1/devices/acknowledge", json={})
        assert (rest.status_code, rest.json()) == (200, {"devices": ["saw-03"], "left": 0})
        assert client.post("/v1/devices/acknowledge").status_code == 409
        assert "No device in alarm" in client.get("/console/alarms/acknowledge").text
    with site.client("admin") as client:
        entries = client.get("/v1/audit?limit=20").json()["changes"]
        found = [each["target"] for each in entries if each["what"] == "alarm acknowledged" and "saw" in each["target"]]
        assert sorted(found) == ["saw-01", "saw-02", "saw-03"]
    with site.client("viewer") as client:
        assert client.post("/v1/devices/acknowledge").status_code == 403
        assert client.get("/console/alarms/acknowledge").status_code == 403
        assert '/acknowledge"' not in client.get("/console/overview").text


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_the_button_names_its_device_and_keeps_the_focus(chromium: Browser, site: Site) -> None:
    """The panel is sent again about once a second. After the press, the focus is on what was done."""
    with window(chromium, site, "operator") as found:
        page = found.open("/console/overview")
        alarm(site, "drill-09")
        button = page.get_by_role("button", name="Acknowledge drill-09")
        expect(button).to_be_visible()
        expect(button).to_have_accessible_description(re.compile("you take care of it"))
        button.focus()
        first = button.element_handle()
        assert first is not None
        site.plant.publish({**BAD, "temperature": 86.8}, "drill-09")
        expect(page.locator(".attention")).to_contain_text("86.8")
        assert first.evaluate("each => each.isConnected")
        expect(button).to_be_focused()
        page.wait_for_timeout(450)  # a press just after the device changed is not taken
        button.press("Enter")
        expect(button).to_be_hidden()
        page.wait_for_url("**/console/overview")
        expect(page.locator("#said")).to_be_focused()
        expect(page.locator("#said")).to_have_text("Alarm of drill-09 acknowledged")
        assert found.said == []
    with site.client("viewer") as client:
        assert client.get("/v1/devices/drill-09").json()["state"] == "acknowledged"
        assert Outline(client.get("/console/states/acknowledged").text).of("tr")
