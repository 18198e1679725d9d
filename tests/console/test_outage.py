"""Redis hangs, is slow or dies under the console: each page says so soon, keeps what it can show, and recovers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.attacks.own_redis import OwnRedis
from tests.console.conftest import Site, serving, window
from tests.console.ended_runs import CLEAR
from tests.console.outline import shape
from tests.wire import HOST, Wire

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
pytestmark = pytest.mark.skipif(not ALL, reason="make test-console: a plant of its own, whose Redis hangs and dies")

SHOWN = (
    "overview", "models", "models/small", "models/other/select", "training", "runs", f"runs/{CLEAR}", "classify",
    "audit", "keys", "labels/import", "import",
)  # fmt: skip
NOT_SHOWN = ("devices", "devices/press-07", "states/alarm", "labels", "quarantine")
TWINS = ("devices", "ledger", "quarantine", "labels", "runs", "readings", "predictions")
SOON_S = 4.5  # less than one call of Redis may take by default; a page that waited for two would take longer
SLOW_S = 1.0  # of each answer: a page that waited for all would take ten times as long
SINCE = r"has not answered since \d\d:\d\d:\d\d"


@dataclass(frozen=True)
class Stand:
    site: Site
    server: OwnRedis
    wire: Wire  # from the console to the server
    client: httpx.Client  # signed in

    def hang(self) -> Callable[[], None]:
        self.server.process.send_signal(signal.SIGSTOP)
        return lambda: self.server.process.send_signal(signal.SIGCONT)

    def slow(self) -> Callable[[], None]:
        self.wire.slow_answers(SLOW_S)
        return lambda: self.wire.slow_answers(0.0)

    def die(self) -> Callable[[], None]:
        self.server.kill()
        return self.server.start


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, mqtt_url: str) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("outage")
    (folder / "redis").mkdir()
    server = OwnRedis(folder / "redis")
    try:
        with (
            Wire(server.port) as wire,
            serving(folder, f"redis://{HOST}:{wire.port}/0", mqtt_url) as site,
            site.client("admin") as client,
        ):
            client.timeout = httpx.Timeout(SOON_S)
            yield Stand(site, server, wire, client)
    finally:
        server.kill()
        server.client.close()


@pytest.mark.parametrize("how", ["hang", "slow", "die"])
def test_every_page_says_since_when_redis_does_not_answer(
    stand: Stand, how: str, eventually: Callable[..., None]
) -> None:
    repair = getattr(stand, how)()
    try:  # the first page may show what was read a moment ago
        eventually(lambda: re.search(SINCE, stand.client.get("/console/overview").text), "the outage to be noticed")
        for path in (*SHOWN, *NOT_SHOWN):
            answer = stand.client.get(f"/console/{path}")
            assert answer.status_code == (200 if path in SHOWN else 503), path
            assert re.search(SINCE, answer.text), path
            assert 'aria-label="Main"' in answer.text, path
            assert "Not live since" in answer.text, path
            shape(answer)
        for path in TWINS:
            answer = stand.client.get(f"/v1/{path}")
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/redis-unavailable"), path
            assert answer.headers["retry-after"] == "5"
        with httpx.Client(base_url=stand.site.url, cookies={"zelador_session": "unknown"}, timeout=SOON_S) as other:
            unread = other.get("/console/models")
            assert unread.status_code == 503
            assert "It has not ended" in unread.text
            assert "Nobody can sign in now" in other.get("/console/signin?next=/console/models").text
    finally:
        repair()
    for path in (*SHOWN, *NOT_SHOWN):
        eventually(lambda path=path: stand.client.get(f"/console/{path}").status_code == 200, path, 30.0)
    eventually(lambda: not re.search(SINCE, stand.client.get("/console/overview").text), "the end of the outage", 30.0)


def test_what_a_form_did_is_said_although_redis_stopped_answering_after_it(
    stand: Stand, eventually: Callable[..., None]
) -> None:
    """The page after an act that was done said only that Redis does not answer."""
    path = "/console/devices/press-07"
    assert stand.client.post(f"{path}/shelve", data={"hours": "1", "why": "bearing"}).status_code == 303
    repair = stand.hang()
    try:
        for _ in range(2):  # it is said until the page itself can be shown
            answer = stand.client.get(path)
            assert answer.status_code == 503
            assert "press-07 is shelved" in answer.text
    finally:
        repair()
    eventually(lambda: stand.client.get("/console/overview").status_code == 200, "Redis to answer", 30.0)
    stand.client.post(f"{path}/unshelve")


def test_open_pages_say_that_they_are_not_live_and_recover_by_themselves(stand: Stand, chromium: Browser) -> None:
    """After a form, which is not sent again by itself, the heading changes once Redis is back."""
    with (
        window(chromium, stand.site) as live,
        window(chromium, stand.site) as opened,
        window(chromium, stand.site) as sent,
    ):
        page = live.open("/console/overview")
        form = sent.open("/console/devices/press-07")
        expect(page.locator("#attention")).to_contain_text("OK")
        repair = stand.hang()
        try:
            expect(page.locator("#late")).to_contain_text("Not live since", timeout=60_000)
            expect(page.locator("#attention")).to_contain_text("Redis has not answered since")
            opened.page.goto("/console/devices")
            expect(opened.page.locator("h1")).to_contain_text("Redis has not answered since")
            expect(opened.page.locator("#late")).to_be_visible()
            form.get_by_text("yes", exact=True).first.click()
            form.locator("button[data-readings]").click()
            expect(form.locator("h1")).to_contain_text("Redis has not answered since")
        finally:
            repair()
        expect(page.locator("#late")).to_be_hidden(timeout=60_000)
        expect(page.locator("#attention")).not_to_contain_text("Redis")
        expect(opened.page.locator("h1")).to_have_text("Devices", timeout=60_000)
        expect(form.locator("h1")).to_have_text("Redis answers again", timeout=60_000)
        expect(form).to_have_title("Redis answers again")
        assert live.said == []
