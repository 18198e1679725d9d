"""A training run, started on the page and watched to its end; two of its models are saved under chosen names."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from threading import Event

import pytest
from playwright.sync_api import Browser, expect

import trainer.service
from command.demo.scenarios.by_name import scenario
from tests.attacks.api import wait_for
from tests.console.conftest import Site, window

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console: a run takes most of a minute
pytestmark = [pytest.mark.training, pytest.mark.skipif(not ALL, reason="make test-console runs it")]
RUN_MS = 170_000


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


@pytest.mark.timeout(300)
def test_a_run_is_started_and_watched_and_two_of_its_models_are_saved(chromium: Browser, labeled: Site) -> None:
    with window(chromium, labeled, "operator") as found:
        page = found.open("/console/training")
        expect(page.locator(".verdict")).to_contain_text("labeled readings")
        page.get_by_text("Choose…").click()
        for name in ("Logistic Regression", "Decision Tree", "Naive Bayes"):
            page.get_by_label(name).check()
        page.get_by_role("button", name="Start training").click()
        page.wait_for_url("**/console/runs/*")
        expect(page.locator("progress")).to_be_visible()
        expect(page.locator("#progress")).to_contain_text("Leaderboard so far", timeout=RUN_MS)
        expect(page.get_by_role("link", name="Finish early…")).to_be_visible()  # without loading the page again
        expect(page.locator("#run-state")).to_contain_text("Running")
        expect(page.locator(".picks")).to_be_visible(timeout=RUN_MS)  # the page loads itself again when the run ends
        assert page.locator(".picks > li").count() == 3
        for rank, name in ((1, "the-first"), (3, "the-third")):
            page.locator(f"#name{rank}").fill(name)
            page.locator(f"#note{rank}").fill("kept by hand")
            page.locator(f"#keep{rank}").check()
        page.get_by_role("button", name="Save the chosen ones").click()
        expect(page.locator(".picks .state.done")).to_have_count(2)
        page.get_by_role("link", name=re.compile("the-.*third")).click()
        expect(page.locator("h1")).to_have_text("the-third")
        expect(page.locator("#note")).to_have_value("kept by hand")
        page.goto("/console/models")
        expect(page.get_by_role("link", name=re.compile("the-.*first"))).to_be_visible()
        assert found.said == []
