"""A training run, by keyboard alone: started on the page, watched, finished early; two of its models are saved."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from threading import Event

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import trainer.service
from command.demo.scenarios.by_name import scenario
from tests.attacks.api import wait_for
from tests.console.conftest import Site, window

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console: a run takes most of a minute
pytestmark = [pytest.mark.training, pytest.mark.skipif(not ALL, reason="make test-console runs it")]
RUN_MS = 170_000
MAX_TABS = 120
OUTLINE = """each => [each, each.parentElement].some(one => {
  const style = getComputedStyle(one);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1.5 || style.boxShadow !== "none";
})"""


@pytest.fixture
def labeled(site: Site) -> Iterator[Site]:
    """The plant with labeled readings and a trainer."""
    begin = time.time_ns() // 1_000_000 - 3_600_000
    samples = scenario("machines").history[:300]
    for step, sample in enumerate(samples):
        site.plant.publish(sample.values, sample.device_id, label=sample.label, ts=begin + 1_000 * step)
    with site.client("viewer") as client:
        wait_for(lambda: client.get("/v1/ledger").json()["accepted"] >= len(samples), "the readings")
    stop = Event()
    thread = threading.Thread(target=trainer.service.run, args=(site.settings, stop))
    thread.start()
    yield site
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


class Keyboard:
    """Somebody with a keyboard alone."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def reach(self, wanted: Locator) -> None:
        """Presses Tab until `wanted` has the focus, which can be seen."""
        for _ in range(MAX_TABS):
            self._page.keyboard.press("Tab")
            if wanted.evaluate("each => each === document.activeElement"):
                assert wanted.evaluate(OUTLINE), f"the focus on {wanted} cannot be seen"
                return
        raise AssertionError(f"Tab does not reach {wanted}")

    def press(self, wanted: Locator, key: str = "Enter") -> None:
        self.reach(wanted)
        self._page.keyboard.press(key)

    def write(self, wanted: Locator, text: str) -> None:
        self.reach(wanted)
        self._page.keyboard.press("Control+a")
        self._page.keyboard.type(text)


@pytest.mark.timeout(300)
def test_a_run_is_started_watched_and_finished_early_and_two_models_are_saved_by_keyboard(
    chromium: Browser, labeled: Site
) -> None:
    with window(chromium, labeled, "operator") as found:
        page, keys = found.open("/console/training"), Keyboard(found.page)
        expect(page.locator(".verdict")).to_contain_text("labeled readings")
        keys.press(page.locator("summary", has_text="Choose…"))
        for name in (
            "Logistic Regression",
            "K Neighbors",
            "Random Forest",
            "AdaBoost",
            "Gradient Boosting",
            "Extra Trees",
        ):
            keys.press(page.get_by_label(name, exact=True), "Space")
        keys.press(page.get_by_role("button", name="Start training"))
        page.wait_for_url("**/console/runs/*")
        expect(page.locator("progress")).to_be_visible()
        expect(page.locator("#run-state")).to_contain_text("Running", timeout=RUN_MS)
        finish, dialog = page.get_by_role("link", name="Finish early…"), page.locator("dialog#finish")
        expect(page.locator("#progress tbody b").nth(1)).to_be_visible(timeout=RUN_MS)  # two have ended
        expect(finish).to_be_visible()  # without loading the page again
        expect(page.locator(".track .done").nth(1)).to_contain_text("has ended")
        expect(page.locator("#timing")).to_contain_text("so far")
        with labeled.client("viewer") as other:  # a page that is opened later shows the same candidates
            assert other.get(page.url).text.count('<li class="done">') >= 2
        keys.press(finish)
        expect(dialog).to_be_visible()
        assert dialog.evaluate("each => each.contains(document.activeElement)")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(finish).to_be_focused()
        page.keyboard.press("Enter")
        keys.press(dialog.get_by_role("button", name="Finish with these"))
        expect(page.locator(".picks")).to_be_visible(timeout=RUN_MS)  # the page loads itself again when the run ends
        assert page.locator(".picks > li").count() >= 2
        for rank, name in ((1, "the-first"), (2, "the-second")):
            boxes = {field: page.locator(f"#{field}{rank}") for field in ("keep", "name", "note")}
            order = page.locator(f"#keep{rank}, #name{rank}, #note{rank}").evaluate_all(
                "all => all.map(each => each.id)"
            )
            for field in (each.rstrip("0123456789") for each in order):
                if field == "keep":  # typing a name has chosen it
                    keys.reach(boxes[field])
                    expect(boxes[field]).to_be_checked()
                else:
                    keys.write(boxes[field], name if field == "name" else "kept by hand")
        keys.press(page.get_by_role("button", name="Save 2 models"))
        expect(page.locator(".picks .state.done")).to_have_count(2)
        keys.press(page.get_by_role("link", name=re.compile("the-.*second")))
        expect(page.locator("h1")).to_have_text("the-second")
        expect(page.locator("#note")).to_have_value("kept by hand")
        page.goto("/console/models")
        expect(page.get_by_role("link", name=re.compile("the-.*first"))).to_be_visible()
        assert found.said == []
