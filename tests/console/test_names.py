"""Who acted, as each role sees it: operators and admins see names, viewers see ids of keys."""

from __future__ import annotations

import html
import re

import pytest

from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.test_acknowledging import alarm
from tests.console.test_device_live import first_message

DEVICE = "lathe-05"
PAGES = ("overview", "devices", "states/acknowledged", f"devices/{DEVICE}", f"devices/{DEVICE}/events", "labels")
STREAMS = ("devices?about=acknowledged%3A0", f"device?about={DEVICE}")


@pytest.fixture(scope="module")
def acted(site: Site) -> None:
    """The admin acknowledged the alarm of a device, and labeled it."""
    alarm(site, DEVICE)
    label = {"device": DEVICE, "from": "2026-11-20T10:00", "open": "yes", "label": "yes"}
    with site.client("admin") as client:
        assert client.post(f"/console/devices/{DEVICE}/acknowledge").status_code == 303
        assert client.post("/console/labels", data=label).status_code == 303
        wait_for(lambda: "acknowledged by" in client.get("/console/overview").text, "the event on the overview")


@pytest.mark.usefixtures("acted")
@pytest.mark.parametrize(("role", "is_named"), [("viewer", False), ("operator", True), ("admin", True)])
def test_operators_see_who_has_an_alarm_and_viewers_see_ids(site: Site, role: str, is_named: bool) -> None:
    """An operator could not see which colleague had acknowledged an alarm."""
    with site.client(role) as client:
        shown = {path: client.get(f"/console/{path}").text.partition("<main")[2] for path in PAGES}
        shown |= {path: first_message(client, path) for path in STREAMS}
    for path, text in shown.items():
        read = html.unescape(re.sub(r"<[^>]+>", " ", text))
        assert ("the admin" in read) is is_named, path
        assert bool(re.search(r"key [0-9a-f]{8}", read)) is not is_named, path
