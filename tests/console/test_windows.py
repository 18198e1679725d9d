"""Many windows of one browser: each loads and is live, although a browser opens only six connections to a host."""

from __future__ import annotations

import contextlib
import os
import time
from collections import defaultdict
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Request, expect

from admin.console.stream import ENDED, SESSION_STREAMS
from tests.console.conftest import Site, window
from tests.console.plant import BAD

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
PATHS = (
    "overview", "devices", "devices/press-07", "labels", "quarantine", "models", "training", "runs", "classify",
    "audit",
)  # fmt: skip
STREAM = "/console/stream/"


class Asked:
    """When each page asked for its live parts."""

    def __init__(self, context: BrowserContext) -> None:
        self.at: dict[Page, list[float]] = defaultdict(list)
        context.on("request", self._note)

    def _note(self, request: Request) -> None:
        if STREAM in request.url:
            with contextlib.suppress(Error):  # of a page that was closed
                self.at[request.frame.page].append(time.monotonic())

    def with_streams(self, pages: list[Page], seconds: float = 4.0) -> list[Page]:
        """The pages that did not ask again in this time, so they have a stream."""
        since = time.monotonic()
        pages[0].wait_for_timeout(1_000 * seconds)
        return [page for page in pages if not any(at > since for at in self.at[page])]


def all_live(pages: list[Page]) -> None:
    """Each page shows two different times of the plant."""
    before = [page.locator("#clock").text_content() for page in pages]
    for page, clock in zip(pages, before, strict=True):
        expect(page.locator("#clock")).not_to_have_text(clock or "")
        expect(page.locator("body")).not_to_have_class("not-live")
        expect(page.locator("#late")).to_be_hidden()


def alarm(site: Site, device: str) -> None:
    now = time.time_ns() // 1_000_000
    for step in range(8):
        site.plant.publish(BAD, device, ts=now + step)


@pytest.fixture
def pages(chromium: Browser, site: Site) -> Iterator[tuple[list[Page], Asked, list[str]]]:
    with window(chromium, site) as first:
        context = first.page.context
        asked = Asked(context)
        found = [first.open(f"/console/{PATHS[0]}")]
        for path in PATHS[1:]:
            page = context.new_page()
            page.on("pageerror", lambda error: first.said.append(str(error)))
            page.goto(f"/console/{path}")
            found.append(page)
        yield found, asked, first.said


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_ten_windows_are_live_and_others_take_the_place_of_those_that_go(
    site: Site, pages: tuple[list[Page], Asked, list[str]]
) -> None:
    found, asked, said = pages
    all_live(found)
    holders = asked.with_streams(found)
    assert len(holders) == SESSION_STREAMS
    alarm(site, "press-07")
    for page in found:  # those without a stream too
        expect(page.locator("#watch .alarm")).to_have_text("1 device in alarm")
    expect(found[0].locator("#attention .who")).to_have_text("press-07")

    holders[0].close()
    with contextlib.suppress(Error):  # its process dies: nothing is said to the server or to other windows
        holders[1].goto("chrome://crash", timeout=5_000)
    left = [page for page in found if page not in holders[:2]]
    for _ in range(10):
        if len(now := asked.with_streams(left)) == SESSION_STREAMS:
            break
    assert len(now) == SESSION_STREAMS
    alarm(site, "mill-03")
    for page in left:
        expect(page.locator("#watch .alarm")).to_have_text("2 devices in alarm")
    all_live(left)
    assert said == []


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_a_window_that_opens_hidden_is_live_when_it_is_shown(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "viewer") as found:
        hidden = found.page.context.new_page()
        hidden.add_init_script("Object.defineProperty(document, 'hidden', { get: () => !window.shown })")
        asked = Asked(found.page.context)
        hidden.goto("/console/models")
        hidden.wait_for_timeout(3_000)  # it connects, and ends its stream
        assert asked.at[hidden]
        before = hidden.locator("#clock").text_content()
        asked.at.clear()
        hidden.wait_for_timeout(3_000)
        assert hidden.locator("#clock").text_content() == before
        assert not asked.at
        hidden.evaluate("window.shown = true; document.dispatchEvent(new Event('visibilitychange'))")
        all_live([hidden])


def test_a_window_without_a_stream_hears_that_its_session_has_ended(site: Site) -> None:
    with site.client("viewer") as client, contextlib.ExitStack() as streams:
        for _ in range(SESSION_STREAMS):
            streams.enter_context(client.stream("GET", "/console/stream/watch"))
        answer = client.get("/console/stream/watch")  # ends
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "event: tick" in answer.text
        assert "event: again" in answer.text
        cookies = dict(client.cookies)
        client.post("/console/signout")
        with httpx.Client(base_url=site.url, cookies=cookies) as left:
            assert left.get("/console/stream/watch").text == ENDED.decode()
            assert left.get("/console/overview").status_code == 303


def test_programs_are_not_counted_as_windows(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.keys['viewer']}"}
    with httpx.Client(base_url=site.url, headers=headers, timeout=30.0) as client, contextlib.ExitStack() as streams:
        for _ in range(SESSION_STREAMS + 2):
            answer = streams.enter_context(client.stream("GET", "/console/stream/watch"))
            assert "event: again" not in next(answer.iter_text())
