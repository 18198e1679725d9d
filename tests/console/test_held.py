"""A live list keeps its order while a person points at it, or has the keyboard's focus in it."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.conftest import Site, window
from tests.console.plant import GOOD
from tests.console.test_device_live import alarm

pytestmark = pytest.mark.skipif(os.environ.get("TEST_CONSOLE") != "1", reason="slow; set TEST_CONSOLE=1")


HELD = "1 device moved; the list is sorted again when you leave it."


@pytest.mark.parametrize("how", ["pointer", "keyboard"])
def test_rows_stay_under_the_pointer_and_the_keyboard_until_the_list_is_left(
    chromium: Browser, site: Site, how: str
) -> None:
    """A person was about to press a device when an alarm moved another one under the pointer."""
    with window(chromium, site, "operator") as found:
        page = found.open("/console/devices")
        rows = page.locator("#list-rows tbody tr")
        site.plant.calm()
        expect(rows.last).to_contain_text("OK")  # two devices at least are
        before = rows.locator("th").all_inner_texts()
        moved = before[-1]
        row, link = rows.filter(has_text=moved), rows.nth(len(before) - 2).locator("th a")
        link.hover() if how == "pointer" else link.focus()
        link.evaluate("link => { window.pressed = link; }")
        place = link.bounding_box()
        alarm(site, moved)
        expect(row).to_have_class("is-alarm")  # its cells are live
        expect(page.locator("#held")).to_have_text(HELD)
        assert rows.locator("th").all_inner_texts() == before
        assert link.bounding_box() == place
        assert link.evaluate("link => link === window.pressed")  # a press that has begun ends on it
        page.locator("h1").hover()
        page.locator("#q").focus()
        expect(page.locator("#held")).to_be_empty()
        assert rows.locator("th").all_inner_texts() != before
        expect(row).to_have_class("is-alarm")
        assert found.said == []


def _leave(page: Page) -> None:
    page.locator("h1").first.dispatch_event("pointerover")
    page.evaluate("document.activeElement.blur()")


def test_the_panel_of_the_overview_keeps_its_device_while_a_person_points_at_it(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        alarm(site, "vise-1")
        page = found.open("/console/overview")
        button = page.locator(".act-now button")
        expect(page.locator("#attention figure")).to_be_visible()
        button.hover()  # from now on the panel is held
        name, place = button.inner_text(), button.bounding_box()
        button.evaluate("button => { window.pressed = button; }")
        for device in ("vise-0", "vise-2", "zzz-3"):
            alarm(site, device)
        expect(page.locator("#held")).to_contain_text("moved; the list is sorted again when you leave it.")
        assert (button.inner_text(), button.bounding_box()) == (name, place)
        assert button.evaluate("button => button === window.pressed")
        _leave(page)
        expect(page.locator("#held")).to_be_empty()
        expect(page.locator("#attention")).to_contain_text("zzz-3")
        assert found.said == []


def test_selected_text_stays_while_the_part_around_it_would_be_shown_again(chromium: Browser, site: Site) -> None:
    """A person who selected the last reading to copy it lost the selection a second later."""
    with window(chromium, site, "operator") as found:
        site.plant.publish(GOOD, "mill-03")
        page = found.open("/console/devices/mill-03")
        last, held = page.locator("#dev-last"), page.locator("#held")
        expect(last).to_contain_text("45.0")
        last.get_by_text("45.0").dblclick()
        site.plant.publish({**GOOD, "temperature": 46.5}, "mill-03")
        expect(held).to_have_text("The part with the selected text is not updated until you clear the selection.")
        assert page.evaluate("getSelection().toString().trim()").startswith("45.0")
        expect(last).to_contain_text("45.0")
        page.locator("h1").click()
        expect(last).to_contain_text("46.5")
        expect(held).to_be_empty()
        last.get_by_text("46.5").hover()
        page.mouse.down()  # this may begin to select
        site.plant.publish({**GOOD, "temperature": 47.5}, "mill-03")
        page.wait_for_function("() => [...waiting.keys()].some(region => region.id === 'dev-last')")
        expect(last).to_contain_text("46.5")
        page.mouse.up()
        expect(last).to_contain_text("47.5")
        assert found.said == []


def test_the_parts_beside_a_held_list_are_shown_as_they_are_sent(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        alarm(site, "vise-1")
        page = found.open("/console/overview")
        ledger, rows = page.locator("#ledger"), page.locator("#ledger tbody tr")
        expect(rows).to_have_count(8)
        before = ledger.inner_text()
        page.locator("#states tbody a").first.hover()
        alarm(site, "vise-4")
        expect(page.locator("#held")).to_have_text(HELD)
        page.wait_for_function("before => document.querySelector('#ledger').innerText !== before", arg=before)
        expect(rows).to_have_count(8)
        page.locator("#feed tbody tr").first.hover()
        site.plant.calm()
        expect(page.locator("#held")).to_have_text("The list is paused until you leave it.")
        _leave(page)
        expect(page.locator("#held")).to_be_empty()
        assert found.said == []
