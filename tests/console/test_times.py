"""What pages say about time: the zone, whether a page is live without scripts, and fields for times."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.console.conftest import Site, window
from tests.console.ended_runs import CLEAR
from tests.console.outline import Outline

LIVE = ("overview", "devices", "states/ok", "devices/press-07", "devices/press-07?range=6h", "models/small")
DATED = ("audit", "runs", "labels", "devices/press-07", "devices/press-07/shelve")
LATEST = {"date": "2999-12-31", "datetime-local": "2999-12-31T23:59:59"}


@pytest.mark.parametrize("path", LIVE)
def test_a_live_page_says_without_scripts_that_it_is_not_live(chromium: Browser, site: Site, path: str) -> None:
    """The clock of the overview stood still, and nothing said so."""
    with window(chromium, site, "viewer", java_script_enabled=False) as found:
        page = found.open(f"/console/{path}")
        line = page.locator("noscript p")
        assert line.is_visible()
        assert re.fullmatch(r"As of \d\d:\d\d:\d\d, not live\. Load again", line.inner_text())
        assert page.content().count("not live.") == 1
        assert line.locator("a").get_attribute("href") == f"/console/{path}"


def test_a_live_page_says_nothing_of_it_with_scripts(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "viewer") as found:
        page = found.open("/console/overview")
        assert not page.locator("noscript p").first.is_visible()


@pytest.mark.parametrize("path", DATED)
def test_a_field_for_a_time_takes_no_year_of_six_digits(site: Site, path: str) -> None:
    """What was typed after a day became the fifth and sixth digit of its year."""
    with site.client() as client:
        fields = Outline(client.get(f"/console/{path}").text).of("input")
    dated = [each for each in fields if each.get("type") in LATEST]
    assert dated
    for each in dated:
        assert each.get("max") == LATEST[str(each["type"])], each


@pytest.mark.parametrize("width", [360, 390, 1440])
def test_each_page_says_its_time_zone(chromium: Browser, site: Site, width: int) -> None:
    with window(chromium, site, "admin", viewport={"width": width, "height": 800}) as found:
        for path in ("overview", "devices/press-07", f"runs/{CLEAR}", "audit", "keys"):
            page = found.open(f"/console/{path}")
            expect(page.locator("#stream").get_by_text("UTC−3")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_shelving_says_in_which_zone_it_ends(site: Site) -> None:
    with site.client("operator") as client:
        asked = client.get("/console/devices/press-07/shelve").text
        assert re.search(r"<legend>Until, UTC−3</legend>.*Or until another time, UTC−3</label>", asked, re.DOTALL)
        client.post("/console/devices/press-07/shelve", data={"until": "2027-01-20T06:00", "why": "bearing"})
        done = client.get("/console/devices/press-07").text
        assert re.search(r"No alarm is raised or sent for it until 20 Jan 2027 06:00 UTC−3\.", done)
        client.post("/console/devices/press-07/unshelve")
